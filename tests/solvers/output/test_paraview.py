"""The files for ParaView, read back with ADIOS2, hold what the run has: at any number of ranks, in SI units."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import adios2
import dolfinx.mesh
import numpy as np
import pytest
from mpi4py import MPI

import coldstack as cs
from fem.constants import MU0
from solvers.case.model import load_case
from solvers.errors import ComputationError
from solvers.output.paraview import write_fields
from solvers.simulation.simulation import Simulation

pytestmark = pytest.mark.mpi
COMM = MPI.COMM_WORLD
REFRIGERATOR = Path(__file__).parents[3] / "cases" / "refrigerator.toml"
COARSE = [
    "mesh.surface_cell=1", "mesh.growth=3", "mesh.lateral_growth=3",
    "mesh.edge_cell=1.5um", "mesh.interior_cell=2.5um", "mesh.padding=60um",
]  # fmt: skip
LAYERS = {"sink": 1.0, "working": 2.0, "load": 3.0}
CURRENT = 2.0  # A: part of the tantalum is normal

IN_A_FIELD = """
start = "100 mK"
layer = [{ name = "film", material = "Ta", thickness = "0.2 um", size = ["10 um", "10 um"] }]
drive = { applied_field = "z", amplitude = "1 mT" }
cycle = { phases = [{ name = "on", ramp = [0, 1], duration = "1 ms" }] }
mesh = { surface_cell = 1.0, growth = 3.0, edge_cell = "3 um", interior_cell = "3 um", padding = "30 um" }
"""


def temperature(layer, x):
    """Temperature (K) of a layer (1, 2, 3) at points (n, 3) in metres: different along each direction."""
    slopes = np.array([1e3, 2e3, 3e4])
    return np.choose(np.asarray(layer, dtype=int) - 1, [0.1, 5e-4, 0.059]) * (1 + x @ slopes)


def make_simulation(comm):
    """A part of the tantalum normal, and a temperature field that says of every value where it belongs."""
    sim = Simulation(load_case(REFRIGERATOR, COARSE), comm)
    assert sim.switching is not None
    sim.switching.update(CURRENT, 1.0, sim.u, sim.f)
    sim.f = sim.switching.nodal_fraction(sim.u, sim.f)
    space = sim.heat.space
    sim.u = temperature(space.layer + 1, space.x) ** 2
    sim.clock.drive = CURRENT / sim.case.drive.amplitude
    sim.clock.time = 0.125
    return sim


@dataclass
class Vtx:
    """What is in a file.

    Attributes:
        x: corners of each cell in metres, (n_cells, corners, 3), in VTK's order.
        types: VTK cell types.
        time: s.
        names: what the numbers of an array mean.
        data: arrays by name, (n_cells, corners) or (n_cells, corners, 3).
    """

    x: Any
    types: set[int]
    time: float
    names: dict[str, dict[str, int]]
    data: dict[str, Any] = field(default_factory=dict)


def read(path, ranks, unit=1e-6):
    with adios2.FileReader(str(path), MPI.COMM_SELF) as file:
        variables = file.available_variables()
        blocks = range(ranks)
        assert int(np.sum(file.read("NumberOfEntities"))) == sum(len(_block(file, "connectivity", b)) for b in blocks)
        corners = [_block(file, "connectivity", b)[:, 1:] for b in blocks]
        assert all((_block(file, "connectivity", b)[:, 0] == corners[b].shape[1]).all() for b in blocks)
        out = Vtx(
            np.concatenate([_block(file, "geometry", b)[corners[b]] for b in blocks]) * unit,
            set(np.atleast_1d(file.read("types")).tolist()),
            float(file.read("step")),
            json.loads((path / "names.json").read_text(encoding="utf-8")),
        )
        known = ("NumberOf", "connectivity", "geometry", "step", "types", "vtk")
        for name in variables:
            if not name.startswith(known):
                values = np.concatenate([_block(file, name, b)[corners[b]] for b in blocks])
                out.data[name] = values[:, :, 0] if values.shape[2] == 1 else values
        return out


def _block(file, name, number):
    return np.asarray(file.read(name, block_id=number))


@dataclass
class Written:
    sim: Simulation
    temperature: Vtx  # on rank 0 only, as is `field`
    field: Vtx


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = COMM.bcast(tmp_path_factory.mktemp("output")) / "run" / "fields"
    sim = make_simulation(COMM)
    paths = write_fields(sim, folder, "cool")
    assert paths == [folder / "cool-temperature.bp", folder / "cool-field.bp"]
    COMM.barrier()
    files = [read(path, COMM.size) if COMM.rank == 0 else None for path in paths]
    return Written(sim, *files)  # type: ignore[arg-type]


def key(*columns):
    """Places (and layers) as exact keys: metres to the picometre."""
    stacked = np.column_stack([np.asarray(c).reshape(len(np.atleast_1d(columns[0])), -1) for c in columns])
    return [tuple(row) for row in np.rint(stacked * 1e12).astype(np.int64).tolist()]


def everywhere(*arrays):
    """Arrays of all ranks, one after the other."""
    return [np.concatenate(parts) for parts in zip(*COMM.allgather(arrays), strict=True)]


def owned(sim, *groups):
    cells = sim.tagged.cells(*groups)
    return cells[cells < sim.tagged.mesh.topology.index_map(3).size_local]


def midpoints(sim, cells):
    mesh = sim.tagged.mesh
    return mesh.geometry.x[mesh.geometry.dofmap[cells]].mean(axis=1) * sim.tagged.length_unit


# ---- temperature ---------------------------------------------------------------------------------
def test_temperatures_are_those_of_their_layers_and_places(written):
    if COMM.rank > 0:
        return
    file, counts = written.temperature, written.sim.tagged.info.group_cells
    assert file.types == {72}  # VTK_LAGRANGE_HEXAHEDRON
    assert file.time == 0.125
    assert file.names == {"material_number": {"sink": 1, "working": 2, "load": 3}}
    assert set(file.data) == {"temperature_K", "normal_fraction", "material_number"}
    number = file.data["material_number"]
    wanted = [counts["sink"], counts["working"] + counts["working.barrier"], counts["load"]]
    assert [int(np.count_nonzero((number == k).all(axis=1))) for k in LAYERS.values()] == wanted
    assert len(file.x) == sum(wanted)
    x = file.x.reshape(-1, 3)
    exact = temperature(number.reshape(-1), x)
    assert file.data["temperature_K"].reshape(-1) == pytest.approx(exact, rel=1e-12)
    # each cell is a box with its corners in VTK's order, the right way out
    edges = [file.x[:, corner] - file.x[:, 0] for corner in (1, 3, 4)]
    assert (np.linalg.det(np.stack(edges, axis=1)) > 0).all()
    assert file.x[:, 6] - file.x[:, 0] == pytest.approx(sum(edges), abs=1e-15)
    assert file.x[:, 2] - file.x[:, 0] == pytest.approx(edges[0] + edges[1], abs=1e-15)


def test_temperature_jumps_where_layers_meet(written):
    if COMM.rank > 0:
        return
    file = written.temperature
    number, value, x = (
        a.reshape(-1, *a.shape[2:]) for a in (file.data["material_number"], file.data["temperature_K"], file.x)
    )
    # lower face of the barrier between niobium and tantalum; junction between tantalum and copper
    for lower, height in ((1, 0.4e-6), (2, 1.402e-6)):
        sides = []
        for layer in (lower, lower + 1):
            there = (number == layer) & (np.abs(x[:, 2] - height) < 1e-13) & (x[:, :2] < 7.001e-6).all(axis=1)
            sides.append(dict(zip(key(x[there]), value[there], strict=True)))
        assert sides[0].keys() == sides[1].keys()
        assert len(sides[0]) > 4
        for place, below in sides[0].items():
            at = np.array([place]) * 1e-12
            jump = float(temperature(lower + 1, at)[0] - temperature(lower, at)[0])
            assert abs(jump) > 0.02
            assert sides[1][place] - below == pytest.approx(jump, rel=1e-7)  # keys are rounded


def test_normal_fraction_of_the_nodes(written):
    sim, space = written.sim, written.sim.heat.space
    n = space.n_owned
    layer, x, f = everywhere(space.layer[:n] + 1, space.x[:n], sim.f[:n])
    if COMM.rank > 0:
        return
    exact = dict(zip(key(layer, x), f, strict=True))
    file = written.temperature
    number, value = file.data["material_number"].reshape(-1), file.data["normal_fraction"].reshape(-1)
    assert value == pytest.approx([exact[k] for k in key(number, file.x.reshape(-1, 3))], abs=1e-14)
    in_tantalum = value[number == 2]
    assert in_tantalum.min() < 0.2
    assert in_tantalum.max() > 0.8
    assert set(value[number == 1]) == {0.0}
    assert set(value[number == 3]) == {1.0}


# ---- field ---------------------------------------------------------------------------------------
def test_field_is_that_of_the_solution_at_the_present_current(written):
    sim = written.sim
    pattern = sim.switching.pattern
    unit = pattern.solution
    cells = np.arange(sim.tagged.mesh.topology.index_map(3).size_local, dtype=np.int32)
    # the solution of 1 V s carries its current on this quarter of the device, half of the current
    factor = 0.5 * CURRENT / unit.current()
    x, b, j = everywhere(midpoints(sim, cells), factor * unit.flux_density(cells), factor * unit.current_density(cells))
    assert factor == pytest.approx(pattern.amplitude(sim.drive_value()), rel=1e-12)
    if COMM.rank > 0:
        return
    file = written.field
    assert file.types == {72}
    assert file.time == 0.125
    assert set(file.data) == {"B_T", "H_A_per_m", "J_A_per_m2", "normal_fraction", "material_number"}
    assert len(file.x) == sim.tagged.info.cells == len(x)
    order = {place: k for k, place in enumerate(key(x))}
    rows = [order[place] for place in key(file.x.mean(axis=1))]
    assert sorted(rows) == list(range(len(x)))
    assert file.data["B_T"].mean(axis=1) == pytest.approx(b[rows], rel=1e-9, abs=1e-9 * np.abs(b).max())
    assert file.data["J_A_per_m2"].mean(axis=1) == pytest.approx(j[rows], rel=1e-9, abs=1e-9 * np.abs(j).max())
    assert file.data["H_A_per_m"] * MU0 == pytest.approx(file.data["B_T"], rel=1e-12)
    # tens of millitesla between strip and return plane; the bare number of a 20 um strip is mu0 I / (2 w) = 47 mT
    above = (file.x.mean(axis=1)[:, 2] > 0.41e-6) & (file.x.mean(axis=1)[:, :2] < 7e-6).all(axis=1)
    strength = np.linalg.norm(file.data["B_T"].mean(axis=1), axis=1)[above]
    assert 0.03 < np.median(strength) < 0.1


def test_corners_have_their_own_values(written):
    """B through a face is the same in both its cells; so is J along an edge in all its cells within the niobium."""
    if COMM.rank > 0:
        return
    file = written.field
    low = file.x < file.x.mean(axis=1)[:, None]
    niobium = file.data["material_number"][:, 0] == 1
    for d in range(3):
        e1, e2 = (low[:, :, k] for k in range(3) if k != d)
        faces = [low[:, :, d], ~low[:, :, d]]
        edges = [a & b for a in (e1, ~e1) for b in (e2, ~e2)]
        for name, parts, where in (("B_T", faces, slice(None)), ("J_A_per_m2", edges, niobium)):
            seen = {}
            for part in parts:
                mean = [
                    (a[where] * part[where][:, :, None]).sum(axis=1) / part.sum(axis=1)[0]
                    for a in (file.x, file.data[name])
                ]
                for place, value in zip(key(mean[0]), mean[1][:, d], strict=True):
                    seen.setdefault(place, []).append(value)
            spread = [max(values) - min(values) for values in seen.values() if len(values) > 1]
            assert len(spread) > 0.3 * len(seen)
            largest = np.abs(file.data[name]).max()
            assert max(spread) < 1e-9 * largest, (name, d)
            assert np.ptp([v[0] for v in seen.values()]) > 1e-3 * largest, (name, d)


def test_current_through_every_cross_section(written):
    if COMM.rank > 0:
        return
    file = written.field
    size = file.x.max(axis=1) - file.x.min(axis=1)
    centre, j = file.x.mean(axis=1), file.data["J_A_per_m2"].mean(axis=1)
    number = file.data["material_number"][:, 0]
    through = {}
    for layer in (1, 2):
        inside = number == layer
        stations = np.unique(np.rint(centre[inside, 0] * 1e12)) * 1e-12
        slices = [inside & (np.abs(centre[:, 0] - x) < 1e-11) for x in stations]
        through[layer] = np.array([(j[s, 0] * size[s, 1] * size[s, 2]).sum() for s in slices])
        assert len(stations) > 2
    assert through[1] == pytest.approx(0.5 * CURRENT, rel=1e-3)  # along +x; half of the strip's width
    assert np.abs(through[2]).max() < 1e-3 * CURRENT  # the barrier lets nothing through
    # nothing in copper, vacuum and the barrier
    barrier = (number == 2) & (size[:, 2] < 3e-9)
    assert np.count_nonzero(barrier) == written.sim.tagged.info.group_cells["working.barrier"]
    for nowhere in (number == 3, number == 0, barrier):
        assert not file.data["J_A_per_m2"][nowhere].any()


def test_energy_in_the_file_is_half_current_times_flux(written):
    """B^2 / 2 mu0 and the energy of the supercurrent, mu0 lambda^2 J^2 / 2, hold all of L I^2 / 2 between them."""
    sim = written.sim
    pattern = sim.switching.pattern
    if COMM.rank > 0:
        return
    file = written.field
    volume = np.prod(file.x.max(axis=1) - file.x.min(axis=1), axis=1)
    depth = np.zeros(len(volume))
    for k, film in enumerate(sim.switching.films):
        depth[file.data["material_number"][:, 0] == LAYERS[film.layer]] = pattern.depths[k]
    f = file.data["normal_fraction"][:, 0]
    magnetic = (volume * mean_square(file.data["B_T"])).sum() / (2 * MU0)
    superconducting = f < 1 - 1e-9
    kinetic = MU0 / 2 * (volume * depth**2 * mean_square(file.data["J_A_per_m2"]))[superconducting]
    flux = pattern.amplitude(CURRENT) * pattern.solution.phase  # V s along a quarter, whose current is I / 2
    total = magnetic + (kinetic / (1 - f[superconducting])).sum()
    assert kinetic.sum() > 0.01 * magnetic
    assert total == pytest.approx(0.5 * (CURRENT / 2) * flux, rel=1e-3)


def mean_square(corners):
    """Mean of |v|^2 over boxes of a field that is trilinear between corners in VTK's order, (n, 8, 3) -> (n,)."""
    ordered = corners[:, [0, 1, 3, 2, 4, 5, 7, 6]].reshape(-1, 2, 2, 2, 3)
    weight = np.array([[1 / 3, 1 / 6], [1 / 6, 1 / 3]])
    return np.einsum("nabci,ad,be,cf,ndefi->n", ordered, weight, weight, weight, ordered)


