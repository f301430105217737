"""Reading footage: image files and movies as upright pixels, with their colours and names.

Imports `contract`, and nothing else from the engine.
"""
