"""The layer-wise space: volumes, areas, conduction weights and numbering, on any number of ranks."""

import dolfinx.mesh
import numpy as np
import pytest
from mpi4py import MPI

from fem.spaces.layerwise import LayerwiseSpace
from meshes.boxes import Slab, layered_box
from meshes.tagged import TaggedMesh

SLABS = [Slab("a", 1e-3, 2), Slab("b", 2e-3, 3), Slab("c", 5e-4, 1)]
SIZE = (1e-2, 2e-2)


def by_layer(x):
    """Rank 0 has the lowest layer, and so on, a fourth half of the highest: most own no cell of some layer."""
    return np.minimum((x[:, 2] > 1e-3) + 1 * (x[:, 2] > 3e-3) * (1 + (x[:, 0] > 5e-3)), MPI.COMM_WORLD.size - 1)


def apart(x):
    """The last rank has one corner only; it touches no interface."""
    last = MPI.COMM_WORLD.size - 1
    corner = (x[:, 0] > 0.75e-2) & (x[:, 1] > 1.5e-2) & (x[:, 2] < 5e-4)
    return np.where(corner, last, (x[:, 1] / 2e-2 * last).astype(int))


@pytest.fixture(params=[False, True], ids=["hexahedra", "tetrahedra"])
def tetrahedra(request):
    return request.param


@pytest.fixture(params=[None, by_layer, apart], ids=["slices", "by layer", "apart"])
def rank_of(request):
    return request.param


@pytest.fixture
def space(comm, tetrahedra, rank_of):
    tagged = layered_box(comm, SLABS, SIZE, (4, 4), tetrahedra, rank_of)
    return LayerwiseSpace(tagged, {"lower": ["a"], "upper": ["b", "c"]})


@pytest.mark.mpi
def test_numbers_and_volumes(space, comm):
    assert space.n_global == 25 * 3 + 25 * 5
    np.testing.assert_allclose(space.layer_sums(space.volume), [2e-7, 5e-7], rtol=1e-13)
    assert (space.volume > 0).all()
    # Ghosts are copies: every node has one key, and keys are those of one rank.
    keys = np.concatenate(comm.allgather(space.key[: space.n_owned]))
    assert len(np.unique(keys, axis=0)) == space.n_global
    key = space.update_ghosts(space.key[:, 1].astype(float))
    np.testing.assert_array_equal(key, space.key[:, 1])
    x = space.x[:, 2].copy()
    np.testing.assert_allclose(space.update_ghosts(x), space.x[:, 2], rtol=1e-13)


@pytest.mark.mpi
def test_interface(space, comm):
    tagged = space.tagged
    i, j, area = space.pairs("lower", "upper", tagged.facets("a|b"))
    assert comm.allreduce(float(area.sum())) == pytest.approx(2e-4, rel=1e-13)
    np.testing.assert_array_equal(space.layer[i], 0)
    np.testing.assert_array_equal(space.layer[j], 1)
    np.testing.assert_array_equal(space.x[i], space.x[j])
    assert np.allclose(space.x[i, 2], 1e-3, rtol=1e-12)
    # First moment of the area: the vertex quadrature is exact for linear functions.
    moment = comm.allreduce(float(area @ space.x[i, 0]))
    assert moment == pytest.approx(2e-4 * 0.5e-2, rel=1e-12)
    # An interface inside a layer has no pairs; a face has nodes of its own layer only.
    assert comm.allreduce(len(space.pairs("lower", "upper", tagged.facets("b|c"))[0])) == 0
    assert comm.allreduce(len(space.face("lower", tagged.facets("top"))[0])) == 0
    nodes, area = space.face("upper", tagged.facets("top"))
    assert comm.allreduce(float(area.sum())) == pytest.approx(2e-4, rel=1e-13)
    np.testing.assert_array_equal(space.layer[nodes], 1)


@pytest.mark.mpi
def test_patch(space, comm):
    """The part of a face that a patch covers; its edges need not be those of cells (hexahedra: exact)."""
    facets = space.tagged.facets("top")
    nodes, area = space.face("upper", facets, (0.1e-2, 0.64e-2, -1.0, 0.9e-2))
    exact = comm.allreduce(float(area.sum())) / (0.54e-2 * 0.9e-2)
    assert exact == pytest.approx(1.0, rel=1e-12 if space.cell_nodes.shape[1] == 8 else 0.1)
    assert (space.x[nodes[area > 0], 1] < 1.01e-2).all()


