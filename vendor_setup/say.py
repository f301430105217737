"""Lines for the person who waits. They go to stderr: stdout belongs to the commands that are passed through."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """Print `line` at once."""
    print(line, file=sys.stderr, flush=True)


def megabytes(count: int) -> str:
    """`count` bytes as people read sizes (1 MB = 10^6 bytes, as registries write it)."""
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"
