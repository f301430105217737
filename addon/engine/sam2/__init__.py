"""SAM 2: weights in, a predictor on a device out, and what it is given. `cpu` makes it fast on a CPU.

Imports `footage` and `store`.
"""
