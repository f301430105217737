"""What runs in the background: Jobs and the set-up of the engine, watched by operators, panels and the command line.

Imports `clip` and everything below it; knows no operator and no panel.
"""