def test_same_files_on_any_number_of_ranks(written, tmp_path):
    if COMM.rank > 0:
        return
    alone = write_fields(make_simulation(MPI.COMM_SELF), tmp_path, "alone")
    for path, file in zip(alone, (written.temperature, written.field), strict=True):
        reference = read(path, 1)
        assert set(reference.data) == set(file.data)
        orders = [sorted(range(len(vtx.x)), key=key(vtx.x.mean(axis=1)).__getitem__) for vtx in (reference, file)]
        for name, values in reference.data.items():
            scale = np.abs(values).max()
            assert file.data[name][orders[1]] == pytest.approx(values[orders[0]], rel=1e-8, abs=1e-8 * scale), name


# ---- other drives --------------------------------------------------------------------------------
def test_applied_field(shared_tmp_path):
    case_file = shared_tmp_path / "case.toml"
    if COMM.rank == 0:
        case_file.write_text(IN_A_FIELD)
    COMM.barrier()
    sim = Simulation(load_case(case_file), COMM)
    path = write_fields(sim, shared_tmp_path, "zero")[1]
    sim.switching.update(sim.case.drive.amplitude, 1.0, sim.u, sim.f)
    sim.clock.drive = 1.0
    paths = [path, write_fields(sim, shared_tmp_path, "on")[1]]
    COMM.barrier()
    if COMM.rank > 0:
        return
    zero, file = (read(p, COMM.size) for p in paths)
    assert not zero.data["B_T"].any()
    assert not zero.data["J_A_per_m2"].any()
    b, x = file.data["B_T"], file.x
    top = x[:, :, 2] > x[:, :, 2].max() - 1e-13
    size = x.max(axis=1) - x.min(axis=1)
    at_top = top.any(axis=1)
    area = size[at_top, 0] * size[at_top, 1]
    through = (b[at_top][:, :, 2] * top[at_top]).sum(axis=1) / 4
    assert (area * through).sum() / area.sum() == pytest.approx(1e-3, rel=1e-10)
    # a film across the field is in the intermediate state: the flux passes it in domains, nothing is screened
    assert np.abs(b - [0.0, 0.0, 1e-3]).max() < 1e-3 * 1e-3
    assert not file.data["J_A_per_m2"].any()


