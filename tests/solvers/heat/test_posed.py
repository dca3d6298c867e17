"""Cases posed as a user of the Python interface poses them, with what docs/guide.md offers, against exact solutions."""

import dolfinx.mesh
import numpy as np
import pytest
from scipy.special import iv

from fem.constants import MU0
from fem.interfaces.laws import Conductance
from fem.interfaces.markers import Perfect
from fem.materials.material import Material
from meshes.tagged import TaggedMesh, tag_mesh
from solvers.field.problem import FieldProblem, Imposed, TransportCurrent
from solvers.heat.problem import Bath, Contact, HeatLayer, HeatProblem, Source
from solvers.heat.stepper import HeatStepper
from solvers.verification.field.bodies import gmsh_mesh, quarter_disc
from solvers.verification.field.meshes import brick_mesh

SHAPES = {"hexahedra": dolfinx.mesh.CellType.hexahedron, "tetrahedra": dolfinx.mesh.CellType.tetrahedron}
pytestmark = pytest.mark.mpi


def plane(axis, where):
    return lambda x: np.isclose(x[axis], where)


def pile(comm, heights, cells, unit, shape="hexahedra", width=1.0):
    """Layers "0", "1", ... from z = 0 of whole heights, as many cells through each unit of height as given."""
    floors = np.concatenate([[0.0], np.cumsum(heights)])
    mesh = dolfinx.mesh.create_box(
        comm, [[0, 0, 0], [width, width, floors[-1]]], [3, 3, round(cells * floors[-1])], cell_type=SHAPES[shape],
        ghost_mode=dolfinx.mesh.GhostMode.shared_facet,
    )  # fmt: skip
    names = {str(k): lambda x, floor=floor: x[2] > floor for k, floor in enumerate(floors[:-1])}
    faces = {"bottom": plane(2, 0.0), "top": plane(2, floors[-1]), "x-": plane(0, 0.0), "x+": plane(0, width)}
    faces |= {f"{k}|{k + 1}": plane(2, floor) for k, floor in enumerate(floors[1:-1])}
    return tag_mesh(mesh, names, faces, unit)


def plain(k, c=1e3):
    return Material("plain", constant_conductivity=k, constant_heat_capacity=c)


# ---- heat --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("swapped", [False, True])
def test_two_slabs_and_a_linear_conductance(comm, shape, swapped):
    k, h, warm, cold = (2.0, 0.5), 800.0, 300.0, 280.0
    tagged = pile(comm, (1, 1), 4, 1e-3, shape)
    sides = ("1", "0") if swapped else ("0", "1")
    problem = HeatProblem(
        tagged,
        {str(n): HeatLayer(plain(k[n]), [str(n)]) for n in (0, 1)},
        [Contact("contact", *sides, ["0|1"], Conductance(h))],
        [Bath("warm", "0", warm, ["bottom"]), Bath("cold", "1", cold, ["top"])],
    )
    u, flow = HeatStepper(problem.activate()).steady(*problem.state(290.0))
    T, space = np.sqrt(u), problem.space
    q = (warm - cold) / (1e-3 / k[0] + 1 / h + 1e-3 / k[1])
    assert flow.contact["contact"] == pytest.approx((-1 if swapped else 1) * q * 1e-6, rel=1e-10)
    assert flow.bath == pytest.approx({"warm": -q * 1e-6, "cold": q * 1e-6}, rel=1e-10)
    point = [[0.5e-3, 0.4e-3, 1e-3]]
    faces = [space.at(T, "0", point)[0], space.at(T, "1", point)[0]]
    np.testing.assert_allclose(faces, [warm - q * 1e-3 / k[0], cold + q * 1e-3 / k[1]], rtol=1e-12)
    means = {"0": warm - q * 1e-3 / (2 * k[0]), "1": cold + q * 1e-3 / (2 * k[1])}
    assert space.mean(T) == pytest.approx(means, rel=1e-12)


