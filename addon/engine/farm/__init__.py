"""Many shots: several Jobs in one go, with one report.

Imports `contract` and `runtime`.
"""
