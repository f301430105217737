"""From the Movie Clip Editor to a Job: footage, prompts, coordinates.

`sequence`, `coordinates`, `colour` and `blendfile` know no bpy.
"""