def test_without_a_drive_there_is_no_field(shared_tmp_path):
    case = load_case(REFRIGERATOR, COARSE)
    sim = Simulation(case.model_copy(update={"drive": None}), COMM)
    assert write_fields(sim, shared_tmp_path, "end") == [shared_tmp_path / "end-temperature.bp"]
    COMM.barrier()
    if COMM.rank == 0:
        assert [p.name for p in shared_tmp_path.iterdir()] == ["end-temperature.bp"]
        file = read(shared_tmp_path / "end-temperature.bp", COMM.size)
        assert file.data["temperature_K"] == pytest.approx(np.full(file.x.shape[:2], 0.1))


def test_a_folder_that_cannot_be_made(written, shared_tmp_path):
    blocked = shared_tmp_path / "file"
    if COMM.rank == 0:
        blocked.write_text("not a folder")
    COMM.barrier()
    with pytest.raises(ComputationError, match="file"):
        write_fields(written.sim, blocked, "end")


# ---- problems built in Python --------------------------------------------------------------------
SHAPES = {"hexahedron": dolfinx.mesh.CellType.hexahedron, "tetrahedron": dolfinx.mesh.CellType.tetrahedron}


def two_slabs(shape):
    """Slabs "a" and "b" of 1 mm each on top of each other; the mesh is in millimetres."""
    mesh = dolfinx.mesh.create_box(
        COMM, [[0, 0, 0], [1, 1, 2]], [3, 2, 4], SHAPES[shape], ghost_mode=dolfinx.mesh.GhostMode.shared_facet
    )
    cells = {"a": lambda x: x[2] < 1, "b": lambda x: x[2] > 1}
    return cs.tag_mesh(mesh, cells, {"contact": lambda x: np.isclose(x[2], 1)}, 1e-3)


