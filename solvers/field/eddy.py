"""Eddy currents: normal metal in a field that changes, and the normal front that moves through a superconductor.

curl curl A + mu0 sigma dA/dt + screening A = mu0 J, implicit in time (backward Euler): never unstable, of first order,
and without the ringing that a higher order has when a field is switched on suddenly.
"""

from __future__ import annotations

import dolfinx.fem
import dolfinx.fem.petsc
import numpy as np
import numpy.typing as npt
import ufl
from mpi4py import MPI
from petsc4py import PETSc
from scipy.optimize import brentq

from fem.constants import MU0
from solvers.field.drives import TransportCurrent
from solvers.field.problem import FieldProblem

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

# The mass that fixes the gauge outside the metal lets currents through, as if the vacuum had a penetration depth. It is
# to be this part of mu0 sigma / dt of the worst conductor, but no smaller than this part of the usual one; where the
# factorisation fails it is raised by steps of ten. It has no memory: what round-off makes of the gauge would grow from
# step to step.
LEAK, LEAST_FLOOR = 1e-4, 1e-2
# A cell is as good as normal when this share of its screening is left.
SMALLEST_SHARE = 1e-9


class EddyProblem:
    """A field problem with conductors, from A = 0 at time zero; `field` always has the present state, not a unit one.

    With a transport current the phase difference Phi follows the eddy currents. The solution is linear in it,
    A = Phi A_1 + A_0, with A_1 that of a unit phase without a past and A_0 that of the past without a phase: one
    matrix, two right-hand sides. Phi is such that the wanted current flows. The current is the weak form tested with
    grad chi + A_1, in which the error of the gauge floor is of second order; without eddy currents it is twice the
    energy over the phase difference.

    Args:
        field: the problem; its `superconductors` include the groups that conduct.
        conductivity: 1/(Ohm m) of every local cell (owned and ghost), (n,); zero outside the `superconductors` and in
            the conductor of a transport current.
        screening: (1 - f) / lambda^2 in 1/m^2 of every local cell, (n,); None for none.
        least: smallest conductivity that matters, 1/(Ohm m); None: that of `conductivity`.
        gaps: local cells outside the metal without the mass that fixes the gauge: layers of one cell between
            conductors, which are so thin that currents would pass through them by it.

    Attributes:
        time: s.
        phase: phase difference of the present state, V s; 1 without a transport current.
    """

    def __init__(
        self,
        field: FieldProblem,
        conductivity: Floats,
        screening: Floats | None = None,
        least: float | None = None,
        gaps: Ints | None = None,
    ) -> None:
        self.field, self.time, self.dt = field, 0.0, 0.0
        local = conductivity[conductivity > 0].min(initial=np.inf)
        self._least = field.comm.allreduce(float(local), op=MPI.MIN) if least is None else least
        self._least_floor = LEAST_FLOOR
        self._gauged = np.ones(len(conductivity))
        self._gauged[[] if gaps is None else gaps] = 0.0
        self._driven = isinstance(field.drive, TransportCurrent)
        self.phase = 0.0 if self._driven else 1.0
        constants = field.screening.function_space
        self._memory_weight, self._sigma, self._mass = (dolfinx.fem.Function(constants) for _ in range(3))
        self._gauge_change = dolfinx.fem.Function(constants)
        self._previous, self._unit = (dolfinx.fem.Function(field.space) for _ in range(2))
        field.potential.x.array[:] = 0.0
        p, past, unit, dx = field.potential, self._previous, self._unit, field.screened
        v, cell = ufl.TestFunction(field.space), ufl.TestFunction(constants)
        change = p - past
        self._memory = dolfinx.fem.form(self._memory_weight * ufl.inner(past, v) * dx)
        self._more = []
        if field.outside is not None:
            change_of_gauge = self._gauge_change * ufl.inner(ufl.TrialFunction(field.space), v) * field.outside
            self._more = [dolfinx.fem.form(change_of_gauge)]
        self._joule = dolfinx.fem.form(self._sigma * ufl.inner(change, change) * cell * dx)
        if self._driven:
            # The current of A_0: curl A_0 . curl A_1 + mu0 sigma (A_0 - A_old) . A_1 / dt + screening A_0 . (A_1 + g).
            current = self._mass * ufl.inner(p, unit + field.lift) - self._memory_weight * ufl.inner(past, unit)
            self._current = dolfinx.fem.form(ufl.inner(ufl.curl(p), ufl.curl(unit)) * field.everywhere + current * dx)
        self.screening = np.zeros_like(conductivity)
        self._factored = (0.0, -1)
        self.set_cells(conductivity, screening)

    def set_cells(self, conductivity: Floats, screening: Floats | None = None) -> None:
        """Change what the cells are, from the next step on: where the metal is normal and where not (collective)."""
        if screening is None:
            screening = self.screening
        same = np.array_equal(conductivity, self._sigma.x.array) and np.array_equal(screening, self.screening)
        if not self.field.comm.allreduce(int(same), op=MPI.MIN):
            self._sigma.x.array[:] = conductivity
            self.screening = screening.copy()
            self._factored = (0.0, -1)

    def step(self, dt: float, drive: float = 1.0) -> None:
        """Accept the present state and advance from there (collective); see `solve`."""
        self.accept()
        self.solve(dt, drive)
        self.time += dt

    def repeat(self, drive: float = 1.0) -> None:
        """Do the last step once more, with the cells as they are now (collective)."""
        self.solve(self.dt, drive)

    def accept(self) -> None:
        """Let the present state be what the next steps start from."""
        self._previous.x.array[:] = self.field.potential.x.array

    def solve(self, dt: float, drive: float = 1.0) -> None:
        """Find the state at the end of a step from the last accepted state (collective).

        Args:
            dt: s.
            drive: at the end of the step, in unit drives of the field problem; a transport current in A through the
                mesh.

        Raises:
            RuntimeError: the factorisation failed.
        """
        field = self.field
        self.dt = dt
        if self._factored != (dt, field.factorisations):
            self._factor()
        field.set_screening(self.screening)
        field.set_phase(1.0)
        right = dolfinx.fem.petsc.assemble_vector(self._memory)
        right.ghostUpdate(PETSc.InsertMode.ADD_VALUES, PETSc.ScatterMode.REVERSE)
        right.array_w[field.wall_unknowns] = 0.0
        if not self._driven:
            right.axpy(drive, field.right)
        field.solve_right(right)
        right.destroy()
        if self._driven:
            scale = MU0 * field.unit
            of_the_past = float(field.comm.allreduce(dolfinx.fem.assemble_scalar(self._current))) / scale
            self.phase = (drive - of_the_past) / self._unit_current
            field.potential.x.array[:] += self.phase * self._unit.x.array
            field.set_phase(self.phase)

    def quasi_static(self, drive: float) -> tuple[Floats, float]:
        """The field that this one comes to in the end at a drive: unknowns and phase difference (collective)."""
        field, state = self.field, self.field.potential.x.array.copy()
        self._factor_with(self.screening)
        field.solve_right(field.right)
        amplitude = drive / field.unit_current() if self._driven else drive
        still = amplitude * field.potential.x.array
        field.potential.x.array[:] = state
        field.set_phase(self.phase)
        return still, amplitude if self._driven else 1.0

    def _factor(self) -> None:
        field = self.field
        weight = MU0 * self._sigma.x.array / self.dt
        self._memory_weight.x.array[:] = weight * field.unit**2
        self._factor_with(self.screening + weight)
        self._factored = (self.dt, field.factorisations)
        if self._driven:
            field.solve_right(field.right)
            self._unit_current = field.unit_current()
            self._unit.x.array[:] = field.potential.x.array
            self._mass.x.array[:] = field.screening.x.array

    def _factor_with(self, screening: Floats) -> None:
        """Factor the field problem with the mass that fixes the gauge as small as may be."""
        field, usual = self.field, self.field.floor
        while True:
            wanted = LEAK * MU0 * self._least / self.dt * field.unit**2
            floor = min(max(wanted, self._least_floor * usual), usual)
            self._gauge_change.x.array[:] = floor * self._gauged - usual
            try:
                field.factor(screening, floor, self._more)
            except RuntimeError:
                if floor == usual:
                    raise
                self._least_floor = 10.0 * floor / usual
            else:
                return

    def cell_power(self) -> Floats:
        """Mean Joule heat of the last step in each local cell, W, (n,) (collective)."""
        heat = dolfinx.fem.assemble_vector(self._joule)
        heat.scatter_forward()
        return np.asarray(heat.array * self.field.unit / self.dt**2)

    def power(self) -> float:
        """Mean Joule heat of the last step in watts (collective)."""
        owned = self.field.tagged.mesh.topology.index_map(3).size_local
        return float(self.field.comm.allreduce(float(self.cell_power()[:owned].sum())))


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
        mesh = field.tagged.mesh
        middle = mesh.geometry.x[mesh.geometry.dofmap][:, :, 2].mean(axis=1) * field.unit
        self._cell = np.searchsorted(heights, middle) - 1
        self.heights, self.critical = heights, critical
        self._sigma, self._full = 1.0 / resistivity, 1.0 / depth**2
        across = mesh.geometry.x[:, :2].mean(axis=0) * field.unit
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
        return np.asarray(self.eddy.field.flux_density_at(self._points)[:, 1] / MU0)

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
