"""What the artist can do, one verb a file."""
