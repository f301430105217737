"""What both processes agree on: the Job, the protocol, targets, errors, and what lies where on disk.

Standard library only (`rle` may use numpy), so that either process, the installer and the command line can import it.
It imports nothing else of the extension.
"""
