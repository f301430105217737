"""The installer: sets up the engine's own Python environment and downloads checkpoints.

It runs as a process of its own beside Blender (`python -m addon.installer`), and inside vendor_setup. It uses the
standard library only, as it runs before anything is installed.
"""
