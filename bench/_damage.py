"""Hypothesis strategies that damage bytes, JSON and text. Hypothesis shrinks a failure to the smallest such input."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

# In the place of a size or a count, these numbers break careless readers.
_NUMBERS = [
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
]
_NUMBERS += [b"\0" * 8, b"\xff" * 8, b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\0" * 6 + b"\xf0\x7f"]  # infinity, NaN

VALUES: list[Any] = [None, True, False, 0, -1, 1, 2, 1.7, 1e308, -1e308, 1 << 31, 1 << 63, 10**30, 10**400]
VALUES += [float("nan"), float("inf"), "", "x", "x" * 300, "\0", "\n", "..", "../../a", "/", "nan", "1", "é\ud800"]
VALUES += ["${oc.env:HOME}", "v999999999999999999999", [], [[]], {}, {"a": 1}, [1] * 300, ["a", None, 1.5]]


def damaged(wholes: Sequence[bytes], fragments: Sequence[bytes] = ()) -> SearchStrategy[bytes]:
    """Return one of `wholes` with bytes overwritten, cut, repeated or inserted at some places."""
    edit = st.tuples(
        st.sampled_from(["overwrite", "flip", "insert", "cut", "end", "repeat"]),
        st.integers(0, (1 << 32) - 1),
        st.one_of(st.sampled_from([*_NUMBERS, *fragments]), st.binary(min_size=1, max_size=4)),
    )
    return st.builds(_edited, st.sampled_from(wholes), st.lists(edit, min_size=1, max_size=4))


def _edited(whole: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    data = bytearray(whole)
    for kind, place, value in edits:
        at = place % (len(data) + 1)
        if kind == "overwrite":
            data[at : at + len(value)] = value
        elif kind == "flip":
            data[at : at + 1] = bytes(byte ^ (value[0] or 1) for byte in data[at : at + 1])
        elif kind == "insert":
            data[at:at] = value
        elif kind == "cut":
            del data[at : at + 16 * len(value)]
        elif kind == "end":
            del data[at:]
        else:
            data[at:at] = data[at : at + 64]
    return bytes(data)


def hostile_json(trees: Sequence[Any]) -> SearchStrategy[str]:
    """Return JSON of one of `trees` with values, names and lengths replaced; now and then damaged as text, too."""
    edit = st.tuples(
        st.integers(0, (1 << 32) - 1),
        st.sampled_from(["replace", "replace", "remove", "add", "wrap", "repeat"]),
        st.one_of(st.sampled_from(VALUES), st.integers(), st.floats(), st.text(max_size=8)),
    )
    changed = st.builds(_changed, st.sampled_from(trees), st.lists(edit, min_size=1, max_size=3))
    texts = [json.dumps(tree).encode() for tree in trees]
    fragments = [b"[" * 5000, b'{"a":' * 5000, b"NaN", b"Infinity", b"1e999", b"null", b'"version":', b"\xef\xbb\xbf"]
    as_text = damaged(texts, fragments).map(lambda data: data.decode("utf-8", "surrogateescape"))
    return st.one_of(changed, changed, as_text)


def _changed(tree: Any, edits: list[tuple[int, str, Any]]) -> str:
    tree = copy.deepcopy(tree)
    for place, kind, given in edits:
        value = copy.deepcopy(given)  # a list that is inserted twice could end up containing itself
        places = list(_places(tree))
        if not places:
            break
        owner, key = places[place % len(places)]
        if kind == "replace":
            owner[key] = value
        elif kind == "remove":
            del owner[key]
        elif kind == "wrap":
            owner[key] = [owner[key]]
        elif kind == "add" and isinstance(owner, dict):
            owner[str(value)] = owner[key]
        elif kind == "repeat" and isinstance(owner, list):
            owner.extend([owner[key]] * (place % 300))
    return json.dumps(tree)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every value in a tree as (container, key or index)."""
    inner: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield node, key
        yield from _places(value)
