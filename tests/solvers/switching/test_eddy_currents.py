"""Eddy currents in a run: exact heat in blocks of metal, the driving current, balances, symmetry, ranks, resuming."""

from pathlib import Path

import dolfinx.mesh
import numpy as np
import pytest
from mpi4py import MPI

from fem.constants import MU0
from meshes.stack_mesh import build_stack_mesh
from solvers.case.model import load_case
from solvers.errors import InputError
from solvers.field.eddy import EddyProblem
from solvers.field.problem import FieldProblem, TransportCurrent
from solvers.output import checkpoint
from solvers.output.paraview import field_functions
from solvers.simulation.events import PhaseEnded, Stepped
from solvers.simulation.simulation import Simulation
from solvers.verification.field.stack import DEPTHS, coarse_stack
from tests.solvers.conftest import CHIP_CELLS

CASES = Path(__file__).parents[3] / "cases"
MM = 1e-3
COPPER, TANTALUM = 1.68e-10, 5e-9  # Ohm m
SIZE, THICK_CU, THICK_TA = 10 * MM, 3 * MM, 1 * MM

# Tantalum above its critical temperature under copper, a tunnel barrier between them.
BLOCKS = """
start = "5 K"
[[layer]]
name = "lower"
material = "Ta"
thickness = "1 mm"
size = ["10 mm", "10 mm"]
resistivity = "5e-9 ohm m"
[[layer]]
name = "upper"
material = "Cu"
thickness = "3 mm"
size = ["10 mm", "10 mm"]
resistivity = "1.68e-10 ohm m"
[[interface]]
between = ["lower", "upper"]
conductance = 0
[drive]
applied_field = "y"
amplitude = "1 mT"
[physics]
eddy = true
[cycle]
phases = [
  { name = "up", ramp = [0, 1], duration = "1 s" },
  { name = "stay", hold = 1, duration = "1 s" },
]
[mesh]
edge_cell = "0.5 mm"
interior_cell = "0.5 mm"
largest_cell = "0.25 mm"
padding = "10 mm"
lateral_growth = 3
[solver]
ramp_step = 0.1
"""
COARSE = ["mesh.edge_cell=2 mm", "mesh.interior_cell=2.5 mm", "mesh.largest_cell=1 mm"]
CHIP = [*CHIP_CELLS, "solver.ramp_step=0.25", "cycle.repeat=1", "physics.eddy=true"]


@pytest.fixture
def case_file(shared_tmp_path, comm):
    path = shared_tmp_path / "blocks.toml"
    if comm.rank == 0:
        path.write_text(BLOCKS, encoding="utf-8")
    comm.barrier()
    return path


def blocks(path, *more):
    return load_case(path, more)


def block_power(thickness, resistivity, rate):
    """Joule heat (W) of a block SIZE x SIZE whose field along y grows steadily: torsion of a rectangular bar."""
    odd = np.arange(1, 60, 2)
    series = float(np.sum(np.tanh(odd * np.pi * SIZE / (2 * thickness)) / odd**5))
    finite = 1 - 192 / np.pi**5 * thickness / SIZE * series
    return rate**2 * thickness**2 / (12 * resistivity) * finite * SIZE**2 * thickness


def run(sim, phases=1):
    for event in sim.run():
        if isinstance(event, PhaseEnded) and sim.clock.phase == phases:
            break
    return sim


