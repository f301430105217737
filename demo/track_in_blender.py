"""The demo's part inside Blender: install the extension, load the plates, set markers, track, export.

Run by `python3 vendor_setup demo` with the Python of a bpy wheel. It calls the operators that an artist would click.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import bpy

EXCLUDE_RED = (1.0, 0.0, 0.0)


def main() -> int:
    """Run the demo; return 0 if a version was exported."""
    parser = argparse.ArgumentParser()
    parser.add_argument("extension", type=Path, help="the zip")
    parser.add_argument("plates", type=Path, help="folder of the image sequence")
    parser.add_argument("about", type=Path, help="clip.json: the markers to set")
    parser.add_argument("blend", type=Path, help="where the .blend is saved")
    parser.add_argument("checkpoint", help="its name in the panel Track")
    options = parser.parse_args()
    bpy.ops.extensions.package_install_files(
        filepath=str(options.extension), repo="user_default", enable_on_install=True
    )
    first = min(options.plates.iterdir())
    clip = bpy.data.movieclips.load(str(first))
    set_markers(clip, json.loads(options.about.read_text(encoding="utf-8"))["prompts"])
    clip.splat_matte.checkpoint = options.checkpoint  # type: ignore[attr-defined]  # added by the extension
    bpy.ops.wm.save_as_mainfile(filepath=str(options.blend))
    operators: Any = bpy.ops.splat_matte  # type: ignore[attr-defined]  # added by the extension
    if operators.track(clip=clip.name) != {"FINISHED"}:
        return 1
    return 0 if operators.export(clip=clip.name) == {"FINISHED"} else 1


def set_markers(clip: bpy.types.MovieClip, prompts: list[dict[str, Any]]) -> None:
    """Add one track per prompt. x and y are pixels from the top left; Blender's markers count from 0 to 1 from bottom
    left.
    """
    size: Any = clip.size
    width, height = size
    tracks = clip.tracking.objects["Camera"].tracks
    for prompt in prompts:
        track = tracks.new(name=prompt["label"].capitalize(), frame=prompt["frame"])
        track.markers.insert_frame(prompt["frame"], co=(prompt["x"] / width, 1 - prompt["y"] / height))
        if prompt["label"] == "exclude":
            track.use_custom_color = True
            track.color = EXCLUDE_RED


if __name__ == "__main__":
    sys.exit(main())
