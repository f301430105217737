"""The catalogues of the languages: plain files, alike in all but the language."""

import json
import re
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).resolve().parents[2] / "addon" / "language").glob("*.json"))


def read(file: Path) -> dict[str, dict[str, str]]:
    return json.loads(file.read_text(encoding="utf-8"))


def holes(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_catalogue_is_sound(file: Path) -> None:
    catalogue = read(file)
    assert list(catalogue) == ["words", "tooltips", "pieces"]
    for group in catalogue.values():
        for text, found in group.items():
            assert found.strip(), f"{text!r} has no translation"
            assert holes(found) == holes(text), f"{text!r}: what is put in differs in {found!r}"
            assert found == found.strip() or text != text.strip(), f"{found!r} begins or ends with a space"
