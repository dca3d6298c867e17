"""What a solved field problem tells: energy and current, B, A and J at points and in cells, means and moments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import dolfinx.fem
import numpy as np
import numpy.typing as npt
import ufl
from mpi4py import MPI

from fem.constants import MU0
from fem.spaces.points import mean_at, owned_cells_at
from meshes import compat
from meshes.tagged import TaggedMesh
from solvers.field.drives import AppliedField, Drive, TransportCurrent

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]


class FieldResults:
    """Results of a unit solution; what `solvers.field.problem.FieldProblem` inherits and sets the attributes of."""

    tagged: TaggedMesh
    drive: Drive
    degree: int
    comm: MPI.Intracomm
    unit: float
    floor: float
    potential: dolfinx.fem.Function
    lift: dolfinx.fem.Function
    screening: dolfinx.fem.Function
    _energy: dolfinx.fem.Form
    _curl: dolfinx.fem.Expression
    _value: dolfinx.fem.Expression
    _quadrature: dict[str, int]

    def unit_energy(self) -> float:
        """Magnetic plus kinetic energy of the unit solution in joules (collective)."""
        local = dolfinx.fem.assemble_scalar(self._energy)
        return float(self.comm.allreduce(local)) / (2 * MU0 * self.unit)

    def unit_current(self) -> float:
        """Current of the unit solution in amperes: twice the energy over the phase difference of 1 V s (collective)."""
        return 2.0 * self.unit_energy()

    def per_drive(self, share: float = 1.0) -> float:
        """Unit solutions per ampere of the whole device, or per A/m of the applied field (collective).

        Args:
            share: part of the device's current that flows in this mesh.
        """
        if isinstance(self.drive, TransportCurrent):
            return share / self.unit_current()
        return MU0 if isinstance(self.drive, AppliedField) else 1.0

    def flux_density(self, cells: Ints) -> Floats:
        """B of the unit solution in tesla at the midpoints of local cells, (n_cells, 3)."""
        return np.asarray(self._at_midpoints(self._curl, cells) / self.unit**2)

    def current_density(self, cells: Ints) -> Floats:
        """Supercurrent density of the unit solution in A/m^2 at the midpoints of local cells, (n_cells, 3)."""
        total = self._at_midpoints(self._value, cells) + self.lift.x.array.reshape(-1, 3)[cells]
        screening = self.screening.x.array[cells]
        screening = np.where(screening > self.floor, screening, 0.0)
        return np.asarray(-total * screening[:, None] / (MU0 * self.unit**3))

    def _at_midpoints(self, expression: dolfinx.fem.Expression, cells: Ints) -> Floats:
        return np.asarray(expression.eval(self.tagged.mesh, cells)).reshape(len(cells), 3)

    def flux_density_at(self, points: npt.ArrayLike) -> Floats:
        """B of the unit solution in tesla at points (n, 3) in metres, (n, 3), the same on all ranks (collective).

        On a face between cells it is their mean, weighted with the inverse volumes. First-order hexahedra are best
        there and at midpoints of cells: B is then of second order, elsewhere of first.

        Raises:
            ValueError: a point is outside the mesh.
        """
        return np.asarray(self._at_points("flux", points) / self.unit**2)

    def current_density_at(self, points: npt.ArrayLike) -> Floats:
        """Supercurrent density of the unit solution in A/m^2 at points (n, 3) in metres, (n, 3) (collective).

        On a face between cells it is the mean of those that carry supercurrent; where two superconductors meet, J
        jumps, so ask a little to one side.

        Raises:
            ValueError: a point is outside the mesh.
        """
        return np.asarray(self._at_points("current", points) / (MU0 * self.unit**3))

    def potential_at(self, points: npt.ArrayLike) -> Floats:
        """A of the unit solution in T m at points (n, 3) in metres, (n, 3) (collective).

        With a transport current it is A without the gradient of the phase. In vacuum its gauge is arbitrary.

        Raises:
            ValueError: a point is outside the mesh.
        """
        return np.asarray(self._at_points("potential", points) / self.unit)

    @cached_property
    def _expressions(self) -> tuple[dolfinx.fem.Function, dict[str, dolfinx.fem.Expression]]:
        space = dolfinx.fem.functionspace(self.tagged.mesh, ("DG", self.degree, (3,)))
        points = compat.interpolation_points(space)
        current = -self.screening * (self.potential + self.lift)
        current = ufl.conditional(ufl.gt(self.screening, self.floor), current, 0.0 * current)
        wanted = {"flux": ufl.curl(self.potential), "current": current, "potential": self.potential}
        return dolfinx.fem.Function(space), {k: dolfinx.fem.Expression(v, points) for k, v in wanted.items()}

    def _at_points(self, kind: str, points: npt.ArrayLike) -> Floats:
        mesh = self.tagged.mesh
        function, expressions = self._expressions
        function.interpolate(expressions[kind])
        wanted: Floats = np.array(points, dtype=np.float64).reshape(-1, 3)
        wanted /= self.unit
        index, cells = owned_cells_at(mesh, wanted)
        here: Floats = np.zeros((len(cells), 3))
        if len(cells):
            here[:] = function.eval(wanted[index], cells).reshape(-1, 3)
        # Between two cells of unequal size: what the straight line between their midpoints has there.
        weights: Floats = np.divide(1.0, self._volumes[cells])
        if kind == "current":
            weights = np.where(self.screening.x.array[cells] > self.floor, weights, 0.0)
        value, outside = mean_at(self.comm, len(wanted), index, here, weights)
        if len(outside):
            raise ValueError(f"the point {tuple((wanted[outside[0]] * self.unit).tolist())} m is outside the mesh")
        return value

    @cached_property
    def _volumes(self) -> Floats:
        """Volumes of the cells in mesh coordinates; (n_local,), of ghosts only what this rank knows."""
        test = ufl.TestFunction(self.screening.function_space)
        dx = ufl.Measure("dx", domain=self.tagged.mesh, metadata=self._quadrature)
        return np.asarray(dolfinx.fem.assemble_vector(dolfinx.fem.form(test * dx)).array)

    @cached_property
    def _integrals(self) -> dict[str, dolfinx.fem.Form]:
        mesh, p = self.tagged.mesh, self.potential
        self._weight = dolfinx.fem.Function(self.screening.function_space)
        self._axis = dolfinx.fem.Constant(mesh, np.zeros(3))
        w, axis, dx = self._weight, self._axis, ufl.Measure("dx", domain=mesh, metadata=self._quadrature)
        current = -self.screening * (p + self.lift)
        return {
            "volume": dolfinx.fem.form(w * dx),
            "flux": dolfinx.fem.form(w * ufl.inner(axis, ufl.curl(p)) * dx),
            "current": dolfinx.fem.form(w * ufl.inner(axis, current) * dx),
            "moment": dolfinx.fem.form(0.5 * w * ufl.inner(axis, ufl.cross(ufl.SpatialCoordinate(mesh), current)) * dx),
        }

    def _integral(self, kind: str, cells: Ints) -> Floats:
        """Integral of a vector (or, thrice, of a scalar) over cells, (3,), in mesh coordinates (collective)."""
        form = self._integrals[kind]
        self._weight.x.array[:] = 0.0
        self._weight.x.array[cells] = 1.0
        out = np.zeros(3)
        for k in range(3):
            self._axis.value = np.eye(3)[k]
            out[k] = dolfinx.fem.assemble_scalar(form)
        return np.asarray(self.comm.allreduce(out))

    def _superconducting(self, groups: Sequence[str]) -> Ints:
        cells = self.tagged.cells(*groups)
        return np.asarray(cells[self.screening.x.array[cells] > self.floor], dtype=np.int32)

    def volume(self, *groups: str) -> float:
        """Volume of cell groups in m^3 (collective)."""
        return float(self._integral("volume", self.tagged.cells(*groups))[0]) * self.unit**3

    def mean_flux_density(self, *groups: str) -> Floats:
        """Volume mean of B over cell groups, (3,), of the unit solution in tesla (collective)."""
        cells = self.tagged.cells(*groups)
        return np.asarray(self._integral("flux", cells) / self._integral("volume", cells)[0] / self.unit**2)

    def current_moment(self, *groups: str) -> Floats:
        """Volume integral of the supercurrent density over cell groups, (3,), in A m (collective).

        Over the length of a group with the same cross-section everywhere it is the mean current through it.
        """
        return np.asarray(self._integral("current", self._superconducting(groups)) / MU0)

    def magnetic_moment(self, *groups: str) -> Floats:
        """Moment of the supercurrents of cell groups about the origin, (3,), in A m^2 (collective).

        On part of a symmetric body it is the part's own integral of r x J / 2.
        """
        return np.asarray(self._integral("moment", self._superconducting(groups)) * self.unit / MU0)
