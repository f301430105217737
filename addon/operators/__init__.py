"""The operators: what an artist can do, one verb per file."""
