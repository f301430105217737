"""The contract between Blender and the engine: the Job, the protocol, export targets, errors and the layout on disk.

These modules use the standard library only (`rle` also uses numpy), so both processes, the installer and the command
line can import them. They import nothing else from the extension.
"""
