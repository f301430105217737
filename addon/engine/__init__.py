"""The engine: SAM 2 in a process of its own. Imports the contract and nothing from Blender."""
