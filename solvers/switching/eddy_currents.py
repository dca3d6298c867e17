"""Eddy currents in a run: what conducts, the heat by layer, and how long the field has to be followed in a hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dolfinx.fem
import dolfinx.mesh
import numpy as np
from mpi4py import MPI

from fem.constants import MU0
from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Floats, Ints, Longs
from meshes.stack_mesh import StackMesh, of_a_stack
from solvers.field.drives import TransportCurrent
from solvers.field.eddy import EddyProblem
from solvers.field.problem import FieldProblem
from solvers.field.solution import FieldSolution

# In a hold a step is this part of the decay time; backward Euler then loses half of it of the energy that decays.
DECAY_STEP = 0.05


@dataclass(frozen=True)
class Conductor:
    """A layer that conducts where it is normal.

    Attributes:
        group: its cell group in the field problem, and its layer (or its electrons) in the heat problem.
        resistivity: of the normal metal, Ohm m.
        thickness: m.
    """

    group: str
    resistivity: float
    thickness: float


class EddyCurrents:
    """The field of a run between its steps, with the currents that its change drives in normal metal.

    Args:
        field: the field problem; its `superconductors` include the groups of the conductors.
        space: the heat space on the same mesh.
        conductors: the layers that conduct, without the one that carries a transport current.
        share: part of the device's transport current that the mesh carries.

    Attributes:
        layers: heat layers that conduct.
        drive: at the last accepted step, A or A/m.
        power: mean Joule heat of the last accepted step in this mesh, W.
        moving: whether the field still has to be followed while the drive stands still.
        left: energy (J, of this mesh) of the eddy currents that were left whenever following ended.
        stops: how often it ended.
        steps: number of accepted steps.
    """

    SAVED = ("drive", "power", "moving", "left", "stops", "steps", "_dt", "_last_left", "_now_left")

    def __init__(
        self, field: FieldProblem, space: LayerwiseSpace, conductors: Sequence[Conductor], share: float = 1.0
    ) -> None:
        self.space = space
        self._conductivity = np.zeros(field.n_cells)
        for conductor in conductors:
            self._conductivity[field.tagged.cells(conductor.group)] = 1.0 / conductor.resistivity
        least = min(1.0 / conductor.resistivity for conductor in conductors)
        self.problem = EddyProblem(
            field, np.zeros_like(self._conductivity), least=least, gaps=_gaps(of_a_stack(field.tagged))
        )
        self.layers = [conductor.group for conductor in conductors]
        self._driven = isinstance(field.drive, TransportCurrent)
        self.share = share if self._driven else 1.0
        self._unit = self.share if self._driven else MU0
        # Slowest decay in the layer where it is fastest, the field along the layer.
        self._fastest = min(MU0 / c.resistivity * (c.thickness / np.pi) ** 2 for c in conductors)
        self._still: tuple[float, FieldSolution] | None = None
        self.drive, self.power, self.moving = 0.0, 0.0, False
        self.left, self.stops, self.steps = 0.0, 0, 0
        self._dt, self._last_left, self._now_left = 0.0, np.inf, np.inf
        self._left_of: tuple[float, FieldSolution] | None = None

    # ---- steps -----------------------------------------------------------------------------------
    def set_cells(self, screening: Floats, normal: Floats) -> None:
        """Say what the cells are: (1 - f) / lambda^2 in 1/m^2 and normal fraction of every local cell (collective)."""
        self.problem.set_cells(self._conductivity * normal, screening)

    def solve(self, drive: float, dt: float) -> FieldSolution:
        """Find the field after a step from the last accepted state; nothing is accepted yet (collective)."""
        return self.problem.solve(dt, self._unit * drive)

    def accept(self, drive: float) -> Floats:
        """Go on from the present field; returns the mean Joule heat of the step at the nodes, W (collective)."""
        heat = self.space.share_out(self.problem.cell_power(), self.layers)
        self.power = float(self.space.layer_sums(heat).sum())
        # The energy that was left before this step, and over which quasi-static field.
        self._last_left = self._now_left if drive == self.drive else np.inf
        self._left_of = self._still
        self.drive, self._dt, self.moving = drive, self.problem.dt, True
        self.steps += 1
        self.problem.accept(self.problem.solution)
        return heat

    def start_at_rest(self, drive: float, field: FieldSolution) -> None:
        """Start from the quasi-static field of a drive."""
        self.problem.accept(field)
        self.drive, self.moving = drive, False

    # ---- holds -----------------------------------------------------------------------------------
    def hold_step(self, drive: float, negligible: float) -> float | None:
        """Length of the next step while the drive stands still, s; None: the currents have died away (collective).

        The decay time is twice the energy that is left over the power of the last step. They count as died away, too,
        when the energy falls by less than the heat: what is left then is an error of the field, 1e-6 of it or so.

        Args:
            drive: A, or A/m.
            negligible: energy of the eddy currents (J, of this mesh) that need not be followed.
        """
        if drive != self.drive:  # it has jumped
            return DECAY_STEP * self._fastest
        if not self.moving:
            return None
        energy = self._now_left = self.energy_left(drive)
        # Heat that the energy left does not pay for comes of the mass that fixes the gauge.
        fallen = self._last_left - energy
        spurious = self._still is self._left_of and fallen < 0.5 * self.power * self._dt
        if energy <= negligible or spurious:
            self.moving = False
            self.left += energy
            self.stops += 1
            return None
        longest = DECAY_STEP * max(2.0 * energy / self.power, self._fastest)
        # The last length spares a factorisation.
        return self._dt if 0.5 * longest < self._dt <= longest else longest

    def energy_left(self, drive: float) -> float:
        """Energy of the eddy currents: of the present field minus the quasi-static one, J (collective).

        While drive and films stand still, just this turns into Joule heat.
        """
        return self._quasi_static(drive).minus(self.problem.accepted).energy()

    def _quasi_static(self, drive: float) -> FieldSolution:
        """The field without eddy currents, with the cells as they are."""
        if not self._knows_still(drive):
            self._still = (drive, self.problem.quasi_static(self._unit * drive))
        assert self._still is not None
        return self._still[1]

    def _knows_still(self, drive: float) -> bool:
        """Whether the quasi-static field is known at a drive, with the cells as they are (collective)."""
        still, screening = self._still, self.problem.screening
        known = still is not None and still[0] == drive and np.array_equal(still[1].screening, screening)
        return bool(self.problem.problem.comm.allreduce(int(known), op=MPI.MIN))

    # ---- what a run goes on from -----------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Plain numbers that, with the accepted field, the next step starts from (collective)."""
        still = self._knows_still(self.drive) and self._still is self._left_of
        return {name: getattr(self, name) for name in self.SAVED} | {"still": still}

    def restore(self, state: dict[str, Any], field: FieldSolution | None) -> None:
        """Go on from a state (collective).

        Args:
            state: what `state` gave.
            field: the accepted field; None: there is none yet.
        """
        for name in self.SAVED:
            setattr(self, name, state[name])
        self.problem.accept(self.problem.no_field() if field is None else field)
        # Energies that are left are compared as long as they belong to one quasi-static field.
        self._left_of = None
        if state["still"]:
            self._quasi_static(self.drive)
            self._left_of = self._still


