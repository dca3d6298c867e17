"""Footprints of the layers of a case: what overlaps, what lies inside, what is symmetric."""

from __future__ import annotations

from collections.abc import Iterable

from solvers.case.blocks import DriveBlock, LayerBlock, LoadBlock

Rectangle = tuple[float, float, float, float]  # x0, x1, y0, y1 in m


def footprint(layer: LayerBlock) -> Rectangle:
    """The rectangle x0, x1, y0, y1 (m) a layer covers."""
    (x, y), (length, width) = layer.center, layer.size
    return x - length / 2, x + length / 2, y - width / 2, y + width / 2


def overlap(a: Rectangle, b: Rectangle) -> bool:
    """Whether two rectangles share an area (more than rounding: 1e-6 of the smaller side)."""
    shared_x = min(a[1], b[1]) - max(a[0], b[0])
    shared_y = min(a[3], b[3]) - max(a[2], b[2])
    return shared_x > 1e-6 * min(a[1] - a[0], b[1] - b[0]) and shared_y > 1e-6 * min(a[3] - a[2], b[3] - b[2])


def symmetry_obstacles(
    layers: Iterable[LayerBlock | None], loads: Iterable[LoadBlock | None], drive: DriveBlock | None
) -> list[str]:
    """Why the case cannot be computed on a quarter of the stack; empty if it can."""
    reasons = [
        f'the centre of layer "{layer.name}" is not [0, 0]'
        for layer in layers
        if layer is not None and layer.center != (0.0, 0.0)
    ]
    # A quarter has the walls of a current along x: they fit a field along y and no other.
    if drive is not None and drive.applied_field in ("x", "z"):
        reasons.append(f"the applied field is along {drive.applied_field}")
    for load in loads:
        if load is None or load.patch is None:
            continue
        x0, x1, y0, y1 = load.patch
        size = max(x1 - x0, y1 - y0)
        if abs(x0 + x1) > 1e-9 * size or abs(y0 + y1) > 1e-9 * size:
            reasons.append(f'the patch of the load on "{load.layer}" is not centred on [0, 0]')
    return reasons


def contains(outer: Rectangle, inner: Rectangle) -> bool:
    """Whether a rectangle holds another, up to rounding."""
    slack = 1e-9 * max(outer[1] - outer[0], outer[3] - outer[2])
    return (
        outer[0] <= inner[0] + slack
        and outer[1] >= inner[1] - slack
        and outer[2] <= inner[2] + slack
        and outer[3] >= inner[3] - slack
    )
