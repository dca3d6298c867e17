"""The distributed mesh: groups, columns, errors; the same on any number of ranks."""

import math

import dolfinx.fem
import dolfinx.mesh
import gmsh
import numpy as np
import pytest
import ufl
from mpi4py import MPI

import meshes.gmsh_model
from meshes.plan import Plan
from meshes.stack_mesh import build_stack_mesh

pytestmark = pytest.mark.mpi
COMM = MPI.COMM_WORLD
TOP = 4.4 + 0.004  # um, of the refrigerator

# Volumes (um^3) and areas (um^2) of every group, by hand.
CASES = {
    "quarter": (
        lambda s: s.refrigerator(),
        {
            "Nb": 30 * 10 * 0.4,
            "Ta.barrier": 49 * 0.002,
            "Ta": 49.0,
            "Cu.barrier": 49 * 0.002,
            "Cu": 147.0,
            "vacuum": 30 * 110 * (100 + TOP + 0.6) - 300 * 0.4 - 49 * (TOP - 0.4),
        },
        {
            "Nb|Ta": 49,
            "Nb|Ta.barrier": 49,
            "Ta|Cu": 49,
            "Ta|Cu.barrier": 49,
            "Nb.bottom": 300,
            "Nb.top": 300 - 49,
            "Nb.side": 30 * 0.4,
            "Nb.end+": 10 * 0.4,
            "Ta.side": 2 * 7 * 1.002,
            "Cu.side": 2 * 7 * 3.002,
            "Cu.top": 49,
            "box.x+": 110 * (100 + TOP + 0.6) - 10 * 0.4,
            "box.y+": 30 * (100 + TOP + 0.6),
            "box.z-": 30 * 110,
            "box.z+": 30 * 110,
            "symmetry.x": 110 * (100 + TOP + 0.6),
            "symmetry.y": 30 * (100 + TOP + 0.6),
        },
    ),
    # Ta: x -4..6, y -5..3. Cu: x -1..11, y -1..5, over Ta on x -1..6, y -1..3.
    "offset": (
        lambda s: s.offset(),
        {
            "Nb": 240.0,
            "Ta": 80.0,
            "Cu.barrier": 28 * 0.002,
            "Cu": 144.0,
            "vacuum": 140 * 112 * (100 + 3.502) - 240 - 80 - 28 * 0.002 - 144,
        },
        {
            "Nb|Ta": 80,
            "Ta|Cu": 28,
            "Ta|Cu.barrier": 28,
            "Nb.bottom": 480,
            "Nb.top": 400,
            "Nb.side": 104 * 0.5,
            "Ta.top": 80 - 28,
            "Ta.side": 36.0,
            "Cu.bottom": 72 - 28,
            "Cu.side": 36 * 2 + 22 * 0.002,
            "Cu.top": 72,
            "box.x-": 112 * 103.502,
            "box.x+": 112 * 103.502,
            "box.y-": 140 * 103.502,
            "box.y+": 140 * 103.502,
            "box.z-": 140 * 112,
            "box.z+": 140 * 112,
        },
    ),
    # Two strips of one length, one on the other without a barrier, whole: both have ends at the walls.
    "strips": (
        lambda s: s.refrigerator(
            layers=(s.layer("Nb", 0.4, (60, 20)), s.layer("Ta", 1.0, (60, 14))),
            barriers={},
            quarter=False,
            padding=20e-6,
        ),
        {"Nb": 480.0, "Ta": 840.0, "vacuum": 60 * 60 * 22.0 - 1320},
        {
            "Nb|Ta": 840,
            "Nb.bottom": 1200,
            "Nb.top": 360,
            "Nb.side": 48,
            "Nb.end-": 8,
            "Nb.end+": 8,
            "Ta.side": 120,
            "Ta.top": 840,
            "Ta.end-": 14,
            "Ta.end+": 14,
            "box.x-": 60 * 22 - 22,
            "box.x+": 60 * 22 - 22,
            "box.y-": 60 * 22,
            "box.y+": 60 * 22,
            "box.z-": 3600,
            "box.z+": 3600,
        },
    ),
}


