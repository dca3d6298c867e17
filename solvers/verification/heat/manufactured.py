"""Manufactured solutions of the heat operator with a temperature jump, and convergence in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from scipy.integrate import solve_ivp

from fem.constants import LORENZ
from fem.interfaces.laws import Conductance, InterfaceLaw, TunnelJunction
from fem.interfaces.markers import Perfect
from fem.materials.material import Material
from meshes.arrays import Floats
from meshes.boxes import Slab, layered_box
from solvers.heat.problem import Bath, Contact, HeatLayer, HeatProblem, Source
from solvers.heat.stepper import HeatStepper
from solvers.verification.heat.block import AREA, Block, metal
from solvers.verification.report import Row

CHIP = (20e-6, 14e-6)
LOWER, UPPER = 1e-6, 3e-6  # thicknesses, m
BATH = 0.1  # K
RISE = -0.05  # K, scale of the solution; negative: heat flows downwards
WAVE = 0.5


@dataclass(frozen=True)
class Solution:
    """Steady temperature of two layers on a bath at the bottom, insulated elsewhere, with a jump between them.

    T = BATH + profile(z) (1 + WAVE cos(pi x/Lx) cos(pi y/Ly)); below profile = p z + RISE (1 - exp(z/a)), above
    s + RISE cosh((a + b - z)/b) with a and b the thicknesses. p follows from the continuity of the flux, s from the
    jump: flux = h (jump).

    Attributes:
        k: conductivities of the lower and the upper layer, W/(m K).
        h: conductance between them, W/(m^2 K); None: no jump.
    """

    k: tuple[float, float]
    h: float | None

    @property
    def flux(self) -> float:
        """Mean flux through the interface, upwards, W/m^2."""
        return self.k[1] * RISE / UPPER * float(np.sinh(1.0))

    def profile(self, z: Floats, upper: Floats) -> tuple[Floats, Floats]:
        """The profile and its second derivative at heights z, in the lower or upper layer."""
        p = -self.flux / self.k[0] + RISE / LOWER * np.e
        below = p * z + RISE * (1 - np.exp(z / LOWER))
        at_face = p * LOWER + RISE * (1 - np.e)
        jump = 0.0 if self.h is None else self.flux / self.h
        above = at_face - jump + RISE * (np.cosh((LOWER + UPPER - z) / UPPER) - np.cosh(1.0))
        bend = np.where(
            upper, RISE / UPPER**2 * np.cosh((LOWER + UPPER - z) / UPPER), -RISE / LOWER**2 * np.exp(z / LOWER)
        )
        return np.where(upper, above, below), bend

    def temperature(self, x: Floats, upper: Floats) -> Floats:
        """T at points (n, 3)."""
        return np.asarray(BATH + self.profile(x[:, 2], upper)[0] * (1 + _wave(x)))

    def heating(self, upper: bool) -> Callable[[Floats], Floats]:
        """Source density -k laplacian(T), W/m^3, in a layer."""
        rate = (np.pi / CHIP[0]) ** 2 + (np.pi / CHIP[1]) ** 2

        def density(points: Floats) -> Floats:
            x = points.T
            profile, bend = self.profile(x[:, 2], np.full(len(x), upper))
            return np.asarray(-self.k[upper] * (bend * (1 + _wave(x)) - rate * profile * _wave(x)))

        return density


def _wave(x: Floats) -> Floats:
    return np.asarray(WAVE * np.cos(np.pi * x[:, 0] / CHIP[0]) * np.cos(np.pi * x[:, 1] / CHIP[1]))


def _solve(
    comm: MPI.Intracomm, exact: Solution, law: InterfaceLaw | Perfect, n: int, tetrahedra: bool, swap: bool = False
) -> tuple[float, float, float]:
    """Error of T in the mean square over RISE, mean flux upwards, and mean jump, on a mesh of n cells through."""
    tagged = layered_box(comm, [Slab("lower", LOWER, n), Slab("upper", UPPER, n)], CHIP, (n, n), tetrahedra=tetrahedra)
    layers = {
        name: HeatLayer(Material(name, 0.0, 0.0, constant_conductivity=k, constant_heat_capacity=1.0), [name])
        for name, k in zip(("lower", "upper"), exact.k, strict=True)
    }
    sides = ("upper", "lower") if swap else ("lower", "upper")
    heat = HeatProblem(
        tagged,
        layers,
        [Contact("contact", *sides, ["lower|upper"], law)],
        [Bath("bath", "lower", BATH, ["bottom"])],
        [Source(name, name, density=exact.heating(name == "upper")) for name in layers],
    )
    space = heat.space
    f = np.ones(space.n_local)
    u, flow = HeatStepper(heat.activate()).steady(np.full(space.n_local, BATH**2), f)
    T = np.sqrt(u)
    error = (T - exact.temperature(space.x, space.layer == 1)) ** 2 * space.volume
    square = float(space.layer_sums(error).sum() / space.layer_sums(space.volume).sum())
    i, j, area = space.pairs("lower", "upper", tagged.facets("lower|upper"))
    face = CHIP[0] * CHIP[1]
    jump = comm.allreduce(float(area @ (T[i] - T[j]))) / face
    return np.sqrt(square) / abs(RISE), (-1 if swap else 1) * flow.contact["contact"] / face, jump


def jump_convergence(comm: MPI.Intracomm, quick: bool = True) -> list[Row]:
    """Unequal conductivities and a finite conductance on hexahedra and tetrahedra: second order in T and flux."""
    rows = []
    sizes = (4, 8) if quick else (4, 8, 16)
    for tetrahedra, name in ((False, "hexahedra"), (True, "tetrahedra")):
        exact = Solution((2.0, 0.3), 1e5)
        assert exact.h is not None
        found = [_solve(comm, exact, Conductance(exact.h), n, tetrahedra) for n in sizes]
        case = f"manufactured temperature jump, {name}"
        errors = [result[0] for result in found]
        order = float(np.log2(errors[-2] / errors[-1]))
        allowed = (1.2 if tetrahedra else 0.4) / sizes[-1] ** 2
        rows.append(Row(case, "T, rms error over the rise", 0.0, errors[-1], allowed, order, 2.0))
        order = float(np.log2(abs(found[-2][1] - exact.flux) / abs(found[-1][1] - exact.flux)))
        rows.append(Row(case, "flux through the interface (W/m^2)", exact.flux, found[-1][1], allowed, order, 2.0))
        rows.append(Row(case, "mean jump (K)", exact.flux / exact.h, found[-1][2], allowed))
    return rows


def contact_limits(comm: MPI.Intracomm) -> list[Row]:
    """The value of the conductance matters; sides swapped; very good, perfect and no contact."""
    case = "manufactured solution, contact"
    k = (0.3, 2.0)
    rows = []
    for h in (1e5, 1e6):
        found = _solve(comm, Solution(k, h), Conductance(h), 8, False)
        rows.append(Row(case, f"mean jump at h = {h:.0e} W/(m^2 K) (K)", Solution(k, h).flux / h, found[2], 0.002))
    there, back = (_solve(comm, Solution(k, 1e6), Conductance(1e6), 4, False, swap) for swap in (False, True))
    rows.append(Row(case, "flux with the sides swapped (W/m^2)", there[1], back[1], 1e-9))
    rows.append(Row(case, "jump with the sides swapped (K)", there[2], back[2], 1e-9))
    perfect = _solve(comm, Solution(k, None), Perfect(), 8, False)
    good = _solve(comm, Solution(k, None), Conductance(1e12), 8, False)
    rows.append(Row(case, "perfect contact: T, rms error over the rise", 0.0, perfect[0], 0.005))
    rows.append(Row(case, "perfect contact: flux (W/m^2)", Solution(k, None).flux, perfect[1], 0.002))
    rows.append(Row(case, "perfect contact: jump (K)", 0.0, perfect[2], 1e-15))
    rows.append(Row(case, "very good contact: flux as through the perfect one (W/m^2)", perfect[1], good[1], 1e-6))
    rows.append(Row(case, "very good contact: error of T as with the perfect one", perfect[0], good[0], 1e-4))
    return rows


def layers_in_series(comm: MPI.Intracomm) -> list[Row]:
    """Two layers between two baths: the flux by Ohm's law, linear in T or, for metals, in T^2."""
    rows = []
    hot, cold = 0.3, 0.1
    plain = [Material(name, 0.0, 0.0, constant_conductivity=k) for name, k in (("lower", 2e-4), ("upper", 3e-5))]
    metals = [metal("Ta"), metal("Cu")]
    for tetrahedra in (False, True):
        shape = "tetrahedra" if tetrahedra else "hexahedra"
        for h in (0.0, 1.0, 10.0, 1e9):
            resistance = LOWER / 2e-4 + UPPER / 3e-5 + (1 / h if h else np.inf)
            found = _between_baths(comm, plain, Conductance(h), hot, cold, tetrahedra)
            case = f"two layers in series, {shape}"
            exact = (hot - cold) / resistance
            # h times a difference of two temperatures of which each has its rounding
            rounding = np.finfo(float).eps * h * hot / exact if h else 0.0
            rows.append(Row(case, f"flux at h = {h:g} W/(m^2 K)", exact, found, 1e-8 + rounding))
    ta, cu = metals
    assert ta.resistivity is not None
    assert cu.resistivity is not None
    for area in (2e-6, 1e-14):
        resistance = LOWER * ta.resistivity + UPPER * cu.resistivity + area
        exact = 0.5 * LORENZ * (hot**2 - cold**2) / resistance
        found = _between_baths(comm, metals, TunnelJunction(ta, cu, area), hot, cold, False)
        rows.append(
            Row("tantalum, junction and copper in series", f"flux at R_A = {area:g} Ohm m^2", exact, found, 1e-8)
        )
    found = _between_baths(comm, plain, Perfect(), hot, cold, False)
    exact = (hot - cold) / (LOWER / 2e-4 + UPPER / 3e-5)
    rows.append(Row("two layers in series", "flux through a perfect contact", exact, found, 1e-8))
    found = _between_baths(comm, plain, Perfect(), hot, cold, False, hold=True)
    rows.append(Row("perfect contact to a held layer", "flux", (hot - cold) * 3e-5 / UPPER, found, 1e-8))
    return rows


