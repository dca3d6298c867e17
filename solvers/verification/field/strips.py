"""Known answer 5: the field of flat strips that carry a current, in a plane across them."""

from __future__ import annotations

from math import atan, pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem.constants import MU0
from meshes.arrays import Floats
from meshes.grading import graded_nodes
from solvers.field.problem import FieldProblem, Imposed, TransportCurrent
from solvers.verification.field.meshes import brick_mesh
from solvers.verification.field.slabs import refined
from solvers.verification.report import Row

UM, NM = 1e-6, 1e-9


def _join(*pieces: npt.NDArray[Any]) -> Floats:
    """Nodes of pieces that each start at 0, one after the other."""
    out: Floats = pieces[0]
    for piece in pieces[1:]:
        out = np.concatenate([out, out[-1] + piece[1:]])
    return out


def uniform_strip(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """A given sheet current of 1e5 A/m, 10 um wide: the field 1 um above its centre."""
    half, far, height, sheet = 5 * UM, 500 * UM, 1 * UM, 1e5
    thick = 10 * NM  # half of the thickness that carries the sheet current
    exact = MU0 * sheet / pi * atan(half / height)

    def solve(n: int) -> float:
        """B above the centre with cells 4/n as long, T."""
        growth = 1.6 ** (4 / n)
        # Above the sheet, cells with a midpoint at the height asked for.
        above = np.linspace(0.0, 2 * (height - thick), 2 * n)
        z = _join(np.array([0.0, thick]), above, graded_nodes(far, above[1], growth=growth))
        y = _join(
            graded_nodes(half, 0.5 * UM * 4 / n, 0.1 * UM * 4 / n, growth),
            graded_nodes(far, 0.1 * UM * 4 / n, growth=growth),
        )
        strip = (None, (0.0, half), (0.0, thick))
        tagged = brick_mesh(comm, [[0.0, UM], y, z], {"vacuum": (None, None, None), "strip": strip}, UM)
        drive = Imposed(current_density={"strip": (sheet / (2 * thick), 0.0, 0.0)})
        # Symmetry planes y = 0 and z = 0 are natural; far away the walls carry the current back.
        problem = FieldProblem(tagged, [], drive, ["x-", "x+", "y+", "z+"])
        return -float(problem.solve(problem.screening_of({})).flux_density_at([[UM / 2, 0.0, height]])[0, 1])

    return [refined("5 strip of 10 um, K = 1e5 A/m", "B 1 um above the centre (T)", exact, solve, (4, 8), 5e-3, 2.0)]


def meissner_strip(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """A thin superconducting strip, 200 um wide and 200 nm thick, lambda 50 nm: K = I / (pi sqrt(a^2 - x^2))."""
    half, thick, depth, far = 100 * UM, 100 * NM, 50 * NM, 50 * 100 * UM
    cell = depth / 2
    z = _join(graded_nodes(thick, cell, cell, 1.4), graded_nodes(far, cell, growth=1.4))
    y = _join(graded_nodes(half, 4 * UM, cell, 1.3), graded_nodes(far, cell, growth=1.4))
    strip = (None, (0.0, half), (0.0, thick))
    tagged = brick_mesh(comm, [[0.0, UM], y, z], {"vacuum": (None, None, None), "strip": strip}, UM)
    problem = FieldProblem(tagged, ["strip"], TransportCurrent(["strip"], UM), ["x-", "x+", "y+", "z+"])
    solution = problem.solve(problem.screening_of({"strip": depth}))
    current = 4 * solution.current()
    rows = []
    for place in (0.0, 0.5, 0.8):
        near = int(np.argmin(np.abs(y[1:] + y[:-1] - 2 * place * half)))
        middle = float(y[near] + y[near + 1]) / 2
        # H just above the film; half of it is the sheet current of the half thickness.
        field = solution.flux_density_at([[UM / 2, middle, thick + cell / 4]])[0, 1]
        computed = -2 * float(field) / MU0 / current
        exact = 1 / (pi * sqrt(half**2 - middle**2))
        rows.append(Row("5 Meissner strip of 200 um", f"K/I at y/a = {place:g} (1/m)", exact, computed, 5e-3))
    return rows
