"""Which frames are worth their place: how sharp each is, how far the picture moves, which to keep.

Imports `footage` and `store`.
"""
