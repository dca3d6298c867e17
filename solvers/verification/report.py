"""One line of the verification book."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Observed orders of convergence may differ by this from theory.
ORDER_TOLERANCE = 0.2


@dataclass(frozen=True)
class Row:
    """A computed number beside its exact or independent value.

    Attributes:
        case: what is computed.
        quantity: which number, with its unit.
        exact: what it must be; 0 for a residual.
        computed: what it is.
        tolerance: largest error that passes.
        order: observed order of convergence, if it was measured.
        expected_order: order by theory; faster convergence passes only within the same 0.2.
    """

    case: str
    quantity: str
    exact: float
    computed: float
    tolerance: float
    order: float | None = None
    expected_order: float | None = None

    @property
    def error(self) -> float:
        """Relative error; absolute where the exact value is zero."""
        difference = abs(self.computed - self.exact)
        return difference / abs(self.exact) if self.exact else difference

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance and the order, if any, within 0.2 of theory."""
        if not (math.isfinite(self.computed) and self.error <= self.tolerance):
            return False
        if self.expected_order is None:
            return True
        return self.order is not None and abs(self.order - self.expected_order) <= ORDER_TOLERANCE
