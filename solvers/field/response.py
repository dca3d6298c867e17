"""How a solved field answers to a change of the screening: exact derivatives by back-substitution."""

from __future__ import annotations

from collections.abc import Sequence

import dolfinx.fem
import dolfinx.fem.petsc
import numpy as np
import ufl
from petsc4py import PETSc

from meshes.arrays import Floats, Ints
from solvers.field.problem import FieldProblem
from solvers.field.solution import FieldSolution


class ScreeningResponse:
    """Derivatives of the field of a unit drive with respect to the screening of sets of cells.

    Args:
        problem: the field problem.
    """

    def __init__(self, problem: FieldProblem) -> None:
        forms = problem.forms
        self.problem = problem
        self._change = dolfinx.fem.Function(forms.screening.function_space)
        total, test = forms.potential + forms.phase_gradient, ufl.TestFunction(forms.space)
        self._right = dolfinx.fem.form(-self._change * ufl.inner(total, test) * forms.screened)
        self._energy = dolfinx.fem.form(self._change * ufl.inner(total, total) * forms.screened)

    def of(self, solution: FieldSolution, cells: Sequence[Ints], slopes: Floats) -> tuple[list[FieldSolution], Floats]:
        """Derivatives of the field, and of the logarithm of its energy (collective).

        Args:
            solution: the field of the unit drive, for which the matrix was factored last.
            cells: local cells of each set, as many sets on all ranks.
            slopes: d screening / d parameter of each set, 1/m^2, (n_sets,).

        Returns:
            d solution / d parameter and d ln(energy) / d parameter of each set, (n_sets,).
        """
        forms = self.problem.forms
        solution._filled()
        rights, energies = [], []
        for inside, slope in zip(cells, slopes, strict=True):
            self._change.x.array[:] = 0.0
            self._change.x.array[inside] = slope * forms.unit**2
            right = dolfinx.fem.petsc.assemble_vector(self._right)
            right.ghostUpdate(PETSc.InsertMode.ADD_VALUES, PETSc.ScatterMode.REVERSE)
            right.array_w[forms.wall_unknowns] = 0.0
            rights.append(right)
            energies.append(dolfinx.fem.assemble_scalar(self._energy))
        total = self.problem.comm.allreduce(np.array([dolfinx.fem.assemble_scalar(forms.energy), *energies]))
        answers = self.problem.back_substitute_all(rights)
        for right in rights:
            right.destroy()
        derivatives = [self.problem.solution(answer, 0.0, solution.screening) for answer in answers]
        return derivatives, total[1:] / total[0]
