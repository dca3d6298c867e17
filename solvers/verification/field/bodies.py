"""Known answer 6: a cylinder along the field and a sphere, on curved meshes of their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from math import pi, tanh
from typing import Any

import numpy as np
from mpi4py import MPI
from scipy.special import iv

from fem.constants import MU0
from meshes import compat
from meshes.ranks import raise_on_all_ranks
from meshes.tagged import TaggedMesh
from solvers.field.problem import AppliedField, FieldProblem, Imposed
from solvers.verification.field.slabs import INTEGRAL_TOLERANCE, order
from solvers.verification.report import Row

NM = 1e-9
H0 = 6.6e4  # A/m
BALL_WALL = 3.0  # radius of the outer wall over that of the sphere


def gmsh_mesh(
    comm: MPI.Intracomm, draw: Callable[[Any], tuple[dict[str, list[int]], dict[str, list[int]]]], unit: float
) -> TaggedMesh:
    """Mesh a Gmsh model drawn on rank 0 with curved elements of second order (collective).

    Args:
        comm: ranks the mesh is distributed over.
        draw: draws and meshes the current model of the `gmsh` module; returns volumes and surfaces by group name.
        unit: metres per unit of the model.

    Raises:
        RuntimeError: Gmsh failed; raised on all ranks.
    """
    with ExitStack() as session:
        error, model, names = None, None, None
        if comm.rank == 0:
            try:
                import gmsh

                from meshes.gmsh_model import gmsh_session

                model = session.enter_context(gmsh_session("body"))
                groups = draw(gmsh)
                gmsh.model.mesh.setOrder(2)
                names = tuple({name: tag for tag, name in enumerate(part, start=1)} for part in groups)
                for dim, part in zip((3, 2), groups, strict=True):
                    for tag, (name, entities) in enumerate(part.items(), start=1):
                        gmsh.model.addPhysicalGroup(dim, entities, tag, name)
            except Exception as failure:  # any failure must reach the waiting ranks
                error = failure
        raise_on_all_ranks(comm, error)
        cell_names, facet_names = comm.bcast(names, root=0)
        mesh, cell_tags, facet_tags = compat.mesh_from_gmsh(model, comm)
    return TaggedMesh(mesh, cell_tags, facet_tags, cell_names, facet_names, unit)


def quarter_disc(cells: int, height: float) -> Callable[[Any], tuple[dict[str, list[int]], dict[str, list[int]]]]:
    """One layer of hexahedra over a quarter of the unit disc: a square at the axis and two sectors around it.

    Args:
        cells: along each side of the square, and half as many again from there to the rim.
        height: of the layer.
    """

    def draw(gmsh: Any) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Geometry and cell sizes; tags of the groups of volumes and of faces."""
        geo = gmsh.model.geo
        half, diagonal, rim = 0.4, 0.36, 0.5**0.5
        places = [(0, 0), (half, 0), (diagonal, diagonal), (0, half), (1, 0), (rim, rim), (0, 1)]
        o, a, b, c, p, q, r = (geo.addPoint(x, y, 0) for x, y in places)
        oa, ab, bc, co = (geo.addLine(*ends) for ends in ((o, a), (a, b), (b, c), (c, o)))
        ap, bq, cr = (geo.addLine(*ends) for ends in ((a, p), (b, q), (c, r)))
        pq, qr = geo.addCircleArc(p, o, q), geo.addCircleArc(q, o, r)
        for line in (oa, ab, bc, co, pq, qr):
            geo.mesh.setTransfiniteCurve(line, cells + 1)
        for line in (ap, bq, cr):
            geo.mesh.setTransfiniteCurve(line, cells * 3 // 2 + 1)
        for loop in ((oa, ab, bc, co), (ap, pq, -bq, -ab), (bq, qr, -cr, -bc)):
            surface = geo.addPlaneSurface([geo.addCurveLoop(loop)])
            geo.mesh.setTransfiniteSurface(surface)
            geo.mesh.setRecombine(2, surface)
        flat = [(2, k) for k in (1, 2, 3)]
        made = geo.extrude(flat, 0, 0, height, numElements=[1], recombine=True)
        geo.removeAllDuplicates()  # the faces between the three blocks
        geo.synchronize()
        gmsh.model.mesh.generate(3)
        groups: dict[str, list[int]] = {"meridian": [], "rim": []}
        for _, tag in gmsh.model.getBoundary([entity for entity in made if entity[0] == 3], oriented=False):
            low, high = np.split(np.array(gmsh.model.getBoundingBox(2, tag)), 2)
            if (high[:2] < 1e-3).any():
                groups["meridian"].append(tag)
            elif high[2] - low[2] > height / 2:
                groups["rim"].append(tag)
        return {"cylinder": [tag for dim, tag in made if dim == 3]}, groups

    return draw


def _solve_cylinder(comm: MPI.Intracomm, ratio: int, radius: float, cells: int, degree: int) -> tuple[float, float]:
    """H on the axis and its mean, over H0."""
    tagged = gmsh_mesh(comm, quarter_disc(cells, 0.1), radius)
    drive = Imposed(tangential_field={"rim": (0.0, 0.0, H0)})
    problem = FieldProblem(tagged, ["cylinder"], drive, ["meridian"], degree)
    solution = problem.solve(problem.screening_of({"cylinder": radius / ratio}))
    axis = solution.flux_density_at([[1e-6 * radius, 1e-6 * radius, 0.05 * radius]])[0, 2]
    mean = solution.mean_flux_density("cylinder")[2]
    return float(axis) / MU0 / H0, float(mean) / MU0 / H0


def cylinder(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """A long cylinder in a field along its axis, a/lambda = 1 and 10: H(0)/H0 = 1/I0, mean H/H0 = 2 I1 / (x I0)."""
    rows = []
    for ratio, radius, flat, curved in ((1, 100 * NM, (8, 16), (4, 8)), (10, 500 * NM, (16, 32), (10, 20))):
        if quick and ratio == 10:
            continue
        case = f"6 cylinder along the field, a/lambda = {ratio}"
        axis, mean = 1 / iv(0, ratio), 2 * iv(1, ratio) / (ratio * iv(0, ratio))
        first = [_solve_cylinder(comm, ratio, radius, n, 1)[1] for n in flat]
        second = [_solve_cylinder(comm, ratio, radius, n, 2)[0] for n in curved]
        for name, exact, values in (("mean H/H0", mean, first), ("H/H0 on the axis, degree 2", axis, second)):
            rate = order([value - exact for value in values])
            rows.append(Row(case, name, exact, values[1], INTEGRAL_TOLERANCE, rate, 2.0))
    return rows


def eighth_ball(
    surface: float, growth: float, halvings: int = 0
) -> Callable[[Any], tuple[dict[str, list[int]], dict[str, list[int]]]]:
    """Tetrahedra in an eighth of a ball of radius 3 with the unit sphere in it.

    Args:
        surface: cell size at the unit sphere.
        growth: of the cell size with the distance from it.
        halvings: how often every cell is then cut into eight.
    """

    def draw(gmsh: Any) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Geometry and cell sizes; tags of the groups of volumes and of faces."""
        occ = gmsh.model.occ
        balls = [occ.addSphere(0, 0, 0, radius, angle1=0, angle2=pi / 2, angle3=pi / 2) for radius in (1, BALL_WALL)]
        parts, _ = occ.fragment([(3, balls[0])], [(3, balls[1])])
        occ.synchronize()
        inner = min((tag for _, tag in parts), key=lambda tag: occ.getMass(3, tag))
        size = gmsh.model.mesh.field.add("MathEval")
        formula = f"{surface} + {growth} * abs(sqrt(x*x + y*y + z*z) - 1)"
        gmsh.model.mesh.field.setString(size, "F", formula)
        gmsh.model.mesh.field.setAsBackgroundMesh(size)
        for option in ("ExtendFromBoundary", "FromPoints", "FromCurvature"):
            gmsh.option.setNumber(f"Mesh.MeshSize{option}", 0)
        gmsh.model.mesh.generate(3)
        for _ in range(halvings):
            gmsh.model.mesh.refine()
        boundary = [tag for _, tag in gmsh.model.getBoundary(parts, oriented=False)]
        groups: dict[str, list[int]] = {"meridian": [], "equator": [], "wall": []}
        for tag in boundary:
            x, y, z = occ.getCenterOfMass(2, tag)
            name = "equator" if z < 1e-6 else "meridian" if min(x, y) < 1e-6 else "wall"
            groups[name].append(tag)
        return {"sphere": [inner], "vacuum": [tag for _, tag in parts if tag != inner]}, groups

    return draw


def sphere(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """A sphere in a uniform field inside a wall at three radii that holds the flux of the uniform field.

    m = -2 pi a^3 H P with the P of the known answer; the wall adds to the field at the sphere: H = H0 / (1 - P/27).
    """
    rows = []
    # The finer mesh halves the cells of the coarser one; where lambda is a tenth of the radius that is not yet the
    # range in which errors fall with the fourth power.
    for ratio, radius, sizes, halvings in ((1, 100 * NM, (0.7, 0.4), (0, 1)), (10, 200 * NM, (0.06, 0.25), (0,))):
        if quick and ratio == 10:
            continue
        inner = 1 / ratio
        reduced = 1 - 3 * inner / tanh(ratio) + 3 * inner**2
        exact = -2 * pi * radius**3 * H0 * reduced / (1 - reduced / BALL_WALL**3)
        moments = []
        for number in halvings:
            tagged = gmsh_mesh(comm, eighth_ball(*sizes, number), radius)
            walls = ["meridian", "wall"]
            problem = FieldProblem(tagged, ["sphere"], AppliedField((0.0, 0.0, 1.0)), walls, degree=2)
            solution = problem.solve(problem.screening_of({"sphere": radius / ratio}))
            moments.append(8 * float(solution.magnetic_moment("sphere")[2]) * MU0 * H0)
            problem.destroy()
        rate = order([moment - exact for moment in moments]) if len(moments) > 1 else None
        case = f"6 sphere, a/lambda = {ratio}, tetrahedra of degree 2"
        expected = None if rate is None else 4.0
        rows.append(Row(case, "magnetic moment (A m^2)", exact, moments[-1], INTEGRAL_TOLERANCE, rate, expected))
    return rows
