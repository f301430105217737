"""What is saved: with a clip in the .blend, and for a person in Blender's preferences.

Property groups and what they mean; imports `contract`, `runtime`, `checkpoints`, `installer` and `results`.
"""
