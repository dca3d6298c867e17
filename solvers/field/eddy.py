"""Eddy currents: normal metal in a field that changes, and the normal front that moves through a superconductor.

curl curl A + mu0 sigma dA/dt + screening A = mu0 J, implicit in time (backward Euler): never unstable, of first order,
and without the ringing that a higher order has when a field is switched on suddenly.
"""

from __future__ import annotations

from collections.abc import Sequence

import dolfinx.fem
import dolfinx.fem.petsc
import numpy as np
import ufl
from mpi4py import MPI
from petsc4py import PETSc
from scipy.optimize import brentq

from fem.constants import MU0
from meshes.arrays import Floats, Ints
from solvers.errors import StepFailure
from solvers.field.drives import TransportCurrent
from solvers.field.problem import FieldProblem
from solvers.field.solution import FieldSolution

# The mass that fixes the gauge outside the metal lets currents through, as if the vacuum had a penetration depth. It is
# to be this part of mu0 sigma / dt of the worst conductor, but no smaller than this part of the usual one; where the
# factorisation fails it is raised by steps of ten. It has no memory: what round-off makes of the gauge would grow from
# step to step.
LEAK, LEAST_GAUGE_MASS = 1e-4, 1e-2
# A cell is as good as normal when this share of its screening is left.
SMALLEST_SHARE = 1e-9


class _EddyForms:
    """What the eddy currents add to the forms of a field problem, in mesh coordinates.

    Attributes:
        sigma: conductivity per cell.
        memory_weight: mu0 sigma / dt.
        mass: screening and memory together, as they were factored.
        gauge_change: what is added to the usual mass outside.
        previous: A before the step.
        unit: A_1.
        more: bilinear forms to be added to those of the field problem.
    """

    def __init__(self, problem: FieldProblem) -> None:
        forms = self._forms = problem.forms
        constants = forms.screening.function_space
        self.sigma, self.memory_weight, self.mass, self.gauge_change = (
            dolfinx.fem.Function(constants) for _ in range(4)
        )
        self.previous, self.unit = (dolfinx.fem.Function(forms.space) for _ in range(2))
        p, past, unit, dx = forms.potential, self.previous, self.unit, forms.screened
        v, cell = ufl.TestFunction(forms.space), ufl.TestFunction(constants)
        self._memory = dolfinx.fem.form(self.memory_weight * ufl.inner(past, v) * dx)
        self._change = dolfinx.fem.Function(constants)
        self._answer = dolfinx.fem.form(-self._change * ufl.inner(p + forms.phase_gradient, v) * dx)
        self.more = []
        if forms.outside is not None:
            change = self.gauge_change * ufl.inner(ufl.TrialFunction(forms.space), v) * forms.outside
            self.more = [dolfinx.fem.form(change)]
        self._joule = dolfinx.fem.form(self.sigma * ufl.inner(p - past, p - past) * cell * dx)
        # The current of A_0: curl A_0 . curl A_1 + mu0 sigma (A_0 - A_old) . A_1 / dt + screening A_0 . (A_1 + g).
        current = self.mass * ufl.inner(p, unit + forms.phase_gradient) - self.memory_weight * ufl.inner(past, unit)
        self._current = dolfinx.fem.form(ufl.inner(ufl.curl(p), ufl.curl(unit)) * forms.everywhere + current * dx)

    def memory(self) -> PETSc.Vec:
        """Right-hand side of what the metal remembers, for A = 0 on the walls (collective)."""
        right = dolfinx.fem.petsc.assemble_vector(self._memory)
        right.ghostUpdate(PETSc.InsertMode.ADD_VALUES, PETSc.ScatterMode.REVERSE)
        right.array_w[self._forms.wall_unknowns] = 0.0
        return right

    def answer(self, cells: Ints, slope: float) -> PETSc.Vec:
        """Right-hand side of the derivative with respect to the screening of local cells (collective)."""
        self._change.x.array[:] = 0.0
        self._change.x.array[cells] = slope * self._forms.unit**2
        right = dolfinx.fem.petsc.assemble_vector(self._answer)
        right.ghostUpdate(PETSc.InsertMode.ADD_VALUES, PETSc.ScatterMode.REVERSE)
        right.array_w[self._forms.wall_unknowns] = 0.0
        return right

    def current(self, potential: Floats) -> float:
        """Current of an A without a phase, A (collective)."""
        self._forms.potential.x.array[:] = potential
        local = dolfinx.fem.assemble_scalar(self._current)
        return float(self._forms.comm.allreduce(local)) / (MU0 * self._forms.unit)

    def squares(self, potential: Floats) -> Floats:
        """Integral of sigma (A - A before)^2 over each local cell, (n_cells,) (collective)."""
        self._forms.potential.x.array[:] = potential
        heat = dolfinx.fem.assemble_vector(self._joule)
        heat.scatter_forward()
        return np.asarray(heat.array * self._forms.unit)


