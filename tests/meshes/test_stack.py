from dataclasses import replace

import numpy as np
import pytest

from meshes.plan import plan_stack

UM, NM = 1e-6, 1e-9
NB = ("Nb", 0.4, (60, 20))
TA = ("Ta", 1.0, (14, 14))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: s.layer("vacuum", 1, (1, 1)), "'vacuum' is not allowed"),
        (lambda s: s.layer("a|b", 1, (1, 1)), "not allowed"),
        (lambda s: s.layer("Ta.1", 1, (1, 1)), "not allowed"),
        (lambda s: s.layer("", 1, (1, 1)), "not allowed"),
        (lambda s: s.layer("Ta", -1, (1, 1)), "layer Ta: thickness must be positive, not -1e-06 m"),
        (lambda s: s.layer("Ta", 1, (1, float("nan"))), r"size\[1\] must be positive"),
        (lambda s: s.layer("Ta", 1e-7, (1, 1)), "below an atom"),
        (lambda s: s.layer("Ta", 1, (1, 1), growth=1.0), "growth must be above 1"),
        (lambda s: s.layer("Ta", 1, (1, 1), edge_cell=0.0), "edge_cell must be positive"),
        (lambda s: s.layer("Ta", 1, (1, 1), center=(0, float("inf"))), "center must be finite"),
        (lambda s: s.refrigerator(layers=()), "at least one layer"),
        (lambda s: s.refrigerator(layers=(s.layer(*NB), s.layer(*NB))), "two layers are called Nb"),
        (lambda s: s.refrigerator(layers=(s.layer(*NB), s.layer(*TA))), "barrier 1: there is no pair"),
        (lambda s: s.refrigerator(barriers={0: -2 * NM}), "barrier between Nb and Ta must be at least"),
        (lambda s: s.refrigerator(padding=0.0), "padding must be"),
        (lambda s: s.refrigerator(return_plane=float("nan")), "return_plane must be"),
        (lambda s: s.refrigerator(lateral_growth=1.0), "lateral_growth"),
        (lambda s: s.refrigerator(conductor="Al"), "conductor Al is not among"),
        (lambda s: s.refrigerator(conductor="Ta"), "layer Nb reaches beyond the ends of the conductor Ta"),
        (lambda s: s.offset(quarter=True), "Ta is at"),
        (
            lambda s: s.offset(layers=(s.layer(*NB), s.layer("Ta", 1, (4, 4), center=(0, 12))), barriers={}),
            "layers Nb and Ta do not touch: footprints apart along y",
        ),
        (
            lambda s: s.offset(layers=(s.layer(*NB), s.layer("Ta", 1, (4, 4), center=(32, 0))), barriers={}),
            "do not touch: footprints apart along x",
        ),
        (
            lambda s: s.offset(layers=(s.layer(*NB), s.layer("Ta", 1, (60.00001, 4))), barriers={}),
            "5e-12 m apart along x",
        ),
    ],
)
def test_wrong_geometry_is_refused(make, message, stacks):
    with pytest.raises(ValueError, match=message):
        make(stacks)


def heights(stack):
    return {slab.group: np.diff(slab.nodes) for slab in plan_stack(stack).slabs if slab.footprint is not None}


def test_cells_through_the_thickness(stacks):
    s = stacks
    fine = {"bottom_cell": 12 * NM, "top_cell": 20 * NM, "growth": 1.5, "largest_cell": 0.1 * UM}
    stack = s.refrigerator(layers=(s.layer(*NB), s.layer("Ta", 1.0, (14, 14), **fine)), barriers={0: 2 * NM})
    cells = heights(stack)
    assert cells["Ta.barrier"] == pytest.approx([0.002], rel=1e-12)
    assert 0.009 < cells["Ta"][0] <= 0.012
    assert 0.015 < cells["Ta"][-1] <= 0.020
    assert cells["Ta"].max() <= 0.1
    assert np.exp(np.abs(np.diff(np.log(cells["Ta"])))).max() <= 1.5 + 1e-9
    assert cells["Ta"].sum() == pytest.approx(1.0, rel=1e-14)


def test_vacuum_is_coarse_and_the_gap_has_few_cells(stacks):
    s = stacks
    plan = plan_stack(s.refrigerator())
    below, gap = (np.diff(plan.slabs[i].nodes) for i in (0, -1))
    assert below.sum() == pytest.approx(100)
    assert below[-1] <= 0.4  # beside 0.1 um
    assert len(below) < 12
    assert gap.sum() == pytest.approx(0.6)
    assert 2 <= len(gap) <= 4


