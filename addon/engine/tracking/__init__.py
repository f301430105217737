"""A Job's prompts carried through the clip: the order of frames, SAM 2's memory, previews.

Imports `footage`, `store` and `sam2`.
"""
