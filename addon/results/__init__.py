"""Reading what the engine left on disk, for Blender: mattes of a take, picks, outlines.

Knows numpy and no bpy; imports `contract`.
"""
