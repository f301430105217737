"""Export targets: one table of who reads the mattes and by which rules. Standard library only; both sides import it.

A new target that follows a writer's rules is one line here; one with rules of its own is a line and a file in
engine/export. docs/export-targets.md says the same for people.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """What is written, and where.

    writer: the module of engine/export.
    pattern: path of a frame's file inside the version. {stem}: the image's base name, {name}: its whole file name,
        both with its folder if the footage has several; {object}: a folder for each object.
    subject_is_white: of masks, unless the Job inverts it; the rest is black, or the other way round.
    as_stored: masks lie as the image's pixels are stored, for programs that don't look at EXIF orientation;
        otherwise upright. docs/export-targets.md says from which source each program's way is known.
    every_frame: the whole footage gets files, also frames that nothing was tracked on.
    invertible: whether inverting it means anything.
    has_alpha: images with alpha are written, so that alpha of the footage may count.
    edge_colours: the subject's colours can be continued beyond its edge.
    soft: mattes may have greys; otherwise they are 0 or 255 and nothing between.
    found: only parts that were found without a click are written so, never what was marked.
    one_file: all frames are in one, so it is always written anew as a whole; {clip} in its pattern: the footage's name.
    flat: its program looks for files by base name alone, so there are no folders for the footage's.
    """

    writer: str
    pattern: str = "{stem}.png"
    subject_is_white: bool = True
    as_stored: bool = False
    every_frame: bool = False
    invertible: bool = True
    has_alpha: bool = False
    edge_colours: bool = False
    soft: bool = False
    one_file: bool = False
    flat: bool = False
    found: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One reader of mattes: its label, and what it does with the files, for people."""

    label: str
    description: str
    rules: Rules


_BY_STEM = Rules("masks")
_MASKS_FOLDER = Rules("masks", "masks/{stem}.png", as_stored=True)

TARGETS: dict[str, Target] = {
    "postshot": Target(
        "Postshot",
        "PNGs with the matte as straight alpha; the colours stay as they are. Zero alpha is reconstructed as empty",
        Rules("postshot", has_alpha=True, edge_colours=True),
    ),
    "compositing": Target(
        "Compositing",
        "PNGs with the matte as straight alpha, as for Postshot, but with soft edges where an object is feathered",
        Rules("postshot", has_alpha=True, edge_colours=True, soft=True),
    ),
    "masks": Target(
        "Masks",
        "Black and white PNGs named as the images, white where the subject is. Most programs read them",
        _BY_STEM,
    ),
    "colmap": Target(
        "COLMAP",
        "Masks for its mask path, named as the image with .png after it. No features are found in black",
        Rules("masks", "{name}.png", as_stored=True),
    ),
    "realityscan": Target(
        "RealityScan",
        "Masks to lie beside the images, as .mask.png. Black is left out; invert it if yours does the opposite",
        Rules("masks", "{name}.mask.png", as_stored=True),
    ),
    "metashape": Target(
        "Metashape",
        "Masks to import by the template {filename}.png. Black is left out",
        Rules("masks", as_stored=True, flat=True),
    ),
    "nerfstudio": Target(
        "Nerfstudio",
        "A folder of masks, and your transforms.json with mask_path added. Black is not trained on",
        Rules("nerfstudio", "masks/{stem}.png", as_stored=True),
    ),
    "brush": Target("Brush", "A folder of masks to lie beside the images. Black is not trained on", _MASKS_FOLDER),
    "lichtfeld": Target("LichtFeld Studio", "A folder of masks to lie beside the images. White is kept", _MASKS_FOLDER),
    "t3dgs": Target(
        "T-3DGS",
        "What moves is marked as the subject: black there, white where the scene is static; a mask for every frame",
        Rules("masks", subject_is_white=False, as_stored=True, every_frame=True, flat=True),
    ),
    "tiff": Target(
        "TIFF with Alpha",
        "TIFFs of 8 or 16 bits with the matte as straight alpha; the colours stay as they are",
        Rules("rgba_tiff", "{stem}.tif", has_alpha=True, edge_colours=True, soft=True),
    ),
    "exr": Target(
        "EXR with Alpha",
        "Of EXR footage: its half or float values with the matte as straight alpha, in the footage's colour space",
        Rules("rgba_exr", "{stem}.exr", has_alpha=True, soft=True),
    ),
    "prores": Target(
        "ProRes 4444",
        "A movie with the matte as straight alpha, as long as the footage, for editors. 10 bits",
        Rules("movie", "{clip}.mov", has_alpha=True, soft=True, every_frame=True, one_file=True),
    ),
    "ffv1": Target(
        "FFV1",
        "A movie with the matte as straight alpha, as long as the footage, without any loss",
        Rules("movie", "{clip}.mkv", has_alpha=True, soft=True, every_frame=True, one_file=True),
    ),
    "layers": Target(
        "EXR Layers and Cryptomatte",
        "An EXR a frame with a named layer for each object, and Cryptomatte to pick them by",
        Rules("layers", "{stem}.exr", invertible=False, soft=True),
    ),
    "objects": Target(
        "Mattes per Object",
        "A folder of masks for each object, white where it is",
        Rules("objects", "{object}/{stem}.png"),
    ),
    "segments": Target(
        "Segments",
        "All parts that are found: an index of overlapping masks (COCO RLE) and a 16-bit image of ids a frame",
        Rules("segments", invertible=False, found=True),
    ),
    "labels": Target(
        "Object IDs",
        "One grey PNG a frame: 0 is the background, 1 the first object, 2 the second; the report names them",
        Rules("labels", invertible=False),
    ),
}
