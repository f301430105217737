"""Finding the engine and talking to it: its folder, its Python, child processes and their JSON lines.

Standard library only; imports `contract`. Blender's side, the installer and the engine itself use it.
"""
