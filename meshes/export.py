"""A mesh for other eyes: Gmsh file, ParaView file, picture."""

from __future__ import annotations

from pathlib import Path

import dolfinx.fem
import dolfinx.io
import numpy as np
from mpi4py import MPI

from meshes.plan import plan_stack
from meshes.ranks import raise_on_all_ranks
from meshes.stack import StackGeometry
from meshes.stack_mesh import StackMesh
from meshes.tagged import TaggedMesh


def export_mesh(tagged: StackMesh, folder: Path) -> list[Path]:
    """Write mesh.msh, mesh.pvd and mesh.png into a folder, which is made if need be (collective).

    Args:
        tagged: The mesh of a stack.
        folder: Where to write.

    Returns:
        The three files.

    Raises:
        RuntimeError: A file cannot be written; raised on all ranks.
    """
    comm = tagged.mesh.comm
    error: Exception | None = None
    if comm.rank == 0:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            error = failure
    raise_on_all_ranks(comm, error)
    msh, pvd, png = (folder / f"mesh.{ending}" for ending in ("msh", "pvd", "png"))
    write_msh(tagged.stack, msh, comm)
    write_paraview(tagged, pvd)
    draw_mesh(tagged, png)
    return [msh, pvd, png]


def write_msh(stack: StackGeometry, path: Path, comm: MPI.Intracomm) -> None:
    """Write the mesh of a stack, in micrometres, with all its named physical groups (collective).

    Args:
        stack: Layers and box.
        path: File to write, ending in .msh.
        comm: Ranks; rank 0 writes.

    Raises:
        RuntimeError: Gmsh failed or the file cannot be written; raised on all ranks.
    """
    error: Exception | None = None
    if comm.rank == 0:
        try:
            import gmsh

            from meshes.gmsh_model import build_model, gmsh_session

            with gmsh_session():
                build_model(plan_stack(stack))
                gmsh.write(str(path))
        except Exception as failure:  # any failure must reach the waiting ranks
            error = failure
    raise_on_all_ranks(comm, error)


def write_paraview(tagged: TaggedMesh, path: Path) -> None:
    """Write the cells for ParaView, in mesh units, with their group and rank (collective).

    Args:
        tagged: The mesh.
        path: File to open in ParaView, ending in .pvd; its pieces (.vtu) are written beside it.
    """
    mesh = tagged.mesh
    space = dolfinx.fem.functionspace(mesh, ("DG", 0))
    group, rank = (dolfinx.fem.Function(space, name=name) for name in ("group", "rank"))
    group.x.array[tagged.cell_tags.indices] = tagged.cell_tags.values
    rank.x.array[:] = mesh.comm.rank
    rank.x.scatter_forward()
    with dolfinx.io.VTKFile(mesh.comm, str(path), "w") as file:
        file.write_function([group, rank])


def draw_mesh(tagged: TaggedMesh, path: Path, dpi: int = 150) -> None:
    """Draw a plan view and two cross-sections of the mesh of a stack (collective).

    The cross-section through the middle of the layers is drawn once to scale and once with every cell equally high,
    which shows a 2 nm barrier beside micrometres.

    Args:
        tagged: The mesh.
        path: Picture to write (.png, .pdf, .svg).
        dpi: Resolution of a .png.

    Raises:
        RuntimeError: The picture cannot be written; raised on all ranks.
    """
    mesh = tagged.mesh
    index_map = mesh.topology.index_map(3)
    owned = index_map.size_local
    coordinates = np.asarray(mesh.geometry.x, dtype=np.float64) * (tagged.length_unit / 1e-6)
    corners = coordinates[mesh.geometry.dofmap[:owned]]
    boxes = np.stack([corners.min(axis=1), corners.max(axis=1)], axis=2)
    tags = np.zeros(owned + index_map.num_ghosts, dtype=np.int32)
    tags[tagged.cell_tags.indices] = tagged.cell_tags.values
    parts = mesh.comm.gather((boxes, tags[:owned]), root=0)
    error: Exception | None = None
    if parts is not None:
        try:
            from meshes.picture import StackPicture

            all_boxes, all_tags = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
            quarter = "symmetry.x" in tagged.facet_names
            StackPicture(all_boxes, all_tags, tagged.cell_names, quarter).save(path, dpi)
        except Exception as failure:  # such as a folder that cannot be written
            error = failure
    raise_on_all_ranks(mesh.comm, error)
