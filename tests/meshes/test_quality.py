import numpy as np
import pytest

from meshes.quality import scaled_jacobians

CUBE = np.array([[c & 1, c >> 1 & 1, c >> 2] for c in range(8)], dtype=float)


def test_boxes_are_perfect_however_flat():
    flat = CUBE * [1e2, 3.0, 2e-3]
    assert scaled_jacobians(np.stack([CUBE, flat, flat * [-1, 1, 1]])) == pytest.approx([1, 1, 1], rel=1e-14)


def test_sheared_box():
    angle = 0.3
    sheared = CUBE.copy()
    sheared[:, 0] += np.tan(angle) * CUBE[:, 2]
    assert scaled_jacobians(sheared[None]) == pytest.approx([np.cos(angle)], rel=1e-14)


def test_folded_cell():
    folded = CUBE.copy()
    folded[0] = [0.9, 0.9, 0.9]
    assert scaled_jacobians(folded[None])[0] < 0
