"""The interface through which a long task reports its progress and learns that it should stop."""

from __future__ import annotations

from ..contract.errors import Cancelled


class Watch:
    """The base class, which reports nothing and never stops the task."""

    def progress(self, words: str, fraction: float) -> None:
        """Report the current step, in words, and the finished share of the task, 0..1."""

    def note(self, words: str) -> None:
        """Report a message that is shown once."""

    def stopping(self) -> bool:
        """Whether the user asked to stop."""
        return False

    def check(self) -> None:
        """Called by the task between two steps. Raises Cancelled if the user asked to stop. Downloaded files stay."""
        if self.stopping():
            raise Cancelled("Stopped. What was downloaded is kept.")


def megabytes(count: int) -> str:
    """A size of `count` bytes in words (1 MB = 10^6 bytes)."""
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"
