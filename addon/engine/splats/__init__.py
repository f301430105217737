"""Gaussian splats: what a trainer made of the footage, held against its mattes.

May import `review` (cameras), `export` (what a version's files are called) and the rooms below them.
"""