def two_bodies(tagged):
    block = cs.Material("block", constant_conductivity=1.0, constant_heat_capacity=1.0)
    layers = {name: cs.HeatLayer(block, [name]) for name in ("a", "b")}
    return cs.HeatProblem(tagged, layers, [cs.Contact("a|b", "a", "b", ["contact"], cs.Conductance(1.0))], [])


@pytest.mark.parametrize("shape", SHAPES)
def test_heat_state_of_a_problem_built_in_python(shared_tmp_path, shape):
    problem = two_bodies(two_slabs(shape))

    def lower(x):
        return 0.1 + 20.0 * x[0] + 30.0 * x[1] + 10.0 * x[2]

    u, f = problem.state({"a": lower, "b": lambda x: 3.0 * lower(x)}, 0.25)
    path = cs.to_paraview(shared_tmp_path / "new" / "state.bp", problem, u, f, time=2.5)
    COMM.barrier()
    if COMM.rank > 0:
        return
    file = read(path, COMM.size, unit=1e-3)
    assert file.types == {72 if shape == "hexahedron" else 71}
    assert file.time == 2.5
    assert file.names == {"material_number": {"a": 1, "b": 2}}
    assert set(file.data) == {"temperature_K", "normal_fraction", "material_number"}
    assert len(file.x) == 24 * (1 if shape == "hexahedron" else 6)
    number, x = file.data["material_number"], file.x
    assert (number == np.where(x.mean(axis=1)[:, 2] < 1e-3, 1.0, 2.0)[:, None]).all()
    exact = np.where(number == 1, 1.0, 3.0) * lower(np.moveaxis(x, 2, 0))
    assert file.data["temperature_K"] == pytest.approx(exact, rel=1e-12)
    assert (file.data["normal_fraction"] == 0.25).all()