class EddyProblem:
    """A field problem with conductors, from A = 0 at time zero.

    With a transport current the phase difference Phi follows the eddy currents. The solution is linear in it,
    A = Phi A_1 + A_0, with A_1 that of a unit phase without a past and A_0 that of the past without a phase: one
    matrix, two right-hand sides. Phi is such that the wanted current flows. The current is the weak form tested with
    grad chi + A_1, in which the error of the gauge's mass is of second order; without eddy currents it is twice the
    energy over the phase difference.

    Args:
        problem: the field; its `superconductors` include the groups that conduct.
        conductivity: 1/(Ohm m) of every local cell (owned and ghost), (n_cells,); zero outside the `superconductors`
            and in the conductor of a transport current.
        screening: (1 - f) / lambda^2 in 1/m^2 of every local cell, (n_cells,); None for none.
        least: smallest conductivity that matters, 1/(Ohm m); None: that of `conductivity`.
        gaps: local cells outside the metal without the mass that fixes the gauge: layers of one cell between
            conductors, which are so thin that currents would pass through them by it.

    Attributes:
        time: s.
        dt: length of the step solved last, s.
        screening: of the next step, 1/m^2, (n_cells,).
        accepted: the field that steps start from.
        solution: the field at the end of the step solved last.
    """

    def __init__(
        self,
        problem: FieldProblem,
        conductivity: Floats,
        screening: Floats | None = None,
        least: float | None = None,
        gaps: Ints | None = None,
    ) -> None:
        self.problem, self.time, self.dt = problem, 0.0, 0.0
        local = conductivity[conductivity > 0].min(initial=np.inf)
        self._least = problem.comm.allreduce(float(local), op=MPI.MIN) if least is None else least
        self._least_mass = LEAST_GAUGE_MASS
        self._gauged = np.ones(len(conductivity))
        self._gauged[[] if gaps is None else gaps] = 0.0
        self._driven = isinstance(problem.drive, TransportCurrent)
        self._forms = _EddyForms(problem)
        self._unit_current = 0.0
        self.screening = np.zeros_like(conductivity)
        self._factored = (0.0, -1)
        self.set_cells(conductivity, screening)
        self.solution = self.accepted = self.no_field()

    def no_field(self) -> FieldSolution:
        """A = 0 everywhere."""
        return self.problem.solution(np.zeros_like(self.problem.forms.potential.x.array), 0.0, self.screening)

    def set_cells(self, conductivity: Floats, screening: Floats | None = None) -> None:
        """Change what the cells are, from the next step on: where the metal is normal and where not (collective)."""
        if screening is None:
            screening = self.screening
        sigma = self._forms.sigma.x.array
        same = np.array_equal(conductivity, sigma) and np.array_equal(screening, self.screening)
        if not self.problem.comm.allreduce(int(same), op=MPI.MIN):
            sigma[:] = conductivity
            self.screening = screening.copy()
            self._factored = (0.0, -1)

    def step(self, dt: float, drive: float = 1.0) -> FieldSolution:
        """Accept the field at the end of the last step and advance from there (collective); see `solve`."""
        self.accept(self.solution)
        solution = self.solve(dt, drive)
        self.time += dt
        return solution

    def repeat(self, drive: float = 1.0) -> FieldSolution:
        """Do the last step once more, with the cells as they are now (collective)."""
        return self.solve(self.dt, drive)

    def accept(self, solution: FieldSolution) -> None:
        """Let the next steps start from a field."""
        self.solution = self.accepted = solution

    def solve(self, dt: float, drive: float = 1.0) -> FieldSolution:
        """Find the field at the end of a step from the last accepted one (collective).

        Args:
            dt: s.
            drive: at the end of the step, in unit drives of the field problem; a transport current in A through the
                mesh.

        Raises:
            StepFailure: the factorisation failed, or the field is not finite.
        """
        problem, forms = self.problem, self._forms
        self.dt = dt
        if self._factored != (dt, problem.factorisations):
            self._factor()
        problem.forms.fill_cells(self.screening, 1.0, problem.forms.gauge_mass)
        forms.previous.x.array[:] = self.accepted.potential
        right = forms.memory()
        if not self._driven:
            right.axpy(drive, problem.right)
        potential, phase = problem.back_substitute(right), 0.0
        right.destroy()
        if self._driven:
            phase = (drive - forms.current(potential)) / self._unit_current
            potential += phase * forms.unit.x.array
        self.solution = problem.solution(potential, phase, self.screening)
        return self.solution

    def response(self, cells: Sequence[Ints], slopes: Floats) -> list[FieldSolution]:
        """Derivatives of the solution with respect to the screening of sets of cells, the drive as it is (collective).

        Args:
            cells: local cells of each set, outside the conductor of a current; as many sets on all ranks.
            slopes: d screening / d parameter of each set, 1/m^2, (n_sets,).

        Raises:
            StepFailure: a derivative is not finite.
        """
        problem, forms = self.problem, self._forms
        unit, out = forms.unit.x.array, []
        for inside, slope in zip(cells, slopes, strict=True):
            self.solution._filled()
            right = forms.answer(inside, slope)
            potential, phase = problem.back_substitute(right), 0.0
            if self._driven:
                # Test of the weak form with A_1: the current that the phase has to make up for.
                local = -float(right.array_r @ unit[: right.getLocalSize()])
                phase = -problem.comm.allreduce(local) / (MU0 * problem.forms.unit) / self._unit_current
            out.append(problem.solution(potential + phase * unit, phase, self.screening))
            right.destroy()
        return out

    def quasi_static(self, drive: float) -> FieldSolution:
        """The field that this one comes to in the end at a drive (collective).

        Raises:
            StepFailure: see `solve`.
        """
        problem = self.problem
        mass = self._factor_with(self.screening)
        unit = problem.solution(problem.back_substitute(problem.right), 1.0, self.screening, mass)
        still = unit * (drive / unit.current() if self._driven else drive)
        return problem.solution(still.potential, still.phase, self.screening)

    def _factor(self) -> None:
        problem, forms = self.problem, self._forms
        weight = MU0 * forms.sigma.x.array / self.dt
        forms.memory_weight.x.array[:] = weight * problem.forms.unit**2
        mass = self._factor_with(self.screening + weight)
        self._factored = (self.dt, problem.factorisations)
        if self._driven:
            forms.mass.x.array[:] = problem.forms.screening.x.array
            forms.unit.x.array[:] = problem.back_substitute(problem.right)
            unit = problem.solution(forms.unit.x.array, 1.0, self.screening + weight, mass)
            self._unit_current = unit.current()

    def _factor_with(self, screening: Floats) -> float:
        """Factor the field problem with the mass that fixes the gauge as small as may be; returns it, 1/m^2."""
        problem, usual = self.problem, self.problem.forms.gauge_mass
        while True:
            mass = min(max(LEAK * MU0 * self._least / self.dt, self._least_mass * usual), usual)
            self._forms.gauge_change.x.array[:] = (mass * self._gauged - usual) * problem.forms.unit**2
            try:
                problem.factor(screening, mass, self._forms.more)
            except StepFailure:
                if mass == usual:
                    raise
                self._least_mass = 10.0 * mass / usual
            else:
                return mass

    def cell_power(self) -> Floats:
        """Mean Joule heat of the step solved last in each local cell, W, (n_cells,) (collective)."""
        self._forms.previous.x.array[:] = self.accepted.potential
        return np.asarray(self._forms.squares(self.solution.potential) / self.dt**2)

    def power(self) -> float:
        """Mean Joule heat of the step solved last in watts (collective)."""
        owned = self.problem.tagged.mesh.topology.index_map(3).size_local
        return float(self.problem.comm.allreduce(float(self.cell_power()[:owned].sum())))


