"""Several Jobs in one call with one report, and bundles of them for render farms.

Imports `contract` and `runtime`; the worker imports everything below.
"""