@pytest.mark.mpi
def test_conduction_weights(space, comm):
    """Energy of u = a.x + b.x^2 z: exact for linear functions, second order for others; none between layers."""
    edges = space.edges
    np.testing.assert_array_equal(space.layer[edges.i], space.layer[edges.j])
    gradient = np.array([3.0, -2.0, 5.0])
    u = space.x @ gradient
    power = edges.weight * (u[edges.i] - u[edges.j]) ** 2
    energy = [comm.allreduce(float(power[space.layer[edges.i] == k].sum())) for k in (0, 1)]
    np.testing.assert_allclose(energy, np.array([2e-7, 5e-7]) * (gradient @ gradient), rtol=1e-12)
    # Divergence of a linear function's gradient: nothing at inner nodes.
    flow = np.zeros(space.n_local)
    np.add.at(flow, edges.i, edges.weight * (u[edges.j] - u[edges.i]))
    np.add.at(flow, edges.j, edges.weight * (u[edges.i] - u[edges.j]))
    flow = space.accumulate(flow)
    x, y, z = space.x.T
    inner = (x > 0) & (x < 0.999e-2) & (y > 0) & (y < 1.999e-2) & (z > 0) & (z < 3.49e-3) & (abs(z - 1e-3) > 1e-9)
    assert np.abs(flow[inner]).max(initial=0) < 1e-12 * np.abs(power).max() ** 0.5


@pytest.mark.mpi
def test_from_cells(space, comm):
    mesh = space.tagged.mesh
    cells = mesh.topology.index_map(3).size_local + mesh.topology.index_map(3).num_ghosts
    values = np.zeros(cells)
    values[space.tagged.cells("b")] = 1.0
    values[space.tagged.cells("c")] = 3.0
    nodal = space.from_cells(values)
    z = space.x[:, 2]
    np.testing.assert_allclose(nodal[space.nodes("lower")], 0.0, atol=1e-15)
    upper = space.layer == 1
    np.testing.assert_allclose(nodal[upper & (z < 2.9e-3)], 1.0, rtol=1e-12)
    np.testing.assert_allclose(nodal[upper & (z > 3.4e-3)], 3.0, rtol=1e-12)
    total = float(space.layer_sums(nodal * space.volume)[1])
    assert total == pytest.approx(4e-7 * 1.0 + 1e-7 * 3.0, rel=1e-12)


@pytest.mark.mpi
def test_maximum_and_accumulate(space, comm):
    """Reductions see every rank's copy of a node."""
    rank = np.full(space.n_local, float(comm.rank + 1))
    seen = space.accumulate(np.ones(space.n_local))
    highest = space.maximum(rank)
    assert (highest >= comm.rank + 1).all()
    assert (seen >= 1).all()
    # As many copies in all as there are owned nodes and ghosts.
    assert space.layer_sums(seen).sum() == comm.allreduce(space.n_local)


@pytest.mark.mpi
def test_meshes_that_do_not_fit(comm):
    if comm.size == 1:
        pytest.skip("needs ranks")
    tagged = layered_box(comm, SLABS, SIZE, (4, 4), rank_of=lambda x: np.zeros(len(x)))
    with pytest.raises(ValueError, match="no cell"):
        LayerwiseSpace(tagged, {"lower": ["a"]})
    corners = [np.zeros(3), np.ones(3)]
    mesh = dolfinx.mesh.create_box(comm, corners, [8, 4, 4], ghost_mode=dolfinx.mesh.GhostMode.none)
    cells = np.arange(mesh.topology.index_map(3).size_local, dtype=np.int32)
    tags = dolfinx.mesh.meshtags(mesh, 3, cells, np.ones(len(cells), dtype=np.int32))
    none = dolfinx.mesh.meshtags(mesh, 2, cells[:0], cells[:0])
    with pytest.raises(ValueError, match="ghost"):
        LayerwiseSpace(TaggedMesh(mesh, tags, none, {"all": 1}, {}), {"all": ["all"]})