def _gaps(tagged: StackMesh) -> Ints:
    """Local cells at the height of a barrier: in it, and in the vacuum beside it (collective)."""
    names = [name for name in tagged.cell_names if name.endswith(".barrier")]
    cell_map = tagged.mesh.topology.index_map(3)
    cells = np.arange(cell_map.size_local + cell_map.num_ghosts, dtype=np.int32)
    height = dolfinx.mesh.compute_midpoints(tagged.mesh, 3, cells)[:, 2]
    local = height[tagged.cells(*names)] if names else np.zeros(0)
    barriers = np.unique(np.concatenate(tagged.mesh.comm.allgather(np.unique(local))))
    if len(barriers) == 0:
        return cells[:0]
    nearest = np.abs(height[:, None] - barriers).min(axis=1)
    # Cells of one level have the same height but for round-off; those of the next are half a barrier away and more.
    thinnest = min(tagged.stack.barriers.values()) / tagged.length_unit
    return np.asarray(cells[nearest < 0.1 * thinnest], dtype=np.int32)


def edge_keys(space: dolfinx.fem.FunctionSpace) -> tuple[Longs, Floats]:
    """Names of the unknowns of a first-order Nedelec space that do not depend on the ranks.

    Returns:
        Input numbers of the two vertices of each unknown's edge, ascending, (n_local, 2), and the sign of the unknown
        for the direction from the first to the second, (n_local,).
    """
    mesh = space.mesh
    for pair in ((1, 0), (1, 3), (3, 1)):
        mesh.topology.create_connectivity(*pair)
    edges_of_cell = mesh.topology.connectivity(3, 1)
    unknowns = np.asarray(space.dofmap.list)
    edge = np.empty(int(unknowns.max(initial=-1)) + 1, dtype=np.int32)
    edges = edges_of_cell.array.reshape(len(unknowns), -1)
    for k in range(edges.shape[1]):
        edge[unknowns[:, space.dofmap.dof_layout.entity_dofs(1, k)[0]]] = edges[:, k]
    ends = dolfinx.mesh.entities_to_geometry(mesh, 1, edge)
    number = np.asarray(mesh.geometry.input_global_indices)[ends]
    order = np.argsort(number, axis=1)
    ends, number = np.take_along_axis(ends, order, axis=1), np.take_along_axis(number, order, axis=1)
    # The unknowns of a uniform field that is normal to no edge have the signs of the unknowns' own directions.
    uniform = np.array([1.0, np.sqrt(2.0), np.pi])
    probe = dolfinx.fem.Function(space)
    probe.interpolate(lambda x: np.repeat(uniform[:, None], x.shape[1], axis=1))
    along = (mesh.geometry.x[ends[:, 1]] - mesh.geometry.x[ends[:, 0]]) @ uniform
    return number.astype(np.int64), np.sign(probe.x.array[: len(edge)] * along)
