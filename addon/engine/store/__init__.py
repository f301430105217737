"""The engine's files: mattes and image features, so that nothing is computed twice or lost.

Imports `contract`.
"""
