"""The table of export targets: which program reads the mattes, and the rules for its files.

A new target that an existing writer can serve is one line in this table. A target with rules of its own also needs a
file in engine/export. docs/export-targets.md is the documentation for users. Standard library only; both processes
import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rules:
    """Which files are written, and where.

    writer: name of the module in engine/export.
    pattern: path of a frame's file inside the version. {stem} is the image's base name and {name} its file name, both
        with its folder if the footage has several; {object} is a folder per object, {view} one per view of a rig.
        {place} counts the exported images from 0, in natural order of their names.
    subject_is_white: whether the subject is white and the background black in masks, unless the Job inverts them.
    as_stored: masks have the orientation of the stored pixels, for programs that ignore EXIF orientation. Otherwise
        they are upright. docs/export-targets.md names the source for each program.
    every_frame: every frame of the footage gets a file, even if nothing was tracked on it.
    invertible: whether `invert` is possible.
    has_alpha: images with an alpha channel are written, so the footage's own alpha can be used.
    edge_colours: whether the colours of the subject can be continued beyond its edge.
    weighs: the program uses grey values of masks as weights, so mattes may have them if the Job asks for it.
    bands: the program distinguishes ignored pixels from those that have to be empty.
    views: panoramas are written as pinhole views, and the Job says as which.
    pair: whether the program aligns cameras or trains splats, so that a version can hold the masks for the other too.
    soft: mattes may have grey values; otherwise they are 0 or 255.
    found: the target is for parts that a search found, not for marked objects.
    one_file: all frames are in one file, which is always written as a whole; {clip} in `pattern` is the footage's name.
    camera_mask: the file of a camera's static mask, black where nothing may be used; empty: none is written.
    flat: the program finds files by base name alone, so the footage's folders are not repeated.
    """

    writer: str
    pattern: str = "{stem}.png"
    subject_is_white: bool = True
    as_stored: bool = False
    every_frame: bool = False
    invertible: bool = True
    has_alpha: bool = False
    edge_colours: bool = False
    weighs: bool = False
    bands: bool = False
    views: bool = False
    pair: Literal["", "aligns", "trains"] = ""
    soft: bool = False
    one_file: bool = False
    flat: bool = False
    found: bool = False
    camera_mask: str = ""

    def keeps_greys(self, asked: bool) -> bool:
        """Whether mattes may have greys, where the Job's delivery has asked for them or not."""
        return self.soft or (self.weighs and asked)


@dataclass(frozen=True, slots=True)
class Target:
    """A program that reads mattes: its label in the menu, a description, and the rules for its files."""

    label: str
    description: str
    rules: Rules


_BY_STEM = Rules("masks", pair="trains")
_MASKS_FOLDER = Rules("masks", "masks/{stem}.png", as_stored=True, pair="trains")
_BESIDE_IMAGES = "A folder of masks to lie beside the images. "

TARGETS: dict[str, Target] = {
    "postshot": Target(
        "Postshot",
        "PNGs with the matte as straight alpha; the colours stay as they are. Zero alpha is reconstructed as empty",
        Rules("postshot", has_alpha=True, edge_colours=True, pair="trains"),
    ),
    "compositing": Target(
        "Compositing",
        "PNGs with the matte as straight alpha, as for Postshot, but with soft edges where an object has them",
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
        Rules("masks", "{name}.png", as_stored=True, camera_mask="camera_mask.png", pair="aligns"),
    ),
    "realityscan": Target(
        "RealityScan",
        "Masks to lie beside the images, as .mask.png. Black is left out; invert it if yours does the opposite",
        Rules("masks", "{name}.mask.png", as_stored=True, pair="aligns"),
    ),
    "metashape": Target(
        "Metashape",
        "Masks to import by the template {filename}.png. Black is left out",
        Rules("masks", as_stored=True, flat=True, pair="aligns"),
    ),
    "nerfstudio": Target(
        "Nerfstudio",
        "A folder of masks, and your transforms.json with mask_path added. Black is not trained on",
        Rules("nerfstudio", "masks/{stem}.png", as_stored=True, pair="trains"),
    ),
    "brush": Target(
        "Brush",
        _BESIDE_IMAGES + "Black is not trained on",
        Rules("masks", "masks/{stem}.png", as_stored=True, weighs=True, pair="trains"),
    ),
    "lichtfeld": Target(
        "LichtFeld Studio",
        _BESIDE_IMAGES + "White is kept",
        Rules("lichtfeld", "masks/{stem}.png", as_stored=True, bands=True, pair="trains"),
    ),
    "spirula": Target("Spirula Studio", _BESIDE_IMAGES + "Black is ignored, or cut out", _MASKS_FOLDER),
    "pinhole": Target(
        "Pinhole Rig",
        "Views of a panorama as images and masks, and a rig file by which COLMAP places their cameras",
        Rules("pinhole_rig", "images/{view}/{stem}.png", views=True),
    ),
    "t3dgs": Target(
        "T-3DGS",
        "What moves is marked as the subject: black there, white where the scene is static; a mask for every frame",
        Rules("masks", "{place}.png", subject_is_white=False, as_stored=True, every_frame=True),
    ),
    "tiff": Target(
        "TIFF with Alpha",
        "TIFFs of 8 or 16 bits with the matte as straight alpha; the colours stay as they are",
        Rules("rgba_tiff", "{stem}.tif", has_alpha=True, edge_colours=True, soft=True),
    ),
    "exr": Target(
        "EXR with Alpha",
        "The half or float values of EXR footage with the matte as straight alpha, in the footage's colour space",
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
        "Cryptomatte EXR",
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
