"""Logits to finished mattes at native resolution: enlarging, edges, finishing, outlines.

Imports `tracking` and everything below it.
"""
