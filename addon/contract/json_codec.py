"""A strict JSON codec for plain dataclasses, whose errors name the field.

It supports dataclasses, tuples, dicts with str keys, unions with None, Literal, str, bool, int and float. Nothing is
guessed or converted, except that whole numbers are accepted as floats. Standard library only; both processes import it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import reprlib
import types
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from .errors import JobError

_SAID = 40  # characters of a wrong value that are quoted

_type_hints = functools.cache(get_type_hints)  # evaluates source text, and a Job has thousands of points


def parse(text: str) -> Any:
    """Parse a JSON text. Raises JobError if it is not JSON, names a field twice or is nested too deeply."""
    try:
        return json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise JobError(f"This is not JSON: {error}.", where="job", hint="Export the Job again.") from None


def encode(value: Any) -> str:
    """Encode a dataclass as canonical JSON: keys are sorted and floats stay floats. Equal values give equal texts."""
    plain = json.loads(json.dumps(dataclasses.asdict(value)))
    typed = dataclasses.asdict(decode(plain, type(value)))
    return json.dumps(typed, sort_keys=True, ensure_ascii=False, indent=1)


def decode(data: Any, kind: Any, root: str = "job") -> Any:
    """Convert parsed JSON to the dataclass `kind`. Raises JobError that names the field; `root` names the whole."""
    return _dataclass(data, kind, root, "")


def _decode(data: Any, kind: Any, where: str) -> Any:
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        if hasattr(kind, "from_dict"):  # it has versions of its own
            return kind.from_dict(data)
        return _dataclass(data, kind, where, f"{where}.")
    if origin is tuple:
        items = get_args(kind)
        variadic = len(items) == 2 and items[1] is Ellipsis
        if not isinstance(data, list) or not (variadic or len(data) == len(items)):
            wanted = "a list" if variadic else f"a list of {len(items)}"
            raise JobError(f"Expected {wanted}, found {_say(data)}.", where=where)
        kinds = [items[0]] * len(data) if variadic else list(items)
        return tuple(
            _decode(item, wanted, f"{where}[{i}]") for i, (item, wanted) in enumerate(zip(data, kinds, strict=True))
        )
    if origin is dict:
        if not isinstance(data, dict):
            raise JobError(f"Expected an object, found {_say(data)}.", where=where)
        return {name: _decode(value, get_args(kind)[1], f"{where}.{name}") for name, value in data.items()}
    if origin is types.UnionType:
        inner = [member for member in get_args(kind) if member is not type(None)]
        return None if data is None else _decode(data, inner[0], where)
    if origin is Literal:
        if data not in get_args(kind):
            raise JobError(f"{reprlib.repr(data)} is not one of {', '.join(map(repr, get_args(kind)))}.", where=where)
        return data
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        data = float(data) if abs(data) < 1 << 63 else math.inf  # no overflow: too large is refused below
    if type(data) is not kind or (kind is float and not math.isfinite(data)):
        raise JobError(f"Expected {kind.__name__}, found {_say(data)}.", where=where)
    return data


def _dataclass(data: Any, kind: Any, where: str, prefix: str) -> Any:
    if not isinstance(data, dict):
        raise JobError(f"Expected an object, found {_say(data)}.", where=where)
    hints = _type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise JobError(
            f"Unknown field {reprlib.repr(unknown[0])}.", where=where, hint=f"Known: {', '.join(sorted(fields))}."
        )
    values = {name: _decode(value, hints[name], f"{prefix}{name}") for name, value in data.items()}
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise JobError("This field is missing.", where=f"{prefix}{name}")
    return cast(Any, kind)(**values)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _say(data: Any) -> str:
    try:
        text = json.dumps(data, ensure_ascii=False)
    except RecursionError:
        return "something nested too deeply"
    return text if len(text) <= _SAID else f"{text[: _SAID - 3]}..."
