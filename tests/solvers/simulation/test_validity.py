"""Warnings where a run leaves what its model holds for: each on both sides of its threshold, with numbers by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from fem.constants import MU0
from fem.materials.library import get_material
from solvers.case.model import load_case
from solvers.simulation.events import Stepped
from solvers.simulation.geometry import stack_geometry
from solvers.simulation.resolution import resolution
from solvers.simulation.simulation import Simulation
from solvers.simulation.validity import DriveLimits, resolution_warnings, run_warnings, type_two_warnings
from solvers.switching.columns import Film

DEFAULT = Path(__file__).parents[3] / "cases" / "refrigerator.toml"

STRIP = """
start = "100 mK"
[[layer]]
name = "strip"
material = "Nb"
thickness = "{thickness}"
size = ["{length}", "{width}"]
penetration_depth = "{depth}"
[drive]
current_through = "strip"
amplitude = "1 A"
{plane}
[cycle]
phases = [
  {{ name = "up", ramp = [0, 1], duration = "1 ms" }},
  {{ name = "down", ramp = [1, 0], duration = "1 ms" }},
]
[mesh]
padding = "{length}"
lateral_growth = 2
growth = 2
[solver]
ramp_step = 0.5
"""
# 20 nm thick and 2 um wide, lambda = 400 nm: lambda^2/d = 8 um, so the current is nearly even.
THIN = STRIP.format(thickness="20 nm", width="2 um", length="20 um", depth="400 nm", plane="")
# 20 um wide with a plane 20 nm above: the field between them is mu0 I/w, the current is on the upper face.
PLATE = STRIP.format(thickness="400 nm", width="20 um", length="40 um", depth="80 nm", plane='return_plane = "20 nm"')


# As thick as it is wide, on cells that are coarse beside the penetration depth: the sides carry current too.
THICK = STRIP.format(thickness="10 um", width="20 um", length="40 um", depth="80 nm", plane="")


def limits_of(folder, text, amplitude):
    """What a whole run of a strip, up and down again, sees of its conductor."""
    file = folder / "strip.toml"
    if MPI.COMM_WORLD.rank == 0:
        file.write_text(text, encoding="utf-8")
    MPI.COMM_WORLD.barrier()
    sim = Simulation(load_case(file, [f"drive.amplitude={amplitude} A"]), MPI.COMM_WORLD)
    limits = DriveLimits(sim)
    for event in sim.run():
        if isinstance(event, Stepped):
            limits.step()
    assert sim.drive_value() == 0.0  # the end of the run is not its fullest drive
    return limits


@pytest.mark.mpi
def test_depairing(shared_tmp_path):
    # mu0 Hc0 = 197.12 mT: (2/3)^1.5 Hc/lambda = 2.135e11 A/m^2, times 20 nm 4269 A/m, times 2 um 8.54 mA.
    limits = limits_of(shared_tmp_path, THIN, 8.0e-3)
    worst = limits.worst
    assert worst.drive == pytest.approx(8e-3)
    assert worst.largest_sheet_current == pytest.approx(4269, rel=1e-3)
    # Independent: the thin strip's integral equation, K in the middle and a quarter of the width from the edges.
    middle = sheet_current_of_a_thin_strip(2e-6, (400e-9) ** 2 / 20e-9)
    assert worst.sheet_current == pytest.approx(8e-3 * middle, rel=0.02)
    assert limits.warnings() == []
    (text,) = limits_of(shared_tmp_path, THIN, 9.3e-3).warnings()
    assert text.startswith("strip: 4.57e+03 A/m at 0.0093 A, away from its edges, is 1.07 times")
    assert "could carry 0.00854 A" in text


def sheet_current_of_a_thin_strip(width, pearl):
    """Largest K per ampere in the middle half of a thin strip far from its return: mu0 pearl K + A = constant.

    A(y) = -mu0/(2 pi) int K ln|y - y'| dy' in two dimensions; midpoint rule with the exact self-term.
    """
    n = 400
    h = width / n
    y = (np.arange(n) + 0.5) * h
    distance = np.abs(y[:, None] - y[None, :])
    kernel = np.log(np.where(distance > 0, distance, h / 2 / np.e))
    matrix = pearl * np.eye(n) - h / (2 * np.pi) * kernel
    # A row for the unknown constant: the currents add up to one ampere.
    system = np.block([[matrix, -np.ones((n, 1))], [np.full((1, n), h), np.zeros((1, 1))]])
    shape = np.linalg.solve(system, np.eye(n + 1)[-1])[:-1]
    return float(shape[n // 4 : -n // 4].max())


@pytest.mark.mpi
def test_surface_field(shared_tmp_path):
    limits = limits_of(shared_tmp_path, PLATE, 2.0)
    assert limits.worst.drive == pytest.approx(2.0)
    # Between plates mu0 I/w, less some per cent (gap plus depth over width) that passes around the strip.
    assert limits.worst.inner_field == pytest.approx(MU0 * 2.0 / 20e-6, rel=0.03)
    assert limits.worst.critical_field == pytest.approx(0.174, rel=1e-3)
    assert limits.warnings() == []
    again = DriveLimits(limits.sim)
    again.restore(limits.state())
    assert again.worst == limits.worst
    beyond = limits_of(shared_tmp_path, PLATE, 3.2)
    assert beyond.worst.inner_field == pytest.approx(1.6 * limits.worst.inner_field, rel=1e-6)
    (text,) = beyond.warnings()
    assert "mT at its surface at 3.2 A" in text
    assert "passes its lower critical field" in text
    assert "174 mT" in text
    assert beyond.to_json()["surface_field_away_from_edges_T"] == beyond.worst.inner_field


@pytest.mark.mpi
def test_current_in_the_sides_is_no_current_per_width(shared_tmp_path):
    worst = limits_of(shared_tmp_path, THICK, 1.0).worst
    # Each face of the bar carries half of it; a perfect conductor of 2 : 1 has less than half of the current in the
    # middle of its faces, and the field at its edges is higher.
    assert worst.sheet_current == pytest.approx(2 * worst.inner_field / MU0, rel=0.02)
    assert 0.4 / 20e-6 < worst.sheet_current < 0.8 / 20e-6
    assert worst.inner_field < 0.7 * worst.surface_field


def ta_film(**changes):
    material = get_material("Ta")
    return Film("working", material.with_overrides(**changes), "working", ["working"], 1e-6, True)


def test_type_two_by_the_mean_free_path():
    assert type_two_warnings(ta_film()) == []  # RRR 40: kappa 0.601
    assert type_two_warnings(ta_film(resistivity=5.1e-9)) == []
    (text,) = type_two_warnings(ta_film(resistivity=5.3e-9))
    assert "kappa = 0.713 at 5.3e-09 ohm m (mean free path 87.1 nm)" in text  # 0.42 + 2.3717e6 sqrt(543.8) 5.3e-9
    assert "type I below 5.19e-09 ohm m (mean free path 89 nm), rrr above 25.2" in text
    (text,) = type_two_warnings(ta_film(rrr=10))  # 1.31e-8 ohm m: kappa 1.1445, sqrt(2) kappa 80.35 mT
    assert "kappa = 1.14" in text
    assert "up to about 130 mT" in text
    vanadium = replace(ta_film(), material=get_material("V"))
    assert "clean metal is type II already" in type_two_warnings(vanadium)[0]


def test_type_two_by_the_penetration_depth():
    # kappa = 0.812 (lambda / 60 nm)^2 with the dirty law: 0.707 at 56 nm.
    assert type_two_warnings(ta_film(penetration_depth=55e-9)) == []
    (text,) = type_two_warnings(ta_film(penetration_depth=57e-9))
    assert "kappa = 0.733 from 57 nm" in text
    assert text.endswith("type I below 56 nm")


def test_cells_against_the_penetration_depth(tmp_path):
    for cell, resolved in ((0.45, True), (0.7, False)):
        case = load_case(DEFAULT, [f"mesh.surface_cell={cell}", "mesh.edge_cell=1 um", "mesh.padding=30 um"])
        stack = stack_geometry(case)
        sink, working = resolution(case, stack)
        assert (sink.layer, working.layer) == ("sink", "working")
        assert working.penetration_depth == pytest.approx(60e-9, rel=1e-4)
        assert [part.through_thickness for part in (sink, working)] == [resolved, resolved]
        assert len(resolution_warnings(sink)) == len(resolution_warnings(working)) == (0 if resolved else 1)
        # The mesh itself: the cells at the faces and edges of the film.
        tagged = Simulation(case, MPI.COMM_SELF).tagged
        corners = tagged.mesh.geometry.x[tagged.mesh.geometry.dofmap[tagged.cells("working")]] * 1e-6
        low, high = corners.min(axis=1), corners.max(axis=1)
        at_face = np.isclose(low[:, 2], low[:, 2].min()) | np.isclose(high[:, 2], high[:, 2].max())
        assert working.surface_cell == pytest.approx(np.ptp(corners[at_face, :, 2], axis=1).max(), rel=1e-6)
        for axis in (0, 1):
            at_edge = np.isclose(high[:, axis], 7e-6)
            assert working.edge_cell == pytest.approx(np.ptp(corners[at_edge, :, axis], axis=1).max(), rel=1e-6)
        assert "fields within a cell of the edges are not resolved" in working.text
    assert "27 nm" not in resolution_warnings(working)[0]
    assert "half the penetration depth, 60 nm" in resolution_warnings(working)[0]


def test_all_warnings_of_a_run():
    coarse = ["mesh.surface_cell=1", "mesh.growth=3", "mesh.edge_cell=4 um", "mesh.interior_cell=7 um"]
    changes = [*coarse, "mesh.padding=30 um", "layer.working.resistivity=1e-8"]
    sim = Simulation(load_case(DEFAULT, changes), MPI.COMM_SELF)
    found = run_warnings(sim, DriveLimits(sim))
    assert [text.split(":")[0] for text in found] == ["sink", "working", "working"]
    assert [("thicker than half" in text, "type II" in text) for text in found] == [
        (True, False),
        (True, False),
        (False, True),
    ]
