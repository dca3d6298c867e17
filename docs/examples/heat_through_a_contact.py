"""Heat through two slabs and the contact between them, on a mesh made with DOLFINx alone.

scripts/env mpirun -n 2 python3 docs/examples/heat_through_a_contact.py
"""

import dolfinx.mesh
import numpy as np
from mpi4py import MPI

from fem.interfaces import Conductance
from fem.materials import Material
from meshes.tagged import TaggedMesh
from solvers.heat import Bath, Contact, HeatLayer, HeatProblem
from solvers.heat_step import HeatStepper

# Two materials with constant conductivity (W/m/K) and heat capacity (J/m^3/K); 1 mm x 1 mm, 1 mm thick each.
A = Material("A", gamma=0.0, beta=0.0, constant_conductivity=2.0, constant_heat_capacity=10.0)
B = Material("B", gamma=0.0, beta=0.0, constant_conductivity=0.5, constant_heat_capacity=30.0)
CONTACT, WARM, COLD = 800.0, 0.3, 0.1  # W/m^2/K, K, K

mesh = dolfinx.mesh.create_box(
    MPI.COMM_WORLD,
    [[0, 0, 0], [1, 1, 2]],
    [2, 2, 8],
    cell_type=dolfinx.mesh.CellType.hexahedron,
    ghost_mode=dolfinx.mesh.GhostMode.shared_facet,  # both sides of the contact must be seen
)
cell_map = mesh.topology.index_map(3)
cells = np.arange(cell_map.size_local + cell_map.num_ghosts, dtype=np.int32)
upper = dolfinx.mesh.compute_midpoints(mesh, 3, cells)[:, 2] > 1
cell_tags = dolfinx.mesh.meshtags(mesh, 3, cells, np.where(upper, 2, 1).astype(np.int32))
planes = {"bottom": 0.0, "contact": 1.0, "top": 2.0}
found = [dolfinx.mesh.locate_entities(mesh, 2, lambda x, z=z: np.isclose(x[2], z)) for z in planes.values()]
facets = np.concatenate(found).astype(np.int32)
numbers = np.concatenate([np.full(len(f), k, dtype=np.int32) for k, f in enumerate(found, start=1)])
order = np.argsort(facets)
facet_tags = dolfinx.mesh.meshtags(mesh, 2, facets[order], numbers[order])
names = {name: k for k, name in enumerate(planes, start=1)}
tagged = TaggedMesh(mesh, cell_tags, facet_tags, {"a": 1, "b": 2}, names, length_unit=1e-3)

problem = HeatProblem(
    tagged,
    layers={"a": HeatLayer(A, ["a"]), "b": HeatLayer(B, ["b"])},
    contacts=[Contact("a|b", "a", "b", ["contact"], Conductance(CONTACT))],
    baths=[Bath("warm", "a", WARM, ["bottom"]), Bath("cold", "b", COLD, ["top"])],
)
f = np.ones(problem.space.n_local)  # normal fraction: it matters for superconductors only
u, flow = HeatStepper(problem).steady(np.full(problem.space.n_local, COLD**2), f)  # unknown u = T^2
power = flow.contact["a|b"]  # from lower to upper

exact = 1e-6 * (WARM - COLD) / (1e-3 / 2.0 + 1 / CONTACT + 1e-3 / 0.5)
if MPI.COMM_WORLD.rank == 0:
    print(f"power {power:.8e} W, exact {exact:.8e} W")
