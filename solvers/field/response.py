"""How a solved field answers to a change of the screening of films: exact derivatives by back-substitution."""

from __future__ import annotations

from collections.abc import Sequence

import dolfinx.fem
import numpy as np
import scipy.sparse
import ufl

from meshes import compat
from meshes.arrays import Floats, Ints
from solvers.field.problem import FieldProblem
from solvers.field.solution import FieldSolution


class ScreeningResponse:
    """Derivatives of the field of a unit drive with respect to the screening of sets of cells of films.

    Args:
        problem: a field problem with films.
        reading: local cells where the derivatives are wanted, (n_cells,).
    """

    def __init__(self, problem: FieldProblem, reading: Ints) -> None:
        forms = problem.forms
        if problem.condensed is None:
            raise ValueError("derivatives are known for field problems with films only")
        self.problem, self._reading = problem, reading
        total, cell = forms.potential + forms.phase_gradient, forms.screening.function_space
        # One column for each cell: what its screening does to the equations.
        change = -ufl.TrialFunction(cell) * ufl.inner(total, ufl.TestFunction(forms.space)) * forms.of_films.measure
        self._change = dolfinx.fem.form(change)
        self._matrix = compat.local_matrix(self._change)
        self._squares = dolfinx.fem.form(ufl.TestFunction(cell) * ufl.inner(total, total) * forms.of_films.measure)
        self._fronts = problem.condensed.fronts_of(np.unique(forms.space.dofmap.list[reading]))

    def of(self, solution: FieldSolution, cells: Sequence[Ints], slopes: Floats) -> tuple[Floats, Floats]:
        """Derivatives of the field, and of the logarithm of its energy (collective).

        Args:
            solution: the field of the unit drive that was solved last.
            cells: local cells of each set, as many sets on all ranks.
            slopes: d screening / d parameter of each set, 1/m^2, (n_sets,).

        Returns:
            d B / d parameter at the midpoints of the reading cells, T, (n_sets, n_cells, 3), and
            d ln(energy) / d parameter of each set, (n_sets,).
        """
        forms, n_sets = self.problem.forms, len(cells)
        solution._filled()
        counts = [len(inside) for inside in cells]
        where = np.concatenate([np.zeros(0, dtype=np.int32), *cells]), np.repeat(np.arange(n_sets), counts)
        values = np.repeat(slopes, counts) * forms.unit**2
        sets = scipy.sparse.csr_matrix((values, where), (len(forms.screening.x.array), n_sets))
        change = compat.assemble_locally(self._matrix, [self._change])
        squares = sets.T @ dolfinx.fem.assemble_vector(self._squares).array  # of the cells of this rank
        sets.resize(change.shape[1], n_sets)
        answers = self.problem.respond((change @ sets).toarray(), self._fronts)
        total = self.problem.comm.allreduce(np.array([dolfinx.fem.assemble_scalar(forms.energy), *squares]))
        return self.problem.flux_densities(answers, self._reading), np.asarray(total[1:] / total[0])
