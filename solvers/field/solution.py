"""A solved field: energy and current, B, A and J at points and in cells, means and moments."""

from __future__ import annotations

from dataclasses import dataclass, field

import dolfinx.fem
import numpy as np
import numpy.typing as npt

from fem.constants import MU0
from meshes.arrays import Floats, Ints
from meshes.tagged import TaggedMesh
from solvers.field.drives import AppliedField, TransportCurrent
from solvers.field.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class FieldSolution:
    """The field of a drive: a value that no later solution changes.

    `FieldProblem.solve` gives that of the unit drive; `solution * amplitude` is that of another.

    Attributes:
        potential: unknowns of A on this rank, in mesh coordinates, (n_local,); read A through the methods.
        phase: phase difference of a transport current, V s; without one it means nothing.
        screening: (1 - f) / lambda^2 of every local cell, 1/m^2, (n_cells,).
        gauge_mass: least screening that counts, 1/m^2: the mass that fixed the gauge.
    """

    _evaluation: Evaluation = field(repr=False)
    potential: Floats
    phase: float
    screening: Floats
    gauge_mass: float

    def __mul__(self, amplitude: float) -> FieldSolution:
        """The field of so many times the drive."""
        return FieldSolution(
            self._evaluation, self.potential * amplitude, self.phase * amplitude, self.screening, self.gauge_mass
        )

    def minus(self, other: FieldSolution) -> FieldSolution:
        """This field without another one, in the screening of this one; masses that fix gauges do not count."""
        phase = self.phase - other.phase
        return FieldSolution(self._evaluation, self.potential - other.potential, phase, self.screening, 0.0)

    def _filled(self) -> Evaluation:
        """The evaluation, with this solution to be evaluated."""
        forms = self._evaluation.forms
        forms.potential.x.array[:] = self.potential
        forms.fill_cells(self.screening, self.phase, self.gauge_mass)
        return self._evaluation

    @property
    def tagged(self) -> TaggedMesh:
        """The mesh of the field."""
        return self._evaluation.forms.tagged

    @property
    def _unit(self) -> float:
        return self._evaluation.forms.unit

    # ---- energy and drive ------------------------------------------------------------------------
    def energy(self) -> float:
        """Magnetic plus kinetic energy in joules (collective)."""
        return self._filled().energy() / (2 * MU0 * self._unit)

    def current(self) -> float:
        """Transport current in amperes: twice the energy over the phase difference (collective).

        It holds where nothing but the phase difference drives currents, so not while eddy currents flow.

        Raises:
            ValueError: the drive is no transport current.
        """
        if not isinstance(self._evaluation.forms.drive, TransportCurrent):
            raise ValueError("there is no transport current in this problem")
        return 2.0 * self.energy() / self.phase if self.phase else 0.0

    def per_drive(self, share: float = 1.0) -> float:
        """Amplitude of this solution per ampere of the whole device, or per A/m of the applied field (collective).

        Args:
            share: part of the device's current that flows in this mesh.
        """
        drive = self._evaluation.forms.drive
        if isinstance(drive, TransportCurrent):
            return share / self.current()
        return MU0 if isinstance(drive, AppliedField) else 1.0

    # ---- in cells --------------------------------------------------------------------------------
    def flux_density(self, cells: Ints) -> Floats:
        """B in tesla at the midpoints of local cells, (n_cells, 3)."""
        return np.asarray(self._filled().in_cells("flux", "midpoint", cells).reshape(-1, 3) / self._unit**2)

    def current_density(self, cells: Ints) -> Floats:
        """Supercurrent density in A/m^2 at the midpoints of local cells, (n_cells, 3)."""
        values = self._filled().in_cells("current", "midpoint", cells)
        return np.asarray(values.reshape(-1, 3) / (MU0 * self._unit**3))

    def flux_density_at_corners(self, cells: Ints) -> Floats:
        """B in tesla at the corners of local cells as each has it, (n_cells, corners, 3) (collective)."""
        return np.asarray(self._filled().in_cells("flux", "corners", cells) / self._unit**2)

    def current_density_at_corners(self, cells: Ints) -> Floats:
        """Supercurrent density (A/m^2) at corners of local cells as each has it, (n_cells, corners, 3) (collective)."""
        return np.asarray(self._filled().in_cells("current", "corners", cells) / (MU0 * self._unit**3))

    def vector_potential(self) -> dolfinx.fem.Function:
        """A as a function of its own, in mesh coordinates: T m times metres per unit of the mesh."""
        function = dolfinx.fem.Function(self._evaluation.forms.space, name="A")
        function.x.array[:] = self.potential
        return function

    # ---- at points -------------------------------------------------------------------------------
    def flux_density_at(self, points: npt.ArrayLike) -> Floats:
        """B in tesla at points (n, 3) in metres, (n, 3), the same on all ranks (collective).

        On a face between cells it is their mean, weighted with the inverse volumes; where the screening jumps, of what
        the cells on each side extrapolate. First-order hexahedra are best there and at midpoints of cells: B is then of
        second order, elsewhere of first (also at the face of a layer of one cell, and on the boundary).

        Raises:
            ValueError: a point is outside the mesh.
        """
        return np.asarray(self._filled().at_points("flux", points) / self._unit**2)

    def current_density_at(self, points: npt.ArrayLike) -> Floats:
        """Supercurrent density in A/m^2 at points (n, 3) in metres, (n, 3) (collective).

        On a face between cells it is the mean of those that carry supercurrent; where two superconductors meet, J
        jumps, so ask a little to one side.

        Raises:
            ValueError: a point is outside the mesh.
        """
        return np.asarray(self._filled().at_points("current", points) / (MU0 * self._unit**3))

    def potential_at(self, points: npt.ArrayLike) -> Floats:
        """A in T m at points (n, 3) in metres, (n, 3) (collective).

        With a transport current it is A without the gradient of the phase. In vacuum its gauge is arbitrary.

        Raises:
            ValueError: a point is outside the mesh.
        """
        return np.asarray(self._filled().at_points("potential", points) / self._unit)

    # ---- over groups -----------------------------------------------------------------------------
    def mean_flux_density(self, *groups: str) -> Floats:
        """Volume mean of B over cell groups, (3,), in tesla (collective).

        Raises:
            KeyError: a group that the mesh has not.
        """
        evaluation = self._filled()
        cells = evaluation.forms.tagged.cells(*groups)
        return np.asarray(evaluation.integral("flux", cells) / evaluation.volume(cells) / self._unit**2)

    def current_moment(self, *groups: str) -> Floats:
        """Volume integral of the supercurrent density over cell groups, (3,), in A m (collective).

        Over the length of a group with the same cross-section everywhere it is the mean current through it.

        Raises:
            KeyError: a group that the mesh has not.
        """
        evaluation = self._filled()
        return np.asarray(evaluation.integral("current", evaluation.forms.tagged.cells(*groups)) / MU0)

    def magnetic_moment(self, *groups: str) -> Floats:
        """Moment of the supercurrents of cell groups about the origin, (3,), in A m^2 (collective).

        On part of a symmetric body it is the part's own integral of r x J / 2.

        Raises:
            KeyError: a group that the mesh has not.
        """
        evaluation = self._filled()
        return np.asarray(evaluation.integral("moment", evaluation.forms.tagged.cells(*groups)) * self._unit / MU0)
