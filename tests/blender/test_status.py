"""The status bar: a tool's hints stay there while Jobs speak, and end with the tool or the file."""

from __future__ import annotations

import bpy
from bl_ui.space_statusbar import STATUSBAR_HT_header
from conftest import part


def hints(header: bpy.types.Header, context: bpy.types.Context) -> None:
    raise AssertionError("nothing is drawn here")


def test_hints_stay_while_a_job_speaks() -> None:
    base = part("operators.base")
    base.say_status(bpy.context, "Splat Matte: looking    Esc: stop")
    blenders_own = STATUSBAR_HT_header.draw
    base.give_hints(bpy.context, hints)
    assert base.hints_given()
    base.say_status(bpy.context, None)
    assert STATUSBAR_HT_header.draw is hints
    base.give_hints(bpy.context, None)
    assert STATUSBAR_HT_header.draw is blenders_own
    assert not base.hints_given()


def test_nothing_is_said_in_another_file() -> None:
    base = part("operators.base")
    base.say_status(bpy.context, None)
    blenders_own = STATUSBAR_HT_header.draw
    base.give_hints(bpy.context, hints)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert STATUSBAR_HT_header.draw is blenders_own
    assert not base.hints_given()
