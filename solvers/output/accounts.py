"""The accounts of a run: what each cycle moved, cost and produced, and at which drive the film switches."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fem.materials.two_temperatures import layer_of
from solvers.output.history import Row
from solvers.output.result import write_cycles
from solvers.simulation.events import PhaseStarted
from solvers.simulation.ledger import Ledger, Totals
from solvers.simulation.simulation import Simulation


@dataclass
class OpenCycle:
    """Where the present cycle began, and what was seen since.

    Attributes:
        ledger: at its start, as plain numbers.
        energy, entropy: of the whole device at its start, J and J/K.
        coldest, hottest: temperatures of the working film since, K; None: no step yet.
        given: what the cold layer had given through its contacts when last looked at, J.
        temperature: that of the cold layer then, K.
        drawn: integral of dQ/T over what the cold layer gave since, J/K.
        film: magnitude of the drive and normal fraction of the working film at the last step, or None.
    """

    ledger: dict[str, Any]
    energy: float
    entropy: float
    given: float
    temperature: float
    coldest: float | None = None
    hottest: float | None = None
    drawn: float = 0.0
    film: tuple[float, float] | None = None


class Accounts:
    """Balances of the cycles; the same on all ranks.

    Args:
        sim: the run, at its start.

    Attributes:
        cycles: one entry for each finished cycle, units in the keys.
        last_cycle: the ledger of the last finished cycle.
        cold: name of the layer to be cooled: the topmost that is no superconductor.
        working: name of the film that switches, or None.
        power_initial: largest cooling power with which a phase of the first cycle starts, film normal, W.
        half_switched: magnitude of the drive at which the working film is half normal, or None.
        fraction_at_full_drive: normal fraction of the working film at the whole drive, or None.
    """

    KEPT = ("cycles", "power_initial", "half_switched", "fraction_at_full_drive")

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        names, laws = sim.heat.space.names, sim.heat.materials
        # A layer with two temperatures counts by its electrons, its lattice not at all.
        layers = [(name, law) for name, law in zip(names, laws, strict=True) if layer_of(name) == name]
        normal = [name for name, law in layers if not law.superconducting]
        self.cold = normal[-1] if normal else layers[-1][0]
        films = sim.switching.columns if sim.switching else []
        self.working = films[0].film.layer if films else None
        self.cycles: list[dict[str, Any]] = []
        self.last_cycle = Ledger()
        self.power_initial = 0.0
        self.half_switched: float | None = None
        self.fraction_at_full_drive: float | None = None
        self.begin_cycle()

    def begin_cycle(self) -> None:
        """Start the balances of a cycle here (collective)."""
        totals, ledger = self.sim.totals(), self.sim.ledger
        self._open = OpenCycle(
            ledger.copy().to_json(),
            float(totals.energy.sum()),
            float(totals.entropy.sum()),
            self._out_of(self.cold, ledger.contact),
            float(totals.temperature[self.sim.heat.space.layer_number(self.cold)]),
        )

    # ---- events of the run -----------------------------------------------------------------------
    def start_of_phase(self, event: PhaseStarted) -> None:
        """Look for the largest cooling power with which a phase of the first cycle starts (collective)."""
        sim = self.sim
        normal = self.working is None or (sim.switching and sim.switching.layer_fraction()[self.working] > 0.5)
        if event.cycle == 1 and not event.resumed and normal:
            flow = sim.network.power(sim.u, sim.f)
            self.power_initial = max(self.power_initial, sim.scale * self._out_of(self.cold, flow.contact))

    def step(self, row: Row) -> None:
        """Look at a row of the history."""
        now = self._open
        temperature, given = float(row[f"T_{self.cold}_K"]), self._out_of(self.cold, self.sim.ledger.contact)
        # What the cold layer gave since the last step, at its mean temperature in between.
        now.drawn += (given - now.given) * 2.0 / (temperature + now.temperature)
        now.given, now.temperature = given, temperature
        if self.working is not None:
            film = float(row[f"T_{self.working}_K"])
            now.coldest = film if now.coldest is None else min(now.coldest, film)
            now.hottest = film if now.hottest is None else max(now.hottest, film)
            self._switches(abs(self.sim.drive_value()), float(row[f"f_{self.working}"]))

    def _switches(self, drive: float, fraction: float) -> None:
        """Look at the working film at a magnitude of the drive."""
        before = self._open.film or (0.0, 0.0)
        # Of a film that switches as a whole in one step it is not known where it was half switched.
        if self.half_switched is None and before[1] < 0.5 <= fraction <= before[1] + 0.5:
            weight = (0.5 - before[1]) / (fraction - before[1])
            self.half_switched = before[0] + weight * (drive - before[0])
        self._open.film = (drive, fraction)
        settings = self.sim.case.drive
        if settings is not None and drive >= (1 - 1e-12) * abs(settings.amplitude):
            self.fraction_at_full_drive = fraction

    def end_of_cycle(self) -> None:
        """Close the balances of a cycle (collective).

        The Carnot value of the coefficient of performance (COP) is T_c / (T_h - T_c). T_c is the temperature of the
        cold layer averaged over the heat drawn from it, Q_c / integral of dQ/T, and T_h in the same way that of the
        baths over the heat that they took. Where no bath took heat, or T_c is not between 0 and T_h, there is none.
        """
        sim, opened = self.sim, self._open
        booked = self.last_cycle = sim.ledger.since(Ledger(**opened.ledger))
        totals = sim.totals()
        cold, hot = self._exchanged(booked)
        given = sum(booked.bath.values())
        residual = float(totals.energy.sum()) - opened.energy - booked.work - booked.load + given
        exchanged = max(abs(cold) + abs(hot), abs(given) + abs(booked.work), 1e-300)
        cop = cold / booked.work if booked.work > 0.0 else None
        t_cold, t_hot = cold / opened.drawn if opened.drawn else None, self._bath_temperature(booked)
        ratio = None
        if cop is not None and t_cold is not None and t_hot is not None and 0.0 < t_cold < t_hot:
            ratio = cop * (t_hot - t_cold) / t_cold
        self.cycles.append(
            {
                "cycle": sim.clock.cycle,
                "T_cold_K": self._cold_temperature(totals),
                "T_working_min_K": opened.coldest,
                "T_working_max_K": opened.hottest,
                "Q_cold_J": cold,
                "Q_hot_J": hot,
                "work_J": booked.work,
                "entropy_produced_J_per_K": float(totals.entropy.sum()) - opened.entropy + booked.entropy_out,
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

    # ---- sums ------------------------------------------------------------------------------------
    def _cold_temperature(self, totals: Totals) -> float:
        return float(totals.temperature[self.sim.heat.space.layer_number(self.cold)])

    def _exchanged(self, booked: Ledger) -> tuple[float, float]:
        """Heat drawn from the cold layer and given by the working film, J."""
        cold, hot = self._out_of(self.cold, booked.contact), 0.0
        if self.working is not None:
            hot = self._out_of(self.working, booked.contact) + cold * self._touch()
            hot += sum(booked.bath.get(b.name, 0.0) for b in self.sim.heat.baths if b.layer == self.working)
        return cold, hot

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

    # ---- what a run goes on from -----------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Plain numbers that the next step starts from."""
        return {name: getattr(self, name) for name in self.KEPT} | {
            "cycles": list(self.cycles),
            "last_cycle": self.last_cycle.to_json(),
            "open": asdict(self._open),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        for name in self.KEPT:
            setattr(self, name, state[name])
        self.cycles = list(self.cycles)
        self.last_cycle, self._open = Ledger(**state["last_cycle"]), OpenCycle(**state["open"])

    def write(self, path: Path) -> None:
        """Write one line for each cycle (rank 0)."""
        write_cycles(path, self.cycles)
