"""The engine's files on disk: mattes and image features, so that nothing is computed twice or lost.

Imports `contract`.
"""
