"""Checks of the field in a whole stack: the barrier, the symmetry of a quarter, the number of ranks."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from meshes.arrays import Floats, Ints
from meshes.stack import LayerGeometry, StackGeometry
from meshes.stack_mesh import build_stack_mesh
from meshes.tagged import TaggedMesh
from solvers.field.problem import FieldProblem, FieldSolution, TransportCurrent
from solvers.verification.report import Row

UM, NM = 1e-6, 1e-9
DEPTHS = {"Nb": 80 * NM, "Ta": 100 * NM}
# The supercurrent that leaks through a barrier is linear in the gauge's mass, and larger where the box is smaller.
LEAK_TOLERANCE = 1e-4


def coarse_stack(quarter: bool = True, barrier: bool = True) -> StackGeometry:
    """Strip, film and pad under a return plane, the proportions of cases/refrigerator.toml, coarsely meshed."""

    def layer(name: str, thickness: float, size: tuple[float, float], cell: float) -> LayerGeometry:
        return LayerGeometry(
            name=name, thickness=thickness, size=size, bottom_cell=cell, top_cell=cell, growth=2.0,
            largest_cell=thickness / 3, edge_cell=2 * UM, interior_cell=4 * UM,
        )  # fmt: skip

    return StackGeometry(
        layers=(
            layer("Nb", 0.4 * UM, (60 * UM, 20 * UM), 40 * NM),
            layer("Ta", 1.0 * UM, (14 * UM, 14 * UM), 50 * NM),
            layer("Cu", 3.0 * UM, (14 * UM, 14 * UM), 1 * UM),
        ),
        barriers={0: 2 * NM} if barrier else {},
        conductor="Nb",
        padding=200 * UM,
        return_plane=0.6 * UM,
        quarter=quarter,
        lateral_growth=2.5,
    )


def stack_field(comm: MPI.Intracomm, stack: StackGeometry, uneven: bool = False) -> FieldSolution:
    """Solve for a current through the strip of a coarse stack.

    Args:
        comm: ranks.
        stack: one of `coarse_stack`.
        uneven: let the normal fraction of the film vary from column to column instead of f = 0.
    """
    tagged = build_stack_mesh(stack, comm)
    walls = [name for name in tagged.facet_names if name.startswith("box.") or name.endswith((".end-", ".end+"))]
    length = stack.layers[0].size[0]
    if stack.quarter:
        walls.append("symmetry.x")
        length /= 2
    problem = FieldProblem(tagged, list(DEPTHS), TransportCurrent(["Nb"], length), walls)
    screening = problem.screening_of(DEPTHS)
    if uneven:
        cells = tagged.cells("Ta")
        x, y, _ = _midpoints(tagged, cells).T / UM
        screening[cells] *= 0.5 + 0.5 * np.cos(0.3 * np.abs(x)) * np.sin(0.2 * np.abs(y) + 0.3)
    return problem.solve(screening)


def _midpoints(tagged: TaggedMesh, cells: Ints) -> Floats:
    geometry = tagged.mesh.geometry
    return np.asarray(geometry.x[geometry.dofmap[cells]].mean(axis=1) * tagged.length_unit)


def section_currents(solution: FieldSolution, group: str) -> Floats:
    """Supercurrent along x through each cross-section of a group, A for the unit drive, (planes,) (collective).

    For first-order hexahedra that are boxes: J_x is constant along x in a cell and its midpoint rule exact.
    """
    tagged, mesh = solution.tagged, solution.tagged.mesh
    cells = tagged.cells(group)
    cells = cells[cells < mesh.topology.index_map(3).size_local]
    corners = mesh.geometry.x[mesh.geometry.dofmap[cells]] * tagged.length_unit
    extent = corners.max(axis=1) - corners.min(axis=1)
    current = solution.current_density(cells)[:, 0] * extent[:, 1] * extent[:, 2]
    place = np.rint(_midpoints(tagged, cells)[:, 0] / (1e-3 * NM)).astype(np.int64)
    pieces = mesh.comm.allgather((place, current))
    _, plane = np.unique(np.concatenate([p for p, _ in pieces]), return_inverse=True)
    return np.asarray(np.bincount(plane, np.concatenate([c for _, c in pieces])))


def barrier_leak(solution: FieldSolution, film: str) -> float:
    """Largest net current through a cross-section of the film, over the current in the strip (collective)."""
    return float(np.abs(section_currents(solution, film)).max()) / solution.current()


def barrier(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """The film on the barrier carries no net current; the strip carries all of it, in every cross-section."""
    solution = stack_field(comm, coarse_stack())
    strip = section_currents(solution, "Nb") / solution.current()
    case = "stack of strip, barrier, film and pad"
    worst = float(strip[np.argmax(np.abs(strip - 1))])
    return [
        Row(case, "largest net current through the film over the drive", 0.0, barrier_leak(solution, "Ta"),
            LEAK_TOLERANCE),
        Row(case, "current of the strip, worst cross-section, over the drive", 1.0, worst, LEAK_TOLERANCE),
    ]  # fmt: skip


def quarter(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """A quarter and the whole of a symmetric stack have the same field, but for the gauge's mass: half the box."""
    part = stack_field(comm, coarse_stack(quarter=True), uneven=True)
    whole = stack_field(comm, coarse_stack(quarter=False), uneven=True)
    z = (0.4 + 1.0 + 1.5) * UM  # in the pad
    point = [[3.1 * UM, 2.3 * UM, z]]
    fields = [p.flux_density_at(point)[0, 1] * p.per_drive(share) for p, share in ((part, 0.5), (whole, 1.0))]
    case = "quarter against the whole stack"
    return [
        Row(case, "current for 1 V s (A)", whole.current(), part.current(), 1e-9),
        Row(case, "B in the pad (T/A)", fields[1], fields[0], 1e-5),
    ]


def ranks(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """All ranks together and every rank alone find the same energy and field; nothing to compare on one rank."""
    if comm.size == 1:
        return []
    stack = coarse_stack()
    together, alone = (stack_field(c, stack, uneven=True) for c in (comm, MPI.COMM_SELF))
    point = [[3.1 * UM, 2.3 * UM, 2.9 * UM]]
    fields = [p.flux_density_at(point)[0, 1] for p in (alone, together)]
    case = f"{comm.size} ranks against one"
    return [
        Row(case, "field energy for 1 V s (J)", alone.energy(), together.energy(), 1e-8),
        Row(case, "B in the pad for 1 V s (T)", fields[0], fields[1], 1e-8),
    ]
