"""Where the engine lives and how to talk to it: its folder and Python, child processes and their JSON lines.

Standard library only; imports `contract`. Blender's side, the installer and the engine itself use it.
"""
