"""The results of a search and the picked things or parts: settings that are saved with the clip in the .blend."""

from __future__ import annotations

from pathlib import PurePath

import bpy

from ..contract.automatic import Parts, Search, Things
from ..language.properties import StringProperty

# The kinds of searches with results to pick from. The identifier is also the name of the Job's field.
KINDS = [
    ("things", "Things", "Each thing once, in all frames: to pick the subject from"),
    (
        "parts",
        "Parts",
        "Every part of everything, and parts of parts, overlapping. Takes many times as long as things",
    ),
]


class PickSettings(bpy.types.PropertyGroup):
    """The results of one kind of search: the folder, and the picked numbers."""

    folder: StringProperty(name="Found", description="The folder of what was found last", options={"HIDDEN"})
    numbers: StringProperty(
        name="Picked", description="Numbers of what is the subject, as 2, 7, 12", options={"HIDDEN"}
    )

    def picked(self) -> tuple[int, ...]:
        """The picked numbers, in ascending order."""
        return tuple(int(number) for number in self.numbers.split(",") if number.strip())

    def toggle(self, number: int) -> bool:
        """Pick the thing or part with this number, or unpick it. Returns whether it is picked now."""
        picked = set(self.picked()) ^ {number}
        self.numbers = ", ".join(map(str, sorted(picked)))
        return number in picked

    def keep(self, folder: str) -> None:
        """Remember the folder of a new result. Numbers are valid within one result only, so it clears the picks."""
        if PurePath(folder).name != PurePath(self.folder).name:
            self.numbers = ""
        self.folder = folder


def search_of(kind: str, picked: tuple[int, ...]) -> dict[str, Search]:
    """The Job's field for a kind of search, with the picked numbers, as keyword arguments."""
    if kind == "parts":
        return {"parts": Parts(subjects=picked)}
    return {"things": Things(subjects=picked)}
