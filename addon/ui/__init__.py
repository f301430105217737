"""The user interface: panels in the clip editor's sidebar, menu entries, keys, the overlay."""
