"""Meshes from Gmsh files and models: groups by name, heat across a contact on any number of ranks, errors."""

import re
from contextlib import contextmanager

import gmsh
import pytest

import coldstack as cs
from meshes.gmsh_model import gmsh_session

pytestmark = pytest.mark.mpi

WARM, COLD, CONTACT = 0.3, 0.1, 800.0  # K, K, W/m^2/K
EXACT = 1e-6 * (WARM - COLD) / (1e-3 / 2.0 + 1 / CONTACT + 1e-3 / 0.5)  # W, of the slabs below
GROUPS = {3: {"a": [1], "b": [2]}, 2: {"bottom": [5], "contact": [6], "top": [11]}}


def bilayer(hexahedra, groups):
    """Mesh two boxes of 1 x 1 x 1 above each other in the current model."""
    boxes = [gmsh.model.occ.addBox(0, 0, z, 1, 1, 1) for z in (0, 1)]
    gmsh.model.occ.fragment([(3, boxes[0])], [(3, boxes[1])])
    gmsh.model.occ.synchronize()
    for dimension, names in groups.items():
        for name, entities in names.items():
            gmsh.model.addPhysicalGroup(dimension, entities, name=name)
    if hexahedra:
        for _, curve in gmsh.model.getEntities(1):
            gmsh.model.mesh.setTransfiniteCurve(curve, 4)
        for _, surface in gmsh.model.getEntities(2):
            gmsh.model.mesh.setTransfiniteSurface(surface)
            gmsh.model.mesh.setRecombine(2, surface)
        for _, volume in gmsh.model.getEntities(3):
            gmsh.model.mesh.setTransfiniteVolume(volume)
    gmsh.option.setNumber("Mesh.MeshSizeMax", 0.35)
    gmsh.model.mesh.generate(3)


@contextmanager
def model_on_first_rank(comm, make):
    """`gmsh.model` with what `make` puts into it; None on other ranks."""
    if comm.rank > 0:
        yield None
        return
    with gmsh_session() as model:
        make()
        yield model


def heat_current(tagged):
    """Power through the contact in the steady state, W; conductivities 2 and 0.5 W/m/K."""
    below, above = (
        cs.Material(name, constant_conductivity=k, constant_heat_capacity=10.0) for name, k in (("A", 2.0), ("B", 0.5))
    )
    problem = cs.HeatProblem(
        tagged,
        layers={"a": cs.HeatLayer(below, ["a"]), "b": cs.HeatLayer(above, ["b"])},
        contacts=[cs.Contact("a|b", "a", "b", ["contact"], cs.Conductance(CONTACT))],
        baths=[cs.Bath("warm", "a", WARM, ["bottom"]), cs.Bath("cold", "b", COLD, ["top"])],
    )
    _, flow = cs.HeatStepper(problem.activate()).steady(*problem.state(COLD))
    return float(flow.contact["a|b"])


@pytest.mark.parametrize("hexahedra", [False, True], ids=["tetrahedra", "hexahedra"])
def test_heat_through_a_contact(comm, shared_tmp_path, hexahedra):
    path = shared_tmp_path / "bilayer.msh"

    with model_on_first_rank(comm, lambda: bilayer(hexahedra, GROUPS)) as model:
        if model:
            gmsh.write(str(path))
    comm.barrier()
    tagged = cs.read_gmsh(path, comm, length_unit=1e-3)
    assert tagged.mesh.topology.cell_name() == ("hexahedron" if hexahedra else "tetrahedron")
    assert set(tagged.cell_names) == {"a", "b"}
    assert set(tagged.facet_names) == {"bottom", "contact", "top"}
    middle = tagged.mesh.geometry.x[tagged.mesh.geometry.dofmap].mean(axis=1)
    assert (middle[tagged.cells("a"), 2] < 1).all()
    assert (middle[tagged.cells("b"), 2] > 1).all()
    assert heat_current(tagged) == pytest.approx(EXACT, rel=1e-8)


def test_model_on_first_rank(comm):
    with model_on_first_rank(comm, lambda: bilayer(True, GROUPS)) as model:
        tagged = cs.read_gmsh(model, comm, 1e-3)
    assert heat_current(tagged) == pytest.approx(EXACT, rel=1e-8)


def no_name():
    bilayer(True, GROUPS)
    gmsh.model.addPhysicalGroup(2, [1], 77)


def inside():
    bilayer(True, GROUPS)
    nodes = gmsh.model.mesh.getElements(3, 1)[2][0][[0, 1, 6, 7]]  # a diagonal plane through a cell
    cut = gmsh.model.addDiscreteEntity(2)
    gmsh.model.mesh.addElementsByType(cut, 3, [], nodes)
    gmsh.model.addPhysicalGroup(2, [cut], name="cut")


def prism():
    square = gmsh.model.occ.addRectangle(0, 0, 0, 1, 1)
    gmsh.model.occ.extrude([(2, square)], 0, 0, 1, [2], recombine=True)
    gmsh.model.occ.synchronize()
    gmsh.model.addPhysicalGroup(3, [1], name="prisms")
    gmsh.model.mesh.generate(3)


def unmeshed():
    gmsh.model.occ.addBox(0, 0, 0, 1, 1, 1)
    gmsh.model.occ.synchronize()
    gmsh.model.addPhysicalGroup(3, [1], name="box")


def with_gap():
    bilayer(False, GROUPS)
    gmsh.model.mesh.renumberNodes([1], [100000])


ERRORS = {
    "no group": (lambda: bilayer(True, {}), "there is no physical group of volumes"),
    "no name": (no_name, "the physical group 77 of surfaces has no name"),
    "twice": (
        lambda: bilayer(True, {3: {"a": [1], "both": [1, 2]}}),
        "volume 1 is in two physical groups, 'a' and 'both'",
    ),
    "other side": (
        lambda: bilayer(True, {3: {"a": [1]}, 2: {"top": [11]}}),
        "the surfaces of the group 'top' are not on the volumes",
    ),
    "inside": (inside, "no face of the mesh is in the groups cut"),
    "prisms": (prism, "must be all tetrahedra or all hexahedra.* Prism"),
    "not meshed": (unmeshed, "there are no elements in the group 'box'"),
    "gap": (with_gap, "numbers of nodes have gaps"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_on_all_ranks(comm, name):
    make, words = ERRORS[name]
    with (
        model_on_first_rank(comm, make) as model,
        pytest.raises(ValueError, match=f"^the Gmsh model: .*{words}"),
    ):
        cs.read_gmsh(model, comm)


def test_files_that_are_not_there_or_not_meshes(comm, shared_tmp_path):
    path = shared_tmp_path / "none.msh"
    with pytest.raises(FileNotFoundError, match=re.escape(f"{path}: there is no such file")):
        cs.read_gmsh(path, comm)
    if comm.rank == 0:
        path.write_text("$MeshFormat\nnothing of this kind\n")
    comm.barrier()
    with pytest.raises(ValueError, match=re.escape(str(path))):
        cs.read_gmsh(str(path), comm)


def test_gaps_in_a_file_do_no_harm(comm, shared_tmp_path):
    path = shared_tmp_path / "gap.msh"
    with model_on_first_rank(comm, with_gap) as model:
        if model:
            gmsh.write(str(path))
    comm.barrier()
    assert heat_current(cs.read_gmsh(path, comm, 1e-3)) == pytest.approx(EXACT, rel=1e-8)