def test_heat_of_two_blocks_ends_in_the_right_one(case_file):
    # Known answer 8 with the finite width; the currents do not pass the barrier, each block has its own loops.
    sim = Simulation(blocks(case_file), MPI.COMM_SELF)
    start = sim.totals()
    run(sim)
    rate = 1e-3
    exact = {"eddy lower": block_power(THICK_TA, TANTALUM, rate), "eddy upper": block_power(THICK_CU, COPPER, rate)}
    assert exact["eddy upper"] / (SIZE**2 * THICK_CU) == pytest.approx(4.46e-3 * 0.8115, rel=1e-2)
    for name, power in sim.network.heating_power.items():
        assert sim.scale * power == pytest.approx(exact[name], rel=3e-3), name
    gained = sim.totals().energy - start.energy
    lost = [sim.ledger.lost[f"eddy {name}"] for name in sim.heat.space.names]
    assert gained == pytest.approx(lost, rel=1e-4)  # conduction is insulated; 5 K hold 1e6 times what is added
    # All of the ramp but its first few milliseconds heats steadily: loss of the ramp from the rate at its end.
    settled = 1.0 - MU0 * THICK_CU**2 / COPPER / 10
    assert lost[1] == pytest.approx(exact["eddy upper"] * settled, rel=1e-2)


def test_first_law_and_entropy_close(case_file):
    more = ["start=2 mK", "interface.lower|upper.conductance=1e-3", "cycle.phases.stay.duration=5 ms"]
    sim = Simulation(blocks(case_file, *COARSE, *more), MPI.COMM_SELF)
    start = sim.totals()
    run(sim, 2)
    end, ledger = sim.totals(), sim.ledger
    assert end.temperature[1] > 4 * start.temperature[1]
    assert ledger.work == pytest.approx(sum(ledger.lost.values()), rel=1e-12)
    assert ledger.load == 0.0
    assert (end.energy - start.energy).sum() == pytest.approx(ledger.work, rel=1e-12)
    produced = (end.entropy - start.entropy).sum()
    assert sum(ledger.produced.values()) == pytest.approx(produced, rel=1e-9)
    assert ledger.produced["eddy upper"] > 0.5 * produced


@pytest.mark.parametrize("ramp", [1.0, 100.0])
def test_slow_ramps_lose_in_proportion_to_their_rate(case_file, ramp):
    more = [*COARSE, f"cycle.phases.up.duration={ramp} s"]
    sim = run(Simulation(blocks(case_file, *more, "mesh.symmetry=full"), MPI.COMM_SELF))
    twice = run(Simulation(blocks(case_file, *more, f"cycle.phases.up.duration={2 * ramp} s"), MPI.COMM_SELF))
    # The settling of the currents takes the same time from both, 7 ms; 1e-3 for what the gauge lets through.
    settling = 2 * MU0 * THICK_CU**2 / COPPER / np.pi**2 / ramp + 1e-3
    for name, heat in sim.ledger.lost.items():
        assert heat / twice.ledger.lost[name] == pytest.approx(2.0, rel=settling), name
        assert sim.network.heating_power[name] == pytest.approx(16 * twice.network.heating_power[name], rel=2e-3), (
            name
        )  # quarter: 4 x 4


def test_decay_in_a_hold_turns_its_energy_into_heat(case_file):
    more = [*COARSE, "solver.rtol=1e-6", "start=0.3 K", "cycle.phases.up.duration=10 ms"]
    sim = run(Simulation(blocks(case_file, *more), MPI.COMM_SELF))
    assert sim.eddy is not None
    left, lost = sim.eddy.energy_left(sim.drive_value()), sum(sim.ledger.lost.values())
    run(sim, 2)
    assert sim.eddy.stops == 1
    assert not sim.network.heating_power
    heat = (sum(sim.ledger.lost.values()) - lost) / sim.scale
    # Backward Euler loses part of the energy: half a step over the decay time.
    assert sim.eddy.left < 1e-3 * left
    assert 0.95 * left < heat < left
    # At the end of a ramp of 1.5 decay times much of what it puts in is still there.
    assert left > 0.2 * lost / sim.scale


def driven(comm):
    """Copper over a strip with current: a quarter of the chip; and half the length of the strip."""
    tagged = build_stack_mesh(coarse_stack(), comm)
    walls = [name for name in tagged.facet_names if name.startswith("box.") or name.endswith(".end+")]
    length = 30e-6
    fields = [
        FieldProblem(tagged, ["Nb", "Ta", *more], TransportCurrent(("Nb",), length), [*walls, "symmetry.x"])
        for more in ((), ("Cu",))
    ]
    screening = fields[0].screening_of(DEPTHS)
    still = fields[0].solve(screening)
    conductivity = np.zeros(len(screening))
    conductivity[tagged.cells("Cu")] = 1 / COPPER
    return EddyProblem(fields[1], conductivity, screening), still, length


