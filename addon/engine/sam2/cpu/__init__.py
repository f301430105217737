"""SAM 2's modules on a CPU: the same weights and results, by ways that take less time there.

Imports nothing else of the engine.
"""
