"""`repository`: a folder of static files that Blender installs and updates the extension from.

Put on any web server, its index.json is the URL of a remote repository in Blender's preferences (Blender manual,
"Creating a Static Extensions Repository").
"""

from __future__ import annotations

import shutil
from pathlib import Path

from addon.contract.errors import OutputError

from .environments import Environment
from .package import extension_command, package


def repository(blender: Environment, folder: Path) -> Path:
    """Build the extension into `folder`, in place of older versions. Returns the index.

    Raises:
        EngineError: with Blender's words.
        OutputError: what the disk refuses.
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
