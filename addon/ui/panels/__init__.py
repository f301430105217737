"""The panels of the tab "Splat Matte", in the order of the work, one file per panel."""

from __future__ import annotations

from .actions import SPLATMATTE_PT_actions, SPLATMATTE_PT_toolbar
from .automatic import SPLATMATTE_PT_automatic, SPLATMATTE_PT_transients
from .export import SPLATMATTE_PT_export
from .finish import SPLATMATTE_PT_finish
from .footage import SPLATMATTE_PT_footage
from .frames import SPLATMATTE_PT_frames
from .hold import SPLATMATTE_PT_hold
from .objects import SPLATMATTE_PT_objects, SPLATMATTE_UL_objects
from .overlay import SPLATMATTE_PT_overlay
from .presets import SPLATMATTE_PT_export_presets, SPLATMATTE_PT_finish_presets
from .queue import SPLATMATTE_PT_queue
from .review import SPLATMATTE_PT_review, SPLATMATTE_UL_suspects
from .splat import SPLATMATTE_PT_splat
from .strokes import SPLATMATTE_PT_strokes
from .track import SPLATMATTE_PT_track

CLASSES = (
    SPLATMATTE_PT_finish_presets,
    SPLATMATTE_PT_export_presets,
    SPLATMATTE_UL_objects,
    SPLATMATTE_UL_suspects,
    SPLATMATTE_PT_toolbar,
    SPLATMATTE_PT_actions,
    SPLATMATTE_PT_footage,
    SPLATMATTE_PT_objects,
    SPLATMATTE_PT_strokes,
    SPLATMATTE_PT_track,
    SPLATMATTE_PT_review,
    SPLATMATTE_PT_hold,
    SPLATMATTE_PT_overlay,
    SPLATMATTE_PT_finish,
    SPLATMATTE_PT_frames,
    SPLATMATTE_PT_export,
    SPLATMATTE_PT_splat,
    SPLATMATTE_PT_automatic,
    SPLATMATTE_PT_transients,
    SPLATMATTE_PT_queue,
)