def test_field_of_a_problem_built_in_python(shared_tmp_path):
    """A film in a parallel field: B along y and J along x depend on z as cosh and sinh of z / lambda."""
    thickness, depth, strength = 200e-9, 50e-9, 66e3
    mesh = dolfinx.mesh.create_box(COMM, [[0, 0, -0.5], [0.2, 0.2, 0.5]], [2, 2, 40], dolfinx.mesh.CellType.hexahedron)
    facets = {
        "faces": lambda x: np.isclose(np.abs(x[2]), 0.5),
        "ends": lambda x: np.isclose(x[0], 0) | np.isclose(x[0], 0.2),
    }
    tagged = cs.tag_mesh(mesh, {"film": lambda x: x[2] > -1}, facets, thickness)
    drive = cs.Imposed(tangential_field={"faces": (0.0, 1.0, 0.0)})
    problem = cs.FieldProblem(tagged, ["film"], drive, walls=["ends"])
    solution = problem.solve(problem.screening_of({"film": depth}))
    path = cs.to_paraview(shared_tmp_path / "film.bp", solution * strength)
    problem.solve(problem.screening_of({"film": 2 * depth}))  # what is written does not change with the next solution
    COMM.barrier()
    if COMM.rank > 0:
        return
    file = read(path, COMM.size, unit=thickness)
    assert file.names == {"group_number": {"film": 1}}
    assert len(file.x) == 160
    z = file.x[:, :, 2].mean(axis=1) / depth
    scale = MU0 * strength / np.cosh(thickness / (2 * depth))
    flux = file.data["B_T"].mean(axis=1)
    assert flux[:, 1] == pytest.approx(scale * np.cosh(z), rel=2e-3)
    assert np.abs(flux[:, [0, 2]]).max() < 1e-9 * scale
    assert file.data["H_A_per_m"] == pytest.approx(file.data["B_T"] / MU0, rel=1e-14)
    density = file.data["J_A_per_m2"].mean(axis=1)
    largest = scale / (MU0 * depth) * np.sinh(thickness / (2 * depth))
    assert density[:, 0] == pytest.approx(-scale / (MU0 * depth) * np.sinh(z), abs=3e-3 * largest)
    assert file.data["screening_per_m2"] == pytest.approx(np.full((160, 8), depth**-2), rel=1e-12)
    assert (file.data["group_number"] == 1).all()


def test_wrong_states_are_refused_on_all_ranks(shared_tmp_path):
    problem = two_bodies(two_slabs("hexahedron"))
    u, f = problem.state(0.1)
    with pytest.raises(ValueError, match=r"state\.vtu: a file for ParaView's ADIOS2VTXReader ends in \.bp"):
        cs.to_paraview(shared_tmp_path / "state.vtu", problem, u, f)
    short = u[:-1] if COMM.rank == COMM.size - 1 else u
    with pytest.raises(ValueError, match="u and f must have the shape"):
        cs.to_paraview(shared_tmp_path / "state.bp", problem, short, f)