def _between_baths(
    comm: MPI.Intracomm,
    materials: list[Material],
    law: InterfaceLaw | Perfect,
    hot: float,
    cold: float,
    tetrahedra: bool,
    hold: bool = False,
) -> float:
    """Flux through the contact of two layers between baths, W/m^2; hold: all of the lower one is held."""
    slabs = [Slab("lower", LOWER, 3), Slab("upper", UPPER, 2)]
    tagged = layered_box(comm, slabs, CHIP, (3, 2), tetrahedra=tetrahedra)
    heat = HeatProblem(
        tagged,
        {slab.name: HeatLayer(material, [slab.name]) for slab, material in zip(slabs, materials, strict=True)},
        [Contact("contact", "lower", "upper", ["lower|upper"], law)],
        [Bath("hot", "lower", hot, () if hold else ["bottom"]), Bath("cold", "upper", cold, ["top"])],
    )
    u = np.full(heat.space.n_local, 0.5 * (hot**2 + cold**2))
    _, flow = HeatStepper(heat.activate()).steady(u, np.ones(heat.space.n_local))
    return flow.contact["contact"] / (CHIP[0] * CHIP[1])


# ---- time --------------------------------------------------------------------------------------------------------


def _bodies(comm: MPI.Intracomm, rtol: float = 1e-3) -> Block:
    """Copper at 0.2 K over normal tantalum at 0.05 K, with phonons, 20 mOhm between them."""
    ta, cu = metal("Ta"), metal("Cu")
    layers = [(ta, 1e-3, 1, 0.05), (cu, 3e-3, 1, 0.2)]
    return Block(comm, layers, [TunnelJunction(ta, cu, 2e-6)], rtol=rtol)


