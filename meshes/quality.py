"""Shape of hexahedra."""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats

# Tensor-product numbering, as in DOLFINx: bit 0, 1, 2 of a corner's number is its side along the
# first, second, third direction. Neighbours along each direction, one row per corner:
CORNER_NEIGHBOURS = np.array([[c ^ 1, c ^ 2, c ^ 4] for c in range(8)])
# -1 where an odd number of the three edges points backwards
HANDEDNESS = np.array([(-1) ** bin(c).count("1") for c in range(8)])


def scaled_jacobians(corners: Floats) -> Floats:
    """Smallest scaled Jacobian of each hexahedron: 1 for a box, 0 or less for a folded cell.

    The determinant of the three unit vectors along the edges at a corner, the smallest of the
    eight corners; up to the handedness of the cell's numbering.

    Args:
        corners: Coordinates of the corners in DOLFINx's order, shape (cells, 8, 3).

    Returns:
        Shape (cells,).
    """
    edges = corners[:, CORNER_NEIGHBOURS] - corners[:, :, None]  # (cells, 8, 3, 3)
    units = edges / np.linalg.norm(edges, axis=3, keepdims=True)
    jacobians = np.linalg.det(units) * HANDEDNESS
    orientation = np.sign(jacobians.sum(axis=1, keepdims=True))
    return np.asarray((jacobians * orientation).min(axis=1))