def test_lateral_cells(stacks):
    s = stacks
    plan = plan_stack(s.refrigerator(lateral_growth=1.6))
    film, bare, vacuum = (np.diff(nodes) for nodes in plan.y)
    assert film.sum() == pytest.approx(7)
    assert film[-1] <= 2.5
    assert film.max() <= 4
    assert bare.sum() == pytest.approx(3)
    assert vacuum.sum() == pytest.approx(100)
    for cells in (film, vacuum):
        assert np.exp(np.abs(np.diff(np.log(cells)))).max() <= 1.6 + 1e-6
    assert vacuum.max() > 20


def test_default_like_stack_stays_small(stacks):
    s = stacks
    lateral = {"edge_cell": 0.5 * UM, "interior_cell": 2 * UM, "growth": 1.5}
    fine = lateral | {"bottom_cell": 12 * NM, "top_cell": 12 * NM}
    coarse = lateral | {"bottom_cell": 0.2 * UM, "top_cell": 0.2 * UM, "largest_cell": 1 * UM}
    layers = (
        s.layer("Nb", 0.4, (60, 20), **fine),
        s.layer("Ta", 1.0, (14, 14), **fine),
        s.layer("Cu", 3.0, (14, 14), **coarse),
    )
    plan = plan_stack(s.refrigerator(layers=layers, padding=40 * UM, lateral_growth=1.6))
    assert plan.columns * sum(len(slab.nodes) - 1 for slab in plan.slabs) < 11_000


def test_quarter_has_the_lines_of_the_full_stack(stacks):
    s = stacks
    quarter, full = (plan_stack(s.refrigerator(quarter=q)) for q in (True, False))
    for axis in ("x", "y"):
        edges = [s[-1] for s in getattr(quarter, axis)]
        assert edges == [s[-1] for s in getattr(full, axis) if s[-1] > 0]
        half = len(getattr(full, axis)) // 2
        for a, b in zip(getattr(quarter, axis), getattr(full, axis)[half:], strict=True):
            assert np.array_equal(a, b)
    for a, b in zip(quarter.slabs, full.slabs, strict=True):
        assert np.array_equal(a.nodes, b.nodes)


def test_equal_edges_from_different_arithmetic_are_one_line(stacks):
    s = stacks
    pad = replace(s.layer("Cu", 3.0, (14, 14)), size=(0.1e-6 + 13.9e-6, 2 * 7e-6))
    plan = plan_stack(s.refrigerator(layers=(s.layer(*NB), s.layer(*TA), pad)))
    assert [len(plan.x), len(plan.y)] == [2, 3]


def test_given_numbers_of_cells_stay_while_lengths_change(stacks):
    s = stacks
    for make in (s.refrigerator, s.offset):
        stack = make()
        plan = plan_stack(stack)
        same = plan_stack(replace(stack, cells=plan.cells))
        for axis in ("x", "y"):
            for a, b in zip(getattr(plan, axis), getattr(same, axis), strict=True):
                np.testing.assert_array_equal(a, b)
        for below, above in zip(plan.slabs, same.slabs, strict=True):
            np.testing.assert_array_equal(below.nodes, above.nodes)
        film = stack.layers[1]
        other = replace(film, thickness=2.3 * film.thickness, size=(1.3 * film.size[0], 0.8 * film.size[1]))
        changed = replace(stack, layers=(stack.layers[0], other, *stack.layers[2:]))
        assert plan_stack(changed).cells != plan.cells
        if make == s.offset:  # the order of the edges is the same: the same segments
            moved = plan_stack(replace(changed, cells=plan.cells))
            assert moved.cells == plan.cells
            assert moved.slabs[-1].nodes[0] == pytest.approx(plan.slabs[-1].nodes[0] + 1.3 * film.thickness / UM)


def test_numbers_of_cells_for_another_stack_are_refused(stacks):
    stack = stacks.refrigerator()
    cells = plan_stack(stack).cells
    with pytest.raises(ValueError, match="1 numbers of cells along x for 2 segments between edges"):
        plan_stack(replace(stack, cells=replace(cells, x=(3,))))
    with pytest.raises(ValueError, match="6 numbers of cells along z for 7 levels"):
        plan_stack(replace(stack, cells=replace(cells, z=cells.z[:-1])))
