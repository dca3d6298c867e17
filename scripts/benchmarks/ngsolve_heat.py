"""The same step of heat by NGSolve: same hexahedra, linear elements, both stages of the same method.

python3 scripts/benchmarks/ngsolve_heat.py OUT.json MESH.npz CAPACITY CONDUCTIVITY

Heat capacity and conductivity per kelvin: C = CAPACITY T, k = CONDUCTIVITY T.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

import ngsolve
import numpy as np
from ngsolve import dx, grad
from ngsolve.meshes import MakeHexMesh

GAMMA = 1 - 1 / math.sqrt(2)
REDUCTION = 1e-10


def main() -> None:
    """Solve with the fastest of several solvers, and write it."""
    out, data = Path(sys.argv[1]), np.load(sys.argv[2])
    capacity, conductivity = map(float, sys.argv[3:5])
    n, side, dt = int(data["cells"]), float(data["side"]), float(data["dt"])
    mesh = MakeHexMesh(nx=n, ny=n, nz=n)
    space = ngsolve.H1(mesh, order=1, dirichlet="bottom|top")
    u, v = space.TnT()
    height = np.array([vertex.point[2] for vertex in mesh.vertices])
    start_u = np.full(space.ndof, float(data["cold"]))
    start_u[height > 1 - 1e-9] = float(data["warm"])
    best: dict[str, float | str] = {}
    for name in ("h1amg", "direct") if space.ndof < 60_000 else ("h1amg",):
        times = []
        for _ in range(2):
            start = time.process_time()
            # In cubes of side 1: lengths over SIDE. Stored: capacity/2 u; conducted: conductivity/2 grad u.
            mass = ngsolve.BilinearForm(capacity / 2 * u * v * dx).Assemble()
            a = ngsolve.BilinearForm(
                (capacity / 2 * u * v + GAMMA * dt * conductivity / (2 * side**2) * grad(u) * grad(v)) * dx
            )
            pre = ngsolve.Preconditioner(a, "h1amg") if name == "h1amg" else None
            a.Assemble()
            old, new = ngsolve.GridFunction(space), ngsolve.GridFunction(space)
            old.vec.FV().NumPy()[:] = start_u
            inverse = (
                ngsolve.CGSolver(a.mat, pre.mat, tol=REDUCTION, maxiter=500)
                if pre is not None
                else a.mat.Inverse(space.FreeDofs(), inverse="sparsecholesky")
            )
            before = mass.mat.CreateColVector()
            before.data = mass.mat * old.vec
            target, residual = before.CreateVector(), before.CreateVector()
            new.vec.data = old.vec
            target.data = before
            for stage in range(2):
                if stage:
                    after = mass.mat.CreateColVector()
                    after.data = mass.mat * new.vec
                    target.data = before + (1 - GAMMA) / GAMMA * (after - before)
                residual.data = target - a.mat * new.vec
                new.vec.data += inverse * residual
            times.append(time.process_time() - start)
        mean = float(ngsolve.Integrate(new, mesh))
        print(name, times, mean, file=sys.stderr)
        if min(times) < best.get("seconds", np.inf):
            best = {"seconds": min(times), "mean_u": mean, "solver": name}
    best["unknowns"] = int(space.ndof)
    out.write_text(json.dumps(best))


main()
