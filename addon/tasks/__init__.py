"""Background tasks: Jobs and the set-up of the engine, which operators, panels and the command line watch.

Imports `clip` and everything below it, but no operator and no panel.
"""
