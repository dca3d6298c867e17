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
from petsc4py import PETSc
from scipy.optimize import brentq

from fem.constants import MU0
from solvers.drives import TransportCurrent
from solvers.field import FieldProblem

Floats = npt.NDArray[np.float64]

# A cell is as good as normal when this share of its screening is left.
SMALLEST_SHARE = 1e-9


class EddyProblem:
    """A field problem with conductors, from A = 0 at time zero; `field` always has the present state, not a unit one.

    Args:
        field: the problem; its `superconductors` include the groups that conduct.
        conductivity: 1/(Ohm m) of every local cell (owned and ghost), (n,); zero outside the `superconductors`.
        screening: (1 - f) / lambda^2 in 1/m^2 of every local cell, (n,); None for none.

    Attributes:
        time: s.

    Raises:
        ValueError: the drive is a transport current: its phase would have to follow from the eddy currents.
    """

    def __init__(self, field: FieldProblem, conductivity: Floats, screening: Floats | None = None) -> None:
        if isinstance(field.drive, TransportCurrent):
            raise ValueError("eddy currents go with an applied or imposed field, not with a transport current")
        self.field, self.time, self.dt = field, 0.0, 0.0
        constants = field.screening.function_space
        self._memory_weight, self._sigma = dolfinx.fem.Function(constants), dolfinx.fem.Function(constants)
        self._previous = dolfinx.fem.Function(field.space)
        field.potential.x.array[:] = 0.0
        v, change = ufl.TestFunction(field.space), field.potential - self._previous
        self._memory = dolfinx.fem.form(self._memory_weight * ufl.inner(self._previous, v) * field.screened)
        self._power = dolfinx.fem.form(self._sigma * ufl.inner(change, change) * field.screened)
        self.screening = np.zeros_like(conductivity)
        self._factored = 0.0
        self.set_cells(conductivity, screening)

    def set_cells(self, conductivity: Floats, screening: Floats | None = None) -> None:
        """Change what the cells are, from the next step on: where the metal is normal and where not."""
        self._sigma.x.array[:] = conductivity
        if screening is not None:
            self.screening = screening
        self._factored = 0.0

    def step(self, dt: float, drive: float = 1.0) -> None:
        """Advance by a time (collective).

        Args:
            dt: s.
            drive: at the end of the step, in unit drives of the field problem.

        Raises:
            RuntimeError: the factorisation failed.
        """
        self._previous.x.array[:] = self.field.potential.x.array
        self._solve(dt, drive)
        self.time += dt

    def repeat(self, drive: float = 1.0) -> None:
        """Do the last step once more, with the cells as they are now (collective)."""
        self._solve(self.dt, drive)

    def _solve(self, dt: float, drive: float) -> None:
        field = self.field
        weight = MU0 * self._sigma.x.array / dt
        self.dt = dt
        if self._factored != dt:
            field.factor(self.screening + weight)
            field.set_screening(self.screening)
            self._memory_weight.x.array[:] = weight * field.unit**2
            self._factored = dt
        right = dolfinx.fem.petsc.assemble_vector(self._memory)
        right.ghostUpdate(PETSc.InsertMode.ADD_VALUES, PETSc.ScatterMode.REVERSE)
        right.array_w[field.wall_unknowns] = 0.0
        right.axpy(drive, field.right)
        field.solve_right(right)
        right.destroy()

    def power(self) -> float:
        """Mean Joule heat of the last step in watts (collective)."""
        local = dolfinx.fem.assemble_scalar(self._power)
        return float(self.field.comm.allreduce(local)) * self.field.unit / self.dt**2


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
        self.eddy = EddyProblem(field, *self._cells(self._full))

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
