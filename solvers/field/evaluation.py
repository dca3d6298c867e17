"""Values and integrals of the field that the functions of the forms hold; in mesh coordinates."""

from __future__ import annotations

from functools import cached_property

import basix
import dolfinx.fem
import numpy as np
import numpy.typing as npt
import ufl
from mpi4py import MPI

from fem.spaces.points import SLACK, mean_at, owned_cells_at
from meshes import compat
from meshes.arrays import Floats, Ints
from solvers.field.forms import FieldForms

# Screenings that differ by no more than this factor are alike.
ALIKE = 1.1


class Evaluation:
    """Evaluates whatever the forms' functions have been filled with; private to `solvers.field`.

    Kinds of values: "flux", curl A; "current", the supercurrent density times mu0; "potential", A.

    Args:
        forms: the functions; expressions and forms are compiled when they are first asked for.
    """

    def __init__(self, forms: FieldForms) -> None:
        self.forms = forms
        self._expressions: dict[tuple[str, str], dolfinx.fem.Expression] = {}
        for kind in ("flux", "current"):  # to compile is collective, to read cells is not
            self._expression(kind, "midpoint")

    def _expression(self, kind: str, place: str) -> dolfinx.fem.Expression:
        """A kind of value at the "midpoint", the "corners" or the "nodes" of `_nodal` of each cell."""
        if (kind, place) not in self._expressions:
            mesh, forms = self.forms.tagged.mesh, self.forms
            if place == "midpoint":
                points = compat.cell_midpoint(mesh)
            elif place == "corners":
                points = np.asarray(basix.geometry(basix.CellType[mesh.topology.cell_name()]))
            else:
                points = compat.interpolation_points(self._nodal.function_space)
            current = -forms.carrying * (forms.potential + forms.phase_gradient)
            value = {"flux": ufl.curl(forms.potential), "current": current, "potential": forms.potential}[kind]
            self._expressions[kind, place] = dolfinx.fem.Expression(value, points)
        return self._expressions[kind, place]

    def in_cells(self, kind: str, place: str, cells: Ints) -> Floats:
        """Values at the "midpoint" or (collective) the "corners" of local cells, (n_cells, points, 3)."""
        values = np.asarray(self._expression(kind, place).eval(self.forms.tagged.mesh, cells))
        return values.reshape(len(cells), values.size // max(3 * len(cells), 1), 3)

    def fluxes(self, potentials: Floats, cells: Ints) -> Floats:
        """Curl A at midpoints of local cells for many A, (n, n_cells, 3), from their unknowns, (n_local, n)."""
        out = np.zeros((potentials.shape[1], len(cells), 3))
        for k, potential in enumerate(potentials.T):
            self.forms.potential.x.array[:] = potential
            out[k] = self.in_cells("flux", "midpoint", cells).reshape(-1, 3)
        return out

    # ---- at points -------------------------------------------------------------------------------
    @cached_property
    def _nodal(self) -> dolfinx.fem.Function:
        """A function that holds values of any kind cell by cell."""
        return dolfinx.fem.Function(dolfinx.fem.functionspace(self.forms.tagged.mesh, ("DG", self.forms.degree, (3,))))

    @cached_property
    def _volumes(self) -> Floats:
        """Volumes of the cells; (n_local,), of ghosts only what this rank knows."""
        test = ufl.TestFunction(self.forms.screening.function_space)
        dx = ufl.Measure("dx", domain=self.forms.tagged.mesh, metadata=self.forms.quadrature)
        return np.asarray(dolfinx.fem.assemble_vector(dolfinx.fem.form(test * dx)).array)

    def at_points(self, kind: str, points: npt.ArrayLike) -> Floats:
        """Values at points (n, 3) in metres, (n, 3), the same on all ranks (collective).

        Raises:
            ValueError: a point is outside the mesh.
        """
        mesh, unit, function = self.forms.tagged.mesh, self.forms.unit, self._nodal
        function.interpolate(self._expression(kind, "nodes"))
        wanted: Floats = np.array(points, dtype=np.float64).reshape(-1, 3)
        wanted /= unit
        index, cells = owned_cells_at(mesh, wanted)
        here = _values(function, wanted[index], cells)
        if kind == "flux" and self.forms.degree == 1:
            self._read_one_sided(here, wanted, index, cells)
        # Between two cells of unequal size: what the straight line between their midpoints has there.
        weights: Floats = np.divide(1.0, self._volumes[cells])
        if kind == "current":
            weights = np.where(self.forms.carrying.x.array[cells] > 0.0, weights, 0.0)
        value, outside = mean_at(self.forms.comm, len(wanted), index, here, weights)
        if len(outside):
            raise ValueError(f"the point {tuple((wanted[outside[0]] * unit).tolist())} m is outside the mesh")
        return value

    def _read_one_sided(self, here: Floats, wanted: Floats, index: Ints, cells: Ints) -> None:
        """Replace B of cells at points where the screening jumps by what each cell extrapolates from its own side.

        There the slope of B jumps, so that a mean over the face is of first order only. B in a first-order cell is that
        of its middle; it is extrapolated from the cell's opposite side, where it is the mean with the next cells of
        the same screening (none: B of the cell itself). Collective.

        Args:
            here: B at the points as the cells have it, (n_pairs, 3); changed.
            wanted: all points, (n, 3), mesh coordinates.
            index: point of each pair, (n_pairs,).
            cells: owned cell of each pair, (n_pairs,).
        """
        forms, comm = self.forms, self.forms.comm
        screening = forms.screening.x.array
        low, high = np.full(len(wanted), np.inf), np.zeros(len(wanted))
        np.minimum.at(low, index, screening[cells])
        np.maximum.at(high, index, screening[cells])
        comm.Allreduce(MPI.IN_PLACE, low, op=MPI.MIN)
        comm.Allreduce(MPI.IN_PLACE, high, op=MPI.MAX)
        jumps = high > ALIKE * low
        if not jumps.any():
            return
        pairs = np.flatnonzero(jumps[index])
        middle, opposite = np.zeros((len(pairs), 3)), np.zeros((len(pairs), 3))
        geometry = forms.tagged.mesh.geometry
        for k, pair in enumerate(pairs):
            corners = geometry.x[geometry.dofmap[cells[pair]]]
            place = geometry.cmap.pull_back(wanted[index[pair]][None], corners)
            on_side = np.minimum(np.abs(place), np.abs(1.0 - place)) < SLACK
            middle[k] = geometry.cmap.push_forward(np.where(on_side, 0.5, place), corners)[0]
            opposite[k] = geometry.cmap.push_forward(np.where(on_side, 1.0 - place, place), corners)[0]
        # The next cells may be those of another rank.
        counts = comm.allgather(len(pairs))
        points = np.concatenate(comm.allgather(opposite))
        alike = np.concatenate(comm.allgather(screening[cells[pairs]]))
        point, there = owned_cells_at(forms.tagged.mesh, points)
        ratio = screening[there] / alike[point]
        weights = np.where((ratio < ALIKE) & (ratio > 1.0 / ALIKE), 1.0 / self._volumes[there], 0.0)
        far, _ = mean_at(comm, len(points), point, _values(self._nodal, points[point], there), weights)
        first = sum(counts[: comm.rank])
        here[pairs] = 2.0 * _values(self._nodal, middle, cells[pairs]) - far[first : first + len(pairs)]

    # ---- integrals -------------------------------------------------------------------------------
    def energy(self) -> float:
        """Twice the energy times mu0 (collective)."""
        return float(self.forms.comm.allreduce(dolfinx.fem.assemble_scalar(self.forms.energy)))

    @cached_property
    def _integrals(self) -> dict[str, dolfinx.fem.Form]:
        forms, mesh = self.forms, self.forms.tagged.mesh
        self._weight = dolfinx.fem.Function(forms.screening.function_space)
        self._axis = dolfinx.fem.Constant(mesh, np.zeros(3))
        w, axis, dx = self._weight, self._axis, ufl.Measure("dx", domain=mesh, metadata=forms.quadrature)
        current = -forms.carrying * (forms.potential + forms.phase_gradient)
        return {
            "volume": dolfinx.fem.form(w * dx),
            "flux": dolfinx.fem.form(w * ufl.inner(axis, ufl.curl(forms.potential)) * dx),
            "current": dolfinx.fem.form(w * ufl.inner(axis, current) * dx),
            "moment": dolfinx.fem.form(0.5 * w * ufl.inner(axis, ufl.cross(ufl.SpatialCoordinate(mesh), current)) * dx),
        }

    def integral(self, kind: str, cells: Ints) -> Floats:
        """Integral of a vector over local cells, (3,): "flux", "current" or its "moment" (collective)."""
        form = self._integrals[kind]
        self._weight.x.array[:] = 0.0
        self._weight.x.array[cells] = 1.0
        out = np.zeros(3)
        for k in range(3):
            self._axis.value = np.eye(3)[k]
            out[k] = dolfinx.fem.assemble_scalar(form)
        return np.asarray(self.forms.comm.allreduce(out))

    def volume(self, cells: Ints) -> float:
        """Volume of local cells, those of all ranks together (collective)."""
        form = self._integrals["volume"]
        self._weight.x.array[:] = 0.0
        self._weight.x.array[cells] = 1.0
        return float(self.forms.comm.allreduce(dolfinx.fem.assemble_scalar(form)))


def _values(function: dolfinx.fem.Function, points: Floats, cells: Ints) -> Floats:
    """A vector function at points, each in a local cell, (n, 3)."""
    if not len(cells):
        return np.zeros((0, 3))
    return np.asarray(function.eval(points, cells).reshape(-1, 3))
