"""Ends and forgets everything that belongs to a file when another one is loaded, created, or reverted to."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..operators.base import forget_status
from ..tasks import job_run
from ..viewer import finished_mattes, previews


@persistent  # type: ignore[untyped-decorator]
def _before_load(*_: object) -> None:
    """Stop running work: finished mattes are on disk, and pending ones no longer belong to a clip."""
    job_run.forget()
    previews.forget()
    finished_mattes.forget()


@persistent  # type: ignore[untyped-decorator]
def _after_load(*_: object) -> None:
    forget_status()


def register() -> None:
    """Add the handlers."""
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Remove the handlers."""
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.load_pre.remove(_before_load)
