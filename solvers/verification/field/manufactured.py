"""Manufactured solutions of the field operator: the screening jumps, and with it the normal component of A."""

from __future__ import annotations

from typing import Any

import dolfinx.fem
import numpy as np
import ufl
from mpi4py import MPI

from fem.constants import MU0
from meshes.arrays import Floats
from solvers.field.problem import FieldProblem, FieldSolution, Imposed
from solvers.verification.field.meshes import brick_mesh
from solvers.verification.field.slabs import order
from solvers.verification.report import Row

NM = 1e-9
SIDE = 100 * NM
WAVE = 2 / (50 * NM)
AMPLITUDE = 1e-9  # T m
DEPTHS = (100 * NM, 25 * NM)


def _smooth(x: Any, sin: Any, cos: Any) -> list[Any]:
    """A divergence-free field with curl curl A = 2 k^2 A, per unit amplitude."""
    a, b, c = (WAVE * x[k] for k in range(3))
    return [sin(b) * cos(c), sin(c) * cos(a), sin(a) * cos(b)]


def _curl(x: Any, sin: Any, cos: Any) -> list[Any]:
    """Its curl over k."""
    a, b, c = (WAVE * x[k] for k in range(3))
    return [-sin(a) * sin(b) - cos(c) * cos(a), -sin(b) * sin(c) - cos(a) * cos(b), -sin(c) * sin(a) - cos(b) * cos(c)]


def _gradient(x: Any, depth: Any, sin: Any, cos: Any) -> list[Any]:
    """The gradient of (z - middle) depth^2 sin sin: tangential continuous, normal inverse to the screening."""
    a, b, z = WAVE * x[0], WAVE * x[1], WAVE * (x[2] - SIDE / 2)
    scale = (depth / DEPTHS[0]) ** 2
    return [scale * z * cos(a) * sin(b), scale * z * sin(a) * cos(b), scale * sin(a) * sin(b)]


def solve(comm: MPI.Intracomm, depths: tuple[float, float], cells: int, degree: int, tetrahedra: bool) -> FieldSolution:
    """Solve in a cube with one penetration depth (m) in its lower and one in its upper half (collective)."""
    lines = [np.linspace(0, SIDE, cells + 1)] * 3
    halves = {"lower": (None, None, (0.0, SIDE / 2)), "upper": (None, None, (SIDE / 2, SIDE))}
    tagged = brick_mesh(comm, lines, halves, NM, tetrahedra)

    def potential(x: Floats) -> Floats:
        depth = np.where(x[2] < SIDE / 2, *depths)
        smooth, kinked = _smooth(x, np.sin, np.cos), _gradient(x, depth, np.sin, np.cos)
        return np.asarray(AMPLITUDE * (np.array(smooth) + np.array(kinked)))

    def current(x: Floats, depth: float) -> Floats:
        smooth, kinked = np.array(_smooth(x, np.sin, np.cos)), np.array(_gradient(x, depth, np.sin, np.cos))
        return np.asarray(AMPLITUDE / MU0 * (2 * WAVE**2 * smooth + (smooth + kinked) / depth**2))

    def field(x: Floats) -> Floats:
        return np.asarray(AMPLITUDE * WAVE / MU0 * np.array(_curl(x, np.sin, np.cos)))

    drive = Imposed(
        potential,
        {"z+": field, "x+": field},  # the other four walls hold A
        {"lower": lambda x: current(x, depths[0]), "upper": lambda x: current(x, depths[1])},
    )
    problem = FieldProblem(tagged, ["lower", "upper"], drive, ["x-", "y-", "y+", "z-"], degree)
    return problem.solve(problem.screening_of(dict(zip(("lower", "upper"), depths, strict=True))))


def errors(solution: FieldSolution, depths: tuple[float, float]) -> dict[str, float]:
    """Relative errors of B in the mean square and of the solution in the norm of the energy."""
    mesh, unit = solution.tagged.mesh, solution.tagged.length_unit
    computed = solution.vector_potential()
    x = unit * ufl.SpatialCoordinate(mesh)
    depth, screening = (dolfinx.fem.Function(dolfinx.fem.functionspace(mesh, ("DG", 0))) for _ in range(2))
    screening.x.array[:] = unit**2 * solution.screening
    for name, value in zip(("lower", "upper"), depths, strict=True):
        depth.x.array[solution.tagged.cells(name)] = value
    exact = ufl.as_vector(_smooth(x, ufl.sin, ufl.cos)) + ufl.as_vector(_gradient(x, depth, ufl.sin, ufl.cos))
    a, b = AMPLITUDE * unit * exact, AMPLITUDE * WAVE * unit**2 * ufl.as_vector(_curl(x, ufl.sin, ufl.cos))
    error_a, error_b = computed - a, ufl.curl(computed) - b
    degree = 2 * computed.function_space.ufl_element().degree + 4
    dx = ufl.Measure("dx", domain=mesh, metadata={"quadrature_degree": degree})

    def squared(*terms: ufl.core.expr.Expr) -> float:
        form = dolfinx.fem.form(sum(ufl.inner(term, term) for term in terms) * dx)
        return float(mesh.comm.allreduce(dolfinx.fem.assemble_scalar(form)))

    root = ufl.sqrt(screening)
    return {
        "B in the mean square": np.sqrt(squared(error_b) / squared(b)),
        "A in the norm of the energy": np.sqrt(squared(error_b, root * error_a) / squared(b, root * a)),
    }


def manufactured(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Order of convergence of A and B, screening 1 : 16, both ways round, degrees 1 and 2."""
    rows = []
    kinds = [(1, False, (6, 12)), (2, False, (2, 4))]
    if not quick:
        kinds = [(1, False, (10, 20)), (2, False, (4, 8)), (2, True, (4, 8))]
    for degree, tetrahedra, sizes in kinds:
        for depths in (DEPTHS, DEPTHS[::-1]):
            shape = "tetrahedra" if tetrahedra else "hexahedra"
            case = f"manufactured, {shape} of degree {degree}, lambda {depths[0] / NM:g} | {depths[1] / NM:g} nm"
            coarse, fine = (errors(solve(comm, depths, n, degree, tetrahedra), depths) for n in sizes)
            rows += [
                Row(case, f"error of {name}", 0.0, fine[name], 0.1, order([coarse[name], fine[name]], 2.0), degree)
                for name in fine
            ]
    return rows
