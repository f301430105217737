"""Selects frames for training: how sharp each one is, how far the picture moved, and which to keep.

Imports `footage` and `store`.
"""
