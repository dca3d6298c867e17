"""A superconducting sphere in a uniform field, on tetrahedra made with Gmsh.

scripts/env mpirun -n 2 python3 docs/examples/sphere_in_a_field.py
"""

import gmsh
import numpy as np
from mpi4py import MPI

import coldstack as cs

RADIUS, DEPTH, FIELD, WALL = 100e-9, 50e-9, 66e3, 5.0  # m, m, A/m, and the radius of the outer wall over RADIUS

comm = MPI.COMM_WORLD
gmsh.initialize()
gmsh.option.setNumber("General.Terminal", 0)
if comm.rank == 0:  # two concentric spheres, in units of RADIUS
    inner, outer = (gmsh.model.occ.addSphere(0, 0, 0, radius) for radius in (1, WALL))
    gmsh.model.occ.fragment([(3, inner)], [(3, outer)])
    gmsh.model.occ.synchronize()
    volumes = sorted((tag for _, tag in gmsh.model.getEntities(3)), key=lambda tag: gmsh.model.occ.getMass(3, tag))
    shell = max((tag for _, tag in gmsh.model.getEntities(2)), key=lambda tag: gmsh.model.occ.getMass(2, tag))
    gmsh.model.addPhysicalGroup(3, volumes[:1], name="sphere")
    gmsh.model.addPhysicalGroup(3, volumes[1:], name="vacuum")
    gmsh.model.addPhysicalGroup(2, [shell], name="wall")
    size = gmsh.model.mesh.field.add("MathEval")
    gmsh.model.mesh.field.setString(size, "F", "0.3 + 0.45*abs(sqrt(x*x+y*y+z*z)-1)")
    gmsh.model.mesh.field.setAsBackgroundMesh(size)
    gmsh.option.setNumber("Mesh.MeshSizeExtendFromBoundary", 0)
    gmsh.model.mesh.generate(3)
    gmsh.model.mesh.setOrder(2)
tagged = cs.read_gmsh(gmsh.model, comm, length_unit=RADIUS)  # the physical groups as names
gmsh.finalize()

# Tetrahedra need degree 2. The solution is that of 1 T: scale it.
problem = cs.FieldProblem(tagged, ["sphere"], cs.AppliedField((0.0, 0.0, 1.0)), walls=["wall"], degree=2)
solution = problem.solve(problem.screening_of({"sphere": DEPTH}))
moment = solution.magnetic_moment("sphere")[2] * cs.MU0 * FIELD

x = RADIUS / DEPTH
bracket = 1 - 3 / x / np.tanh(x) + 3 / x**2
# The wall holds the flux of the uniform field, so the sphere sees a slightly larger one.
exact = -2 * np.pi * RADIUS**3 * FIELD * bracket / (1 - bracket / WALL**3)
if comm.rank == 0:
    print(f"magnetic moment {moment:.5e} A m^2, exact {exact:.5e} A m^2")
