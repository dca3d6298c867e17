"""Heat that the field leaves in a film that switches: loops, energy balances, floors of the temperature."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit

from fem.constants import LORENZ, MU0
from fem.materials.library import get_material
from solvers.case.model import Case, load_case
from solvers.cycles.run import run as run_case
from solvers.errors import InputError
from solvers.simulation.events import Stepped
from solvers.simulation.simulation import Simulation
from solvers.switching.equilibrium import LEVEL_LIMIT
from solvers.switching.hysteresis import fractions_between, lossy_branch
from solvers.switching.losses import mean_overshoot
from solvers.switching.transition import TransitionLaw
from tests.solvers.conftest import CHIP_CELLS, NO_PICTURES, SQUARE_CELLS

CASES = Path(__file__).parents[3] / "cases"
TA = get_material("Ta")
WIDTH = 1e-4
COARSE = [*CHIP_CELLS, *NO_PICTURES, "solver.ramp_step=0.25", "cycle.repeat=1"]


# Fewer columns, for a run on several ranks.
WIDE = ["mesh.edge_cell=4 um", "mesh.interior_cell=7 um"]
# The heat capacity of its lattice holds its temperature.
HEAVY = replace(TA, beta=1e7)


def level_at(law, field):
    """Level at which a law of one column has a squared field; beyond its range a limit."""

    def excess(y):
        return float(law.with_slope(np.array([y]))[0][0] - field)

    low, high = -LEVEL_LIMIT, LEVEL_LIMIT
    inside = excess(low) < 0.0 < excess(high)
    return brentq(excess, low, high, xtol=1e-12) if inside else low if excess(low) >= 0.0 else high


class Loop:
    """One insulated column that goes through a cycle of the field, by the column law alone."""

    def __init__(self, material, temperature, limits, thickness):
        self.material, self.limits, self.thickness = material, limits, thickness
        self.temperature, self.level = temperature, np.array([-LEVEL_LIMIT])
        self.heat = 0.0  # energy above that of switches at constant entropy
        self.path = []  # field, normal fraction
        self.reached, self.rose = np.array([np.nan]), True

    def go(self, fields):
        for H in fields:
            for _ in range(100):  # what has heated itself needs less field for the rest
                if not self.switch(H):
                    break
            self.path.append((H, float(expit(self.level)[0])))

    def switch(self, H):
        """Switch as far as a field has it at the entropy that the column has; whether it did."""
        material, f = self.material, expit(self.level)
        s = np.asarray(material.entropy(np.array([self.temperature]), f))
        law = TransitionLaw(material, s, WIDTH, self.thickness)
        up, down = (level_at(law, (H / law.scale / eta) ** 2) for eta in self.limits)
        level = np.clip(self.level, up, down)
        new = expit(level)
        self.level = level
        if new == f:
            return False
        rising = bool(new > f)
        if rising != self.rose:
            self.reached, self.rose = np.array([np.nan]), rising
        eta = self.limits[0 if rising else 1]
        branch = lossy_branch(material, s, fractions_between(f, new), eta, rising, self.thickness, self.reached)
        self.reached = branch.field[-1]
        self.temperature = float(branch.temperature[-1, 0])
        insulated = material.temperature_from_entropy(s, new)
        self.heat += float(material.energy(self.temperature, new)[0] - material.energy(insulated, new)[0])
        return bool(np.abs(new - f)[0] > 1e-3)

    def area(self):
        """mu0 times the area of the loop (J/m^3) of M = -(1 - f) H."""
        H, f = np.array(self.path).T
        magnetisation = -(1 - f) * H
        return -MU0 * float(np.sum(0.5 * (magnetisation[1:] + magnetisation[:-1]) * np.diff(H)))


@pytest.mark.parametrize("thickness", [None, 0.2e-6])
def test_loop_at_constant_temperature_dissipates_its_area(thickness):
    T = 2.0
    factor = 1.0 if thickness is None else float(TA.film_critical_field_factor(thickness, T))
    assert thickness is None or factor > 1.2
    bulk = float(TA.critical_field(T))
    loop = Loop(HEAVY, T, (1.2, 0.9), thickness)
    loop.go(factor * bulk * np.array([0.8, *np.linspace(1.195, 1.205, 30), 1.4]))
    loop.go(factor * bulk * np.array([*np.linspace(0.905, 0.895, 30), 0.8]))
    assert loop.temperature == pytest.approx(T, rel=1e-4)
    # A film expels less: its magnetisation is -(1 - f) H / factor^2.
    area = loop.area() / factor**2
    assert area == pytest.approx(0.5 * MU0 * (1.2**2 - 0.9**2) * bulk**2, rel=1e-3)
    assert loop.heat == pytest.approx(area, rel=1e-3)


@pytest.mark.parametrize("limits", [(1.1, 0.8), (1.3, 0.95)])
def test_work_of_an_insulated_loop_stays_in_the_film(limits):
    # It heats itself while it switches, so that its critical field falls and the rest follows at once.
    loop = Loop(TA, 1.0, limits, None)
    ground, first = float(TA.critical_field(0.0)), limits[0] * float(TA.critical_field(1.0))
    before = float(TA.energy(1.0, 0.0))
    loop.go(np.array([0.3 * ground, *first * np.linspace(0.998, 1.02, 40), 1.4 * ground]))
    warm = float(TA.energy(loop.temperature, 1.0)) - before
    if limits[0] == 1.3:
        # Up, the loss beats the cooling from the start: all switches at 1.3 Hc(1 K).
        assert warm == pytest.approx(0.5 * MU0 * (first**2 - ground**2), rel=2e-3)
    loop.go(ground * np.linspace(1.0, 0.3, 50))
    assert loop.path[-1][1] < 1e-12
    gained = float(TA.energy(loop.temperature, 0.0)) - before
    assert gained == pytest.approx(loop.area(), rel=5e-3)


def test_without_hysteresis_an_insulated_loop_is_reversible():
    loop = Loop(TA, 1.0, (1.0, 1.0), None)
    ground = float(TA.critical_field(0.0))
    loop.go(ground * np.linspace(0.9, 1.1, 20))
    loop.go(ground * np.linspace(1.1, 0.8, 20))
    assert loop.temperature == pytest.approx(1.0, rel=1e-10)


def test_a_field_that_reverses_inside_the_loop_changes_nothing():
    loop = Loop(HEAVY, 2.0, (1.2, 0.9), None)
    critical = float(TA.critical_field(2.0))
    loop.go(critical * np.linspace(1.18, 1.2001, 10))
    part = float(expit(loop.level)[0])
    assert 0.1 < part < 0.99
    loop.go(critical * np.linspace(1.1999, 0.91, 10))
    assert float(expit(loop.level)[0]) == part
    loop.go(critical * np.linspace(0.91, 0.89, 10))
    assert float(expit(loop.level)[0]) < 1e-3


# ---- whole runs ----------------------------------------------------------------------------------


def coarse(*more):
    return load_case(CASES / "refrigerator.toml", [*COARSE, *more])


def after(case, phases, comm):
    """A run after its first phases."""
    sim = Simulation(case, comm)
    for _ in sim.run():
        if sim.clock.cycle or sim.clock.phase >= phases:
            break
    return sim


def balances_close(sim, start, entropy_rel=1e-9):
    now, then, ledger = sim.totals(), start.totals(), sim.ledger
    energy = float((now.energy - then.energy).sum())
    given = sum(ledger.bath.values())
    exchanged = abs(ledger.work) + abs(given) + sum(ledger.lost.values())
    assert abs(energy - ledger.work + given) < 1e-12 * exchanged
    entropy = float((now.entropy - then.entropy).sum()) + ledger.entropy_out
    assert all(value >= 0 for value in ledger.produced.values())
    assert sum(ledger.produced.values()) == pytest.approx(entropy, rel=entropy_rel)


@pytest.mark.parametrize("step", [0.25, 0.1])
def test_overshoot_is_a_floor_for_the_film(step):
    # physics: floor sqrt(2 mu0 Hc^2 h / gamma), 1 mK for h = 5e-8, in however many steps the drive rises.
    film = after(coarse(f"solver.ramp_step={step}"), 1, MPI.COMM_SELF)
    sim = after(coarse(f"solver.ramp_step={step}", "physics.overshoot=5e-8"), 1, MPI.COMM_SELF)
    ideal, found = float(film.totals().temperature[1]), float(sim.totals().temperature[1])
    critical = float(TA.critical_field(0.0))
    loss = MU0 * critical**2 * 5e-8
    assert found == pytest.approx(np.sqrt(ideal**2 + 2 * loss / TA.gamma), rel=2e-3)
    assert found == pytest.approx(1e-3, rel=0.05)
    assert sim.ledger.lost["overshoot"] == pytest.approx(loss * 1e-6 * (14e-6) ** 2, rel=2e-3)
    balances_close(sim, Simulation(coarse(), MPI.COMM_SELF))


def test_overshoot_of_a_film_of_a_square_centimetre():
    case = Case.model_validate(
        {
            "start": 0.2,
            "layer": [{"name": "working", "material": "Ta", "thickness": 1e-3, "size": [1e-2, 1e-2]}],
            "drive": {"applied_field": "y", "amplitude": 0.12 / MU0},
            "cycle": {"phases": [{"name": "magnetise", "ramp": [0, 1], "duration": 10.0}]},
            "physics": {"overshoot": 5e-8},
            "mesh": {"surface_cell": 1.0, "growth": 3.0, "edge_cell": 2.5e-3, "interior_cell": 2.5e-3}
            | {"padding": 1e-2, "lateral_growth": 3.0, "symmetry": "full"},
            "solver": {"ramp_step": 1.0},
        }
    )
    sim = after(case, 1, MPI.COMM_SELF)
    assert sim.switching is not None
    assert sim.switching.layer_fraction()["working"] > 0.9999
    ideal = TA.beta * 0.2**3 / (3 * TA.gamma)
    loss = MU0 * float(TA.critical_field(0.0)) ** 2 * 5e-8
    assert float(sim.totals().temperature[0]) == pytest.approx(np.sqrt(ideal**2 + 2 * loss / TA.gamma), rel=2e-3)


def test_overshoot_follows_from_ramp_and_thickness():
    # Chip: the current I rises by 2.4 A in 10 s, and a column that switches at I is passed at (dI/dt) / I over Hc.
    sim = Simulation(coarse("physics.overshoot='ramp'", "cycle.phases.magnetise.duration=10 s"), MPI.COMM_SELF)
    seen = [(0.0, 0.0)]
    for event in sim.run():
        if isinstance(event, Stepped) and sim.switching is not None:
            seen.append((sim.drive_value(), sim.switching.layer_fraction()["working"]))
        if sim.clock.phase >= 1:
            break
    volume, critical = 1e-6 * (14e-6) ** 2, float(TA.critical_field(0.0))
    excess = sim.ledger.lost["overshoot"] / (MU0 * critical**2 * volume)
    current, f = np.transpose(seen)
    rate = 0.24 / (0.5 * (current[1:] + current[:-1]))
    assert f[-1] > 0.999
    assert TA.resistivity is not None
    # Mean of the excess over the volume passed: (d / 4) sqrt(rate / D), D = rho / mu0; see the next test.
    expected = 0.5 * 0.5e-6 * np.sum(np.diff(f) * np.sqrt(rate * MU0 / TA.resistivity))
    assert excess == pytest.approx(expected, rel=0.02)
    assert float(sim.totals().temperature[1]) == pytest.approx(
        np.sqrt(2 * MU0 * critical**2 * excess / TA.gamma), rel=0.01
    )
    slow = after(coarse("physics.overshoot='ramp'", "cycle.phases.magnetise.duration=1000 s"), 1, MPI.COMM_SELF)
    assert slow.ledger.lost["overshoot"] == pytest.approx(0.1 * sim.ledger.lost["overshoot"], rel=1e-6)


def test_mean_overshoot_is_that_of_the_quasi_steady_front():
    # X dX/dt = D r t up, (d/2 - X grows) down: mean of r t over the volume that is passed.
    assert TA.resistivity is not None
    diffusivity, half, rate = TA.resistivity / MU0, 0.3e-3, 2.0
    grow = np.sqrt(diffusivity * rate)

    def up(position):
        return rate * position / grow

    def down(position):
        return rate * np.sqrt(half**2 - position**2) / grow

    ways = np.array([True, False])
    found = mean_overshoot(TA, 2 * half, np.full(2, rate), ways)
    exact = [quad(law, 0, half, epsabs=0.0)[0] / half for law in (up, down)]
    np.testing.assert_allclose(found, exact, rtol=1e-6)


@pytest.mark.mpi
def test_hysteresis_in_a_run_on_any_number_of_ranks():
    results = []
    for comm in (MPI.COMM_WORLD, MPI.COMM_SELF)[: MPI.COMM_WORLD.size]:
        case = coarse(*WIDE, "physics.hysteresis=[1.001, 0.95]", "physics.overshoot=1e-7")
        sim = after(case, 3, comm)
        # Conduction between hot columns is booked within Newton's tolerance.
        balances_close(sim, Simulation(case, comm), entropy_rel=1e-4)
        assert sim.switching is not None
        ledger = sim.ledger
        results.append([*sim.totals().temperature, ledger.work, *ledger.lost.values(), *ledger.produced.values()])
        results[-1].append(sim.switching.saved)
        volume, half = 1e-6 * (14e-6) ** 2, 0.5 * MU0 * float(TA.critical_field(0.0)) ** 2
        # Down: the film warms while it switches, so that it is less than with Hc(0).
        most = volume * half * ((1.001**2 - 1) + (1 - 0.95**2))
        assert 0.5 * most < ledger.lost["hysteresis"] < most
    np.testing.assert_allclose(results[0], results[-1], rtol=1e-7)


def test_hysteresis_is_a_floor_for_the_film():
    # In a film whose heat spreads while it switches T ds = A df, and so f T dT/df + T^2 = A / gamma: T^2 = A / gamma.
    sim = after(coarse("physics.hysteresis=[1.0001, 1.0]"), 1, MPI.COMM_SELF)
    loss = 0.5 * MU0 * float(TA.critical_field(0.0)) ** 2 * (1.0001**2 - 1)
    assert float(sim.totals().temperature[1]) == pytest.approx(np.sqrt(loss / TA.gamma), rel=2e-3)


def test_a_film_holds_its_fraction_while_the_drive_is_inside_the_loop():
    case = coarse("physics.hysteresis=[1.02, 0.85]", "solver.ramp_step=0.05")
    values = case.model_dump()
    values["cycle"]["phases"] = [{"name": "magnetise", "table": [[0, 0], [1e-3, 0.86], [2e-3, 0.82]], "duration": 2e-3}]
    for interface in values["interface"]:
        interface["conducts_in"] = None
    values["interface"][0] = {"between": ("sink", "working"), "resistance_area": 1.0}
    sim = Simulation(Case.model_validate(values), MPI.COMM_SELF)
    seen = []
    for event in sim.run():
        if isinstance(event, Stepped) and sim.switching is not None:
            seen.append((sim.clock.drive, sim.switching.layer_fraction()["working"]))
    top = max(range(len(seen)), key=lambda k: seen[k][0])
    assert 0.05 < seen[top][1] < 0.999
    assert [f for _, f in seen[top + 1 :]] == [seen[top][1]] * (len(seen) - top - 1)


# ---- the published refrigerator ------------------------------------------------------------------


def copper(name, folder, cycles):
    """Copper after each cycle, with four columns of cells (Biot number 1e-7)."""
    changes = [*SQUARE_CELLS, *NO_PICTURES, f"cycle.repeat={cycles}"]
    case = load_case(CASES / "limits" / f"{name}.toml", changes)
    result = run_case(case, folder, MPI.COMM_SELF, quiet=True)
    return [cycle["T_cold_K"] for cycle in result.cycles]


@pytest.mark.parametrize(
    ("name", "start", "cycles", "factor"), [("overshoot", 0.01, 14, 2 * 5e-8), ("hysteresis", 0.2, 4, 1e-3)]
)
def test_copper_comes_down_to_the_floor_of_the_film(name, start, cycles, factor, tmp_path):
    # Two bodies, linear in u = T^2: each cycle the film starts at its floor and takes 20 s of heat from the copper.
    found = copper(name, tmp_path / "out", cycles)
    floor = factor * MU0 * float(TA.critical_field(0.0)) ** 2 / TA.gamma
    film, block = 0.1e-6 * TA.gamma, 0.3e-6 * get_material("Cu").gamma
    rate = LORENZ / 20e-3 * (1 / film + 1 / block)
    u = start**2
    for value in found:
        common = (block * u + film * floor) / (block + film)
        u = common + (u - common) * np.exp(-rate * 20.0)
        assert value == pytest.approx(np.sqrt(u), rel=3e-3)
    assert name != "overshoot" or np.sqrt(u) == pytest.approx(1e-3, rel=0.03)


def test_overshoot_by_the_ramp_needs_a_resistivity():
    with pytest.raises(InputError, match='"ramp" needs the resistivity of layer 2'):
        load_case(
            CASES / "refrigerator.toml",
            [
                "layer.1.material='mine'",
                "material={mine={critical_temperature=4.4, gamma=500, penetration_depth0=5e-8, "
                "phonon_mean_free_path=1e-6, beta=10}}",
                "physics.overshoot='ramp'",
                "interface.1.contact='perfect'",
            ],
        )