def test_transient_against_its_fourier_series(comm):
    """A sine between held faces decays as the network's own sine does exactly, and nearly as that of the slab."""
    length, k, c, n = 1e-3, 2.0, 50.0, 16
    problem = HeatProblem(
        pile(comm, (1,), n, length),
        {"0": HeatLayer(plain(k, c), ["0"])},
        baths=[Bath("bottom", "0", 1.0, ["bottom"]), Bath("top", "0", 1.0, ["top"])],
    )
    start, f = problem.state(lambda x: 1.0 + 0.2 * np.sin(np.pi * x[2] / length))
    time = 0.1 * length**2 * c / k
    end = HeatStepper(problem.activate(), rtol=1e-9).advance(start, f, time).u
    middle = problem.space.at(np.sqrt(end), "0", [[0.3e-3, 0.7e-3, length / 2]])[0]
    rate = (2 * n * np.sin(np.pi / (2 * n))) ** 2 * 0.1
    assert middle - 1.0 == pytest.approx(0.2 * np.exp(-rate), rel=1e-5)
    assert middle - 1.0 == pytest.approx(0.2 * np.exp(-(np.pi**2) * 0.1), rel=5e-3)


def test_three_unequal_layers_with_a_heated_one(comm):
    k, h, heights, power = (2.0, 0.1, 30.0), (500.0, 20.0), (1, 2, 1), 3e-6
    unit, ends = 1e-3, (0.3, 0.1)
    problem = HeatProblem(
        pile(comm, heights, 3, unit),
        {str(n): HeatLayer(plain(k[n]), [str(n)]) for n in range(3)},
        [Contact(f"{n}|{n + 1}", str(n), str(n + 1), [f"{n}|{n + 1}"], Conductance(h[n])) for n in range(2)],
        [Bath("bottom", "0", ends[0], ["bottom"]), Bath("top", "2", ends[1], ["top"])],
        [Source("heater", "1", power)],
    )
    _, flow = HeatStepper(problem.activate()).steady(*problem.state({"0": 0.3, "1": 0.2, "2": 0.1}))
    thick = [n * unit for n in heights]
    below, above = thick[0] / k[0] + 1 / h[0], thick[2] / k[2] + 1 / h[1]
    heat = power / unit**2  # W/m^2 that the middle layer adds, half of it on the way on the average
    q = (ends[0] - ends[1] - heat * (thick[1] / k[1] / 2 + above)) / (below + thick[1] / k[1] + above)
    assert flow.contact == pytest.approx({"0|1": q * unit**2, "1|2": (q + heat) * unit**2}, rel=1e-9)
    assert flow.source == pytest.approx(power, rel=1e-12)


def test_temperatures_that_vary_over_a_face(comm):
    """A harmonic temperature held on two faces, and as a bath behind a conductance, where nothing then flows."""

    def harmonic(x):
        return 2.0 + 3e5 * x[0] * x[2] + 400.0 * x[0]

    def problem(law, sides):
        baths = [Bath("bottom", "0", harmonic, ["bottom"]), Bath("top", "0", harmonic, ["top"], law)]
        baths += [Bath(name, "0", harmonic, [name]) for name in sides]
        return HeatProblem(pile(comm, (1,), 4, 1e-3), {"0": HeatLayer(plain(2.0), ["0"])}, baths=baths)

    held = problem(Perfect(), ("x-", "x+"))
    u, flow = HeatStepper(held.activate()).steady(*held.state(2.0))
    np.testing.assert_allclose(np.sqrt(u), harmonic(held.space.x.T), rtol=1e-9)
    assert sum(flow.bath.values()) == pytest.approx(0.0, abs=1e-9)

    behind = problem(Conductance(1e4), ())
    u, f = behind.state(harmonic)
    assert behind.activate().power(u, f).bath["top"] == pytest.approx(0.0, abs=1e-15)
    u, f = behind.state(lambda x: harmonic(x) + 0.01)
    assert behind.activate().power(u, f).bath["top"] == pytest.approx(1e4 * 0.01 * 1e-6, rel=1e-9)
    step = HeatStepper(behind.activate()).step(behind.activate().hold(u), f, 1e-3)
    assert step.entropy["top"] > 0.0


