"""The description of a rendered clip: a Shot. Plain data; the same Shot gives the same pictures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shot:
    """One clip. Lengths in metres, angles in degrees, sizes in pixels."""

    seed: int
    subject: str  # a name in subjects.SUBJECTS, or "suzanne"
    width: int = 384
    height: int = 216
    frames: int = 8
    samples: int = 6
    orbit: float = 30.0  # the camera's path around the subject over the clip
    clutter: int = 6  # other things standing about
    occlusion: str = "none"  # "none", "clutter" (partly, by chance) or "pillar" (wholly, for a few frames)
    pillar_width: float = 2.3  # in radii of the subject, as seen from the camera
    moving: bool = False  # the subject slides and turns
    walks: bool = False  # the subject crosses the picture; the scene is rendered without it too
    floor: str = "any"  # "any", or a pattern of blender.PATTERNS
    fill: float = 0.5  # the subject's size against the picture's height
    quality: int = 88  # JPEG
    draft: bool = False  # faster denoising of lower quality: takes half of the time
    coverage_samples: int = 1  # 1: the id at the pixel centre; more: the subject where it covers half of a pixel
