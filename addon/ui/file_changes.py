"""Another file is loaded, a new one, or the last one saved: nothing of the one before goes on, or is shown."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..operators.base import forget_status
from ..tasks import job_run
from ..viewer import finished_mattes, previews


@persistent  # type: ignore[untyped-decorator]
def _before_load(*_: object) -> None:
    """What is tracked is on disk; what is still on its way belongs to no clip any more."""
    job_run.forget()
    previews.forget()
    finished_mattes.forget()


@persistent  # type: ignore[untyped-decorator]
def _after_load(*_: object) -> None:
    forget_status()


def register() -> None:
    """Be told."""
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """No more."""
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.load_pre.remove(_before_load)
