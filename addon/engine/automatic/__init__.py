"""Mattes that nobody clicked for: automatic masks of a frame, and what tracks them through a clip."""
