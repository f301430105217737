"""What the artist sees: panels in the clip editor's sidebar, menu entries, keys, the overlay."""
