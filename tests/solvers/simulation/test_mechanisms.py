"""What breaks the ideal refrigerator, case by case, against a model of two bodies integrated independently."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from scipy.integrate import quad, solve_ivp
from scipy.special import expit

from fem.constants import E_CHARGE, KB, LORENZ
from fem.materials.library import get_material
from solvers.case.model import load_case
from solvers.cycles.run import run as run_case
from solvers.figures.power import load_curve
from solvers.figures.run_data import RunData
from tests.solvers.conftest import NO_PICTURES, SQUARE_CELLS

LIMITS = Path(__file__).parents[3] / "cases" / "limits"
TINY = [*SQUARE_CELLS, *NO_PICTURES, "solver.rtol=1e-4"]
TA, CU = get_material("Ta"), get_material("Cu")
RESISTANCE, AREA = 20e-3, 1e-4  # Ohm of the whole cold junction, m^2
TANTALUM, COPPER = 0.1e-6, 0.3e-6  # m^3
PHASES = (("magnetise", 1.0, 1.0), ("cool", 20.0, 1.0), ("demagnetise", 1.0, 0.0), ("reject", 1.0, 0.0))


def run(name, folder, *more):
    case = load_case(LIMITS / f"{name}.toml", [*TINY, *more])
    return run_case(case, folder / name, MPI.COMM_WORLD, quiet=True)


@lru_cache(100_000)
def quasiparticles(T, gap):
    """Integral of E^2 / sqrt(E^2 - gap^2) f(E/kT) over E > gap, J^2, with E = gap + kT x^2."""
    if T <= 0:
        return 0.0
    d = gap / (KB * T)

    def integrand(x):
        energy = d + x * x
        return 2.0 * energy**2 / np.sqrt(energy + d) * expit(-energy)

    return float((KB * T) ** 2 * quad(integrand, 0.0, 8.0, epsabs=0.0, epsrel=1e-8)[0])


def junction(ta, cu, normal, dynes):
    """Power from the copper to the tantalum, W."""
    metals = 0.5 * LORENZ / RESISTANCE * (cu**2 - ta**2)
    if normal:
        return metals
    gap = float(TA.gap(ta))
    return dynes * metals + 2.0 / (E_CHARGE**2 * RESISTANCE) * (quasiparticles(cu, gap) - quasiparticles(ta, gap))


def two_bodies(start, cycles, open_in, dynes=0.0, phonons=0.0, load=0.0):
    """Copper after each cycle; the tantalum is at the start temperature at the end of each.

    Args:
        open_in: phases in which the junction conducts.
        phonons: power of a phonon contact over T^4, in all phases, W/K^4.
        load: into the copper, W.
    """
    ta = copper = start
    normal, out = False, []
    for _ in range(cycles):
        for name, duration, f in PHASES:
            if (f == 1.0) != normal:
                ta = float(TA.temperature_from_entropy(TA.entropy(ta, 1.0 - f), f))
                normal = not normal
            held = name == "reject"
            if held:
                ta = start

            def rate(_, T, name=name, f=f, held=held):
                power = junction(T[0], T[1], f == 1.0, dynes) if name in open_in else 0.0
                power += phonons * (T[1] ** 4 - T[0] ** 4)
                warm = 0.0 if held else power / (TANTALUM * float(TA.heat_capacity(T[0], f)))
                return [warm, (load - power) / (COPPER * float(CU.heat_capacity(T[1])))]

            done = solve_ivp(rate, (0.0, duration), [ta, copper], method="LSODA", rtol=1e-7, atol=1e-12)
            ta, copper = float(done.y[0, -1]), float(done.y[1, -1])
        ta = start
        out.append(copper)
    return out


def copper(result):
    return [cycle["T_cold_K"] for cycle in result.summary["results"]["cycles"]]


@pytest.mark.mpi
def test_back_flow_through_the_gap(shared_tmp_path):
    found = copper(run("back-flow", shared_tmp_path, "cycle.repeat=3"))
    always = ("magnetise", "cool", "demagnetise", "reject")
    assert found == pytest.approx(two_bodies(0.2, 3, always), rel=3e-3)
    # The gap stops most of it: normal tantalum at 1.4 K would give back 1.2 uJ in the second of the ramp.
    assert 0.160 < found[0] < 0.180


def test_phonons_leave_no_net_cooling(shared_tmp_path):
    sigma = 596.0 * AREA  # physical data: diffuse mismatch of Ta and Cu
    few = run("phonons", shared_tmp_path / "few", "cycle.repeat=2", "interface.1.phonons=1e-6")
    assert copper(few) == pytest.approx(two_bodies(0.2, 2, ("cool",), phonons=1e-6 * sigma), rel=3e-3)
    # At the start they carry 95 uW from 0.2 K to something cold, 4000 times the junction.
    power = few.summary["results"]["cooling_power_initial_W"]
    assert power == pytest.approx(24.43e-9 + 1e-6 * 95.4e-6, rel=3e-3)
    full = run("phonons", shared_tmp_path, "cycle.repeat=1")
    assert copper(full)[0] == pytest.approx(0.2, rel=1e-3)


def test_frozen_dump_sets_a_floor(shared_tmp_path):
    """What is left in the tantalum when its quasiparticles are frozen out is where it starts from."""
    result = run("frozen-dump", shared_tmp_path, "cycle.repeat=8")
    history = result.history()
    last = np.array(history["cycle"]) == 7
    dumped = float(np.array(history["T_working_K"])[last][-1])
    assert 0.5 < dumped < 0.7
    floor = float(TA.temperature_from_entropy(TA.entropy(dumped, 0.0), 1.0))
    assert result.summary["results"]["cycles"][7]["T_working_min_K"] == pytest.approx(floor, rel=1e-3)
    assert copper(result)[7] > floor
    # Floors of the specification: 0.54 K gives 1.0 mK, 0.66 K gives 2.0 mK.
    for dump, limit in ((0.54, 1.0e-3), (0.66, 2.0e-3)):
        assert float(TA.entropy(dump, 0.0)) / TA.gamma == pytest.approx(limit, rel=0.05)


def test_dynes_leak_lets_the_waiting_tantalum_heat_the_copper(shared_tmp_path):
    cold = ("start=10 mK", "bath.0.temperature=10 mK", "cycle.repeat=2")
    leaky = copper(run("back-flow", shared_tmp_path, "interface.1.dynes=1e-2", *cold))
    always = ("magnetise", "cool", "demagnetise", "reject")
    assert leaky == pytest.approx(two_bodies(0.01, 2, always, dynes=1e-2), rel=3e-3)
    assert leaky[1] > 1.03 * two_bodies(0.01, 2, always)[1]
    # Its own case: tantalum that waits at 0.6 K through the reject phase; its leak is heat in the copper.
    case, tight = (
        run("dynes-leak", shared_tmp_path / name, "cycle.repeat=1", f"interface.1.dynes={dynes}")
        for name, dynes in (("case", 1e-3), ("tight", 0.0))
    )
    assert copper(case)[0] > 1.05 * copper(tight)[0]


@pytest.mark.mpi
def test_load_of_qubits(shared_tmp_path):
    found = copper(run("qubit-load", shared_tmp_path, "cycle.repeat=14"))
    assert found == pytest.approx(two_bodies(0.01, 14, ("cool",), load=0.6e-12), rel=3e-3)
    # sigma T^2 = 0.6 pW at 0.99 mK; the contact is open for 20 of 23 s and the tantalum warms meanwhile.
    assert 0.99e-3 < found[-1] < 1.3e-3


def test_load_curve_of_a_run_without_load_tells_the_temperature_with_it(shared_tmp_path):
    free = load_case(LIMITS.parent / "published-10mK.toml", [*TINY, "cycle.repeat=9"])
    result = run_case(free, shared_tmp_path / "free", MPI.COMM_WORLD, quiet=True)
    curve = load_curve(RunData(result.folder))
    told = float(np.exp(np.interp(np.log(0.6e-12), np.log(curve.load[::-1]), np.log(curve.base[::-1]))))
    loaded = copper(run("qubit-load", shared_tmp_path, "cycle.repeat=16"))
    assert told == pytest.approx(loaded[-1], rel=1e-2)
