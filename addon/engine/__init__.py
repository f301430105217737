"""The engine: SAM 2 in a process of its own. Imports the Job and nothing of Blender."""
