"""A part of a bundle, as a farm's program asks for it."""

from __future__ import annotations

from dataclasses import dataclass

from .plan import Step


@dataclass(frozen=True, slots=True)
class Task:
    """What a farm's program asks for: items (plan.items_of) of a step of a bundle; rules: of paths, a file or empty."""

    bundle: str
    step: Step
    items: str
    rules: str = ""
    openjd: bool = False  # tell progress as Open Job Description wants it
