"""The history of a run: one row for each accepted step, as in history.csv."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fem.constants import MU0
from solvers.heat import spin_energy
from solvers.output.result import write_history
from solvers.simulation.events import Stepped
from solvers.simulation.ledger import Ledger, Totals
from solvers.simulation.simulation import Simulation

Row = dict[str, float | int | str]
Arrays = dict[str, npt.NDArray[Any]]


class History:
    """Collects the rows; kept on rank 0.

    Args:
        sim: the run.

    Attributes:
        rows: one for each accepted step, units in the keys.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.rows: list[Row] = []

    def step(self, event: Stepped, totals: Totals) -> Row:
        """Add a row, and return it on all ranks (collective).

        Args:
            event: the step.
            totals: of the layers after it.
        """
        sim = self.sim
        unit = "A_per_m" if sim.case.drive and sim.case.drive.applied_field else "A"
        row: Row = {
            "time_s": sim.clock.time,
            "cycle": event.cycle,
            "phase": event.phase.name,
            f"drive_{unit}": sim.drive_value(),
        }
        for k, name in enumerate(sim.heat.space.names):
            row[f"T_{name}_K"] = float(totals.temperature[k])
            row[f"E_{name}_J"] = float(totals.energy[k])
            row[f"S_{name}_J_per_K"] = float(totals.entropy[k])
        temperatures = dict(zip(sim.heat.space.names, map(float, totals.temperature), strict=True))
        row |= self._spins() | self._films(temperatures) | _sums(sim.ledger) | {"dt_s": event.dt}
        if sim.comm.rank == 0:
            self.rows.append(row)
        return row

    def _spins(self) -> Row:
        """Field of the nuclear spins of each layer and their part of its entropy."""
        sim = self.sim
        row: Row = {}
        if sim.heat.spin_field:
            entropy = sim.scale * sim.heat.space.layer_sums(spin_energy.entropy(sim.heat, sim.u))
            for name, field in sim.heat.spin_field.items():
                row[f"B_spins_{name}_T"] = field
                row[f"S_spins_{name}_J_per_K"] = float(entropy[sim.heat.space.layer_number(name)])
        return row

    def _films(self, temperatures: Mapping[str, float]) -> Row:
        """Normal fraction of each film that switches (1 above Tc), and the largest field at it."""
        sim = self.sim
        row: Row = {}
        if sim.switching is not None:
            for name, fraction in sim.switching.layer_fraction().items():
                above = temperatures[name] >= (sim.switching.materials[name].critical_temperature or 0.0)
                row[f"f_{name}"] = 1.0 if above else fraction
                row[f"B_{name}_T"] = MU0 * sim.switching.largest_field(name, sim.drive_value())
        return row

    # ---- jumps over cycles -----------------------------------------------------------------------
    def rewind(self, time: float) -> None:
        """Forget the rows after a moment (s)."""
        self.rows = [row for row in self.rows if float(row["time_s"]) <= time * (1 + 1e-12)]

    def insert(self, passed: Ledger, time: float) -> None:
        """Add what was booked for a time that was passed over to the sums of all rows after a moment (s)."""
        more = _sums(passed)
        for row in self.rows:
            if float(row["time_s"]) > time * (1 + 1e-12):
                row.update({name: float(row.get(name, 0.0)) + value for name, value in more.items()})

    # ---- disk ------------------------------------------------------------------------------------
    def write(self, path: Path) -> None:
        """Write one line for each step (rank 0)."""
        write_history(path, self.rows)

    def arrays(self) -> Arrays:
        """The rows as arrays, for the checkpoint (rank 0)."""
        names = [name for name in self.rows[-1] if name != "phase"] if self.rows else []
        return {
            "names": np.array(names, dtype=np.str_),
            "values": np.array([[float(row.get(name, 0.0)) for name in names] for row in self.rows]),
            "phases": np.array([row["phase"] for row in self.rows], dtype=np.str_),
        }

    def restore(self, arrays: Arrays) -> None:
        """Go on from what `arrays` gave (rank 0)."""
        names = [str(name) for name in arrays["names"]]
        self.rows = []
        for phase, values in zip(arrays["phases"], arrays["values"], strict=True):
            row: Row = dict(zip(names, map(float, values), strict=True))
            # In the order of the columns, cycles as whole numbers.
            self.rows.append({"time_s": row["time_s"], "cycle": int(row["cycle"]), "phase": str(phase)} | _rest(row))


def _rest(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("time_s", "cycle")}


def _sums(ledger: Ledger) -> dict[str, float]:
    """Columns of the history with what was booked since the start."""
    heat = {f"heat_{name}_J": value for book in (ledger.contact, ledger.bath) for name, value in book.items()}
    heat |= {f"lost_{name}_J": value for name, value in ledger.lost.items()}
    return heat | {"work_J": ledger.work, "load_J": ledger.load, "entropy_to_baths_J_per_K": ledger.entropy_out}