@pytest.mark.mpi
def test_current_is_the_drive_and_the_work_is_where_it_went(comm):
    eddy, _, length = driven(comm)
    current, time = 1.2, MU0 * (3e-6) ** 2 / COPPER
    for dt in (0.02 * time, 0.02 * time, 0.1 * time, 0.1 * time):
        before = eddy.solution
        after = eddy.step(dt, current)
        assert after.current_moment("Nb")[0] / length == pytest.approx(current, rel=3e-5)
        # Work of the source = gain of the field + heat + what backward Euler loses: the energy of the change.
        heat, gain, change = eddy.power() * dt, after.energy() - before.energy(), after.minus(before).energy()
        assert current * (after.phase - before.phase) == pytest.approx(gain + heat + change, rel=1e-5)
    assert heat > 0.05 * gain


@pytest.mark.mpi
def test_without_metal_the_current_is_twice_the_energy_over_the_phase(comm):
    eddy, still, _ = driven(comm)
    cells = still.tagged.cells("Nb", "Ta", "Cu")
    unit = still.flux_density(cells)
    eddy.set_cells(np.zeros_like(eddy.screening))
    drive = 2.0 * still.current()
    found = eddy.step(1.0, drive)
    assert found.phase == pytest.approx(2.0, rel=1e-6)
    assert found.energy() == pytest.approx(4.0 * still.energy(), rel=1e-6)
    # The mass that fixes the gauge is 1e-4 there and less here: the field is linear in it, current and energy are not.
    off = np.abs(found.flux_density(cells) - 2.0 * unit).max(initial=0.0)
    assert off < 5e-4 * np.abs(unit).max(initial=1e-300)
    assert eddy.quasi_static(drive).phase == pytest.approx(found.phase, rel=1e-9)


@pytest.mark.mpi
def test_answer_of_the_field_to_the_screening_of_a_film(comm):
    # Against central differences, at a standing current: a tenth of the film's cells, and of its screening.
    eddy, still, _ = driven(comm)
    film = still.tagged.cells("Ta")
    x = dolfinx.mesh.compute_midpoints(still.tagged.mesh, 3, film)[:, 0]
    cells, screening = film[x < comm.allreduce(x.max(initial=0.0), op=MPI.MAX) / 3], eddy.screening.copy()
    dt, current, slope = 0.1 * MU0 * (3e-6) ** 2 / COPPER, 1.2, 0.1 / DEPTHS["Ta"] ** 2
    eddy.step(dt, current)
    sigma = np.zeros_like(screening)
    sigma[still.tagged.cells("Cu")] = 1 / COPPER

    def solved(part):
        changed = screening.copy()
        changed[cells] += part * slope
        eddy.set_cells(sigma, changed)
        return eddy.solve(dt, current)

    more, less = solved(0.05), solved(-0.05)
    solved(0.0)
    (answer,) = eddy.response([cells], np.array([slope]))
    assert answer.phase == pytest.approx((more.phase - less.phase) / 0.1, rel=2e-4)
    exact = (more.flux_density(film) - less.flux_density(film)) / 0.1
    largest = comm.allreduce(np.abs(exact).max(initial=0.0), op=MPI.MAX)
    assert np.abs(answer.flux_density(film) - exact).max(initial=0.0) < 1e-3 * largest


@pytest.fixture(scope="module")
def alone():
    return run(Simulation(load_case(CASES / "refrigerator.toml", CHIP), MPI.COMM_SELF))


