"""Many shots: several Jobs in one go with one report, and bundles of them for the programs of farms.

Imports `contract` and `runtime`; the worker, what is below.
"""
