"""What was found without a click, and what of it was picked: settings, saved with the clip in the .blend."""

from __future__ import annotations

from pathlib import PurePath

import bpy

from ..contract.automatic import Parts, Search, Things
from ..language.properties import StringProperty

# What can be found: the Job's field for it is one of engine/automatic's pipelines.
KINDS = [
    ("things", "Things", "Each thing once, in all frames: to pick the subject from"),
    (
        "parts",
        "Parts",
        "Every part of everything, and parts of parts, overlapping. Takes many times as long as things",
    ),
]


class PickSettings(bpy.types.PropertyGroup):
    """Of one kind: where it is, and what was picked."""

    folder: StringProperty(name="Found", description="The folder of what was found last", options={"HIDDEN"})
    numbers: StringProperty(
        name="Picked", description="Numbers of what is the subject, as 2, 7, 12", options={"HIDDEN"}
    )

    def picked(self) -> tuple[int, ...]:
        """What was picked, the lowest number first."""
        return tuple(int(number) for number in self.numbers.split(",") if number.strip())

    def toggle(self, number: int) -> bool:
        """Pick what has that number, or leave it out again; whether it is picked now."""
        picked = set(self.picked()) ^ {number}
        self.numbers = ", ".join(map(str, sorted(picked)))
        return number in picked

    def keep(self, folder: str) -> None:
        """What was found is there. Other numbers mean other things, so what was picked of something else goes."""
        if PurePath(folder).name != PurePath(self.folder).name:
            self.numbers = ""
        self.folder = folder


def search_of(kind: str, picked: tuple[int, ...]) -> dict[str, Search]:
    """The Job's field for a kind."""
    if kind == "parts":
        return {"parts": Parts(subjects=picked)}
    return {"things": Things(subjects=picked)}
