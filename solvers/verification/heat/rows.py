"""Known answers of heat and of switching, at the magnitudes of the device."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq

from fem.constants import LORENZ, MU0
from fem.interfaces.laws import ElectronPhonon, PhononContact, TunnelJunction, phonon_boundary_conductance
from fem.materials.material import Material
from meshes.arrays import Floats
from solvers.heat.problem import Bath
from solvers.verification.heat.block import AREA, Block, entropy_normal, entropy_super, metal
from solvers.verification.heat.film import film
from solvers.verification.heat.manufactured import (
    contact_limits,
    jump_convergence,
    layers_in_series,
    slab_estimate,
    time_convergence,
)
from solvers.verification.report import Row

JUNCTION = 2e-6  # Ohm m^2: 20 mOhm on 1 cm^2


# ---- 12, 13: bodies and junctions --------------------------------------------------------------------------------


def cool_down(comm: MPI.Intracomm) -> list[Row]:
    """Answer 12: 0.3 cm^3 of copper through 20 mOhm to 0 K."""
    case = "lumped cool-down"
    cu = metal("Cu", beta=0.0)
    time = 2 * JUNCTION * cu.gamma * 3e-3 / LORENZ
    junction = TunnelJunction(cu, cu, JUNCTION)
    block = Block(comm, [(cu, 3e-3, 1, 0.2)], [], [Bath("cold", "0", 0.0, ["top"], junction)], rtol=1e-9)
    block.advance(time)
    return [
        Row(case, "time constant (s)", 47.738, time, 2e-5),
        Row(case, "T after one time constant (K)", 0.2 / np.e, block.temperatures()[0], 1e-6),
        *block.laws(case),
    ]


def two_bodies(comm: MPI.Intracomm) -> list[Row]:
    """Answer 13: 0.3 cm^3 of copper and 0.1 cm^3 of tantalum, 20 s."""
    rows = []
    for case, phonons in (("two bodies", False), ("two bodies with phonon heat capacity", True)):
        change = {} if phonons else {"beta": 0.0}
        ta, cu = metal("Ta", **change), metal("Cu", **change)
        expected, published = _two_bodies_exact(ta, cu, 0.2, 51.157e-6)
        block = Block(comm, [(ta, 1e-3, 2, 51.157e-6), (cu, 3e-3, 3, 0.2)], [TunnelJunction(ta, cu, JUNCTION)])
        block.advance(20.0)
        cold, hot = block.temperatures()
        rows += [
            Row(case, "T of the copper (K)", expected[1], hot, 1e-6),
            Row(case, "T of the tantalum (K)", expected[0], cold, 1e-6),
            Row(case, "T of the copper as published (K)", published[0], hot, 1e-5),
            Row(case, "T of the tantalum as published (K)", published[1], cold, 4e-4 if not phonons else 1e-5),
            *block.laws(case),
        ]
        if not phonons:
            again = Block(comm, [(ta, 1e-3, 2, 1e-9), (cu, 3e-3, 3, hot)], [TunnelJunction(ta, cu, JUNCTION)])
            again.advance(20.0)
            rows.append(Row(case, "factor of a repeated cycle", 0.727140, again.temperatures()[1] / hot, 2e-6))
    return rows


def _two_bodies_exact(ta: Material, cu: Material, hot: float, cold: float) -> tuple[list[float], tuple[float, float]]:
    """Temperatures of Ta and Cu after 20 s by an ODE solver, and as published (Cu, Ta)."""
    slope = 0.5 * LORENZ / JUNCTION * AREA

    def rates(_: float, u: Floats) -> list[float]:
        q = slope * (u[1] - u[0])
        return [
            q / (1e-7 * 0.5 * (ta.gamma + ta.beta * u[0])),
            -q / (3e-7 * 0.5 * (cu.gamma + cu.beta * u[1])),
        ]

    end = solve_ivp(rates, (0, 20), [cold**2, hot**2], "DOP853", rtol=1e-12, atol=1e-20).y[:, -1]
    published = (0.1455154, 0.100568) if ta.beta else (0.145428, 0.1005)
    return [float(T) for T in np.sqrt(end)], published


# ---- 14, 15, 16, 20: switching -----------------------------------------------------------------------------------


def magnetisation(comm: MPI.Intracomm) -> list[Row]:
    """Answers 14 and 15: tantalum switched at constant entropy, there and back."""
    ta = metal("Ta")
    rows = []
    down = {0.2: 51.157e-6, 0.5: 0.80312e-3, 1.0: 14.352e-3, 2.0: 0.42548}
    for start, published in down.items():
        block = Block(comm, [(ta, 1e-3, 1, start)])
        s = entropy_super(ta, start)
        exact = brentq(lambda T, s=s: entropy_normal(ta, T) - s, 1e-9, start, xtol=1e-16, rtol=1e-14)
        block.f[:] = 0.0
        work = block.switch(1.0)
        T = block.temperatures()[0]
        case = f"adiabatic magnetisation from {start} K"
        rows.append(Row(case, "T (K)", exact, T, 1e-6))
        rows.append(Row(case, "T as published (K)", published, T, 2e-5))
        # The path must not matter: the same in a hundred unequal parts.
        other = Block(comm, [(ta, 1e-3, 1, start)])
        other.f[:] = 0.0
        sum_of_work = sum(other.switch(float(f)) for f in np.linspace(0.0, 1.0, 101)[1:] ** 2)
        rows.append(Row(case, "T by a hundred steps (K)", T, other.temperatures()[0], 1e-12))
        rows.append(Row(case, "work by a hundred steps (J)", work, sum_of_work, 1e-11))
        rows += [
            Row(case, f"T by a ramp of the field, width {width:g} (K)", exact, _by_field(comm, ta, start, width), 1e-6)
            for width in (1e-3, 1e-2)
        ]
        block.switch(0.0)
        rows.append(Row(case, "T after the round trip (K)", start, block.temperatures()[0], 1e-12))
    up = {1e-3: 0.5368, 1e-2: 0.9365, 5e-2: 1.2548, 0.1: 1.4371, 0.2: 1.6673}
    for start, published in up.items():
        block = Block(comm, [(ta, 1e-3, 1, start)])
        block.switch(0.0)
        T = block.temperatures()[0]
        s = entropy_normal(ta, start)
        exact = brentq(lambda T, s=s: entropy_super(ta, T) - s, 0.1, 4.0, xtol=1e-14, rtol=1e-14)
        case = f"adiabatic demagnetisation from {start * 1e3:g} mK"
        rows.append(Row(case, "T (K)", exact, T, 1e-6))
        rows.append(Row(case, "T as published (K)", published, T, 1e-4))
    return rows


def _by_field(comm: MPI.Intracomm, ta: Material, start: float, width: float) -> float:
    """T after a ramp of the field to three times Hc in 60 steps, f being that of field and temperature."""
    block = Block(comm, [(ta, 1e-3, 1, start)])
    block.f[:] = 0.0
    entropy = float(ta.entropy(start, 0.0))
    for H in np.linspace(0.0, 3.0, 61)[1:] * float(ta.critical_field(0.0)):
        # f(H, T(s, f)) = f; T falls as f grows, and f with it.
        def excess(f: float, H: float = H) -> float:
            return float(ta.normal_fraction(H, ta.temperature_from_entropy(entropy, f), width)) - f

        block.switch(brentq(excess, 0.0, 1.0) if excess(1.0) < 0 else 1.0)
    return block.temperatures()[0]


def latent_heat(comm: MPI.Intracomm) -> list[Row]:
    """Answer 16: tantalum made normal at 2 K takes the latent heat from a bath, to first order in the steps."""
    ta = metal("Ta")
    case = "isothermal S -> N at 2 K"
    exact = 2.0 * (entropy_normal(ta, 2.0) - entropy_super(ta, 2.0))
    heats = []
    for steps in (50, 100, 200):
        block = Block(comm, [(ta, 1e-3, 1, 2.0)], [], [Bath("bath", "0", 2.0)])
        block.f[:] = 0.0
        heat = 0.0
        for k in range(steps):
            block.switch((k + 1) / steps)
            block.u, given, _ = block.network.equilibrate_ties(block.u, block.f)
            heat -= given["bath"]
        heats.append(heat / (AREA * 1e-3))
    order = float(np.log2((heats[0] - heats[1]) / (heats[1] - heats[2])))
    extrapolated = (heats[0] - 6 * heats[1] + 8 * heats[2]) / 3
    return [
        Row(case, "heat absorbed (J/m^3)", exact, extrapolated, 1e-6, order, 1.0),
        Row(case, "as published (J/m^3)", 1767.5, extrapolated, 3e-5),
    ]


def reversible_cycle(comm: MPI.Intracomm) -> list[Row]:
    """Answer 20: per m^3 of tantalum, cold at 0.1 K, heat dumped to 0 K; the work is that of the magnetic field."""
    ta = metal("Ta")
    case = "one reversible cycle, cold side 0.1 K"
    zero = 1e-9
    block = Block(comm, [(ta, 1e-3, 1, zero)], [], [Bath("cold", "0", 0.1), Bath("hot", "0", zero)])
    volume = AREA * 1e-3
    block.f[:] = 0.0
    block.activate([])
    work = block.switch(1.0)
    block.activate(["cold"])
    block.u, given, _ = block.network.equilibrate_ties(block.u, block.f)
    taken = -given["cold"] / volume
    block.activate([])
    work = (work + block.switch(0.0)) / volume
    block.activate(["hot"])
    block.u, given, _ = block.network.equilibrate_ties(block.u, block.f)
    dumped = given["hot"] / volume

    # Work of the field over the cycle, the loop integral of H dB on both isentropes: with B = f mu0 H and the law
    # f(H, T) it is the integral over f of the difference of mu0 Hc(T)^2 / 2, at the temperatures on the way.
    def difference(f: float) -> float:
        warm = float(ta.temperature_from_entropy(entropy_normal(ta, 0.1), f))
        cold = float(ta.temperature_from_entropy(float(ta.entropy(zero, 0.0)), f))
        return 0.5 * MU0 * float(ta.critical_field(cold) ** 2 - ta.critical_field(warm) ** 2)

    magnetic = quad(difference, 0.0, 1.0, points=[1e-6, 1e-4, 1e-2, 0.1], limit=400, epsrel=1e-10)[0]
    s = entropy_normal(ta, 0.1)
    top = brentq(lambda T: entropy_super(ta, T) - s, 0.1, 4.0, xtol=1e-14, rtol=1e-14)
    below, _ = quad(lambda T: entropy_super(ta, T), 0.15, top, epsrel=1e-10)
    below += ta.beta * 0.15**4 / 12  # electrons have less than 1e-20 of it there
    warmed = top * s - below
    return [
        Row(case, "heat from the cold side (J/m^3)", 0.5 * ta.gamma * 0.01 + 0.25 * ta.beta * 1e-4, taken, 1e-6),
        Row(case, "heat from the cold side as published (J/m^3)", 2.719, taken, 2e-4),
        Row(case, "heat to the hot side (J/m^3)", warmed, dumped, 1e-6),
        Row(case, "heat to the hot side as published (J/m^3)", 65.52, dumped, 1e-4),
        Row(case, "work, by the first law (J/m^3)", dumped - taken, work, 1e-12),
        Row(case, "work, by the magnetic field (J/m^3)", magnetic, work, 1e-6),
    ]


# ---- 10, 11: conduction ------------------------------------------------------------------------------------------


def kirchhoff(comm: MPI.Intracomm) -> list[Row]:
    """Answer 10: 3 mm of copper between 0.2 and 0.1 K, where T^2 is linear."""
    case = "copper slab between 0.2 and 0.1 K"
    cu = metal("Cu")
    baths = [Bath("hot", "0", 0.2, ["bottom"]), Bath("cold", "0", 0.1, ["top"])]
    block = Block(comm, [(cu, 3e-3, 6, 0.1)], [], baths)
    u, flow = block.stepper.steady(block.u, block.f)
    n = block.space.n_owned
    middle = np.sqrt(u[:n][np.abs(block.space.x[:n, 2] - 1.5e-3) < 1e-9])
    middle_T = comm.allreduce(float(middle.max(initial=0.0)), op=MPI.MAX)
    assert cu.resistivity is not None
    power = 0.5 * LORENZ / cu.resistivity * (0.2**2 - 0.1**2) * AREA / 3e-3
    return [
        Row(case, "T in the middle (K)", np.sqrt(0.025), middle_T, 1e-10),
        Row(case, "power through it (W)", power, flow.bath["cold"], 1e-10),
        Row(case, "power as published (W)", 72.708e-3, -flow.bath["hot"], 1e-5),
    ]


def robin_transient(comm: MPI.Intracomm) -> list[Row]:
    """Answer 11: a slab cooled through a junction on one face, Biot number 1."""
    case = "slab cooled through a junction, Bi = 1"
    cu = metal("Cu", beta=0.0)
    assert cu.resistivity is not None
    length = 3e-3
    junction = TunnelJunction(cu, cu, cu.resistivity * length)
    time = length**2 * cu.resistivity * cu.gamma / LORENZ
    roots = [brentq(lambda m: m * np.sin(m) - np.cos(m), k * np.pi, (k + 0.5) * np.pi) for k in range(4)]
    exact = sum(4 * np.sin(m) / (2 * m + np.sin(2 * m)) * np.exp(-m * m) for m in roots)
    errors, values = [], []
    for cells in (4, 8, 16):
        block = Block(comm, [(cu, length, cells, 0.2)], [], [Bath("cold", "0", 0.0, ["top"], junction)])
        block.advance(time)
        n = block.space.n_owned
        far = block.u[:n][block.space.x[:n, 2] < 1e-9]
        values.append(comm.allreduce(float(far.max(initial=0.0)), op=MPI.MAX) / 0.04)
        errors.append(abs(values[-1] - exact))
    order = float(np.log2(errors[1] / errors[2]))
    late = 1.11913 * np.exp(-0.740174)
    return [
        Row(case, "T^2 on the far face over its start, t = L^2/D", exact, values[-1], 1e-3, order, 2.0),
        Row(case, "the same, extrapolated, by the published late law", late, (4 * values[2] - values[1]) / 3, 2e-5),
    ]


# ---- 17, 18, 19: contacts ----------------------------------------------------------------------------------------


def kapitza_pair(comm: MPI.Intracomm) -> list[Row]:
    """Answer 17: a film between two held blocks, phonons on both sides."""
    case = "two equal phonon contacts in series"
    ta = metal("Ta")
    cu = metal("Cu")
    law = PhononContact(phonon_boundary_conductance(ta, cu), 0.5)
    layers = [(ta, 1e-3, 1, 0.2), (cu, 1e-6, 1, 0.15), (ta, 1e-3, 1, 0.1)]
    block = Block(comm, layers, [law, law], [Bath("hot", "0", 0.2), Bath("cold", "2", 0.1)])
    block.u, flow = block.stepper.steady(block.u, block.f)
    power = 0.5 * law.sigma_k * 0.5 * AREA * (0.2**4 - 0.1**4)
    return [
        Row(case, "T of the film (K)", (0.5 * (0.2**4 + 0.1**4)) ** 0.25, block.temperatures()[1], 1e-6),
        Row(case, "power through both (W)", power, flow.contact["1|2"], 1e-6),
        Row(case, "the first against the second", flow.contact["1|2"], flow.contact["0|1"], 1e-10),
    ]


def electron_phonon(comm: MPI.Intracomm) -> list[Row]:
    """Answer 18: electrons of copper over a lattice at 0 K, from 0.2 to 0.1 K."""
    case = "electron-phonon cool-down of copper"
    cu = metal("Cu", beta=0.0)
    assert cu.electron_phonon is not None
    law = ElectronPhonon(cu.electron_phonon)
    time = cu.gamma / (3 * law.sigma) * (0.1**-3 - 0.2**-3)
    block = Block(comm, [(cu, 3e-3, 1, 0.2)], [], [Bath("lattice", "0", 0.0, (), law)])
    block.advance(time)
    return [
        Row(case, "time (s)", 14.173e-6, time, 1e-4),
        Row(case, "T then (K)", 0.1, block.temperatures()[0], 1e-6),
    ]


def unlike_superconductors(comm: MPI.Intracomm) -> list[Row]:
    """Answer 19: tantalum at 1 K beside niobium at 0.2 K, weak coupling, 20 mOhm."""
    case = "S/S' junction, Ta 1 K to Nb 0.2 K"
    ta, nb = metal("Ta"), metal("Nb")
    layers = [(nb, 1e-6, 1, 0.2), (ta, 1e-6, 1, 1.0)]
    block = Block(comm, layers, [TunnelJunction(nb, ta, JUNCTION)])
    block.f[:] = 0.0
    flow = block.network.power(block.u, block.f)
    return [Row(case, "power from Ta to Nb (W)", 6.0129e-12, -flow.contact["0|1"], 1e-4)]


def heat_rows(quick: bool, comm: MPI.Intracomm) -> list[Row]:
    """The heat part of the verification book (collective).

    Args:
        quick: coarser meshes in the convergence studies.
        comm: MPI communicator.
    """
    cases = [
        kirchhoff,
        robin_transient,
        cool_down,
        two_bodies,
        magnetisation,
        latent_heat,
        film,
        kapitza_pair,
        electron_phonon,
        unlike_superconductors,
        reversible_cycle,
        contact_limits,
        layers_in_series,
        time_convergence,
        slab_estimate,
    ]
    return [*(row for case in cases for row in case(comm)), *jump_convergence(comm, quick)]
