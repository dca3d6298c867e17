"""What a run records on its way: a row for every step, a summary of every cycle, profiles through the stack."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fem.constants import MU0
from fem.materials.two_temperatures import layer_of
from solvers.heat import spin_energy
from solvers.output.result import SCREENED
from solvers.simulation import build
from solvers.simulation.events import PhaseEnded, PhaseStarted, Stepped
from solvers.simulation.ledger import Ledger
from solvers.simulation.simulation import Simulation
from solvers.simulation.validity import DriveLimits

Floats = npt.NDArray[np.float64]
Row = dict[str, float | int | str]


class Recorder:
    """Collects the results of a run; the same on all ranks except for `rows` and `profiles`, kept on rank 0.

    Args:
        sim: the run, at its start.

    Attributes:
        rows: one for each accepted step, units in the keys.
        cycles: one for each finished cycle, units in the keys.
        profiles: arrays for the penetration figure.
        last_cycle: the ledger of the last finished cycle.
        cold: name of the layer to be cooled: the topmost that is no superconductor.
        working: name of the film that switches, or None.
        limits: how far the drive takes its conductor.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        names, laws = sim.heat.space.names, sim.heat.materials
        # A layer with two temperatures counts by its electrons, its lattice not at all.
        layers = [(name, law) for name, law in zip(names, laws, strict=True) if layer_of(name) == name]
        normal = [name for name, law in layers if not build.superconducts(law, sim.case.start)]
        self.cold = normal[-1] if normal else layers[-1][0]
        films = sim.switching.columns if sim.switching else []
        self.working = films[0].film.layer if films else None
        self.rows: list[Row] = []
        self.cycles: list[dict[str, Any]] = []
        self.last_cycle = Ledger()
        self.profiles: dict[str, npt.NDArray[Any]] = {}
        self.half_switched: float | None = None
        self.fraction_at_full_drive: float | None = None
        self.power_initial = 0.0
        self._coldest, self._hottest = np.inf, 0.0
        self._last_film: tuple[float, float] | None = None
        self.limits = DriveLimits(sim)
        # Of the cold layer: integral of dQ/T over what it gave in this cycle, and what it had given and its
        # temperature (K) when last looked at.
        self._drawn, self._given, self._before = 0.0, 0.0, 0.0
        self.begin_cycle()

    # ---- events of the run -----------------------------------------------------------------------
    def start_of_phase(self, event: PhaseStarted) -> None:
        """Look for the largest cooling power with which a phase of the first cycle starts, film normal (collective)."""
        sim = self.sim
        normal = self.working is None or (sim.switching and sim.switching.layer_fraction()[self.working] > 0.5)
        if event.cycle == 1 and not event.resumed and normal:
            flow = sim.network.power(sim.u, sim.f)
            power = sim.scale * self._out_of(self.cold, flow.contact)
            self.power_initial = max(self.power_initial, power)

    def step(self, event: Stepped) -> None:
        """Record a row (collective)."""
        sim = self.sim
        totals = sim.totals()
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
        self._spin_columns(row)
        self._film_columns(row, event)
        self.limits.step()
        row |= _sums(sim.ledger) | {"dt_s": event.dt}
        self._draw(float(row[f"T_{self.cold}_K"]))
        if self.working is not None:
            temperature = float(row[f"T_{self.working}_K"])
            self._coldest, self._hottest = min(self._coldest, temperature), max(self._hottest, temperature)
        if sim.comm.rank == 0:
            self.rows.append(row)

    def _spin_columns(self, row: Row) -> None:
        """Field of the nuclear spins of each layer and their part of its entropy."""
        sim = self.sim
        if not sim.spin_field:
            return
        entropy = sim.scale * sim.heat.space.layer_sums(spin_energy.entropy(sim.heat, sim.u))
        for name, field in sim.spin_field.items():
            row[f"B_spins_{name}_T"] = field
            row[f"S_spins_{name}_J_per_K"] = float(entropy[sim.heat.space.layer_number(name)])

    def _film_columns(self, row: Row, event: Stepped) -> None:
        switching = self.sim.switching
        if switching is None:
            return
        drive = self.sim.drive_value()
        fractions = switching.layer_fraction()
        for name, fraction in fractions.items():
            row[f"f_{name}"] = fraction
            row[f"B_{name}_T"] = MU0 * switching.largest_field(name, drive)
        if self.working is None:
            return
        if event.cycle == 1:
            self._keep_screened(max(fractions.values()), drive)
        now = fractions[self.working]
        before = self._last_film or (0.0, 0.0)
        # Of a film that switches as a whole in one step it is not known where it was half switched.
        if self.half_switched is None and before[1] < 0.5 <= now <= before[1] + 0.5:
            weight = (0.5 - before[1]) / (now - before[1])
            self.half_switched = before[0] + weight * (abs(drive) - before[0])
        self._last_film = (abs(drive), now)
        case_drive = self.sim.case.drive
        if case_drive is not None and abs(drive) >= (1 - 1e-12) * abs(case_drive.amplitude):
            self.fraction_at_full_drive = now

    def _keep_screened(self, fraction: float, drive: float) -> None:
        """Keep the profile at the largest drive of the first cycle that leaves the films superconducting."""
        known = float(self.profiles.get(f"drive_{SCREENED}", 0.0))
        if fraction < 0.01 and abs(drive) > abs(known):
            if not self.profiles:
                self.profiles = self._lines()
            self.profiles |= self._profile(SCREENED) | {f"drive_{SCREENED}": np.array(drive)}

    def end_of_phase(self, event: PhaseEnded) -> None:
        """Keep the profile through the centre at the end of the phases of the first cycle (collective)."""
        if event.cycle > 1:
            return
        if not self.profiles:
            self.profiles = self._lines()
        self.profiles |= self._profile(event.phase.name)

    def _draw(self, temperature: float) -> None:
        """Count what the cold layer gave since the last step, at its mean temperature (K) in between."""
        given = self._out_of(self.cold, self.sim.ledger.contact)
        self._drawn += (given - self._given) * 2.0 / (temperature + self._before)
        self._given, self._before = given, temperature

    def end_of_cycle(self) -> None:
        """Close the balances of a cycle (collective).

        The Carnot value of the coefficient of performance (COP) is T_c / (T_h - T_c). T_c is the temperature of the
        cold layer averaged over the heat drawn from it, Q_c / integral of dQ/T, and T_h in the same way that of the
        baths over the heat that they took. Where no bath took heat, or T_c is not between 0 and T_h, there is none.
        """
        sim, booked = self.sim, self.sim.ledger.since(self._ledger)
        self.last_cycle = booked
        totals = sim.totals()
        energy, entropy = float(totals.energy.sum()), float(totals.entropy.sum())
        cold = self._out_of(self.cold, booked.contact)
        hot = 0.0
        if self.working is not None:
            hot = self._out_of(self.working, booked.contact) + cold * self._touch()
            hot += sum(booked.bath.get(b.name, 0.0) for b in sim.heat.baths if b.layer == self.working)
        given = sum(booked.bath.values())
        residual = energy - self._energy - booked.work - booked.load + given
        exchanged = max(abs(cold) + abs(hot), abs(given) + abs(booked.work), 1e-300)
        cop = cold / booked.work if booked.work > 0.0 else None
        t_cold, t_hot = cold / self._drawn if self._drawn else None, self._bath_temperature(booked)
        ratio = None
        if cop is not None and t_cold is not None and t_hot is not None and 0.0 < t_cold < t_hot:
            ratio = cop * (t_hot - t_cold) / t_cold
        self.cycles.append(
            {
                "cycle": sim.clock.cycle,
                "T_cold_K": float(totals.temperature[sim.heat.space.layer_number(self.cold)]),
                "T_working_min_K": self._coldest,
                "T_working_max_K": self._hottest,
                "Q_cold_J": cold,
                "Q_hot_J": hot,
                "work_J": booked.work,
                "entropy_produced_J_per_K": entropy - self._entropy + booked.entropy_out,
                "first_law_residual": residual / exchanged,
                "T_cold_drawn_K": t_cold,
                "T_bath_K": t_hot,
                "cop": cop,
                "cop_over_carnot": ratio,
                "ramp_loss_J": sum(booked.lost.values()),
                "lost_by_mechanism_J": booked.lost,
                "entropy_by_mechanism_J_per_K": booked.produced,
            }
        )
        self.begin_cycle()

    # ---- jumps over cycles -----------------------------------------------------------------------
    def rewind(self, cycles: int, time: float, last_cycle: Ledger) -> None:
        """Forget what was recorded after a moment (s) at the end of a cycle, where the run is again (collective)."""
        del self.cycles[cycles:]
        self.rows = [row for row in self.rows if float(row["time_s"]) <= time * (1 + 1e-12)]
        self.last_cycle = last_cycle
        self.begin_cycle()

    def insert(self, passed: Ledger, time: float) -> None:
        """Add what was booked for a time that was passed over to the sums of all rows after it (collective)."""
        more = _sums(passed)
        for row in self.rows:
            if float(row["time_s"]) > time * (1 + 1e-12):
                row.update({name: float(row.get(name, 0.0)) + value for name, value in more.items()})
        self.begin_cycle()

    # ---- helpers ---------------------------------------------------------------------------------
    def begin_cycle(self) -> None:
        """Start the balances of a cycle here (collective)."""
        totals = self.sim.totals()
        self._ledger: Ledger = self.sim.ledger.copy()
        self._energy, self._entropy = float(totals.energy.sum()), float(totals.entropy.sum())
        self._coldest, self._hottest = np.inf, 0.0
        self._last_film = None
        self._drawn, self._given = 0.0, self._out_of(self.cold, self._ledger.contact)
        self._before = float(totals.temperature[self.sim.heat.space.layer_number(self.cold)])

    def _bath_temperature(self, booked: Ledger) -> float | None:
        """Temperature (K) of the baths averaged over the heat they took; None if none took any."""
        taken = [(booked.bath.get(b.name, 0.0), b.uniform) for b in self.sim.heat.baths]
        drain = sum(heat / temperature for heat, temperature in taken if heat > 0.0)
        return sum(heat for heat, _ in taken if heat > 0.0) / drain if drain else None

    def _out_of(self, layer: str, contact: dict[str, float]) -> float:
        """What leaves a layer, its lattice included, through its contacts."""
        out = 0.0
        for c in self.sim.heat.contacts:
            value = contact.get(c.name, 0.0)
            out += value * ((layer_of(c.lower) == layer) - (layer_of(c.upper) == layer))
        return out

    def _touch(self) -> int:
        """1 where working film and cold layer touch: then the film's sum contains what the cold layer gave it."""
        pair = {self.working, self.cold}
        return int(any({layer_of(c.lower), layer_of(c.upper)} == pair for c in self.sim.heat.contacts))

    def state(self) -> dict[str, Any]:
        """Plain numbers, for the checkpoint."""
        names = ("cycles", "half_switched", "fraction_at_full_drive", "power_initial", "_energy", "_entropy")
        more = ("_coldest", "_hottest", "_last_film", "_drawn", "_given", "_before")
        out = {name: getattr(self, name) for name in (*names, *more)}
        return out | {"_ledger": self._ledger.to_json(), "limits": self.limits.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.limits.restore(state.pop("limits"))
        for name, value in state.items():
            setattr(self, name, Ledger(**value) if name == "_ledger" else value)

    # ---- profiles --------------------------------------------------------------------------------
    def _lines(self) -> dict[str, npt.NDArray[Any]]:
        """Coordinates of the mesh's nodes along each axis, and the groups of the cells of the central column."""
        sim = self.sim
        x = sim.tagged.mesh.geometry.x
        lines = {}
        for axis, name in enumerate(("plan_x_m", "plan_y_m", "lines_z_m")):
            local = np.unique(np.round(x[:, axis], 9))
            everywhere = sim.comm.gather(local, root=0)
            if everywhere is not None:
                lines[name] = np.unique(np.concatenate(everywhere)) * sim.tagged.length_unit
        cells, middle = self._central_column()
        tags = sim.tagged.cell_tags
        names = {number: name for name, number in sim.tagged.cell_names.items()}
        tag = np.zeros(int(tags.indices.max(initial=-1)) + 1, dtype=np.int32)
        tag[tags.indices] = tags.values
        lines["z_m"] = middle[:, 2]
        lines["layer"] = np.array([names[int(tag[c])] for c in cells])
        return self._from_owner(lines, ("z_m", "layer"))

    def _profile(self, phase: str) -> dict[str, npt.NDArray[Any]]:
        switching = self.sim.switching
        if switching is None or switching.pattern is None:
            return {}
        cells, _ = self._central_column()
        scale = switching.pattern.amplitude(self.sim.drive_value())
        field = np.linalg.norm(switching.pattern.solution.flux_density(cells), axis=1) * abs(scale)
        out = {f"B_{phase}_T": field, f"f_{phase}": switching.cell_fraction()[cells]}
        return self._from_owner(out, tuple(out))

    def _central_column(self) -> tuple[npt.NDArray[np.int32], Floats]:
        """Owned cells of the column nearest the centre, bottom to top; empty on all ranks but one."""
        import dolfinx.mesh

        sim = self.sim
        mesh = sim.tagged.mesh
        owned = np.arange(mesh.topology.index_map(3).size_local, dtype=np.int32)
        middle = dolfinx.mesh.compute_midpoints(mesh, 3, owned) * sim.tagged.length_unit
        distance = np.hypot(middle[:, 0], middle[:, 1])
        nearest = sim.comm.allgather((float(distance.min(initial=np.inf)), sim.comm.rank))
        self._owner = min(nearest)[1]
        if sim.comm.rank != self._owner:
            return owned[:0], middle[:0]
        first = middle[np.argmin(distance)]
        column = owned[np.hypot(*(middle[:, :2] - first[:2]).T) < 1e-9 * np.ptp(middle[:, :2]) + 1e-15]
        column = column[np.argsort(middle[column, 2])]
        return column, middle[column]

    def _from_owner(self, values: dict[str, npt.NDArray[Any]], names: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
        """The arrays with some of them replaced by those of the rank that owns the column."""
        theirs: dict[str, npt.NDArray[Any]] = {name: values[name] for name in names}
        return values | dict(self.sim.comm.bcast(theirs, root=self._owner))


def _sums(ledger: Ledger) -> dict[str, float]:
    """Columns of the history with what was booked since the start."""
    heat = {f"heat_{name}_J": value for book in (ledger.contact, ledger.bath) for name, value in book.items()}
    heat |= {f"lost_{name}_J": value for name, value in ledger.lost.items()}
    return heat | {"work_J": ledger.work, "load_J": ledger.load, "entropy_to_baths_J_per_K": ledger.entropy_out}