def test_heat_source_on_a_patch(comm):
    """Averages over horizontal planes obey the equation of one dimension, whatever the patch."""
    k, power = 2.0, 1e-6
    problem = HeatProblem(
        pile(comm, (1,), 4, 1e-3),
        {"0": HeatLayer(plain(k), ["0"])},
        baths=[Bath("bath", "0", 0.1, ["bottom"])],
        sources=[Source("qubit", "0", power, ["top"], patch=(0.0, 0.4e-3, 0.0, 0.5e-3))],
    )
    u, flow = HeatStepper(problem.activate()).steady(*problem.state(0.1))
    T = np.sqrt(u)
    assert flow.bath["bath"] == pytest.approx(power, rel=1e-10)
    assert problem.space.mean(T)["0"] - 0.1 == pytest.approx(power / 1e-6 * 1e-3 / (2 * k), rel=1e-9)
    under, beside = problem.space.at(T, "0", [[0.1e-3, 0.1e-3, 1e-3], [0.9e-3, 0.9e-3, 1e-3]]) - 0.1
    assert under > 1.2 * beside


def test_what_cannot_be_posed_is_refused(comm):
    tagged = pile(comm, (1, 1), 2, 1e-3)
    layers = {name: HeatLayer(plain(1.0), [name]) for name in ("0", "1")}
    for parts in (
        {"contacts": [Contact("x", "0", "2", ["0|1"], Perfect())]},
        {"baths": [Bath("x", "lid", 1.0)]},
        {"sources": [Source("x", "lid", 1.0)]},
    ):
        with pytest.raises(ValueError, match=r"'x': no layer .* there are: 0, 1"):
            HeatProblem(tagged, layers, **parts)
    with pytest.raises(ValueError, match="must not be negative"):
        Bath("x", "0", -0.1)
    with pytest.raises(ValueError, match="negative or no number somewhere"):
        HeatProblem(tagged, layers, baths=[Bath("x", "0", lambda x: x[0] - 1e-4, ["bottom"])])
    problem = HeatProblem(tagged, layers, baths=[Bath("bath", "0", 1.0)])
    with pytest.raises(ValueError, match="is called lid"):
        problem.activate(["lid"])
    with pytest.raises(ValueError, match="the layers are 0, 1"):
        problem.state({"0": 1.0})
    with pytest.raises(ValueError, match="is outside layer '1'"):
        problem.space.at(problem.state(1.0)[0], "1", [[0.5e-3, 0.5e-3, 0.5e-3]])


# ---- field -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-6, 1e-9])
def test_film_with_prescribed_tangential_potential(comm, unit):
    """A along x is 0 below and a on top of a film: its flux is given; whatever the mesh's unit of length."""
    thick, depth, a = 1e-6, 250e-9, 1e-9
    scale = thick / unit
    mesh = dolfinx.mesh.create_box(
        comm, [[0, 0, 0], [0.1 * scale, 0.1 * scale, scale]], [1, 1, 64], cell_type=SHAPES["hexahedra"]
    )
    faces = {"bottom": plane(2, 0.0), "top": plane(2, scale), "x-": plane(0, 0.0), "x+": plane(0, 0.1 * scale)}
    tagged = tag_mesh(mesh, {"film": lambda x: x[2] > 0}, faces, unit)
    drive = Imposed(potential=lambda x: np.array([a * x[2] / thick, 0 * x[0], 0 * x[0]]))
    problem = FieldProblem(tagged, ["film"], drive, walls=list(faces))
    solution = problem.solve(problem.screening_of({"film": depth}))
    assert solution.mean_flux_density("film") == pytest.approx([0.0, a / thick, 0.0], abs=1e-9)
    z = np.array([0.3, 0.5, 0.8]) * thick
    points = np.column_stack([np.full((3, 2), 0.05e-6), z])
    shape, slope = np.sinh(z / depth) / np.sinh(thick / depth), np.cosh(z / depth) / np.sinh(thick / depth)
    # The middle is a face between two cells; elsewhere B of first order is constant in a cell.
    np.testing.assert_allclose(solution.flux_density_at(points)[1, 1], a / depth * slope[1], rtol=1e-3)
    np.testing.assert_allclose(solution.flux_density_at(points)[:, 1], a / depth * slope, rtol=0.04)
    better = FieldProblem(tagged, ["film"], drive, walls=list(faces), degree=2)
    better = better.solve(better.screening_of({"film": depth}))
    np.testing.assert_allclose(better.flux_density_at(points)[:, 1], a / depth * slope, rtol=4e-4)  # (h/lambda)^2/12
    np.testing.assert_allclose(solution.potential_at(points)[:, 0], a * shape, rtol=2e-3)
    np.testing.assert_allclose(solution.current_density_at(points)[:, 0], -a * shape / MU0 / depth**2, rtol=2e-3)
    energy = (0.1e-6) ** 2 * a**2 / (2 * MU0 * depth * np.tanh(thick / depth))
    assert solution.energy() == pytest.approx(energy, rel=1e-3)


