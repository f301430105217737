"""`repository`: builds a folder of static files from which Blender installs and updates the extension.

On a web server, the URL of its index.json is a remote repository for Blender's preferences (Blender manual,
"Creating a Static Extensions Repository").
"""

from __future__ import annotations

import shutil
from pathlib import Path

from addon.contract.errors import OutputError

from .environments import Environment
from .package import extension_command, package


def repository(blender: Environment, folder: Path) -> Path:
    """Build the extension into `folder`, where it replaces older versions. Returns the path of the index.

    Raises:
        EngineError: Blender's message.
        OutputError: a file can't be written.
    """
    file = package(blender)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{file.name}.part"
        shutil.copyfile(file, part)
        part.replace(folder / file.name)
        # An index lists a package once.
        for other in folder.glob(f"{file.name.partition('-')[0]}-*.zip"):
            if other.name != file.name:
                other.unlink()
    except OSError as error:
        raise OutputError(f"It can't be written: {error.strerror}.", where=str(folder)) from None
    extension_command(blender, ["server-generate", "--html", "--repo-dir", str(folder)])
    return folder / "index.json"
