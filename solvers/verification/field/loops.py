"""Currents whose phase falls along one straight piece of a conductor: a strip that bends, and a closed ring."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Any

import numpy as np
from mpi4py import MPI
from scipy.special import iv

from fem.constants import MU0
from solvers.field.problem import FieldProblem, TransportCurrent
from solvers.verification.field.bodies import gmsh_mesh
from solvers.verification.field.meshes import brick_mesh
from solvers.verification.report import Row

UM = 1e-6
# Of the bent strip, by a calculation of its own on the same cells.
BENT_STRIP = 7.651e10  # A per V s


def bent_strip(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """An L of superconductor between two walls of a box: the same current whichever leg the phase falls in."""
    legs = {"first": ((0.0, 18 * UM), (4 * UM, 8 * UM)), "second": ((14 * UM, 18 * UM), (8 * UM, 20 * UM))}
    pieces = {
        "first leg": (((2 * UM, 12 * UM), (4 * UM, 8 * UM)), (1.0, 0.0, 0.0)),
        "second leg": (((14 * UM, 18 * UM), (9 * UM, 19 * UM)), (0.0, 1.0, 0.0)),
    }
    height = (5 * UM, 7 * UM)
    lines = [np.linspace(0, n * UM, n + 1) for n in (30, 20, 12)]
    currents = {}
    for name, (piece, direction) in pieces.items():
        groups = {leg: (*plan, height) for leg, plan in (legs | {"piece": piece}).items()}
        tagged = brick_mesh(comm, lines, {"vacuum": (None, None, None), **groups}, UM)
        drive = TransportCurrent(["piece"], 10 * UM, direction)
        problem = FieldProblem(tagged, list(groups), drive, list(tagged.facet_names))
        currents[name] = problem.solve(problem.screening_of(dict.fromkeys(groups, 1 * UM))).current()
        problem.destroy()
    first, second = currents.values()
    case = "strip with a bend, 1 V s over 10 um of one leg"
    return [
        Row(case, "current (A)", BENT_STRIP, first, 1e-4),
        Row(case, "the other leg over the first", 1.0, second / first, 1e-8),
    ]


def eighth_torus(
    thin: float, piece: float, far: float, size: float, growth: float
) -> Callable[[Any], tuple[dict[str, list[int]], dict[str, list[int]]]]:
    """Tetrahedra in an eighth of a ball with a ring of radius 1 about the z axis in it.

    Args:
        thin: radius of the ring's cross-section.
        piece: the ring is cut at the plane x = piece.
        far: radius of the ball.
        size: of the cells in the ring.
        growth: of the cell size with the distance from it.
    """

    def draw(gmsh: Any) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Geometry and cell sizes; tags of the groups of volumes and of faces."""
        occ = gmsh.model.occ
        ball = (3, occ.addSphere(0, 0, 0, far, angle1=0, angle2=pi / 2, angle3=pi / 2))
        ring = occ.intersect([(3, occ.addTorus(0, 0, 0, 1, thin))], [ball], removeTool=False)[0]
        cut = (3, occ.addBox(0, 0, 0, piece, 2, 2 * thin))
        inside = occ.intersect(ring, [cut], removeObject=False)[0]
        parts, _ = occ.fragment([ball], [*ring, *inside])
        occ.synchronize()
        distance = f"sqrt((sqrt(x*x + y*y) - 1)^2 + z*z) - {thin}"
        field = gmsh.model.mesh.field.add("MathEval")
        gmsh.model.mesh.field.setString(field, "F", f"{size} + {growth / 2} * (abs({distance}) + {distance})")
        gmsh.model.mesh.field.setAsBackgroundMesh(field)
        for option in ("ExtendFromBoundary", "FromPoints", "FromCurvature"):
            gmsh.option.setNumber(f"Mesh.MeshSize{option}", 0)
        gmsh.model.mesh.generate(3)
        by_volume = sorted((tag for _, tag in parts), key=lambda tag: occ.getMass(3, tag))
        groups: dict[str, list[int]] = {"meridian": [], "equator": [], "wall": []}
        for _, tag in gmsh.model.getBoundary(parts, oriented=False):
            high = np.array(gmsh.model.getBoundingBox(2, tag))[3:]
            name = "equator" if high[2] < 1e-3 else "meridian" if high[:2].min() < 1e-3 else "wall"
            groups[name].append(tag)
        return dict(zip(("piece", "ring", "vacuum"), ([tag] for tag in by_volume), strict=True)), groups

    return draw


def ring(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """A closed superconducting ring, its fluxoid over its current: the inductance of a torus.

    L = mu0 R (ln(8R/a) - 2 + x I0(1/x) / I1(1/x)), x = lambda/a: the ring with its current on the surface, and field
    and kinetic energy in a long round wire. A wall at five radii, which no flux passes, takes away the flux of the
    image, pi mu0 R^4 / (2 b^3). Terms of the order (a/R)^2 = 1 % of it are left out.
    """
    radius, thin, depth, far = 10 * UM, 0.1, 0.03, 5.0
    tagged = gmsh_mesh(comm, eighth_torus(thin, 0.2, far, 0.05 if quick else 0.03, 0.4), radius)
    drive = TransportCurrent(["piece"], 0.2 * radius)
    problem = FieldProblem(tagged, ["piece", "ring"], drive, ["meridian", "wall"], degree=2)
    current = problem.solve(problem.screening_of(dict.fromkeys(("piece", "ring"), depth * radius))).current()
    problem.destroy()
    ratio = thin / depth
    exact = MU0 * radius * (log(8 / thin) - 2 + iv(0, ratio) / iv(1, ratio) / ratio - pi / (2 * far**3))
    # A quarter of the fluxoid, and half of the current.
    return [Row("ring, a/R = 0.1, lambda/a = 0.3", "inductance (H)", exact, 4.0 / (2.0 * current), 1e-2)]
