"""The extension in other languages."""

from __future__ import annotations

import bpy
import texts
from conftest import part


def test_our_words_are_looked_up_among_ours() -> None:
    """A class or property without our context would be translated by Blender's dictionary."""
    ours = part("language").CONTEXT
    for each in part("registration").CLASSES:
        if issubclass(each, (bpy.types.Operator, bpy.types.Panel, bpy.types.Menu)):
            assert each.bl_rna.translation_context == ours, each
        for item in texts.own_properties(each):
            assert item.translation_context == ours or not item.name, f"{each}: {item.identifier}"