@pytest.fixture(scope="module", params=CASES)
def case(request, stacks):
    make, volumes, areas = CASES[request.param]
    return build_stack_mesh(make(stacks), COMM), volumes, areas


def measure(tagged, dim, entities):
    """Volume of cells or area of facets, each counted once however many ranks see it."""
    mesh = tagged.mesh
    tags = dolfinx.mesh.meshtags(mesh, dim, entities, np.ones(len(entities), dtype=np.int32))
    one = dolfinx.fem.Constant(mesh, 1.0)
    measures = [ufl.dx] if dim == 3 else [ufl.dS, ufl.ds]
    forms = [dolfinx.fem.form(one * m(domain=mesh, subdomain_data=tags, subdomain_id=1)) for m in measures]
    return float(COMM.allreduce(sum(dolfinx.fem.assemble_scalar(form) for form in forms)))


def test_volumes(case):
    tagged, volumes, _ = case
    assert set(tagged.cell_names) == set(volumes)
    for name, volume in volumes.items():
        assert measure(tagged, 3, tagged.cells(name)) == pytest.approx(volume, rel=1e-12), name


def test_areas(case):
    tagged, _, areas = case
    assert set(tagged.facet_names) == set(areas)
    for name, area in areas.items():
        assert measure(tagged, 2, tagged.facets(name)) == pytest.approx(area, rel=1e-12), name


def test_facets_between_groups_and_on_walls_and_no_others_are_named(case):
    tagged, _, _ = case
    mesh = tagged.mesh
    group = np.full(mesh.topology.index_map(3).size_local + mesh.topology.index_map(3).num_ghosts, -1)
    assert len(np.unique(tagged.cell_tags.indices)) == len(tagged.cell_tags.indices) == len(group)
    group[tagged.cell_tags.indices] = tagged.cell_tags.values
    assert group.min() >= 1
    mesh.topology.create_connectivity(2, 3)
    cells = mesh.topology.connectivity(2, 3)
    owned = mesh.topology.index_map(2).size_local
    wanted = [
        facet for facet in range(owned) if len(links := cells.links(facet)) == 1 or group[links[0]] != group[links[1]]
    ]
    named = tagged.facet_tags.indices
    assert len(np.unique(named)) == len(named)
    assert named[named < owned].tolist() == wanted
    assert set(tagged.facet_tags.values) <= set(tagged.facet_names.values())


def test_every_interface_facet_has_both_cells(case):
    tagged, _, _ = case
    mesh = tagged.mesh
    mesh.topology.create_connectivity(2, 3)
    cells = mesh.topology.connectivity(2, 3)
    owned = mesh.topology.index_map(2).size_local
    inner = [name for name in tagged.facet_names if "|" in name]
    for facet in tagged.facets(*inner):
        if facet < owned:
            assert len(cells.links(facet)) == 2


def test_columns(case):
    tagged, _, _ = case
    mesh, info = tagged.mesh, tagged.info
    owned = mesh.topology.index_map(3).size_local
    assert owned > 0
    middle = mesh.geometry.x[mesh.geometry.dofmap].mean(axis=1)
    height = info.cells // info.columns
    # Whole columns, of the ghosts too, each above one place
    assert np.all(np.bincount(tagged.columns) == height)
    for number in range(tagged.columns.max() + 1):
        members = np.flatnonzero(tagged.columns == number)
        assert np.ptp(middle[members, :2], axis=0).max() < 1e-9
        assert len(np.unique(middle[members, 2])) == height
        assert np.all(members < owned) or np.all(members >= owned)
    places = {tuple(np.round(p, 6)) for p in middle[:owned, :2]}
    everywhere = COMM.allgather(places)
    assert sum(len(p) for p in everywhere) == len(set().union(*everywhere)) == info.columns


def test_numbers(case):
    tagged, volumes, _ = case
    info = tagged.info
    assert sum(info.group_cells.values()) == info.cells
    assert list(info.group_cells) == list(volumes)
    thinnest = 2e-9 if any("barrier" in name for name in volumes) else 0.05e-6
    assert thinnest == pytest.approx(info.smallest_thickness, rel=1e-10 if thinnest < 1e-8 else 0.6)
    assert 0.5e-6 < info.smallest_lateral < info.largest_lateral < 60e-6
    assert info.largest_thickness < 60e-6
    assert info.quality_min == pytest.approx(1, abs=1e-9)
    assert info.quality_mean == pytest.approx(1, abs=1e-9)
    # Euler's formula for a box of cells: v - e + f - c = 1
    tagged.mesh.topology.create_entities(2)
    facets = tagged.mesh.topology.index_map(2).size_global
    assert info.vertices - info.edges + facets - info.cells == 1
    assert f"{info.cells} cells in {info.columns} columns" in info.report()


