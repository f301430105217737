"""Carries a Job's prompts through the clip: the order of frames, SAM 2's memory, previews.

Imports `footage`, `store` and `sam2`.
"""
