"""What the overlay shows: previews, finished mattes, and which source of a frame's matte is the newest.

Imports `tasks` and everything below it; draws nothing itself, which `ui` does.
"""
