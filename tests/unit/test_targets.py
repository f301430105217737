"""The table of targets: each row has its writer, and its place in the documentation."""

from pathlib import Path

import pytest

from addon.contract.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
ROWS = {
    line.split("|")[1].strip(): line
    for line in (ROOT / "docs" / "export-targets.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
}


@pytest.mark.parametrize("name", TARGETS)
def test_row(name: str) -> None:
    target = TARGETS[name]
    assert (ROOT / "addon" / "engine" / "export" / f"{target.rules.writer}.py").is_file()
    documented = target.rules.pattern.replace("{", "<").replace("}", ">")
    assert f"`{documented}`" in ROWS[f"`{name}`"]
    assert not target.description.endswith("."), "Blender adds the full stop"


def test_nothing_else_is_documented() -> None:
    assert set(ROWS) == {f"`{name}`" for name in TARGETS}
