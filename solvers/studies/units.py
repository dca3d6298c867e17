"""The SI unit of a key of a case or of a summary."""

from __future__ import annotations

import re
from typing import Any, get_args

from solvers.case.messages import Keys, block_at
from solvers.case.model import Case
from solvers.case.quantities import Quantity

# Ends of the keys of summary.json; what has none of them is a bare number.
_ENDS = {"J_per_K": "J/K", "K": "K", "W": "W", "J": "J", "m": "m", "s": "s", "MB": "MB", "A": "A", "T": "T"}


def unit_of_input(case: Case, keys: Keys) -> str:
    """SI unit of a value of a case, "" if it has none.

    Args:
        case: a case that has the value.
        keys: where it is.
    """
    if keys == ("drive", "amplitude"):
        return "A/m" if case.drive is not None and case.drive.applied_field else "A"
    names = [number for number, key in enumerate(keys) if isinstance(key, str)]
    if keys[:2] == ("cycle", "phases") and len(names) < 3:
        return ""
    block = block_at(Case, keys[: names[-1]])
    field = block.model_fields.get(str(keys[names[-1]])) if block is not None else None
    if field is None:
        return ""
    quantity = next((found for part in [*field.metadata, field.annotation] if (found := _quantity(part))), None)
    return quantity.unit if quantity is not None else ""


def _quantity(annotation: Any) -> Quantity | None:
    if isinstance(annotation, Quantity):
        return annotation
    parts = [*getattr(annotation, "__metadata__", ()), *get_args(annotation)]
    return next((found for part in parts if (found := _quantity(part)) is not None), None)


def unit_of_result(key: str) -> str:
    """SI unit of a key of summary.json such as "results.T_cold_final_K", "" if it has none."""
    name = key.rpartition(".")[2]
    match = re.search(rf"_({'|'.join(_ENDS)})$", name)
    if match is not None:
        return _ENDS[match[1]]
    return "s" if key.startswith("timings_s.") else ""