def test_points_on_faces_between_unequal_cells(comm):
    """B is interpolated between the midpoints of the cells; J is that of the superconductor, not of the vacuum."""
    d, depth, a = 100e-9, 100e-9, 1e-9
    z = np.concatenate([np.linspace(0, d, 5), d + np.cumsum(np.tile([1e-9, 4e-9], 20))])  # vacuum, film
    groups = {"vacuum": (None, None, (0.0, d)), "film": (None, None, (d, 2 * d))}
    tagged = brick_mesh(comm, [[0, 20e-9], [0, 20e-9], z], groups, 1e-9)
    drive = Imposed(potential=lambda x: np.array([a * (x[2] > 1.5 * d), 0 * x[0], 0 * x[0]]))
    problem = FieldProblem(tagged, ["film"], drive, walls=["x-", "x+", "z-", "z+"])
    solution = problem.solve(problem.screening_of({"film": depth}))
    # A = p z below; above p d cosh + p lambda sinh of the height over lambda.
    p = a / (d * np.cosh(1.0) + depth * np.sinh(1.0))
    at = z[4 + np.array([11, 24])]
    height = (at - d) / depth
    found = solution.flux_density_at(np.column_stack([np.full((2, 2), 10e-9), at]))[:, 1]
    np.testing.assert_allclose(found, p * (d / depth * np.sinh(height) + np.cosh(height)), rtol=1e-3)
    face = solution.current_density_at([[10e-9, 10e-9, d]])[0, 0]
    assert face == pytest.approx(-p * d / MU0 / depth**2, rel=2e-3)


def test_cylinder_with_prescribed_tangential_potential(comm):
    """A along the rim of a long cylinder: B on the axis is A/(lambda I1(a/lambda))."""
    radius, depth, a = 100e-9, 50e-9, 1e-9
    tagged = gmsh_mesh(comm, quarter_disc(6, 0.1), radius)
    drive = Imposed(potential=lambda x: a * np.array([-x[1], x[0], 0 * x[0]]) / radius)
    problem = FieldProblem(tagged, ["cylinder"], drive, walls=["meridian", "rim"], degree=2)
    solution = problem.solve(problem.screening_of({"cylinder": depth}))
    assert solution.mean_flux_density("cylinder")[2] == pytest.approx(2 * a / radius, rel=1e-6)
    axis = solution.flux_density_at([[1e-12, 1e-12, 5e-9]])[0, 2]
    assert axis == pytest.approx(a / depth / iv(1, radius / depth), rel=2e-3)


