"""The intermediate state of films that the applied field stands across."""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats
from solvers.field.drives import AppliedField
from solvers.field.problem import FieldProblem
from solvers.switching.curve import TransitionCurve
from solvers.switching.equilibrium import LEVEL_LIMIT

NORMAL = 1.0 - 1e-9  # component of a unit vector along z: the films of a stack are flat


def stands_across(problem: FieldProblem) -> bool:
    """Whether the drive is a field across the films."""
    return isinstance(problem.drive, AppliedField) and abs(problem.drive.direction[2]) > NORMAL


class CurveAcross(TransitionCurve):
    """Normal fraction of columns that the flux crosses in domains: their B over mu0 Hc, at most 1.

    A plate that is much wider than thick cannot keep the flux out: it passes in normal domains in which H is Hc, so
    that the share H0/Hc of the plate is normal, and the field around it is as without it. London's equation with a mean
    density of pairs does not have that state: it screens wherever some pairs are left. Source: P. G. de Gennes,
    Superconductivity of Metals and Alloys, section 2-2 (L. D. Landau, Zh. Eksp. Teor. Fiz. 7, 371, 1937). Near the rims
    of a film, a thickness or so, this is not true.
    """

    def at(self, drive: Floats) -> tuple[Floats, Floats]:
        """Fraction and H per drive of every column, see `TransitionCurve.at` (collective)."""
        squares, peak, _ = self._wholly(LEVEL_LIMIT)
        with np.errstate(invalid="ignore"):
            fraction = np.where(np.isinf(drive), 1.0, np.minimum(np.sqrt(squares) * drive, 1.0))
        return fraction, peak

    def observed(self, drive: float) -> Floats:
        """What the observer sees per unit of the drive: the field that nothing screens, at any (collective)."""
        return self._wholly(LEVEL_LIMIT)[2]
