"""Readers of the engine's results on disk, for Blender: the mattes of a take, found things and parts, and outlines.

Uses numpy but not bpy; imports `contract`.
"""