@pytest.mark.parametrize("depths", [(50e-9, 100e-9), (100e-9, 50e-9)])
def test_current_shared_by_two_superconductors(comm, depths):
    """Two films on each other between shields: A + grad phase and its slope are continuous, A = 0 on the shields."""
    d = 100e-9  # of all four layers
    tagged = pile(comm, (1, 1, 1, 1), 20, d, width=0.3)
    drive = TransportCurrent(["1", "2"], length=0.3 * d)
    problem = FieldProblem(tagged, ["1", "2"], drive, walls=["x-", "x+", "bottom", "top"])
    solution = problem.solve(problem.screening_of(dict(zip(("1", "2"), depths, strict=True))))

    # g = A - Phi/length in units of Phi/length, per layer g = p cosh + q sinh of (z - its bottom)/lambda.
    # At the shields A = 0 grows linearly over the gap: g' d = +-(g + 1) at the faces.
    (l1, l2), ends = depths, [(np.cosh(d / x), np.sinh(d / x)) for x in depths]
    (c1, s1), (c2, s2) = ends
    matrix = [
        [1.0, -d / l1, 0.0, 0.0],
        [c1, s1, -1.0, 0.0],
        [s1 / l1, c1 / l1, 0.0, -1.0 / l2],
        [0.0, 0.0, c2 + d * s2 / l2, s2 + d * c2 / l2],
    ]
    p1, q1, p2, q2 = np.linalg.solve(matrix, [-1.0, 0.0, 0.0, -1.0])
    slopes = [q1 / l1, (p2 * s2 + q2 * c2) / l2]  # of g at the lower and the upper face
    current = abs(slopes[1] - slopes[0]) / MU0 * (0.3 * d) / (0.3 * d)  # width over length is 1
    assert solution.current() == pytest.approx(current, rel=1e-3)
    share = float(solution.current_moment("1")[0] / solution.current_moment("1", "2")[0])
    between = (p1 * s1 + q1 * c1) / l1
    assert share == pytest.approx((between - slopes[0]) / (slopes[1] - slopes[0]), rel=2e-3)


def test_mistakes_about_the_field_are_refused(comm):
    tagged = pile(comm, (1, 1), 2, 1e-7)
    with pytest.raises(KeyError, match="no cell group 'film'; there are: 0, 1"):
        FieldProblem(tagged, ["film"], Imposed(), ["bottom"])
    problem = FieldProblem(tagged, ["0"], Imposed(), ["bottom", "top"])
    with pytest.raises(ValueError, match="not among the superconductors of this problem: 1"):
        problem.screening_of({"1": 50e-9})
    with pytest.raises(ValueError, match="a vector field must be"):
        FieldProblem(tagged, ["0"], Imposed(current_density={"0": 1.0}), ["bottom"])
    cells = tagged.cells("0")
    part = dolfinx.mesh.meshtags(tagged.mesh, 3, cells, np.full(len(cells), 1, dtype=np.int32))
    with pytest.raises(ValueError, match="cells in no cell group"):
        FieldProblem(
            TaggedMesh(tagged.mesh, part, tagged.facet_tags, {"0": 1}, tagged.facet_names), ["0"], Imposed(), ["top"]
        )


def test_groups_that_cannot_be(comm):
    mesh = dolfinx.mesh.create_box(comm, [[0, 0, 0], [1, 1, 1]], [2, 2, 2], cell_type=SHAPES["hexahedra"])
    whole = {"all": lambda x: x[2] > 0}
    with pytest.raises(ValueError, match="cells in no group"):
        tag_mesh(mesh, {"upper": lambda x: x[2] > 0.5}, {})
    with pytest.raises(ValueError, match="facets in two groups"):
        tag_mesh(mesh, whole, {"top": plane(2, 1.0), "lid": plane(2, 1.0)})
    with pytest.raises(ValueError, match="nothing in the groups lid"):
        tag_mesh(mesh, whole, {"top": plane(2, 1.0), "lid": plane(2, 2.0)})
    tagged = tag_mesh(mesh, whole | {"upper": lambda x: x[2] > 0.5}, {"middle": plane(2, 0.5)}, 1e-3)
    owned = mesh.topology.index_map(3).size_local
    counts = [comm.allreduce(int((tagged.cells(name) < owned).sum())) for name in ("all", "upper")]
    assert counts == [4, 4]
    assert tagged.length_unit == 1e-3
