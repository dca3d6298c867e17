"""One implicit step of heat in a cube of copper, two faces of which are held; and the mesh for others.

    mpirun -n N python3 scripts/benchmarks/heat.py OUT.json CELLS [MESH.npz]

Copper at low temperature is linear in T^2. Processor seconds of the slowest rank, least of several runs.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import dolfinx.mesh
import numpy as np
from mpi4py import MPI

import coldstack as cs

SIDE = 1e-3  # m
COLD, WARM = 0.1, 0.2  # K
RUNS = 3


def step_of(material: cs.Material) -> float:
    """A tenth of the time in which temperatures even out across the cube, s."""
    return 0.1 * SIDE**2 * float(material.heat_capacity(WARM)) / float(material.conductivity(WARM))


def main() -> None:
    """Measure, and write what was found."""
    out, cells = Path(sys.argv[1]), int(sys.argv[2])
    comm = MPI.COMM_WORLD
    mesh = dolfinx.mesh.create_unit_cube(
        comm,
        cells,
        cells,
        cells,
        dolfinx.mesh.CellType.hexahedron,
        ghost_mode=dolfinx.mesh.GhostMode.shared_facet,
    )
    tagged = cs.tag_mesh(
        mesh,
        {"cube": lambda x: np.full(x.shape[1], True)},
        {"bottom": lambda x: np.isclose(x[2], 0), "top": lambda x: np.isclose(x[2], 1)},
        length_unit=SIDE,
    )
    copper = cs.get_material("Cu")
    problem = cs.HeatProblem(
        tagged,
        {"cube": cs.HeatLayer(copper, ["cube"])},
        baths=[cs.Bath("cold", "cube", COLD, ["bottom"]), cs.Bath("warm", "cube", WARM, ["top"])],
    )
    stepper = cs.HeatStepper(problem.activate())
    u, f = problem.state(COLD)
    u, _, _ = stepper.network.equilibrate_ties(u, f)
    dt, used, wall = step_of(copper), [], []
    for _ in range(RUNS):
        comm.Barrier()
        start, clock = time.process_time(), time.perf_counter()
        step = stepper.step(u, f, dt)
        wall.append(comm.allreduce(time.perf_counter() - clock, op=MPI.MAX))
        used.append(comm.allreduce(time.process_time() - start, op=MPI.MAX))
    mean = problem.space.mean(step.u)["cube"]
    if len(sys.argv) > 3:
        np.savez(sys.argv[3], cells=cells, dt=dt, side=SIDE, cold=COLD**2, warm=WARM**2)
    if comm.rank == 0:
        found = {
            "unknowns": problem.space.n_global,
            "first": used[0],
            "again": min(used[1:]),
            "wall": min(wall[1:]),
            "iterations": problem.solves.iterations_max,
            "mean_u": mean,
        }
        out.write_text(json.dumps(found))


main()