def _bodies_exact(energies: Floats, time: float) -> Floats:
    """Energies of the two bodies after a time, by an ODE solver of high order."""
    ta, cu = metal("Ta"), metal("Cu")
    slope = 0.5 * LORENZ / 2e-6 * AREA

    def u_of(e: float, material: Material, volume: float) -> float:
        b, c = 0.5 * material.gamma, e / volume
        return float(2 * c / (b + np.sqrt(b * b + material.beta * c)))

    def rates(_: float, e: Floats) -> list[float]:
        q = slope * (u_of(e[1], cu, 3e-7) - u_of(e[0], ta, 1e-7))
        return [q, -q]

    return np.asarray(solve_ivp(rates, (0, time), energies, "DOP853", rtol=1e-13, atol=1e-22).y[:, -1])


def time_convergence(comm: MPI.Intracomm) -> list[Row]:
    """Order of the method on two bodies, and the estimated error of a step beside the true one."""
    case = "two bodies, steps in time"

    def energies(block: Block) -> Floats:
        return block.space.layer_sums(block.heat.energy(block.u, block.f)[0])

    start = energies(_bodies(comm))
    exact = _bodies_exact(start, 20.0)
    errors = []
    for steps in (10, 20, 40):
        block = _bodies(comm)
        for _ in range(steps):
            block.u = block.stepper.step(block.u, block.f, 20.0 / steps).u
        errors.append(abs(energies(block)[0] / exact[0] - 1))
    order = float(np.log2(errors[1] / errors[2]))
    rows = [Row(case, "energy of the tantalum after 40 steps, relative error", 0.0, errors[2], 1e-4, order, 2.0)]
    # The longest falls back to backward Euler: its second stage would turn the copper's energy negative.
    for dt in (0.3, 1.0, 3.0, 10.0, 300.0):
        block = _bodies(comm)
        step = block.stepper.step(block.u, block.f, dt)
        after = block.space.layer_sums(block.heat.energy(step.u, block.f)[0], _at_hottest(block, step.u))
        true = float((np.abs(after[0] - _bodies_exact(start, step.dt)) / after.sum(axis=0)).max())
        estimated = step.error * block.stepper.rtol
        what = f"log of estimated over true error, one step of {step.dt:.3g} s"
        rows.append(Row(case, what, 0.0, float(np.log(estimated / true)), float(np.log(3.0))))
    return rows


