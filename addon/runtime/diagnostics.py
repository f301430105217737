"""Facts for a problem report from another computer, without names of files and folders. Standard library only."""

from __future__ import annotations

import re

from ..contract.errors import MatteError

# A path from its root to the end. Names may contain spaces and commas, so rather too much is cut than too little.
_PATH = re.compile(r"(?:\b[A-Za-z]:[\\/]|\\\\|~?/)[^\n\"'<>|]*?(?=: |\. [A-Z]|[\"'<>|]|\.?$)", re.MULTILINE)


def without_paths(text: str) -> str:
    """`text` with every path replaced by a placeholder, so that a report contains no names of files and folders."""
    return _PATH.sub("<path>", text)


def describe_error(error: MatteError | None) -> str:
    """The text of an error without its `where`."""
    if error is None:
        return "none"
    return without_paths(f"{type(error).__name__}: {error.message}")


def as_text(facts: dict[str, str]) -> str:
    """The facts as text, one per line, to be pasted into a report."""
    width = max(map(len, facts))
    return "\n".join(f"{name + ':':{width + 1}} {without_paths(value)}" for name, value in facts.items())
