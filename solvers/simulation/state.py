"""All that a run needs to go on, in one piece: what is saved, copied, and gone back to."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from meshes.arrays import Floats
from solvers.simulation.ledger import Ledger
from solvers.switching.pattern import FilmState, Saved
from solvers.switching.switching import Switching


@dataclass
class Clock:
    """Where the run is.

    Attributes:
        cycle: number of the cycle, from 0.
        phase: number of the phase in the cycle, from 0.
        in_phase: time since the phase began, s.
        time: time since the run began, s.
        drive: present drive in units of the amplitude.
        dt: step that the heat problem would try next, s; 0: find one.
        ramp: step of the drive that a ramp would try next, in units of the amplitude; 0: the largest.
    """

    cycle: int = 0
    phase: int = 0
    in_phase: float = 0.0
    time: float = 0.0
    drive: float = 0.0
    dt: float = 0.0
    ramp: float = 0.0


@dataclass
class Counters:
    """What is counted from the start of a run.

    Attributes:
        steps: accepted steps of the heat problem.
        rejected: steps that were taken back, of heat or drive.
        entropy_worst: lowest entropy production of a step over the entropy of the stack.
        hottest: highest mean temperature of a layer after a step, K.
    """

    steps: int = 0
    rejected: int = 0
    entropy_worst: float = 0.0
    hottest: float = 0.0


@dataclass(frozen=True)
class RunState:
    """State of a run between two steps; nothing in it is changed in place.

    Attributes:
        u: nodal T^2, K^2, (n_local,).
        f: nodal normal fraction, (n_local,).
        clock: where the run is.
        ledger: what was booked since the start.
        counters: what was counted.
        spin_field: field of the nuclear spins of each layer where they count, T, by layer.
        films: films and field; None without a drive.
        reached: fields that nodes on their way through a transition with loss are in (`SwitchingLosses`), (n_local,);
            None without a drive.
        heating: Joule heat of eddy currents at the nodes, W, (n_local,); None: there is none.
    """

    u: Floats
    f: Floats
    clock: Clock
    ledger: Ledger
    counters: Counters
    spin_field: dict[str, float]
    films: FilmState | None = None
    reached: Floats | None = None
    heating: Floats | None = None

    def saved(self) -> Saved:
        """In a form for the disk."""
        films = None if self.films is None else self.films.saved()
        nodes = {"u": self.u, "f": self.f, "reached": self.reached, "heating": self.heating}
        numbers = {
            "clock": asdict(self.clock),
            "ledger": self.ledger.to_json(),
            "counters": asdict(self.counters),
            "spin_field": self.spin_field,
            "films": None if films is None else films.numbers,
        }
        return Saved(
            numbers,
            {name: values for name, values in nodes.items() if values is not None},
            {} if films is None else films.columns,
            {} if films is None else films.edges,
        )

    @classmethod
    def from_saved(cls, saved: Saved, switching: Switching | None) -> RunState:
        """Back from what `saved` gave, for a run with these films."""
        numbers, films = saved.numbers, None
        if numbers["films"] is not None and switching is not None:
            parts = Saved(numbers["films"], columns=saved.columns, edges=saved.edges)
            films = FilmState.from_saved(parts, switching.solution)
        return cls(
            clock=Clock(**numbers["clock"]),
            ledger=Ledger(**numbers["ledger"]),
            counters=Counters(**numbers["counters"]),
            spin_field=numbers["spin_field"],
            films=films,
            **saved.nodes,
        )
