"""From the Movie Clip Editor to a Job: footage, prompts, coordinates.

Imports `settings` and everything below it. `sequence`, `coordinates` and `blendfile` know no bpy.
"""
