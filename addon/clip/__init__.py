"""Turns a clip of the Movie Clip Editor into a Job: footage, prompts, coordinates.

Imports `settings` and everything below it. `sequence`, `coordinates` and `blendfile` do not import bpy.
"""
