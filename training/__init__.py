"""Trains the embedded checkpoint: renders clips, mixes them with composites, trains, exports. Never shipped to users."""