class NormalFront:
    """A superconducting column whose face is held above its critical field: a front moves in from there.

    The field just outside the cell in which the front is decides its normal fraction, as it does in a film: it cannot
    exceed the critical field. That fraction is sought in each step. Only advance is provided for.

    Args:
        field: problem on a column of cells along z, superconducting throughout, the field along y imposed at "z-".
        heights: nodes of the column along z in metres, ascending from the face.
        resistivity: of the normal metal, Ohm m.
        depth: penetration depth, m.
        critical: critical field, A/m.

    Attributes:
        normal: number of cells behind the front.
    """

    def __init__(self, field: FieldProblem, heights: Floats, resistivity: float, depth: float, critical: float) -> None:
        mesh, unit = field.tagged.mesh, field.tagged.length_unit
        middle = mesh.geometry.x[mesh.geometry.dofmap][:, :, 2].mean(axis=1) * unit
        self._cell = np.searchsorted(heights, middle) - 1
        self.heights, self.critical = heights, critical
        self._sigma, self._full = 1.0 / resistivity, 1.0 / depth**2
        across = mesh.geometry.x[:, :2].mean(axis=0) * unit
        self._points = np.column_stack(
            [np.broadcast_to(field.comm.bcast(across), (len(heights) - 1, 2)), (heights[1:] + heights[:-1]) / 2]
        )
        self.normal = 0
        self.eddy = EddyProblem(field, *self._cells(self._full), least=self._sigma)

    def _cells(self, screening: float) -> tuple[Floats, Floats]:
        """Conductivity and screening of every local cell, the front's own cell with the given screening."""
        behind, at = self._cell < self.normal, self._cell == self.normal
        share = np.where(behind, 0.0, np.where(at, screening / self._full, 1.0))
        return self._sigma * (1.0 - share), self._full * share

    def _field(self) -> Floats:
        """H of every cell of the column, A/m."""
        return np.asarray(self.eddy.solution.flux_density_at(self._points)[:, 1] / MU0)

    def _outside(self, drive: float) -> float:
        """H just outside the front's cell: extrapolated from the two places nearest to it."""
        if self.normal == 0:
            return drive
        z = np.concatenate([[self.heights[0]], self._points[:, 2]])
        h = np.concatenate([[drive], self._field()])
        k = self.normal
        slope = (h[k] - h[k - 1]) / (z[k] - z[k - 1])
        return float(h[k] + slope * (self.heights[k] - z[k]))

    def step(self, dt: float, drive: float) -> None:
        """Advance by a time (collective).

        Args:
            dt: s.
            drive: H at the face at the end of the step, A/m; the unit drive of the field problem is 1 A/m.

        Raises:
            RuntimeError: the front has reached the far end of the column.
            StepFailure: the field could not be solved.
        """
        self.eddy.set_cells(*self._cells(self._full))
        self.eddy.step(dt, drive)
        while self._excess(self._full, drive) > 0:
            if self._excess(SMALLEST_SHARE * self._full, drive) <= 0:
                self._settle(drive)
                return
            self.normal += 1
            if self.normal == len(self.heights) - 1:
                raise RuntimeError("the normal front has reached the far end of its column")

    def _excess(self, screening: float, drive: float) -> float:
        self.eddy.set_cells(*self._cells(screening))
        self.eddy.repeat(drive)
        return self._outside(drive) / self.critical - 1.0

    def _settle(self, drive: float) -> None:
        """Find the screening of the front's cell, whose logarithm has a range of some powers of ten."""
        bounds = np.log(SMALLEST_SHARE * self._full), np.log(self._full)
        found = brentq(lambda log: self._excess(np.exp(log), drive), *bounds, xtol=1e-3)
        self._excess(np.exp(found), drive)

    def position(self) -> float:
        """Depth of the front in metres: its cell is normal as far as the flux in it fills it at the critical field."""
        filled = min(1.0, max(0.0, float(self._field()[self.normal]) / self.critical))
        return float(self.heights[self.normal] + filled * (self.heights[self.normal + 1] - self.heights[self.normal]))
