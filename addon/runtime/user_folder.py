"""The folder of everything that is downloaded once per user: the runtime and the checkpoints. Standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_NAME = "splat_matte"


def user_folder(
    platform: str = sys.platform, environ: Mapping[str, str] = os.environ, home: Path | None = None
) -> Path:
    """The folder for this user's data, which may not exist yet.

    Blender has a user folder per Blender version. This folder contains gigabytes, so it is beside Blender's and serves
    all versions. SPLAT_MATTE_FOLDER names another folder, for example on a larger disk.

    Args:
        platform: a value of sys.platform.
        environ: the environment variables.
        home: the home folder; None: this user's.

    Sources: XDG Base Directory Specification; Windows known folder LocalAppData; Apple's File System Programming Guide.
    """
    if chosen := environ.get("SPLAT_MATTE_FOLDER"):
        return Path(chosen)
    home = home or Path.home()
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / _NAME
    if platform == "darwin":
        return home / "Library" / "Application Support" / _NAME
    data = environ.get("XDG_DATA_HOME", "")
    # The specification says that a relative path is invalid and has to be ignored.
    return (Path(data) if Path(data).is_absolute() else home / ".local" / "share") / _NAME