@pytest.mark.mpi
def test_film_switches_alike_on_all_ranks(alone, comm):
    sim = run(Simulation(load_case(CASES / "refrigerator.toml", CHIP), comm))
    assert sim.switching is not None
    assert alone.switching is not None
    assert sim.switching.layer_fraction()["working"] > 0.99
    assert sim.ledger.lost["eddy load"] == pytest.approx(alone.ledger.lost["eddy load"], rel=1e-6)
    assert sim.ledger.lost["eddy working"] == pytest.approx(alone.ledger.lost["eddy working"], rel=1e-2)
    assert sim.totals().temperature[2] == pytest.approx(alone.totals().temperature[2], rel=1e-7)


def test_quarter_and_whole_agree(alone):
    sim = run(Simulation(load_case(CASES / "refrigerator.toml", [*CHIP, "mesh.symmetry=full"]), MPI.COMM_SELF))
    assert sim.ledger.lost["eddy load"] == pytest.approx(alone.ledger.lost["eddy load"], rel=2e-3)
    assert sim.totals().temperature[2] == pytest.approx(alone.totals().temperature[2], rel=1e-5)


def test_current_of_a_run_is_its_drive(alone):
    assert alone.switching is not None
    assert alone.switching.pattern is not None
    field = alone.switching.pattern.solution
    current = field.current_moment("sink")[0] / 30e-6
    assert current == pytest.approx(0.5 * 2.4, rel=1e-4)  # half of it in a quarter
    # What ParaView gets: the mean over the corners of a cell is the value in its middle.
    written = {f.name: f for f in field_functions(alone, alone.switching)}["J_A_per_m2"].x.array.reshape(-1, 8, 3)
    inside = field.current_density(alone.tagged.cells("sink"))
    assert np.abs(written.mean(axis=1)).max() == pytest.approx(np.abs(inside).max(), rel=1e-9)


def test_refused_step_changes_nothing():
    sim = Simulation(load_case(CASES / "refrigerator.toml", CHIP), MPI.COMM_SELF)
    events = sim.run()
    while not isinstance(next(events), Stepped):
        pass
    switching, eddy = sim.switching, sim.eddy
    assert switching is not None
    assert eddy is not None
    past, level, pattern = eddy.problem.accepted, switching.level.copy(), switching.pattern
    assert pattern is not None
    assert pattern.solution is past
    before = sim.state()
    assert switching.update(2.4, 1e-4, sim.u, sim.f, 1e-6, 1e-4) is None
    sim.restore(before)
    assert switching.pattern is pattern
    assert (switching.level == level).all()
    assert eddy.problem.accepted is past
    next(event for event in events if isinstance(event, Stepped))
    assert (eddy.problem.accepted.potential != past.potential).any()


@pytest.mark.mpi
def test_resume_in_a_ramp_on_another_number_of_ranks(case_file, shared_tmp_path, comm):
    sim = Simulation(blocks(case_file, *COARSE, "cycle.phases.up.duration=10 ms"), comm)
    events = sim.run()
    while sim.clock.drive < 0.5:
        next(events)
    checkpoint.save(sim, shared_tmp_path / "checkpoint", {"now": sim.state()}, {})
    comm.barrier()
    again = Simulation(sim.case, MPI.COMM_SELF)
    again.restore(checkpoint.load(again, shared_tmp_path / "checkpoint")[0]["now"])
    for event in events:
        if isinstance(event, PhaseEnded):
            break
    run(again)
    assert again.clock.time == sim.clock.time
    for name, heat in sim.ledger.lost.items():
        assert again.ledger.lost[name] == pytest.approx(heat, rel=1e-8), name


def test_what_does_not_go_together_is_refused(tmp_path):
    with pytest.raises(InputError, match="which eddy currents hold back"):
        load_case(CASES / "refrigerator.toml", ["physics.eddy=true", "physics.overshoot=ramp"])
    path = tmp_path / "case.toml"
    text = BLOCKS.replace('[drive]\napplied_field = "y"\namplitude = "1 mT"\n', "").replace("ramp = [0, 1]", "hold = 0")
    path.write_text(text.replace("hold = 1,", "hold = 0,"), encoding="utf-8")
    with pytest.raises(InputError, match=r"no \[drive\], so that no field changes"):
        load_case(path)
