"""Sets up the engine's own Python and downloads checkpoints.

Runs in a process of its own beside Blender (`python -m addon.installer`), and inside vendor_setup. Standard library
only: it is what runs before anything is installed.
"""
