"""Which cells of a distributed mesh hold given points, and values there that are the same on all ranks."""

from __future__ import annotations

import dolfinx.geometry
import dolfinx.mesh
import numpy as np
from mpi4py import MPI

from meshes.arrays import Floats, Ints

SLACK = 1e-6  # of a cell's size: points that far outside still count as on its surface


def owned_cells_at(mesh: dolfinx.mesh.Mesh, points: Floats) -> tuple[Ints, Ints]:
    """Every pair of a point and a cell owned by this rank that holds it, inside or on its surface.

    DOLFINx's own search takes any cell closer than 1e-6 units of length, whatever the size of the cells: on a mesh in
    metres that is all of a film. Here a point is inside where its reference coordinates are.

    Args:
        mesh: hexahedra or tetrahedra.
        points: (n, 3) in the mesh's coordinates.

    Returns:
        Numbers of the points and of the cells, (n_pairs,) each, ordered by point.
    """
    # Round-off of the coordinates must not lose a cell whose surface the point is on.
    round_off = 1e-12 * float(np.abs(mesh.geometry.x).max(initial=0.0))
    tree = dolfinx.geometry.bb_tree(mesh, 3, padding=round_off)
    near = dolfinx.geometry.compute_collisions_points(tree, points)
    owned = mesh.topology.index_map(3).size_local
    boxes = mesh.topology.cell_name() == "hexahedron"
    index, cells = [], []
    for number in range(len(points)):
        point = points[number : number + 1]
        for cell in near.links(number):
            if cell >= owned:
                continue
            try:
                place = mesh.geometry.cmap.pull_back(point, mesh.geometry.x[mesh.geometry.dofmap[cell]])[0]
            except RuntimeError:  # Newton's method on a curved cell: the point is far from it
                continue
            highest = place.max() if boxes else place.sum()
            if place.min() > -SLACK and highest < 1.0 + SLACK:
                index.append(number)
                cells.append(cell)
    return np.array(index, dtype=np.int32), np.array(cells, dtype=np.int32)


def mean_at(comm: MPI.Intracomm, n: int, index: Ints, values: Floats, weights: Floats) -> tuple[Floats, Ints]:
    """Weighted means of the values that all ranks found at each of n points (collective).

    Args:
        comm: the ranks.
        n: number of points.
        index: point of each value found here, (n_pairs,).
        values: (n_pairs, n_components).
        weights: (n_pairs,); where all of a point's are zero, so is its mean.

    Returns:
        The means, (n, n_components), and the numbers of points found nowhere.
    """
    total = np.zeros((n, values.shape[1] + 2))
    np.add.at(total, index, np.column_stack([values * weights[:, None], weights, np.ones(len(index))]))
    comm.Allreduce(MPI.IN_PLACE, total)
    sums, weight, hits = total[:, :-2], total[:, -2:-1], total[:, -1]
    means = np.divide(sums, weight, out=np.zeros_like(sums), where=weight > 0)
    return means, np.flatnonzero(hits == 0).astype(np.int32)
