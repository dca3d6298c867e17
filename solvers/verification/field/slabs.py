"""Known answers of flat layers in a field along them: they depend on the depth z alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cosh, log, sinh, sqrt, tanh

import numpy as np
from mpi4py import MPI

from fem.constants import MU0
from meshes.grading import graded_nodes
from solvers.case.settings import MeshSettings
from solvers.field.problem import Drive, FieldProblem, FieldSolution, Imposed, TransportCurrent
from solvers.simulation.geometry import LARGEST_FRACTION
from solvers.verification.field.meshes import brick_mesh
from solvers.verification.report import Row

NM = 1e-9
H0 = 6.6e4  # A/m, 83 mT
WIDTH = 20 * NM  # of the one cell across
DEFAULT = 0  # number of cells that stands for the mesh a case would get
INTEGRAL_TOLERANCE = 5e-3


@dataclass(frozen=True)
class Layer:
    """A layer of a pile; depth: penetration depth in metres, None in vacuum."""

    name: str
    thickness: float
    depth: float | None


def pile(
    comm: MPI.Intracomm,
    layers: Sequence[Layer],
    drive: Drive,
    cells: int,
    degree: int = 1,
    extra_walls: Sequence[str] = (),
    tetrahedra: bool = False,
) -> FieldSolution:
    """Solve for layers on top of each other, from z = 0, the field along y (collective).

    Args:
        comm: ranks.
        layers: bottom to top.
        drive: what makes the field.
        cells: equal cells through each superconducting layer; DEFAULT: those of the default mesh settings.
        degree: of the elements.
        extra_walls: walls besides the two across x.
        tetrahedra: instead of hexahedra.
    """
    z, intervals = np.zeros(1), {}
    for layer in layers:
        if layer.depth is None:
            nodes = np.linspace(0, layer.thickness, 3)
        elif cells == DEFAULT:
            settings = MeshSettings()
            cell = min(layer.thickness / 4, settings.surface_cell * layer.depth)
            nodes = graded_nodes(layer.thickness, cell, cell, settings.growth, layer.thickness * LARGEST_FRACTION)
        else:
            nodes = np.linspace(0, layer.thickness, cells + 1)
        intervals[layer.name] = (None, None, (z[-1], z[-1] + layer.thickness))
        z = np.concatenate([z, z[-1] + nodes[1:]])
    # Tetrahedra must not become flatter as they become more.
    width = WIDTH if not tetrahedra else layers[0].thickness / cells
    tagged = brick_mesh(comm, [[0, width], [0, width], z], intervals, NM, tetrahedra)
    depths = {layer.name: layer.depth for layer in layers if layer.depth is not None}
    problem = FieldProblem(tagged, list(depths), drive, ["x-", "x+", *extra_walls], degree)
    return problem.solve(problem.screening_of(depths))


def order(errors: Sequence[float], ratio: float = 2.0) -> float:
    """Observed order from the last two of a sequence of errors on ever finer meshes."""
    return log(abs(errors[-2]) / abs(errors[-1])) / log(ratio)


def refined(
    case: str,
    quantity: str,
    exact: float,
    compute: Callable[[int], float],
    sizes: tuple[int, int],
    tolerance: float,
    expected: float,
) -> Row:
    """A row with the order observed between two meshes, the second with the value."""
    values = [compute(n) for n in sizes]
    observed = order([value - exact for value in values], sizes[1] / sizes[0])
    return Row(case, quantity, exact, values[1], tolerance, observed, expected)


def faces(bottom: float, top: float) -> Imposed:
    """H along y at the lower and upper face, A/m."""
    return Imposed(tangential_field={"z-": (0.0, bottom, 0.0), "z+": (0.0, top, 0.0)})


def field_ratio(solution: FieldSolution, z: float) -> float:
    """H / H0 at a height in the middle of a pile."""
    return float(solution.flux_density_at([[WIDTH / 2, WIDTH / 2, z]])[0, 1]) / (MU0 * H0)


def mean_ratio(solution: FieldSolution, group: str) -> float:
    """Mean of H / H0 over a layer."""
    return float(solution.mean_flux_density(group)[1]) / (MU0 * H0)


def london_slab(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Known answer 1: d = 200 nm, lambda = 50 nm, the same field on both faces."""
    case = "1 London slab, 200 nm, lambda 50 nm"
    layers = [Layer("slab", 200 * NM, 50 * NM)]
    middle, mean = 1 / cosh(2), tanh(2) / 2

    def solve(cells: int, degree: int = 1, tetrahedra: bool = False) -> FieldSolution:
        return pile(comm, layers, faces(H0, H0), cells, degree, tetrahedra=tetrahedra)

    rows = [
        Row(case, "mean H/H0, default mesh", mean, mean_ratio(solve(DEFAULT), "slab"), INTEGRAL_TOLERANCE),
        refined(case, "mean H/H0", mean, lambda n: mean_ratio(solve(n), "slab"), (32, 64), 1e-3, 2.0),
        # An odd number of cells: B of first order is best at midpoints of cells.
        refined(case, "H/H0 in the middle", middle, lambda n: field_ratio(solve(n), 100 * NM), (33, 65), 1e-3, 2.0),
        refined(case, "mean H/H0, degree 2", mean, lambda n: mean_ratio(solve(n, 2), "slab"), (8, 16), 1e-5, 4.0),
    ]
    if not quick:

        def tetrahedral(cells: int) -> float:
            return mean_ratio(solve(cells, 2, tetrahedra=True), "slab")

        rows.append(refined(case, "mean H/H0, tetrahedra of degree 2", mean, tetrahedral, (16, 32), 1e-5, 4.0))
    return rows


