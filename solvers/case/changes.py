"""What differs between two cases, and which of it a run may change on its way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from solvers.case.model import Case
from solvers.errors import InputError

Changes = dict[str, list[Any]]

# They say how long and how accurately is computed, and what is written: not what is computed.
FREE = ("title", "output", "cycle.repeat", "solver")


def changed_values(before: Mapping[str, Any], now: Mapping[str, Any]) -> Changes:
    """The values that differ, by dotted key as on the command line: before and now; None: there is none.

    Args:
        before: values of a case, `Case.model_dump(mode="json")`.
        now: those of another.
    """
    old, new = _flat(before, ""), _flat(now, "")
    return {key: [old.get(key), new.get(key)] for key in {**old, **new} if old.get(key) != new.get(key)}


def allowed_changes(before: Mapping[str, Any], case: Case) -> Changes:
    """What differs from the case that a run began with.

    Raises:
        InputError: it would be another physical system, or another cycle; one line for each value.
    """
    changes = changed_values(before, case.model_dump(mode="json"))
    free = tuple(f"{key}." for key in FREE)
    lines = [
        f"{key}: the run began with {_text(old)}, not {_text(new)}, and this cannot change on its way"
        for key, (old, new) in changes.items()
        if not f"{key}.".startswith(free)
    ]
    if lines:
        raise InputError("\n".join(lines[:10]))
    return changes


def _flat(value: Any, path: str) -> dict[str, Any]:
    """Values by dotted key; parts of lists by their names, or numbers from 0."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        value = {str(part.get("name", number)): part for number, part in enumerate(value)}
    if isinstance(value, Mapping) and value:
        parts = (_flat(part, f"{path}.{key}" if path else key) for key, part in value.items())
        return {key: leaf for part in parts for key, leaf in part.items()}
    return {path: value}


def _text(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)
