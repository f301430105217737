"""How a long task tells where it is, and learns that it is not wanted any more."""

from __future__ import annotations

from ..contract.errors import Cancelled


class Watch:
    """This one tells nobody and never stops; those who want to know more override it."""

    def progress(self, words: str, fraction: float) -> None:
        """`words` say what is being done; `fraction` of it is done, 0..1."""

    def note(self, words: str) -> None:
        """Something to be told once."""

    def stopping(self) -> bool:
        """Whether the person asked for an end."""
        return False

    def check(self) -> None:
        """To be called between two steps. Raises Cancelled: what was downloaded is kept."""
        if self.stopping():
            raise Cancelled("Stopped. What was downloaded is kept.")


def megabytes(count: int) -> str:
    """`count` bytes as people read sizes (1 MB = 10^6 bytes, as registries write it)."""
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"
