"""Field of a half-switched film: first solution, a new state, the whole matrix anew, and the mesh for others.

    mpirun -n N python3 scripts/benchmarks/field.py OUT.json [MESH.npz] [--set KEY=VALUE]...

Processor seconds of the slowest rank, least of several runs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import dolfinx.mesh
import numpy as np
from mpi4py import MPI

import coldstack as cs
from meshes.arrays import Floats
from solvers.field.problem import FieldProblem
from solvers.field.solution import FieldSolution
from solvers.simulation.simulation import Simulation
from solvers.switching.switching import Switching

ROOT = Path(__file__).parents[2]
STATES = 4
FIXED, FREE = 1, 2  # numbers of boundary conditions in the file of the mesh
# Corners of a hexahedron in the order of the mesh -> bottom and top face, each counter-clockwise.
AROUND = [0, 1, 3, 2, 4, 5, 7, 6]


def seconds(work: Callable[[], object], comm: MPI.Intracomm) -> float:
    """Processor seconds of the slowest rank."""
    comm.Barrier()
    start = time.process_time()
    work()
    return float(comm.allreduce(time.process_time() - start, op=MPI.MAX))


def levels(switching: Switching, shift: float) -> Floats:
    """A film that is normal in the middle and superconducting at its edges, for this rank's columns."""
    parts = []
    for columns in switching.columns:
        r = np.linalg.norm(columns.centres(), axis=1)
        largest = float(switching.space.comm.allreduce(r.max(initial=0.0), op=MPI.MAX))
        parts.append(8.0 * (0.5 + shift - r / largest))
    return np.concatenate(parts) if parts else np.zeros(0)


def write_mesh(path: Path, problem: FieldProblem, screening: Floats, solution: FieldSolution) -> None:
    """Corners, cells and boundary faces of the mesh, and the screening and phase gradient of its cells (one rank)."""
    mesh, forms = problem.tagged.mesh, problem.forms
    topology = mesh.topology
    topology.create_connectivity(2, 3)
    boundary = dolfinx.mesh.exterior_facet_indices(topology)
    walls = np.isin(boundary, problem.tagged.facets(*forms.walls))
    inside = np.zeros(problem.n_cells)
    inside[problem.tagged.cells(*problem._superconductors)] = 1.0
    faces = dolfinx.mesh.entities_to_geometry(mesh, 2, boundary)
    np.savez(
        path,
        points=mesh.geometry.x,
        cells=mesh.geometry.dofmap[:, AROUND],
        faces=faces[:, [0, 1, 3, 2]],
        boundary=np.where(walls, FIXED, FREE),
        screening=np.maximum(screening, forms.gauge_mass) * forms.unit**2,
        inside=inside,
        gradient=forms.phase_gradient.x.array.reshape(-1, 3),
        energy=solution.energy(),
        unit=forms.unit,
    )


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("mesh", type=Path, nargs="?")
    parser.add_argument("--set", action="append", default=[], dest="changes")
    options = parser.parse_args()
    comm = MPI.COMM_WORLD
    sim = Simulation(cs.load_case(ROOT / "cases/refrigerator.toml", options.changes), comm)
    assert sim.switching is not None
    switching, problem = sim.switching, sim.switching.problem
    depths = tuple(float(film.material.penetration_depth(0.1)) for film in switching.films)
    states = [switching.screening(levels(switching, 0.1 * k), depths) for k in range(STATES)]
    first = seconds(lambda: problem.solve(states[0]), comm)
    again = [seconds(lambda state=state: problem.solve(state), comm) for state in states]
    solution = problem.solve(states[0])
    if options.mesh is not None:
        write_mesh(options.mesh, problem, states[0], solution)
    energy = solution.energy()

    def whole(state: Floats) -> FieldSolution:
        problem.factor(state)
        return problem.solution(problem.back_substitute(problem.right), 1.0, state)

    refactored = [seconds(lambda state=state: whole(state), comm) for state in states]
    off = abs(whole(states[0]).energy() / energy - 1)
    if comm.rank == 0:
        found = {"unknowns": problem.unknowns, "first": first, "again": min(again), "energy": energy}
        found |= {"refactored": min(refactored), "refactored_energy": off}
        options.out.write_text(json.dumps(found))


main()
