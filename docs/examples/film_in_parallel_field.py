"""A superconducting film in a parallel field, on a mesh made with DOLFINx alone.

scripts/env mpirun -n 2 python3 docs/examples/film_in_parallel_field.py
"""

import dolfinx.mesh
import numpy as np
from mpi4py import MPI

import coldstack as cs

THICKNESS, DEPTH, FIELD = 200e-9, 50e-9, 66e3  # m, m, A/m

# A column of hexahedra through the film, in units of its thickness: x and y are arbitrary.
mesh = dolfinx.mesh.create_box(
    MPI.COMM_WORLD, [[0, 0, -0.5], [0.2, 0.2, 0.5]], [2, 2, 40], cell_type=dolfinx.mesh.CellType.hexahedron
)

tagged = cs.tag_mesh(
    mesh,
    cells={"film": lambda x: x[2] > -0.5},
    facets={
        "faces": lambda x: np.isclose(np.abs(x[2]), 0.5),
        "ends": lambda x: np.isclose(x[0], 0) | np.isclose(x[0], 0.2),
    },
    length_unit=THICKNESS,
)

# H along y on both faces; the current flows along x, so A is normal to the ends.
drive = cs.Imposed(tangential_field={"faces": (0.0, FIELD, 0.0)})
problem = cs.FieldProblem(tagged, ["film"], drive, walls=["ends"])
solution = problem.solve(problem.screening_of({"film": DEPTH}))

mean = solution.mean_flux_density("film")[1] / (cs.MU0 * FIELD)
exact = np.tanh(THICKNESS / (2 * DEPTH)) / (THICKNESS / (2 * DEPTH))
if MPI.COMM_WORLD.rank == 0:
    print(f"mean B / mu0 H0 = {mean:.6f}, exact {exact:.6f}")
