"""What helps to understand a problem on somebody else's computer, without saying whose files they are.

Standard library only.
"""

from __future__ import annotations

import re

from ..contract.errors import MatteError

# From a path's root to the end of what can belong to it: names may hold spaces and commas, so it is cut generously.
_PATH = re.compile(r"(?:\b[A-Za-z]:[\\/]|\\\\|~?/)[^\n\"'<>|]*?(?=: |\. [A-Z]|[\"'<>|]|\.?$)", re.MULTILINE)


def without_paths(text: str) -> str:
    """`text` with every path replaced: names of folders and files are nobody else's business."""
    return _PATH.sub("<path>", text)


def describe_error(error: MatteError | None) -> str:
    """An error without its place."""
    if error is None:
        return "none"
    return without_paths(f"{type(error).__name__}: {error.message}")


def as_text(facts: dict[str, str]) -> str:
    """One line a fact, to be pasted into a report."""
    width = max(map(len, facts))
    return "\n".join(f"{name + ':':{width + 1}} {without_paths(value)}" for name, value in facts.items())
