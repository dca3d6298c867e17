"""What a search learns of the points that it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a search learns of a point.

    Attributes:
        objectives: to be made small; None if there is no result.
        violations: of the constraints, above zero where they are not met, of the size of the bound.
    """

    objectives: list[float] | None
    violations: list[float]


# Computes points, the values of all variables of each, at once.
Evaluate = Callable[[list[list[Any]]], list[Outcome]]
