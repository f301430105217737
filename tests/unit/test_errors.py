"""Errors name their place, say what to do, and keep their kind on the way from the engine to Blender."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from addon.contract import errors
from addon.contract.errors import ExitCode, MatteError, from_exit_code

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MatteError)]


def test_text() -> None:
    assert str(MatteError("It is cut short.")) == "It is cut short."
    assert str(MatteError("It is cut short.", where="/a/b.png")) == "/a/b.png: It is cut short."
    full = MatteError("It is cut short.", where="/a/b.png", hint="Copy it again.")
    assert str(full) == "/a/b.png: It is cut short. Copy it again."
    assert full.args == (str(full),)


@pytest.mark.parametrize("kind", KINDS)
def test_kind_survives_the_way_to_the_client(kind: type[MatteError]) -> None:
    sent = kind("What.", where="here", hint="Do this.")
    arrived = from_exit_code(int(sent.exit_code), sent.message, where=sent.where, hint=sent.hint)
    assert type(arrived) is kind
    assert (arrived.message, arrived.where, arrived.hint) == ("What.", "here", "Do this.")


@pytest.mark.parametrize("code", [ExitCode.OK, ExitCode.USAGE, 99, -9])
def test_unknown_code_is_an_unexpected_error(code: int) -> None:
    assert type(from_exit_code(code, "What.")) is MatteError


def test_codes_are_distinct() -> None:
    codes = [kind.exit_code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert set(codes) == set(ExitCode) - {ExitCode.OK, ExitCode.USAGE}


def test_codes_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "headless.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE))
    assert documented == {str(int(code)): code.name for code in ExitCode}
