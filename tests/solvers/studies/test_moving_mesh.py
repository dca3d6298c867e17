"""Members of an optimisation have the same cells, whatever their lengths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

import coldstack as cs
from meshes.plan import plan_stack
from solvers.case.model import load_case
from solvers.errors import InputError
from solvers.simulation.geometry import stack_geometry
from solvers.studies.run import checked_plan
from solvers.studies.search_file import read_search

ROOT = Path(__file__).parents[3]
Write = Callable[[str], Path]
SEARCH = """evaluations = 4
minimise = ["T_cold"]
[vary]
"layer.load.thickness" = { linear = ["1 um", "3 um"] }
"layer.load.size" = [["8 um", "8 um"], ["12 um", "8 um"]]
"""


def builder_of(path):
    return read_search(path)[1]


def test_members_of_an_optimisation_have_the_same_cells_for_the_same_order_of_edges(write):
    path = write(f"{SEARCH}[set]\n'mesh.edge_cell' = '1 um'\n'mesh.largest_cell' = '0.2 um'")
    builder = builder_of(path)
    small, wide = (8e-6, 8e-6), (12e-6, 8e-6)  # beside the 10 um of the sink: within, and beyond it
    values = [(1e-6, small), (1.5e-6, wide), (2.2e-6, small), (2.9e-6, wide)]
    members = [builder.member((0,), [thickness, list(size)]) for thickness, size in values]
    cells = [member.case.mesh.cells for member in members]
    assert cells[0] == cells[2]
    assert cells[1] == cells[3] != cells[0]
    free = [plan_stack(stack_geometry(load(path, member.case.to_toml(), without=True))).cells for member in members]
    assert free[0] != free[2]
    for member, wanted in zip(members, free, strict=True):
        made = plan_stack(stack_geometry(member.case)).cells
        assert made.z == tuple(member.case.mesh.cells.z if member.case.mesh.cells else ())
        assert all(a >= b for a, b in zip(made.x + made.y + made.z, wanted.x + wanted.y + wanted.z, strict=True))
        # The file of a member is a plain case.
        assert load(path, member.case.to_toml()) == member.case


def load(path, text, without=False):
    base, file = path.with_name("base.toml"), path.with_name("member.toml")
    base.write_text(text)
    file.write_text('extends = "base.toml"\n' + ('remove = ["mesh.cells"]\n' if without else ""))
    return load_case(file)


def test_meshes_are_made_anew_where_asked_for_and_where_no_length_varies(write):
    builder = builder_of(write(f"moving_mesh = false\n{SEARCH}"))
    assert builder.member((0,), [2e-6, [8e-6, 8e-6]]).case.mesh.cells is None
    text = 'evaluations = 4\nminimise = ["T_cold"]\n[vary]\n"cycle.repeat" = { linear = [1, 3] }'
    assert builder_of(write(text)).member((0,), [2]).case.mesh.cells is None
    study = '[vary]\n"layer.load.thickness" = ["1 um", "2 um"]'
    assert [member.case.mesh.cells for member in checked_plan(write(study)).members] == [None, None]
    one, two = checked_plan(write(f"moving_mesh = true\n{study}")).members
    assert one.case.mesh.cells == two.case.mesh.cells is not None


def test_cells_that_do_not_fit_are_told(write):
    path = write(f"{SEARCH}[set]\n'mesh.cells' = {{ x = [2], y = [2], z = [2, 2, 2] }}")
    with pytest.raises(InputError, match=r"mesh.cells: 1 numbers of cells along x for"):
        builder_of(path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_results_are_smooth_on_a_mesh_that_moves_and_jump_on_new_ones(tmp_path):
    # A film that is partly switched, at a thickness where a new mesh gets one more plane of cells.
    study = ROOT / "cases" / "studies" / "moving-mesh.toml"
    text = study.read_text().replace('"../refrigerator.toml"', f'"{ROOT}/cases/refrigerator.toml"')
    text = text.replace(
        'linear = ["0.9331 um", "0.9339 um"], points = 9', "linear = [0.93335e-6, 0.93353e-6], points = 3"
    )
    jumps = {}
    for moving in ("true", "false"):
        path = tmp_path / f"{moving}.toml"
        path.write_text(text.replace("moving_mesh = true", f"moving_mesh = {moving}"))
        results = []
        for number, member in enumerate(checked_plan(path).members):
            folder = tmp_path / f"{moving}-{number}"
            cycle = cs.run(member.case, folder, MPI.COMM_SELF, quiet=True).cycles[-1]
            results.append([cycle["T_cold_K"], cycle["T_working_min_K"]])
        values = np.array(results)
        jumps[moving] = np.abs(np.diff(values, 2, axis=0)).max(axis=0) / values.mean(axis=0)
    assert jumps["true"].max() < 1e-6
    assert jumps["false"].min() > 1e-3
