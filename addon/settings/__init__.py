"""Settings: those of a clip, saved in the .blend, and those of a user, saved in Blender's preferences.

These are property groups and functions that interpret them. Imports `contract`, `runtime`, `checkpoints`, `installer`
and `results`.
"""
