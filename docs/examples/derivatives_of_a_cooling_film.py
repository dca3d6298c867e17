"""How cold a film becomes through a junction, and the derivatives of that, on a mesh made with DOLFINx alone.

scripts/env mpirun -n 2 python3 docs/examples/derivatives_of_a_cooling_film.py
"""

import dolfinx.mesh
import numpy as np
from mpi4py import MPI

import coldstack as cs

R_A, GAMMA, THICKNESS, TIME = 1e-5, 97.0, 1e-6, 0.05  # Ohm m^2, J/m^3/K^2, m, s
COLD, WARM = 0.05, 0.1  # K
metal = cs.Material("metal", gamma=GAMMA, resistivity=1e-9)

mesh = dolfinx.mesh.create_box(
    MPI.COMM_WORLD,
    [[0, 0, 0], [10, 10, 2]],
    [2, 2, 2],
    cell_type=dolfinx.mesh.CellType.hexahedron,
    ghost_mode=dolfinx.mesh.GhostMode.shared_facet,
)
tagged = cs.tag_mesh(
    mesh,
    cells={"sink": lambda x: x[2] < 1, "film": lambda x: x[2] > 1},
    facets={"junction": lambda x: np.isclose(x[2], 1)},
    length_unit=1e-6,
)
problem = cs.HeatProblem(
    tagged,
    layers={name: cs.HeatLayer(metal, [name]) for name in ("sink", "film")},
    contacts=[cs.Contact("junction", "sink", "film", ["junction"], cs.TunnelJunction(metal, metal, R_A))],
    baths=[cs.Bath("bath", "sink", COLD)],
)
network = problem.activate()
u, f = problem.state({"sink": COLD, "film": WARM})
tangent = cs.HeatTangent(
    cs.HeatStepper(network, rtol=1e-8),
    [
        cs.LawConstant("junction", "resistance_area"),
        cs.MaterialConstant(["film"], "gamma"),
        cs.Thickness(["film"]),
        cs.Duration(TIME),
    ],
)
step = tangent.advance(u, f, TIME)
T, by = tangent.layer_temperatures(step.u)

# u = T^2 falls as exp(-x), x = L0 TIME / (R_A GAMMA THICKNESS), to that of the sink.
lorenz = 2.4430e-8
x = lorenz * TIME / (R_A * GAMMA * THICKNESS)
excess = (WARM**2 - COLD**2) * np.exp(-x)
exact = -excess / (2 * np.sqrt(COLD**2 + excess)) * x * np.array([-1 / R_A, -1 / GAMMA, -1 / THICKNESS, 1 / TIME])
if MPI.COMM_WORLD.rank == 0:
    for name, value, right in zip(("R_A", "gamma", "thickness", "time"), by[:, 1], exact, strict=True):
        print(f"dT / d {name} {value:.5e}, exact {right:.5e}")
    print(f"T of the film {T[1]:.6f} K, exact {np.sqrt(COLD**2 + excess):.6f} K")
