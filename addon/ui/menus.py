"""Menu entries and keys for functions of the sidebar."""

from __future__ import annotations

from dataclasses import dataclass, field

import bpy

from ..clip.frame_status import KINDS
from ..language import CONTEXT, translated


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the clip editor and its operator. None of Blender's own keys (5.2) is overridden."""

    operator: str
    type: str
    shift: bool = False
    ctrl: bool = False
    alt: bool = False
    value: str = "PRESS"
    properties: dict[str, object] = field(default_factory=dict)


KEYS = (
    Key("splat_matte.mark_subject", "M", shift=True, alt=True),
    Key("splat_matte.mark_include", "I", shift=True, alt=True),
    Key("splat_matte.mark_exclude", "X", shift=True, alt=True),
    # Blender's own Ctrl-click also adds a marker, which includes; these set the role of the marker
    Key("splat_matte.click", "LEFTMOUSE", ctrl=True, alt=True, value="CLICK", properties={"at_mouse": True}),
    Key("splat_matte.click", "LEFTMOUSE", ctrl=True, shift=True, properties={"exclude": True, "at_mouse": True}),
    Key("splat_matte.wipe", "W", shift=True, alt=True),
    Key("splat_matte.track", "COMMA", alt=True, properties={"towards": "PREVIOUS"}),
    Key("splat_matte.track", "PERIOD", alt=True, properties={"towards": "NEXT"}),
    Key("splat_matte.track", "COMMA", alt=True, shift=True, properties={"towards": "START"}),
    Key("splat_matte.track", "PERIOD", alt=True, shift=True, properties={"towards": "END"}),
    Key("splat_matte.jump", "PAGE_UP", alt=True, properties={"kind": "prompted", "backwards": True}),
    Key("splat_matte.jump", "PAGE_DOWN", alt=True, properties={"kind": "prompted"}),
    Key("splat_matte.jump", "PAGE_UP", shift=True, properties={"kind": "stale", "backwards": True}),
    Key("splat_matte.jump", "PAGE_DOWN", shift=True, properties={"kind": "stale"}),
    Key("splat_matte.jump", "PAGE_UP", alt=True, shift=True, properties={"kind": "suspect", "backwards": True}),
    Key("splat_matte.jump", "PAGE_DOWN", alt=True, shift=True, properties={"kind": "suspect"}),
)

_keymap_items: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


class SPLATMATTE_MT_jump(bpy.types.Menu):
    """The kinds of frames to jump to."""

    bl_label = "Jump to Frame"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw back and on for each kind."""
        for kind, wording in KINDS.items():
            label = translated(wording.label)
            for backwards, icon, words in ((True, "TRIA_LEFT", "Previous {1}"), (False, "TRIA_RIGHT", "Next {1}")):
                text = translated(words, label)
                jump = self.layout.operator("splat_matte.jump", text=text, text_ctxt=CONTEXT, icon=icon)  # type: ignore[arg-type]
                jump.kind, jump.backwards = kind, backwards


class SPLATMATTE_MT_mattes(bpy.types.Menu):
    """All commands for mattes."""

    bl_label = "Mattes"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the commands: track, step by step and again, and export."""
        layout = self.layout
        layout.operator("splat_matte.track")
        for towards, words in (
            ("PREVIOUS", "Track One Frame Back"),
            ("NEXT", "Track One Frame On"),
            ("START", "Track to the Start"),
            ("END", "Track to the End"),
        ):
            layout.operator("splat_matte.track", text=words, text_ctxt=CONTEXT).towards = towards
        layout.separator()
        for towards, words in (("START", "Re-Track Backwards from Here"), ("END", "Re-Track Forwards from Here")):
            again = layout.operator("splat_matte.track", text=words, text_ctxt=CONTEXT)
            again.towards, again.again = towards, True
        layout.separator()
        layout.menu("SPLATMATTE_MT_jump")
        layout.separator()
        layout.operator("splat_matte.select_frames")
        layout.operator("splat_matte.drop_frame")
        layout.operator("splat_matte.export")
        layout.operator("splat_matte.to_mask")
        layout.operator("splat_matte.to_compositor")
        layout.operator("splat_matte.clean_splat")


CLASSES = (SPLATMATTE_MT_jump, SPLATMATTE_MT_mattes)


def _draw_marks(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.operator("splat_matte.mark_subject")
    self.layout.operator("splat_matte.mark_include")
    self.layout.operator("splat_matte.mark_exclude")
    self.layout.operator("splat_matte.object_from_tracks")


def _draw_all(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    _draw_marks(self, context)
    self.layout.menu("SPLATMATTE_MT_mattes")


def register() -> None:
    """Add entries and keys."""
    bpy.types.CLIP_MT_track.append(_draw_all)  # type: ignore[arg-type]
    bpy.types.CLIP_MT_tracking_context_menu.append(_draw_marks)  # type: ignore[arg-type]
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is None:  # in the background
        return
    keymap = configuration.keymaps.new(name="Clip Editor", space_type="CLIP_EDITOR")
    for key in KEYS:
        item = keymap.keymap_items.new(
            key.operator,
            key.type,  # type: ignore[arg-type]
            key.value,  # type: ignore[arg-type]
            shift=key.shift,
            ctrl=key.ctrl,
            alt=key.alt,
        )
        for name, value in key.properties.items():
            setattr(item.properties, name, value)
        _keymap_items.append((keymap, item))


def unregister() -> None:
    """Remove entries and keys."""
    for keymap, item in _keymap_items:
        keymap.keymap_items.remove(item)
    _keymap_items.clear()
    bpy.types.CLIP_MT_tracking_context_menu.remove(_draw_marks)  # type: ignore[arg-type]
    bpy.types.CLIP_MT_track.remove(_draw_all)  # type: ignore[arg-type]
