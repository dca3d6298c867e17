"""Heat through two slabs and the contact between them, on a mesh made with DOLFINx alone.

scripts/env mpirun -n 2 python3 docs/examples/heat_through_a_contact.py
"""

import dolfinx.mesh
import numpy as np
from mpi4py import MPI

import coldstack as cs

# Two materials with constant conductivity (W/m/K) and heat capacity (J/m^3/K); 1 mm x 1 mm, 1 mm thick each.
A = cs.Material("A", constant_conductivity=2.0, constant_heat_capacity=10.0)
B = cs.Material("B", constant_conductivity=0.5, constant_heat_capacity=30.0)
CONTACT, WARM, COLD = 800.0, 0.3, 0.1  # W/m^2/K, K, K

mesh = dolfinx.mesh.create_box(
    MPI.COMM_WORLD,
    [[0, 0, 0], [1, 1, 2]],
    [2, 2, 8],
    cell_type=dolfinx.mesh.CellType.hexahedron,
    ghost_mode=dolfinx.mesh.GhostMode.shared_facet,  # both sides of the contact must be seen
)
tagged = cs.tag_mesh(
    mesh,
    cells={"a": lambda x: x[2] < 1, "b": lambda x: x[2] > 1},
    facets={name: lambda x, z=z: np.isclose(x[2], z) for name, z in (("bottom", 0), ("contact", 1), ("top", 2))},
    length_unit=1e-3,
)

problem = cs.HeatProblem(
    tagged,
    layers={"a": cs.HeatLayer(A, ["a"]), "b": cs.HeatLayer(B, ["b"])},
    contacts=[cs.Contact("a|b", "a", "b", ["contact"], cs.Conductance(CONTACT))],
    baths=[cs.Bath("warm", "a", WARM, ["bottom"]), cs.Bath("cold", "b", COLD, ["top"])],
)
u, flow = cs.HeatStepper(problem.activate()).steady(*problem.state(COLD))  # unknown u = T^2
T = np.sqrt(u)
power = flow.contact["a|b"]  # from lower to upper
middle = [[0.5e-3, 0.5e-3, 1e-3]]
faces = [problem.space.at(T, layer, middle)[0] for layer in ("a", "b")]
means = problem.space.mean(T)

exact = 1e-6 * (WARM - COLD) / (1e-3 / 2.0 + 1 / CONTACT + 1e-3 / 0.5)
if MPI.COMM_WORLD.rank == 0:
    print(f"power {power:.8e} W, exact {exact:.8e} W")
    print(f"T at the contact {faces[0]:.6f} | {faces[1]:.6f} K, means {means['a']:.6f} and {means['b']:.6f} K")
