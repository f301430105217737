"""Blender's properties, whose names and items are looked up among the words of this extension."""

from __future__ import annotations

import functools

import bpy

from . import CONTEXT

BoolProperty = functools.partial(bpy.props.BoolProperty, translation_context=CONTEXT)
CollectionProperty = functools.partial(bpy.props.CollectionProperty, translation_context=CONTEXT)
EnumProperty = functools.partial(bpy.props.EnumProperty, translation_context=CONTEXT)
FloatProperty = functools.partial(bpy.props.FloatProperty, translation_context=CONTEXT)
FloatVectorProperty = functools.partial(bpy.props.FloatVectorProperty, translation_context=CONTEXT)
IntProperty = functools.partial(bpy.props.IntProperty, translation_context=CONTEXT)
PointerProperty = functools.partial(bpy.props.PointerProperty, translation_context=CONTEXT)
StringProperty = functools.partial(bpy.props.StringProperty, translation_context=CONTEXT)
