"""Doubtful frames: measures of mattes, cameras, the visual hull, and suspects with their reasons.

Imports `footage` and `store`.
"""
