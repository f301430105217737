"""Doubtful frames: measures of mattes, cameras, the visual hull, suspects with their reasons, and their repair.

Imports `footage`, `store`, `sam2`, `tracking` and `matting`.
"""
