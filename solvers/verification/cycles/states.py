"""Which part of a film is normal in a field across it, against Landau's intermediate state of a wide plate."""

from __future__ import annotations

from mpi4py import MPI
from scipy.optimize import brentq

from fem.constants import MU0
from fem.materials.library import get_material
from solvers.case.model import Case
from solvers.simulation.simulation import Simulation
from solvers.verification.report import Row

WIDTH, THICKNESS, START = 14e-6, 1e-6, 0.1  # m, m, K


def field_across(comm: MPI.Intracomm) -> list[Row]:
    """Tantalum, 14 um wide and 1 um thick, in a field across it that is applied in a millisecond (collective)."""
    rows = []
    ta = get_material("Ta")
    entropy = float(ta.entropy(START, 0.0))

    def misfit(f: float, H: float) -> float:
        """Of f = H/Hc at the temperature that the film has come to at its entropy."""
        return f - H / float(ta.critical_field(ta.temperature_from_entropy(entropy, f)))

    for edge in (2e-6, 1e-6, 0.5e-6):
        sim = _film(comm, edge)
        case = f"film in a field across it, edge cells of {edge * 1e6:g} um"
        for flux in (20e-3, 60e-3):
            exact = brentq(misfit, 0.0, 1.0, args=(flux / MU0,), xtol=1e-14)
            rows.append(Row(case, f"f at {flux * 1e3:g} mT", exact, _fraction(sim, flux / MU0), 1e-5))
        # Hc is 80.35 mT: the film cools to microkelvins.
        for flux in (float(ta.critical_field(0.0)) * MU0, 120e-3):
            rows.append(Row(case, f"f at {flux * 1e3:.4g} mT", 1.0, _fraction(sim, flux / MU0), 1e-5))
    return rows


def _film(comm: MPI.Intracomm, edge: float) -> Simulation:
    case = Case.model_validate(
        {
            "start": START,
            "layer": [{"name": "film", "material": "Ta", "thickness": THICKNESS, "size": (WIDTH, WIDTH)}],
            "drive": {"applied_field": "z", "amplitude": 1.0 / MU0},
            "cycle": {"phases": [{"name": "up", "ramp": [0, 1], "duration": 1e-3}]},
            "mesh": {"surface_cell": 1.0, "growth": 3.0, "edge_cell": edge, "interior_cell": 5e-6}
            | {"padding": 2 * WIDTH, "lateral_growth": 2.0},
        }
    )
    return Simulation(case, comm)


def _fraction(sim: Simulation, H: float) -> float:
    """Normal fraction after a field (A/m) was applied to the film as it was at the start."""
    assert sim.switching is not None
    sim.switching.update(H, 1e-3, sim.u, sim.f)
    return sim.switching.layer_fraction()["film"]
