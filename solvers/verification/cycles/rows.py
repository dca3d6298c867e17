"""Films that switch while they exchange heat against an ODE solver; a whole cycle against its steps."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from scipy.integrate import solve_ivp

from fem.constants import LORENZ
from fem.interfaces.laws import TunnelJunction
from fem.materials.material import Material
from meshes.arrays import Floats
from solvers.case.model import Case
from solvers.heat.storage import change_to
from solvers.simulation.simulation import Simulation
from solvers.verification.cycles.states import field_across
from solvers.verification.heat.block import AREA, Block, metal
from solvers.verification.report import Row

RAMP = 20.0  # s
JUNCTION = 2e-6  # Ohm m^2
TANTALUM, COPPER = 0.1e-6, 0.3e-6  # m^3
STEPS = 40


def cycle_rows(comm: MPI.Intracomm) -> list[Row]:
    """Tantalum driven normal, and back, while it exchanges heat with copper; a whole cycle (collective)."""
    rows = []
    cases = (("magnetised while it cools copper", 0.0, 1.0, 2e-5), ("demagnetised beside copper", 1.0, 0.0, 2e-5))
    for case, start, end, tolerance in cases:
        # A normal junction whatever f is: its law is that of two metals, so that the exact side is simple.
        ta, cu = metal("Ta"), metal("Cu")
        hot, cold = 0.2, 0.1
        exact = _exact(ta, cu, (cold, hot), (start, end))
        found = _ramp(comm, ta, cu, (cold, hot), (start, end), STEPS)
        quantity = f"T of the copper (K), {STEPS} steps"
        rows.append(Row(f"ramp: {case}", quantity, exact, found, tolerance))
    return [*rows, *field_across(comm), *_whole_cycle(comm)]


def _whole_cycle(comm: MPI.Intracomm) -> list[Row]:
    """One cycle of a small stack: its result against the tolerance of the time steps and the steps of the ramps."""
    half = 0.5
    fine, middle, coarse = (_cycle(comm, rtol, half) for rtol in (1e-5, 1e-3, 1e-2))
    short = _cycle(comm, 1e-3, 0.1)
    # Steps of an error of rtol each are rtol^(-1/3) in number with a method of second order: 2/3 per decade of rtol.
    order = float(np.log10(abs(coarse - fine) / abs(middle - fine)))
    case = "one cycle of a stack on a chip, coarse mesh"
    return [
        Row(case, "T of the copper (K), rtol 1e-3 against 1e-5", fine, middle, 2e-3, order, 2 / 3),
        Row(case, "T of the copper (K), ramp steps of 1/2 against 1/10", short, middle, 2e-4),
    ]


def _cycle(comm: MPI.Intracomm, rtol: float, ramp_step: float) -> float:
    layers = [("sink", "Nb", 0.4e-6, (60e-6, 20e-6)), ("working", "Ta", 1e-6, (14e-6, 14e-6))]
    layers.append(("load", "Cu", 3e-6, (14e-6, 14e-6)))
    case = Case.model_validate(
        {
            "start": 0.1,
            "layer": [dict(zip(("name", "material", "thickness", "size"), layer, strict=True)) for layer in layers],
            "interface": [
                {"between": ["sink", "working"], "contact": "perfect", "conducts_in": ["reject"]},
                {"between": ["working", "load"], "resistance_area": 2e-6, "conducts_in": ["cool", "reject"]},
            ],
            "drive": {"current_through": "sink", "amplitude": 2.4, "return_plane": 0.6e-6},
            "bath": [{"layer": "sink", "face": "all", "temperature": 0.1}],
            "cycle": {
                "phases": [
                    {"name": "magnetise", "ramp": [0, 1], "duration": 1e-3},
                    {"name": "cool", "hold": 1, "duration": 0.03},
                    {"name": "demagnetise", "ramp": [1, 0], "duration": 1e-3},
                    {"name": "reject", "hold": 0, "duration": 0.1},
                ]
            },
            "mesh": {"surface_cell": 1.0, "growth": 3.0, "edge_cell": 2e-6, "interior_cell": 5e-6}
            | {"padding": 30e-6, "lateral_growth": 3.0},
            "solver": {"rtol": rtol, "ramp_step": ramp_step},
        }
    )
    simulation = Simulation(case, comm)
    for _ in simulation.run():
        pass
    return float(simulation.totals().temperature[2])


def _ramp(
    comm: MPI.Intracomm, ta: Material, cu: Material, T: tuple[float, float], f: tuple[float, float], steps: int
) -> float:
    block = Block(comm, [(ta, 1e-3, 2, T[0]), (cu, 3e-3, 3, T[1])], [TunnelJunction(cu, cu, JUNCTION)], rtol=1e-6)
    block.f = np.where(block.space.layer == 0, f[0], 1.0)
    for k in range(1, steps + 1):
        new = np.where(block.space.layer == 0, f[0] + (f[1] - f[0]) * k / steps, 1.0)
        done, dt = 0.0, RAMP / steps
        while done < dt * (1 - 1e-12):
            change = change_to(block.network, block.u, block.f, new)
            step = block.stepper.step(block.u, block.f, dt - done, change)
            block.u, block.f, done = step.u, step.f, done + step.dt
    return block.temperatures()[1]


def _exact(ta: Material, cu: Material, T: tuple[float, float], f: tuple[float, float]) -> float:
    """T of the copper from d(s_Ta)/dt = q/T_Ta and d(e_Cu)/dt = -q of two lumps."""
    slope = 0.5 * LORENZ / JUNCTION * AREA

    def state(t: float, y: Floats) -> tuple[float, float]:
        fraction = f[0] + (f[1] - f[0]) * t / RAMP
        return float(ta.temperature_from_entropy(y[0], fraction)), float(cu.temperature_from_energy(y[1], 1.0))

    def rates(t: float, y: Floats) -> list[float]:
        cold, hot = state(t, y)
        q = slope * (hot**2 - cold**2)
        return [q / cold / TANTALUM, -q / COPPER]

    begin = [float(ta.entropy(T[0], f[0])), float(cu.energy(T[1], 1.0))]
    solution = solve_ivp(rates, (0.0, RAMP), begin, method="LSODA", rtol=1e-10, atol=1e-14)
    return state(RAMP, solution.y[:, -1])[1]
