"""Pages of the docs: links lead somewhere, every page is listed, every picture is shown, and lines are not too long."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
_LONGEST = 120  # characters of a line of prose


def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```|^ {4,}\S.*?$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them of headings: lower case, hyphens for spaces, no punctuation."""
    text = text_of(page)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([\w-]+)">', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_lines_have_a_usual_length(page: Path) -> None:
    long = [line for line in text_of(page).splitlines() if len(line) > _LONGEST and not line.startswith(("|", "#"))]
    assert not long


def test_every_page_is_listed() -> None:
    listed = text_of(DOCS / "README.md") + text_of(DOCS / "benchmarks.md")
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"README.md"}
    assert not [page for page in sorted(pages) if f"]({page}" not in listed]


def test_every_picture_is_shown() -> None:
    shown = "".join(text_of(page) for page in PAGES)
    assert not [file.name for file in sorted((DOCS / "images").iterdir()) if f"images/{file.name})" not in shown]