def _at_hottest(block: Block, u: Floats) -> Floats:
    return block.heat.energy(block.network.hottest(u), block.f)[0]


def slab_estimate(comm: MPI.Intracomm) -> list[Row]:
    """A slab that cools through one face, smooth and just after its start: estimated beside true error of a step."""
    case = "slab cooled through a junction, one step in time"
    cu = metal("Cu", beta=0.0)
    assert cu.resistivity is not None
    length = 3e-3
    unit = length**2 * cu.resistivity * cu.gamma / LORENZ
    rows = []
    for begin, dt in ((0.3, 0.03), (0.3, 0.1), (0.3, 0.3), (0.01, 0.01), (0.01, 0.1)):
        junction = TunnelJunction(cu, cu, cu.resistivity * length)
        baths = [Bath("cold", "0", 0.0, ["top"], junction)]
        block = Block(comm, [(cu, length, 16, 0.2)], [], baths, rtol=1e-9)
        block.advance(begin * unit)
        u = block.u
        step = block.stepper.step(u, block.f, dt * unit)
        reference = block.stepper.advance(u, block.f, dt * unit).u
        # All is linear here: energy and u^2 have one factor.
        relative = (step.u - reference) / (reference + block.network.hottest(reference))
        volume = block.space.volume
        sums = block.space.layer_sums(relative**2 * volume, (step.u - reference) * volume, step.u * volume, volume)
        true = max(float(np.sqrt(sums[0, 0] / sums[3, 0])), abs(float(sums[1, 0] / (2 * sums[2, 0]))))
        estimated = step.error * block.stepper.rtol
        what = f"log of estimated over true error, from t = {begin:g} over {dt:g} L^2/D"
        rows.append(Row(case, what, 0.0, float(np.log(estimated / true)), float(np.log(3.0))))
    return rows
