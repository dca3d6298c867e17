"""The split step (switch at constant entropy, then exchange) against an ODE solver, and its order in time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.integrate import solve_ivp

from fem.constants import LORENZ
from fem.interfaces import TunnelJunction
from fem.materials import Material
from solvers.verification.heat_block import AREA, Block, metal
from solvers.verification.report import Row

Floats = npt.NDArray[np.float64]

RAMP = 20.0  # s
JUNCTION = 2e-6  # Ohm m^2
TANTALUM, COPPER = 0.1e-6, 0.3e-6  # m^3
STEPS = (20, 40, 80)


def cycle_rows(comm: MPI.Intracomm) -> list[Row]:
    """Tantalum driven normal, and back, within the time in which it exchanges heat with copper (collective)."""
    rows = []
    # Between fractions at which the entropy is smooth in f: an order of convergence needs that.
    for case, start, end in (("magnetised while it cools copper", 0.2, 1.0), ("demagnetised beside copper", 1.0, 0.3)):
        # A normal junction whatever f is: its law is that of two metals, so that the exact side is simple.
        ta, cu = metal("Ta"), metal("Cu")
        hot, cold = 0.2, 0.1
        exact = _exact(ta, cu, (cold, hot), (start, end))
        found = [_split(comm, ta, cu, (cold, hot), (start, end), n) for n in STEPS]
        errors = [abs(value / exact - 1.0) for value in found]
        order = float(np.log2(errors[-2] / errors[-1]))
        quantity = f"T of the copper (K), {STEPS[-1]} split steps"
        rows.append(Row(f"split step: {case}", quantity, exact, found[-1], 2e-2, order, 1.0))
    return rows


def _split(
    comm: MPI.Intracomm, ta: Material, cu: Material, T: tuple[float, float], f: tuple[float, float], steps: int
) -> float:
    block = Block(comm, [(ta, 1e-3, 2, T[0]), (cu, 3e-3, 3, T[1])], [TunnelJunction(cu, cu, JUNCTION)], rtol=1e-6)
    block.f = np.where(block.space.layer == 0, f[0], 1.0)
    for k in range(1, steps + 1):
        new = np.where(block.space.layer == 0, f[0] + (f[1] - f[0]) * k / steps, 1.0)
        block.u, _ = block.heat.switch(block.u, block.f, new)
        block.f = new
        block.advance(RAMP / steps)
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
