"""Sums of values of a case, which constraints bound: "layer.load.thickness + layer.working.thickness"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from solvers.case.messages import Keys
from solvers.case.model import Case
from solvers.case.overrides import entry_number
from solvers.errors import InputError, choices
from solvers.studies.plan import value_at
from solvers.studies.units import unit_of_input


def is_sum(name: str) -> bool:
    """Whether the name of a constraint is that of values of the case, and not of a result."""
    return "." in name or "+" in name


@dataclass(frozen=True)
class InputSum:
    """A sum of values of a case.

    Attributes:
        keys: where they are.
        unit: SI unit of all of them, "" if they have none.
    """

    keys: tuple[Keys, ...]
    unit: str

    def of(self, case: Case) -> float:
        """The sum in a case, in SI."""
        return float(sum(value_at(case, keys) for keys in self.keys))


def read_sum(text: str, case: Case) -> InputSum:
    """The sum that a text describes.

    Args:
        text: keys as for --set, with "+" between them.
        case: one that has them.

    Raises:
        ValueError: the case has no such number, or they have different units.
    """
    values = case.model_dump(mode="json")
    terms = [term.strip() for term in text.split("+")]
    if not all(terms):
        raise ValueError('write keys with "+" between them, such as "layer.load.thickness + layer.working.thickness"')
    keys = tuple(_keys(values, term) for term in terms)
    units = [unit_of_input(case, each) for each in keys]
    for term, unit in zip(terms, units, strict=True):
        if unit != units[0]:
            raise ValueError(f"adds {units[0] or 'a number'} ({terms[0]}) and {unit or 'a number'} ({term})")
    return InputSum(keys, units[0])


def _keys(values: Any, term: str) -> Keys:
    """Where a number is in a case."""
    here: Any = values
    keys: Keys = ()
    where = "the case"
    for part in term.split("."):
        step: str | int = part
        if isinstance(here, list):
            try:
                step = entry_number(here, part, "", where)
            except InputError as error:
                raise ValueError(str(error).removeprefix(": ")) from None
        elif not isinstance(here, dict):
            raise ValueError(f'{where} is a value and has no "{part}"')
        elif part not in here:
            raise ValueError(f'{where} has no "{part}"; {choices(part, here)}')
        here, keys, where = here[step], (*keys, step), part
    if isinstance(here, bool) or not isinstance(here, int | float):
        raise ValueError(f"{term} is no number" if here is not None else f"{term} is left out in the case")
    return keys
