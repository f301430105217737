"""Uses solved tracks as points: their 3-D positions, the bundles, projected into frames that the artist chooses.

A solved track is known on the whole clip, also where the tracker has lost it. Its bundle is projected by the
reconstructed cameras of its own object if that is solved, else by those of the clip's camera, since *Object from
Tracks* leaves bundles where they are. A point is left out where it is occluded: where another solved track, which the
tracker saw on that frame, is in front of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..contract.job_types import Point
from ..language import translated
from ..settings.clip_settings import ObjectSettings
from ..settings.palette import excludes
from .coordinates import ClipCoordinates
from .markers import markers_of

_POOR = 0.005  # reprojection error, in frame widths, above which a track is not used
_BESIDE = 0.03  # distance in the image, in frame widths, within which another track can occlude one
_BEFORE = 0.03  # how much nearer to the camera it must be to do so, as a fraction of the distance

Places = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Solved:
    """A track with its bundle (x, y, z), and the frames on which it has an unmuted marker."""

    track: bpy.types.MovieTrackingTrack
    bundle: tuple[float, float, float]
    seen: frozenset[int]


def solved_points(
    clip: bpy.types.MovieClip,
    tracking_object: bpy.types.MovieTrackingObject,
    entry: ObjectSettings,
    coordinates: ClipCoordinates,
    ignored: list[str],
) -> dict[int, list[Point]]:
    """Return points by clip frame as the object's settings ask for; append what is left out, with reasons, to
    `ignored`.

    Raises:
        FootageError: a file can't be read.
    """
    name = tracking_object.name
    if entry.solved == "OFF":
        return {}
    camera = next((other for other in clip.tracking.objects if other.is_camera), tracking_object)
    space = tracking_object if tracking_object.reconstruction.is_valid else camera
    if not space.reconstruction.is_valid:
        ignored.append(f"{name}: solve the camera to use its solved tracks.")
        return {}
    if clip.tracking.camera.distortion_model != "POLYNOMIAL":
        ignored.append(f"{name}: solved tracks need the lens distortion model Polynomial.")
        return {}
    every = [
        solved
        for other in clip.tracking.objects
        if other == space or (space == camera and not other.reconstruction.is_valid)
        for solved in _solved_of(other)
    ]
    poor = _POOR * clip.size[0]  # type: ignore[index]
    own = [solved for solved in _solved_of(tracking_object) if not solved.track.hide]
    good = [solved for solved in own if solved.track.average_error <= poor]
    if len(good) < len(own):
        ignored.append(f"{name}: {len(own) - len(good)} solved tracks lie too far from their markers.")
    if not own:
        ignored.append(f"{name}: none of its tracks is solved.")
    points: dict[int, list[Point]] = defaultdict(list)
    hidden = 0
    count = coordinates.footage.frame_count
    cameras = {one.frame: one for one in space.reconstruction.cameras if 1 <= one.frame <= count}
    asked: dict[int, list[_Solved]] = defaultdict(list)
    for solved in good:
        for frame in _frames(solved, sorted(cameras), entry):
            asked[frame].append(solved)
    for frame, tracks in sorted(asked.items()):
        from_camera = _matrix_of(cameras[frame])
        before = [solved for solved in every if frame in solved.seen]
        places, depths = _projected(clip, from_camera, [solved.bundle for solved in tracks])
        others, nearer = _projected(clip, from_camera, [solved.bundle for solved in before])
        for solved, place, depth in zip(tracks, places, depths, strict=True):
            if depth <= 0 or not ((place >= 0) & (place <= 1)).all():
                continue
            aside = (others - place) * (1, clip.size[1] / clip.size[0])  # type: ignore[index]
            if ((np.hypot(*aside.T) < _BESIDE) & (nearer > 0) & (nearer < (1 - _BEFORE) * depth)).any():
                hidden += 1
                continue
            track = solved.track
            include = not (track.use_custom_color and excludes(track.color[:]))
            points[frame].append(Point(*coordinates.from_marker(frame, (place[0], place[1])), include))
    if hidden:
        ignored.append(translated("{1}: {2} places of solved tracks are hidden by other tracks.", name, hidden))
    return points


def _solved_of(tracking_object: bpy.types.MovieTrackingObject) -> list[_Solved]:
    found = []
    for track in tracking_object.tracks:
        if track.has_bundle:
            frames, _, muted, _ = markers_of(track)
            seen = frozenset(frame for frame, is_muted in zip(frames, muted, strict=True) if not is_muted)
            found.append(_Solved(track, (track.bundle[0], track.bundle[1], track.bundle[2]), seen))
    return found


def _frames(solved: _Solved, cameras: list[int], entry: ObjectSettings) -> list[int]:
    """Return the clip frames on which a track gives a point: never those on which it has a marker set by hand."""
    frames, keyed, muted, _ = markers_of(solved.track)
    by_hand = {frame for frame, *is_so in zip(frames, keyed, muted, strict=True) if is_so == [True, False]}
    if entry.solved == "STEP":
        return [frame for frame in cameras[:: entry.solved_step] if frame not in by_hand]
    lost, first = [], 0
    for frame in cameras:
        if frame in solved.seen:
            first = 0
        else:
            first = first or frame
            if (frame - first) % entry.solved_step == 0:
                lost.append(frame)
    return lost


def _matrix_of(camera: bpy.types.MovieReconstructedCamera) -> Places:
    """Return the matrix from camera (looking along -z) to world."""
    return np.array([[camera.matrix[row][column] for column in range(4)] for row in range(4)], np.float64)


def _projected(
    clip: bpy.types.MovieClip, matrix: Places, bundles: list[tuple[float, float, float]]
) -> tuple[Places, Places]:
    """Return (u, v) on the distorted frame as stored, and depths along the camera's axis, negative behind the camera.

    matrix: as returned by `_matrix_of`.
    """
    lens = clip.tracking.camera
    width, height = clip.size[0], clip.size[1]  # type: ignore[index]
    local = (np.array(bundles, np.float64).reshape(-1, 3) - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
    depths = -local[:, 2]
    flat = local[:, :2] / np.where(np.abs(depths) > 1e-9, depths, 1e-9)[:, None]
    square = (flat**2).sum(1, keepdims=True)
    flat = flat * (1 + square * (lens.k1 + square * (lens.k2 + square * lens.k3)))
    focal = lens.focal_length_pixels
    centre_x, centre_y = lens.principal_point_pixels[:]  # type: ignore[index]
    return (flat * (focal, focal * lens.pixel_aspect) + (centre_x, centre_y)) / (width, height), depths
