"""Faster implementations of SAM 2's modules for a CPU, with the same weights and results.

Imports nothing else of the engine.
"""