def test_quarter_is_a_quarter(stacks):
    quarter, full = (build_stack_mesh(stacks.refrigerator(quarter=q), COMM) for q in (True, False))
    assert full.info.cells == 4 * quarter.info.cells
    assert full.info.group_cells == {name: 4 * n for name, n in quarter.info.group_cells.items()}
    for name in quarter.cell_names:
        whole = measure(full, 3, full.cells(name))
        assert 4 * measure(quarter, 3, quarter.cells(name)) == pytest.approx(whole, rel=1e-12)
    for name in ("Nb|Ta", "Cu.side", "Nb.top"):
        assert 4 * measure(quarter, 2, quarter.facets(name)) == pytest.approx(measure(full, 2, full.facets(name)))


def test_centimetres_around_nanometres(stacks):
    size = {"edge_cell": 5e-4, "interior_cell": 2e-3, "largest_cell": 5e-5}
    stack = stacks.refrigerator(
        layers=(stacks.layer("Nb", 200, (5e4, 2e4), **size), stacks.layer("Ta", 100, (1e4, 1e4), **size)),
        barriers={0: 2e-9},
        padding=0.1,
        return_plane=None,
    )
    tagged = build_stack_mesh(stack, COMM)
    # z = 200 um is known to 3e-14 um: that limits the thickness of the barrier
    assert measure(tagged, 3, tagged.cells("Ta.barrier")) == pytest.approx(25e6 * 0.002, rel=1e-10)
    assert measure(tagged, 2, tagged.facets("Nb|Ta")) == pytest.approx(25e6, rel=1e-12)


def test_unknown_group(case):
    tagged, _, _ = case
    with pytest.raises(KeyError, match=r"no cell group 'copper'; there are: Nb, "):
        tagged.cells("copper")
    with pytest.raises(KeyError, match="no facet group 'Nb'; there are: "):
        tagged.facets("Nb|Ta", "Nb")
    both = np.sort(np.concatenate([tagged.facets("Nb|Ta"), tagged.facets("Nb.top")]))
    assert tagged.facets("Nb.top", "Nb|Ta").tolist() == both.tolist()


def test_more_ranks_than_columns(stacks, monkeypatch):
    monkeypatch.setattr(Plan, "columns", property(lambda plan: 0))
    with pytest.raises(ValueError, match="ranks for 0 columns"):
        build_stack_mesh(stacks.refrigerator(), COMM)


def test_a_failure_of_gmsh_reaches_all_ranks(stacks, monkeypatch):
    def fail(*arguments):
        raise OSError("no meshes today")

    with monkeypatch.context() as patch:
        patch.setattr(meshes.gmsh_model, "build_model", fail)
        with pytest.raises(RuntimeError, match="OSError: no meshes today"):
            build_stack_mesh(stacks.refrigerator(), COMM)
    assert not gmsh.isInitialized()
    assert build_stack_mesh(stacks.refrigerator(), COMM).info.cells > 0


def test_a_session_of_the_users_is_left_as_it_was(stacks, capfd):
    gmsh.initialize()
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("Mesh.ElementOrder", 2)
        gmsh.model.add("mine")
        point = gmsh.model.occ.addPoint(1, 2, 3)
        gmsh.model.occ.synchronize()
        tagged = build_stack_mesh(stacks.refrigerator(), COMM)
        assert math.isclose(tagged.info.quality_min, 1)
        assert gmsh.isInitialized()
        assert gmsh.model.getCurrent() == "mine"
        assert gmsh.model.getEntities() == [(0, point)]
        assert gmsh.option.getNumber("Mesh.ElementOrder") == 2
    finally:
        gmsh.finalize()
    assert capfd.readouterr() == ("", "")
