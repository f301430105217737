"""Where things live that are downloaded once per person: the runtime and the checkpoints. Standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_NAME = "splat_matte"


def user_folder(
    platform: str = sys.platform, environ: Mapping[str, str] = os.environ, home: Path | None = None
) -> Path:
    """The folder for this person's data; it may not exist yet.

    Blender's own user folder is one per Blender version, and this holds gigabytes, so it lies beside it.
    SPLAT_MATTE_FOLDER puts it elsewhere, on a larger disk for instance.

    Args:
        platform: as sys.platform.
        home: default: this person's.

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
    # The specification: a relative path is invalid and to be ignored.
    return (Path(data) if Path(data).is_absolute() else home / ".local" / "share") / _NAME
