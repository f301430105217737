"""Gaussian splats: cleans a trained splat with the mattes of its footage.

May import `review` (cameras), `export` (names of a version's files) and the rooms below them.
"""
