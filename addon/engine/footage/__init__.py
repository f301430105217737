"""Footage in: image files and movies as upright pixels with their colours and names.

Imports `contract` and nothing else of the engine.
"""
