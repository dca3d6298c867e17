"""Where the levels of all columns and their fields meet, with the answer of the fields in a straight line.

The level y of a column is logit f. It is in equilibrium where (H/Hp)^2 = 1 + slope y, with H the largest field in the
cells that decide about the column and Hp its transition field; at 0 and 1, where y is large, only the sign counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from scipy.special import expit, logit

from meshes.arrays import Floats, Longs

# Beyond this level f is 0 or 1 to round-off.
LEVEL_LIMIT = 40.0
# Largest fields of a column that differ by less than this part of the width of the transition count together: their
# maximum would have a kink where one takes over from the other.
SOFTNESS = 0.25
ITERATIONS = 150
PRECISION = 1e-7
LARGEST_MOVE = 3.0  # of a level in one iteration


@dataclass(frozen=True)
class Linearised:
    """Fields in cells that decide about columns, and how they answer.

    Attributes:
        vectors: field over the transition field, (n_rows, 3).
        slopes: derivatives with respect to the penetration of every column, (n_rows, 3, n).
        column: column of each row, (n_rows,).
        n: number of columns.
        comm: rows are spread over its ranks.
    """

    vectors: Floats
    slopes: Floats
    column: Longs
    n: int
    comm: MPI.Intracomm

    def squared(self, change: Floats, softness: Floats | None = None) -> Floats:
        """Squared largest field of each column after a change of penetrations, (n,) each (collective)."""
        return self._evaluate(change, softness)[0]

    def with_slopes(self, change: Floats, softness: Floats) -> tuple[Floats, Floats]:
        """The same and its derivatives, (n,) and (n, n) (collective)."""
        largest, row_weight, vectors = self._evaluate(change, softness)
        jacobian = np.zeros((self.n, self.n))
        np.add.at(jacobian, self.column, 2.0 * row_weight[:, None] * np.einsum("rx,rxj->rj", vectors, self.slopes))
        return largest, np.asarray(self.comm.allreduce(jacobian))

    def _evaluate(self, change: Floats, softness: Floats | None) -> tuple[Floats, Floats, Floats]:
        vectors = self.vectors + self.slopes @ change if change.any() else self.vectors
        squares = (vectors**2).sum(axis=1)
        largest = np.zeros(self.n)
        np.maximum.at(largest, self.column, squares)
        if softness is None:
            return np.asarray(self.comm.allreduce(largest)), np.zeros(0), vectors
        weight = np.exp((squares - largest[self.column]) / softness[self.column])
        total = np.bincount(self.column, weight, minlength=self.n)
        some = total > 0.0
        largest[some] += softness[some] * np.log(total[some])
        return np.asarray(self.comm.allreduce(largest)), weight / total[self.column], vectors


def _argument(level: Floats, ratio: Floats) -> Floats:
    """D / 2 lambda_eff, with lambda_eff = lambda / sqrt(1 - f)."""
    return np.asarray(np.maximum(ratio * np.sqrt(expit(-level)), 1e-6))


def penetration(level: Floats, ratio: Floats) -> Floats:
    """Share of a film's thickness that a field along it penetrates, tanh x / x: near to linear in its field.

    Args:
        level: logit f, (n,).
        ratio: half the thickness over the penetration depth, (n,).
    """
    x = _argument(level, ratio)
    return np.asarray(np.where(x < 1e-3, 1.0 - x**2 / 3.0, np.tanh(x) / x))


def _slope_in_argument(x: Floats) -> Floats:
    """D penetration / dx."""
    return np.where(x < 1e-3, -2.0 * x / 3.0, 1.0 / np.cosh(np.minimum(x, 300.0)) ** 2 / x - np.tanh(x) / x**2)


def penetration_slope(level: Floats, ratio: Floats) -> Floats:
    """D penetration / d level."""
    x = _argument(level, ratio)
    return np.asarray(-0.5 * _slope_in_argument(x) * x * expit(level))


def screening_slope(level: Floats, ratio: Floats, depth: Floats) -> Floats:
    """D [(1 - f) / lambda^2] / d penetration, 1/m^2; depth: lambda in m, (n,)."""
    x = np.maximum(_argument(level, ratio), 1e-4)
    return np.asarray(2.0 * x / (ratio * depth) ** 2 / _slope_in_argument(x))


def _level_of(penetrated: Floats, ratio: Floats) -> Floats:
    """Level at a penetration, by bisection; beyond its range a limit."""
    low, high = np.full_like(penetrated, -LEVEL_LIMIT), np.full_like(penetrated, LEVEL_LIMIT)
    for _ in range(50):
        middle = 0.5 * (low + high)
        above = penetration(middle, ratio) > penetrated
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(0.5 * (low + high))


Law = Callable[[Floats], tuple[Floats, Floats]]


def meet(field: Linearised, level: Floats, law: Law, slope: Floats, ratio: Floats, trust: float) -> Floats:
    """Levels at which law and field meet (collective).

    Newton's method in steps of an implicit relaxation, whose length grows as it settles.

    Args:
        field: at the present levels.
        level: present levels, (n,).
        law: the squared field at which columns have given levels, in units of `field`, and its slope, (n,) each.
        slope: the least of them, which the width of the transition makes, (n,).
        ratio: see `penetration`.
        trust: largest change of a penetration.
    """
    start = penetration(level, ratio)
    low, high = _level_of(start - trust, ratio), _level_of(start + trust, ratio)
    softness = SOFTNESS * slope
    y, pace, last, n = level.copy(), 1.0, np.inf, len(level)
    best, least = y, np.inf
    for _ in range(ITERATIONS):
        largest, jacobian = field.with_slopes(penetration(y, ratio) - start, softness)
        value, rise = law(y)
        residual = largest - value
        stuck = ((y >= high) & (residual > 0.0)) | ((y <= low) & (residual < 0.0))
        residual[stuck] = 0.0
        worst = float(np.abs(residual).max(initial=0.0))
        if worst < least:
            best, least = y, worst
        if worst < PRECISION:
            break
        pace = min(2.0 * pace, 1e9) if worst < last else max(0.5 * pace, 1e-2)
        last = worst
        matrix = np.diag(slope / pace + rise) - jacobian * penetration_slope(y, ratio)[None, :]
        free = ~stuck
        move = np.zeros(n)
        move[free] = np.linalg.solve(matrix[np.ix_(free, free)], residual[free])
        y = np.clip(y + np.clip(move, -LARGEST_MOVE, LARGEST_MOVE), low, high)
    return best if least < 1e-3 else y


def level_fraction(level: Floats) -> Floats:
    """Normal fraction of a level; at the limits 0 and 1 without a rest, so that nothing seems to switch there."""
    return np.asarray(np.where(level <= -LEVEL_LIMIT, 0.0, expit(level)))


def fraction_level(fraction: Floats) -> Floats:
    """Level of a normal fraction, within the limits."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(logit(fraction), -LEVEL_LIMIT, LEVEL_LIMIT))
