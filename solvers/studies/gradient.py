"""Optimisation by gradients: scipy's SLSQP, or trust-constr where that does not come within the limits.

Variables are shares of their ranges. Derivatives are central differences of objective and constraints, all their
members in one batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes.arrays import Floats
from solvers.studies.outcome import Evaluate, Outcome

if TYPE_CHECKING:
    from solvers.studies.plan import Builder
    from solvers.studies.search_file import SearchFile

# Of each range: there the error of a difference, STEP^2, is as large as jumps of 1e-6 of the objective over STEP.
STEP = 1e-2
TOLERANCE = 1e-6  # change of the objective, of its size at the start, at which SLSQP has settled
RADIUS = 1e-3  # of the region of trust, of the ranges, at which trust-constr has settled
MARGIN = 1e-5  # kept from each limit, of its size: SLSQP ends up to TOLERANCE beyond
FAILED = 10.0  # what no member could be computed for, over the largest value that was


def gradient(file: SearchFile, builder: Builder, evaluate: Evaluate, _at_once: int) -> None:
    """Go down from the middle of the ranges; once that has settled, from other points of a Sobol sequence."""
    from scipy.stats import qmc

    count = len(builder.variables)
    starts = qmc.Sobol(count, rng=np.random.default_rng(file.seed))
    start: Floats = np.full(count, 0.5)
    while True:
        descent = _Descent(lambda shares: evaluate([builder.point(list(share)) for share in shares]), start)
        if descent.scale is not None:
            descent.run()
        start = starts.random(1)[0]


class _Descent:
    """One descent: values and slopes of objective and constraints, each of their points computed once.

    Attributes:
        scale: size of the objective at the start; None: there is none.
    """

    def __init__(self, evaluate: Callable[[list[Floats]], list[Outcome]], start: Floats) -> None:
        self.evaluate, self.start = evaluate, start
        self._known: dict[bytes, Outcome] = {}
        self._slopes: dict[bytes, Floats] = {}
        first = self._at([start])[0]
        self.limits = len(first.violations)
        self.scale = None if first.objectives is None else abs(first.objectives[0]) or 1.0

    def _at(self, shares: list[Floats]) -> list[Outcome]:
        """Outcomes of points, those that are not known computed at once."""
        new = {share.tobytes(): share for share in shares if share.tobytes() not in self._known}
        if new:
            self._known |= dict(zip(new, self.evaluate(list(new.values())), strict=True))
        return [self._known[share.tobytes()] for share in shares]

    def _numbers(self, outcome: Outcome) -> Floats | None:
        """Objective over its size at the start, and what is left to each limit, (1 + limits,)."""
        if outcome.objectives is None or not np.isfinite(outcome.violations).all():
            return None
        return np.array([outcome.objectives[0] / (self.scale or 1.0), *(-v - MARGIN for v in outcome.violations)])

    def values(self, share: Floats) -> Floats:
        """Objective and limits at a point, (1 + limits,); where there are none, bad ones."""
        found = self._numbers(self._at([np.clip(share, 0.0, 1.0)])[0])
        if found is not None:
            return found
        known = [numbers for o in self._known.values() if (numbers := self._numbers(o)) is not None]
        return np.array([FAILED * (1.0 + max(abs(numbers[0]) for numbers in known)), *[-1.0] * self.limits])

    def slopes(self, share: Floats) -> Floats:
        """Their derivatives, (1 + limits, variables): central, at a bound from two points inside, of second order.

        Where one of two members failed: from the other one and the middle. Where both did: 0.
        """
        share = np.clip(share, 0.0, 1.0)
        key = share.tobytes()
        if key not in self._slopes:
            offsets = [_offsets(x) for x in share]
            units = np.eye(len(share))
            points = [share + o * unit for pair, unit in zip(offsets, units, strict=True) for o in pair]
            middle, *around = (self._numbers(outcome) for outcome in self._at([share, *points]))
            columns = [
                _derivative(middle, list(zip(pair, around[2 * j : 2 * j + 2], strict=True)), 1 + self.limits)
                for j, pair in enumerate(offsets)
            ]
            self._slopes[key] = np.stack(columns, axis=1)
        return self._slopes[key]

    def run(self) -> None:
        """Go down until it has settled."""
        from scipy.optimize import Bounds, NonlinearConstraint, minimize

        bounds = Bounds(0.0, 1.0, keep_feasible=True)
        limits = NonlinearConstraint(
            lambda share: self.values(share)[1:], 0.0, np.inf, jac=lambda share: self.slopes(share)[1:]
        )

        def descend(start: Floats, method: str, options: dict[str, Any]) -> Any:
            """Where a method of scipy comes to from a start."""
            return minimize(
                lambda share: float(self.values(share)[0]),
                start,
                jac=lambda share: self.slopes(share)[0],
                method=method,
                bounds=bounds,
                constraints=[limits] if self.limits else (),
                options=options,
            )

        found = descend(self.start, "SLSQP", {"ftol": TOLERANCE, "maxiter": 1000})
        if not found.success and (self.values(found.x)[1:] < -MARGIN).any():
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "delta_grad == 0.0")
                inside = np.clip(found.x, STEP, 1.0 - STEP)
                descend(inside, "trust-constr", {"xtol": RADIUS, "initial_tr_radius": 0.1, "maxiter": 1000})


def _offsets(x: float) -> tuple[float, float]:
    """Where a derivative at x in 0..1 is taken from."""
    if x + STEP > 1.0:
        return -STEP, -2 * STEP
    return (STEP, 2 * STEP) if x - STEP < 0.0 else (STEP, -STEP)


def _derivative(middle: Floats | None, around: list[tuple[float, Floats | None]], count: int) -> Floats:
    """Derivatives from the values in the middle and at offsets from it."""
    there = [(offset, values) for offset, values in around if values is not None]
    if len(there) == 2:
        (a, at_a), (b, at_b) = there
        if a == -b:
            return np.asarray((at_a - at_b) / (2 * a))
        if middle is not None:
            return np.asarray(((at_a - middle) * b / a - (at_b - middle) * a / b) / (b - a))
    if len(there) == 1 and middle is not None:
        [(a, at_a)] = there
        return np.asarray((at_a - middle) / a)
    return np.zeros(count)