def thick_slabs(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Slabs up to the thickness of a device of centimetres on the default mesh: there its growth decides."""
    rows = []
    for ratio in (8, 20, 20_000):
        layers = [Layer("slab", ratio * 50 * NM, 50 * NM)]
        mean = 2 * tanh(ratio / 2) / ratio
        found = mean_ratio(pile(comm, layers, faces(H0, H0), DEFAULT), "slab")
        case = f"London slab, lambda 50 nm, d/lambda = {ratio}"
        rows.append(Row(case, "mean H/H0, default mesh", mean, found, INTEGRAL_TOLERANCE))
    return rows


def one_sided_film(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Known answer 2: the field on one face only."""
    return [row for ratio in (2, 4) for row in _one_sided_film(comm, ratio)]


def _one_sided_film(comm: MPI.Intracomm, ratio: int) -> list[Row]:
    d, depth = 100 * NM, 100 * NM / ratio
    case = f"2 one-sided film, 100 nm, lambda {depth / NM:g} nm"
    middle, mean = 1 / (2 * cosh(ratio / 2)), tanh(ratio / 2) / ratio

    def solve(cells: int) -> FieldSolution:
        return pile(comm, [Layer("film", d, depth)], faces(0.0, H0), cells)

    return [
        refined(case, "H/H0 in the middle", middle, lambda n: field_ratio(solve(n), d / 2), (33, 65), 1e-3, 2.0),
        Row(case, "mean H/H0, default mesh", mean, mean_ratio(solve(DEFAULT), "film"), INTEGRAL_TOLERANCE),
    ]


def bilayer(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Known answer 3: two superconductors of 100 nm, lambda = 50 and 100 nm, the same field on both faces."""
    case = "3 bilayer, 100 + 100 nm, lambda 50 and 100 nm"
    d, depths = 100 * NM, (50 * NM, 100 * NM)
    # H is a sum of two exponentials in each layer; H and lambda^2 dH/dz are continuous.
    stiff, turn = (sum(depth / law(d / depth) for depth in depths) for law in (sinh, tanh))
    between = stiff / turn
    means = {"lower": (1 + between) / 2 * tanh(1.0), "upper": (1 + between) * tanh(0.5)}

    def solve(cells: int) -> FieldSolution:
        return pile(comm, [Layer("lower", d, depths[0]), Layer("upper", d, depths[1])], faces(H0, H0), cells)

    def interface(cells: int) -> float:
        # B of first order is best at midpoints of cells: extrapolated from the last two below the interface.
        solution, h = solve(cells), d / cells
        return 1.5 * field_ratio(solution, d - h / 2) - 0.5 * field_ratio(solution, d - 1.5 * h)

    def read_there(cells: int) -> float:
        return field_ratio(solve(cells), d)

    default = solve(DEFAULT)
    rows = [
        refined(case, "H/H0 at the interface", between, interface, (32, 64), 1e-3, 2.0),
        refined(case, "H/H0 at the interface, read on it", between, read_there, (40, 80), 1e-3, 2.0),
    ]
    for name, mean in means.items():

        def computed(cells: int, name: str = name) -> float:
            return mean_ratio(solve(cells), name)

        quantity = f"mean H/H0 of the {name} layer"
        rows.append(Row(case, f"{quantity}, default mesh", mean, mean_ratio(default, name), INTEGRAL_TOLERANCE))
        rows.append(refined(case, quantity, mean, computed, (32, 64), 1e-3, 2.0))
    return rows


def transport_slab(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Known answer 4: a current along a slab in the middle between two walls that carry it back."""
    case = "4 slab with a current, 200 nm, lambda 50 nm"
    layers = [Layer("below", 200 * NM, None), Layer("slab", 200 * NM, 50 * NM), Layer("above", 200 * NM, None)]
    length = WIDTH
    sheet = 1e5  # A/m
    # Inductance per square: the two gaps in parallel with the field between walls and faces, and the slab itself.
    square = MU0 * (200 * NM / 2 + 50 * NM / (2 * tanh(2)))

    def solve(cells: int, degree: int = 1) -> FieldSolution:
        return pile(comm, layers, TransportCurrent(["slab"], length), cells, degree, ("z-", "z+"))

    def profile(cells: int) -> float:
        heights = (300 * NM, 400 * NM * (1 - 1e-9))
        middle, face = solve(cells).current_density_at([[WIDTH / 2, WIDTH / 2, z] for z in heights])[:, 0]
        return float(middle / face)

    def current(cells: int) -> float:
        return solve(cells).current()

    solution = solve(DEFAULT)
    drive = sheet * WIDTH * solution.per_drive()
    field = solution.flux_density_at([[WIDTH / 2, WIDTH / 2, z * NM] for z in (150, 450)])[:, 1] * drive / MU0
    through = float(solution.current_moment("slab")[0]) / length * drive
    return [
        Row(case, "current for 1 V s, default mesh (A)", 1 / square, solution.current(), INTEGRAL_TOLERANCE),
        refined(case, "current for 1 V s (A)", 1 / square, current, (32, 64), 1e-3, 2.0),
        Row(case, "current by volume integral over energy", 1.0, through / (sheet * WIDTH), 1e-3),
        refined(case, "J(0)/J(face)", 1 / cosh(2), profile, (32, 64), 1e-3, 2.0),
        Row(case, "H below the slab (A/m), K = 1e5", sheet / 2, abs(field[0]), 1e-3),
        Row(case, "H above over H below", -1.0, field[1] / field[0], 1e-6),
    ]


def transition_field(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Known answer 7: the field at which the magnetisation of a film has cost its condensation energy.

    mu0 Hp^2/2 (1 - mean H/H0) = mu0 Hc^2/2: the mean is that of the computed field.
    """
    rows = []
    depth = 60 * NM
    for ratio in (5 / 3, 10 / 3, 50 / 3):
        x = ratio / 2
        layers = [Layer("film", ratio * depth, depth)]
        exact = 1 / sqrt(1 - tanh(x) / x)
        case = f"7 transition field of a film, d/lambda = {ratio:.4g}"

        def computed(cells: int, layers: list[Layer] = layers) -> float:
            return 1 / sqrt(1 - mean_ratio(pile(comm, layers, faces(H0, H0), cells), "film"))

        rows.append(Row(case, "Hp/Hc, default mesh", exact, computed(DEFAULT), INTEGRAL_TOLERANCE))
        rows.append(refined(case, "Hp/Hc", exact, computed, (64, 128), 1e-3, 2.0))
    return rows
