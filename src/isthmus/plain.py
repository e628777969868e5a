"""Checked conversion of plain values from a file to data classes."""

import math
from collections.abc import Sequence
from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints


def dataclass_of(kind: Any, document: Any) -> Any:
    """Make a data class from plain values, as in JSON; lists become tuples.

    Raises
    ------
    ValueError
        If a field is missing, unknown, or of another type than the class declares.
    """
    if not isinstance(document, dict):
        raise ValueError(f"a {kind.__name__} must be an object, got {document!r}")
    types = get_type_hints(kind)
    for name, value in document.items():
        if name not in types:
            raise ValueError(f"a {kind.__name__} has no {name!r}")
        if not _has_type(value, types[name]):
            raise ValueError(f"{name} of a {kind.__name__} must be of type {types[name]}, got {value!r}")
    for field in fields(kind):
        if field.default is MISSING and field.name not in document:
            raise ValueError(f"a {kind.__name__} needs {field.name!r}")
    return kind(**{name: _to_tuples(value) for name, value in document.items()})


def is_finite_or_text(value: Any) -> bool:
    """Whether a plain value is neither missing (None, NaN, or those of pandas) nor infinite."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is not None and type(value).__name__ not in ("NAType", "NaTType")


def _to_tuples(value: Any) -> Any:
    return tuple(map(_to_tuples, value)) if isinstance(value, list | tuple) else value


def _has_type(value: Any, expected: Any) -> bool:
    """Whether a plain value has a declared type. Integers are floats; Any is a string, a number or a list of them."""
    if expected is Any:
        return isinstance(value, str | int | float) or (
            isinstance(value, list | tuple) and _have_types(value, (Any, ...))
        )
    if isinstance(expected, UnionType):
        return any(_has_type(value, option) for option in get_args(expected))
    if get_origin(expected) is tuple:
        return isinstance(value, list | tuple) and _have_types(value, get_args(expected))
    if get_origin(expected) is dict:
        return isinstance(value, dict) and all(_has_type(item, get_args(expected)[1]) for item in value.values())
    return type(value) in ((int, float) if expected is float else (expected,))


def _have_types(values: Sequence[Any], expected: tuple[Any, ...]) -> bool:
    if expected[1:] == (...,):
        return all(_has_type(value, expected[0]) for value in values)
    return len(values) == len(expected) and all(map(_has_type, values, expected))
