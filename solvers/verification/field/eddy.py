"""Known answers with eddy currents: a slab in a field that changes, and the magnetic Stefan front."""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np
from mpi4py import MPI
from scipy.optimize import brentq

from fem.constants import MU0
from fem.materials.library import get_material
from solvers.field.eddy import EddyProblem, NormalFront
from solvers.field.problem import FieldProblem, Imposed
from solvers.switching.losses import mean_overshoot
from solvers.verification.field.meshes import brick_mesh
from solvers.verification.field.slabs import order, refined
from solvers.verification.report import Row

UM, MM = 1e-6, 1e-3
COPPER = 1.68e-10  # Ohm m, residual resistance ratio 100


def _copper_slab(comm: MPI.Intracomm, thickness: float, cells: int) -> tuple[FieldProblem, EddyProblem]:
    z = np.linspace(0, thickness, cells + 1)
    tagged = brick_mesh(comm, [[0, MM], [0, MM], z], {"Cu": (None, None, None)}, MM)
    # The unit drive is 1 A/m on both faces.
    drive = Imposed(tangential_field={"z-": (0.0, 1.0, 0.0), "z+": (0.0, 1.0, 0.0)})
    field = FieldProblem(tagged, ["Cu"], drive, ["x-", "x+"])
    return field, EddyProblem(field, np.full(field.n_cells, 1 / COPPER))


def eddy_slab(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Known answer 8: copper of 3 mm at 1 mT/s heats with P/V = (dB/dt)^2 d^2 / (12 rho); and how the field enters."""
    d, rate = 3 * MM, 1e-3
    case = "8 eddy slab, 3 mm of copper"
    settling = MU0 * d**2 / COPPER / pi**2
    field, eddy = _copper_slab(comm, d, 16)
    steps = 30
    for k in range(1, steps + 1):
        eddy.step(settling, rate * k * settling / MU0)
    power = eddy.power() / field.volume("Cu")
    # A field switched on at once: mean of the series of sines at a tenth of the diffusion time.
    odd = np.arange(1, 60, 2)
    entered = 1 - float(np.sum(8 / (pi * odd) ** 2 * np.exp(-((odd * pi) ** 2) * 0.1)))

    def mean(steps: int) -> float:
        _, moving = _copper_slab(comm, d, 64)
        for _ in range(steps):
            moving.step(0.1 * MU0 * d**2 / COPPER / steps, 1.0)
        return float(moving.solution.mean_flux_density("Cu")[1]) / MU0

    return [
        Row(case, "heat at 1 mT/s (W/m^3)", rate**2 * d**2 / (12 * COPPER), power, 1e-6),
        refined(case, "mean H/H0 after 0.1 d^2/D, order in time", entered, mean, (50, 100), 5e-3, 1.0),
    ]


def stefan_front(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Known answer 9: tantalum held at (1 + h) Hc: the front is at 2 L sqrt(D t), the flux of the normal metal in."""
    rho, depth, critical = 5e-9, 50e-9, 80.35e-3 / MU0
    diffusivity, length, reach = rho / MU0, 1 * MM, 0.8 * MM
    rows = []
    for h in (0.1,) if quick else (0.1, 0.5, 1.0):
        speed = brentq(lambda s, h=h: s * exp(s * s) * erf(s) - h / sqrt(pi), 1e-6, 3.0)
        end = (reach / (2 * speed)) ** 2 / diffusivity
        flux = MU0 * critical * h * 2 * sqrt(diffusivity * end) / (sqrt(pi) * erf(speed))
        found = []
        for cells in (25, 50) if quick else (50, 100):
            z = np.asarray(np.linspace(0, length, cells + 1), dtype=np.float64)
            tagged = brick_mesh(comm, [[0, 10 * UM], [0, 10 * UM], z], {"Ta": (None, None, None)}, UM)
            drive = Imposed(tangential_field={"z-": (0.0, 1.0, 0.0)})
            field = FieldProblem(tagged, ["Ta"], drive, ["x-", "x+"])
            front = NormalFront(field, z, rho, depth, critical)
            for _ in range(cells):
                front.step(end / cells, (1 + h) * critical)
            found.append((front.position(), float(front.eddy.solution.mean_flux_density("Ta")[1]) * length))
        case = f"9 magnetic Stefan front, h = {h:g}"
        rate = order([position - reach for position, _ in found])
        rows.append(Row(case, "L from the front's position", speed, speed * found[1][0] / reach, 5e-3, rate, 1.0))
        rows.append(Row(case, "flux that has entered (Wb/m)", flux, found[1][1], 5e-3))
    return rows


def ramped_front(comm: MPI.Intracomm, quick: bool) -> list[Row]:
    """Tantalum with Hc (1 + r t) at its face: the front is at sqrt(D r) t, the Joule heat that of the mean overshoot.

    To first order in the overshoot, 5 % when the front arrives here; the next order is about a third of that.
    """
    tantalum = get_material("Ta").with_overrides(resistivity=5e-9)
    depth, critical = 50e-9, float(tantalum.critical_field(0.0))
    diffusivity, length, reach, last = 5e-9 / MU0, 1 * MM, 0.8 * MM, 0.05
    rate = diffusivity * (last / reach) ** 2
    cells = 40 if quick else 80
    z = np.asarray(np.linspace(0, length, cells + 1), dtype=np.float64)
    tagged = brick_mesh(comm, [[0, 10 * UM], [0, 10 * UM], z], {"Ta": (None, None, None)}, UM)
    field = FieldProblem(tagged, ["Ta"], Imposed(tangential_field={"z-": (0.0, 1.0, 0.0)}), ["x-", "x+"])
    front = NormalFront(field, z, tantalum.resistivity or 0.0, depth, critical)
    end, heat, steps = reach / sqrt(diffusivity * rate), 0.0, 2 * cells
    for k in range(1, steps + 1):
        front.step(end / steps, (1 + rate * k * end / steps) * critical)
        heat += front.eddy.power() * end / steps
    # A film of twice the reach, whose two fronts meet in its middle.
    mean = float(mean_overshoot(tantalum, 2 * reach, np.array([rate]), np.array([True]))[0])
    volume = reach * (10 * UM) ** 2
    case = "front in a ramped field"
    return [
        Row(case, "front after the ramp (m)", reach, front.position(), 3e-2),
        Row(case, "Joule heat over mu0 Hc^2 V: mean overshoot", mean, heat / (MU0 * critical**2 * volume), 4e-2),
    ]
