"""Box: a plane track around the selected tracks, which counts as a box prompt."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip, shown_frame
from ..language import translated
from .base import Result, in_clip_editor
from .role import selected_tracks


class SPLATMATTE_OT_box(bpy.types.Operator):
    """Put a box around the subject: a plane track around the selected tracks' markers of this frame, two at least"""

    bl_idname = "splat_matte.box"
    bl_label = "Box from Tracks"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Two tracks selected in a clip editor."""
        if not in_clip_editor(cls, context):
            return False
        if len(selected_tracks(active_clip(context))) < 2:
            cls.poll_message_set(translated("Select two tracks or more first: on opposite corners of the subject, say"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        """Blender makes a plane track from four tracks: those on the corners are taken or made, and hidden."""
        clip = active_clip(context)
        frame = shown_frame(clip, context.space_data, context.scene)
        selected = selected_tracks(clip)
        markers = [marker for track in selected if (marker := track.markers.find_frame(frame)) and not marker.mute]
        across, up = sorted({marker.co[0] for marker in markers}), sorted({marker.co[1] for marker in markers})
        if len(across) < 2 or len(up) < 2:
            self.report(
                {"ERROR"}, translated("The selected tracks' markers of this frame span no box: set two on its corners")
            )
            return {"CANCELLED"}
        corners = [(u, v) for u in (across[0], across[-1]) for v in (up[0], up[-1])]
        tracks = clip.tracking.objects.active.tracks
        for track in tracks:
            track.select = False
        holders = []
        for corner in corners:
            holding = [track for track in selected if _lies_on(track, frame, corner)]
            if not holding:
                holding = [tracks.new(name="Box Corner", frame=frame)]
                holding[0].markers.insert_frame(frame, co=corner)
            for track in holding:
                track.select = True
                holders.append(track.name)
        bpy.ops.clip.create_plane_track()
        for name in holders:
            tracks[name].hide = True
        (left, right), (bottom, top) = (across[0], across[-1]), (up[0], up[-1])
        plane = clip.tracking.objects.active.plane_tracks[-1]
        placed = next(marker for marker in plane.markers if marker.frame == frame)
        placed.corners = ((left, bottom), (right, bottom), (right, top), (left, top))
        return {"FINISHED"}


def _lies_on(track: bpy.types.MovieTrackingTrack, frame: int, place: tuple[float, float]) -> bool:
    marker = track.markers.find_frame(frame)
    return marker is not None and (marker.co[0], marker.co[1]) == place
