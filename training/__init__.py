"""Trains the embedded checkpoint: renders clips, adds composites, trains, exports. Never shipped to users."""
