"""The markers of a track, read in one pass, as there may be thousands."""

from __future__ import annotations

from typing import NamedTuple

import bpy
import numpy as np


class Markers(NamedTuple):
    """Columns of markers, ordered by frame: clip frame, whether set by hand, whether muted, (u, v)."""

    frames: list[int]
    keyed: list[bool]
    muted: list[bool]
    places: list[list[float]]


def markers_of(track: bpy.types.MovieTrackingTrack) -> Markers:
    """Return all markers of a track."""
    count = len(track.markers)
    frames = np.empty(count, np.int32)
    keyed, muted = np.empty(count, bool), np.empty(count, bool)
    places = np.empty(2 * count, np.float32)
    track.markers.foreach_get("frame", frames)
    track.markers.foreach_get("is_keyed", keyed)
    track.markers.foreach_get("mute", muted)
    track.markers.foreach_get("co", places)
    return Markers(frames.tolist(), keyed.tolist(), muted.tolist(), places.reshape(-1, 2).tolist())
