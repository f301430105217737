"""Export: one file a target, one table of targets."""
