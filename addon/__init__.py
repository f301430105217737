"""Splat Matte: Blender's side and the engine.

Importing this package imports neither bpy nor torch: the engine starts from here too (`python -m addon.engine`).
"""
