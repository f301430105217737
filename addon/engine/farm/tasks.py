"""A farm's request for a part of a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from .plan import Step


@dataclass(frozen=True, slots=True)
class Task:
    """Items (see plan.items_of) of one step of a bundle. rules: file of path mapping rules; empty: none."""

    bundle: str
    step: Step
    items: str
    rules: str = ""
    openjd: bool = False  # print progress in Open Job Description's format
