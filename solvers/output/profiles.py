"""Field and normal fraction through the centre of the stack, for the figure of the penetration."""

from __future__ import annotations

from typing import Any

import dolfinx.mesh
import numpy as np
import numpy.typing as npt

from meshes.arrays import Floats, Ints
from solvers.output.history import Row
from solvers.output.result import SCREENED
from solvers.simulation.events import PhaseEnded, Stepped
from solvers.simulation.simulation import Simulation

Arrays = dict[str, npt.NDArray[Any]]


class Profiles:
    """Keeps profiles of the first cycle.

    Args:
        sim: the run.

    Attributes:
        arrays: lines of the mesh, and profiles along the central column, by name; complete on rank 0.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.arrays: Arrays = {}

    def step(self, event: Stepped, row: Row) -> None:
        """Keep the profile at the largest drive of the first cycle that leaves the films superconducting (collective).

        Args:
            event: the step.
            row: of the history.
        """
        switching, drive = self.sim.switching, self.sim.drive_value()
        if event.cycle > 1 or switching is None or not switching.columns:
            return
        fraction = max(float(row[f"f_{columns.film.layer}"]) for columns in switching.columns)
        if fraction < 0.01 and abs(drive) > abs(float(self.arrays.get(f"drive_{SCREENED}", 0.0))):
            self._keep(SCREENED)
            self.arrays[f"drive_{SCREENED}"] = np.array(drive)

    def end_of_phase(self, event: PhaseEnded) -> None:
        """Keep the profile at the end of each phase of the first cycle (collective)."""
        if event.cycle == 1:
            self._keep(event.phase.name)

    def _keep(self, phase: str) -> None:
        if not self.arrays:
            self.arrays = self._lines()
        self.arrays |= self._profile(phase)

    def _lines(self) -> Arrays:
        """Coordinates of the mesh's nodes along each axis, and the groups of the cells of the central column."""
        sim = self.sim
        x = sim.tagged.mesh.geometry.x
        lines = {}
        for axis, name in enumerate(("plan_x_m", "plan_y_m", "lines_z_m")):
            local = np.unique(np.round(x[:, axis], 9))
            everywhere = sim.comm.gather(local, root=0)
            if everywhere is not None:
                lines[name] = np.unique(np.concatenate(everywhere)) * sim.tagged.length_unit
        cells, middle = self._central_column()
        tags = sim.tagged.cell_tags
        names = {number: name for name, number in sim.tagged.cell_names.items()}
        tag = np.zeros(int(tags.indices.max(initial=-1)) + 1, dtype=np.int32)
        tag[tags.indices] = tags.values
        lines["z_m"] = middle[:, 2]
        lines["layer"] = np.array([names[int(tag[c])] for c in cells])
        return self._from_owner(lines, ("z_m", "layer"))

    def _profile(self, phase: str) -> Arrays:
        switching = self.sim.switching
        if switching is None or switching.pattern is None:
            return {}
        cells, _ = self._central_column()
        scale = switching.pattern.amplitude(self.sim.drive_value())
        field = np.linalg.norm(switching.pattern.solution.flux_density(cells), axis=1) * abs(scale)
        out = {f"B_{phase}_T": field, f"f_{phase}": switching.cell_fraction()[cells]}
        return self._from_owner(out, tuple(out))

    def _central_column(self) -> tuple[Ints, Floats]:
        """Owned cells of the column nearest the centre, bottom to top; empty on all ranks but one."""
        sim = self.sim
        mesh = sim.tagged.mesh
        owned = np.arange(mesh.topology.index_map(3).size_local, dtype=np.int32)
        middle = dolfinx.mesh.compute_midpoints(mesh, 3, owned) * sim.tagged.length_unit
        distance = np.hypot(middle[:, 0], middle[:, 1])
        nearest = sim.comm.allgather((float(distance.min(initial=np.inf)), sim.comm.rank))
        self._owner = min(nearest)[1]
        if sim.comm.rank != self._owner:
            return owned[:0], middle[:0]
        first = middle[np.argmin(distance)]
        column = owned[np.hypot(*(middle[:, :2] - first[:2]).T) < 1e-9 * np.ptp(middle[:, :2]) + 1e-15]
        column = column[np.argsort(middle[column, 2])]
        return column, middle[column]

    def _from_owner(self, values: Arrays, names: tuple[str, ...]) -> Arrays:
        """The arrays with some of them replaced by those of the rank that owns the column."""
        theirs: Arrays = {name: values[name] for name in names}
        return values | dict(self.sim.comm.bcast(theirs, root=self._owner))
