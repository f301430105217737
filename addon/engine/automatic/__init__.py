"""Mattes without clicks: automatic masks of a frame, and the searches that track them through a clip."""
