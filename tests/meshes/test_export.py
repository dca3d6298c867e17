"""Files are written, read back, and hold what they should."""

import xml.etree.ElementTree as ET

import gmsh
import matplotlib.image
import numpy as np
import pytest
from mpi4py import MPI

from meshes.export import draw_mesh, export_mesh
from meshes.gmsh_model import gmsh_session
from meshes.stack_mesh import build_stack_mesh

pytestmark = pytest.mark.mpi
COMM = MPI.COMM_WORLD


@pytest.fixture(scope="module")
def tagged(stacks):
    return build_stack_mesh(stacks.refrigerator(), COMM)


@pytest.fixture(scope="module")
def files(tagged, tmp_path_factory):
    folder = COMM.bcast(tmp_path_factory.mktemp("mesh"))
    return export_mesh(tagged, folder / "new" / "files")


def test_gmsh_file(tagged, files, capfd):
    facets = {name: COMM.allreduce(len(_owned(tagged, tagged.facets(name)))) for name in tagged.facet_names}
    if COMM.rank > 0:
        return
    assert files[0].name == "mesh.msh"
    with gmsh_session("reader"):
        gmsh.open(str(files[0]))
        model = gmsh.model
        groups = {(dim, model.getPhysicalName(dim, tag)): tag for dim, tag in model.getPhysicalGroups()}
        wanted = {(3, name): tag for name, tag in tagged.cell_names.items()}
        wanted |= {(2, name): tag for name, tag in tagged.facet_names.items()}
        assert groups == wanted
        for dim, counts in ((3, tagged.info.group_cells), (2, facets)):
            in_groups = [list(model.getEntitiesForPhysicalGroup(dim, groups[dim, name])) for name in counts]
            everyone = sorted(tag for entities in in_groups for tag in entities)
            assert len(set(everyone)) == len(everyone)  # no entity in two groups
            if dim == 3:
                assert everyone == sorted(tag for _, tag in model.getEntities(3))
            made = [sum(len(model.mesh.getElements(dim, int(e))[1][0]) for e in entities) for entities in in_groups]
            assert dict(zip(counts, made, strict=True)) == counts
        assert [list(model.mesh.getElementTypes(dim)) for dim in (2, 3)] == [[3], [5]]
        x = model.mesh.getNodes()[1].reshape(-1, 3)
        # the coordinates survive, the barrier of 2 nm with them
        assert np.unique(x[:, 2]).size == tagged.info.cells // tagged.info.columns + 1
        assert np.diff(np.unique(x[:, 2])).min() == pytest.approx(0.002, rel=1e-10)


def _owned(tagged, facets):
    return facets[facets < tagged.mesh.topology.index_map(2).size_local]


def test_paraview_file(tagged, files):
    if COMM.rank > 0:
        return
    pvd = ET.parse(files[1]).getroot()
    collection = files[1].parent / pvd.find("Collection/DataSet").get("file")
    pieces = [piece.get("Source") for piece in ET.parse(collection).getroot().iter("Piece")]
    assert len(pieces) == COMM.size
    counts = dict.fromkeys(tagged.cell_names.values(), 0)
    ranks = set()
    for piece in pieces:
        content = ET.parse(files[1].parent / piece).getroot()
        types = next(a for a in content.iter("DataArray") if a.get("Name") == "types").text.split()
        assert set(types) <= {"12", "72"}  # hexahedra
        data = {a.get("Name"): np.array(a.text.split(), dtype=float) for a in content.find(".//CellData")}
        group, rank, ghost = data["group"], data["rank"], data["vtkGhostType"] > 0
        assert len(group) == len(types)
        for tag in counts:
            counts[tag] += int(np.count_nonzero(group[~ghost] == tag))
        ranks |= set(rank[~ghost])
    assert counts == {tag: tagged.info.group_cells[name] for name, tag in tagged.cell_names.items()}
    assert ranks == set(range(COMM.size))


def test_picture_shows_every_layer_and_the_barrier(files):
    if COMM.rank > 0:
        return
    picture = matplotlib.image.imread(files[2])[:, :, :3]
    assert picture.shape[0] > 800
    for colour in ("#4c78a8", "#e8a33d", "#c8553d", "#111111"):
        wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        assert np.count_nonzero(np.abs(picture - wanted).max(axis=2) < 0.01) > 2000, colour


def test_a_file_that_cannot_be_written(tagged, shared_tmp_path):
    with pytest.raises(RuntimeError, match="No such file"):
        draw_mesh(tagged, shared_tmp_path / "missing" / "mesh.png")
    blocked = shared_tmp_path / "file"
    if COMM.rank == 0:
        blocked.write_text("not a folder")
    COMM.barrier()
    with pytest.raises(RuntimeError, match="file"):
        export_mesh(tagged, blocked)
