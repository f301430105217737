"""Decides what the overlay shows: previews, finished mattes, and the newest source of each matte.

Imports `tasks` and everything below it. Drawing is done in `ui`.
"""
