"""Passing over cycles that change slowly: from two computed cycles to two others far ahead.

What a cycle adds to T^2 of each layer (the energy of a normal metal) is taken from the last of at least two cycles
computed in a row, since the first one after a jump still feels the jump in layers that remember; up to four are
computed where successive gains differ. Over a jump the gain follows the same geometric series as before it: exact for
normal metals, whether they cool freely or approach a floor. The gain found behind the jump says by how much it was
wrong: too much, and the run goes back and jumps a shorter way. (Projective integration: C. W. Gear, I. G. Kevrekidis,
SIAM J. Sci. Comput. 24, 1091 (2003).)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from meshes.arrays import Floats
from solvers.output.recorder import Recorder
from solvers.simulation.ledger import Ledger
from solvers.simulation.simulation import Simulation
from solvers.simulation.state import RunState

# Computed cycles behind a jump: at least, and at most while their growths still differ.
FEWEST, MOST = 2, 4
SHORTEST = 2  # cycles worth a jump
LARGEST_CHANGE = math.log(2.0)  # of ln T in one jump: no layer passes more than a factor 2 of temperature unseen
LONGER, SHORTER, SAFETY = 4.0, 0.1, 0.9  # limits of the change of a jump's length, and caution in it


def passed_sum(first: Floats, last: Floats, gap: float, cycles: int) -> Floats:
    """Sum of a quantity over cycles 1, 2, ... `cycles` after one in which it was `first`.

    Args:
        first: value in cycle 0, (n,).
        last: value `gap` cycles later (or, with a negative gap, earlier), (n,). In between, and beyond, values change
            by the same factor from cycle to cycle where both have one sign and do not grow, else by the same amount.
        gap: cycles from the one to the other.
        cycles: how many are summed.
    """
    first, last = np.asarray(first, dtype=np.float64), np.asarray(last, dtype=np.float64)
    result = np.asarray(cycles * first + (last - first) / gap * (0.5 * cycles * (cycles + 1)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_ratio = np.log(last / first) / gap
        geometric = first * np.exp(log_ratio) * np.expm1(cycles * log_ratio) / np.expm1(log_ratio)
    falling = (first * last > 0) & ((log_ratio < 0) | (gap >= cycles)) & (np.abs(log_ratio) > 1e-12)
    return np.where(falling, geometric, result)


@dataclass
class Jump:
    """A jump that the cycles behind it have not confirmed yet.

    Attributes:
        before: state of the run where it began.
        length: cycles passed over.
        start, change: ln T of the layers before it, and what it added.
        gain: of T^2 in the last cycle before it, K^2.
        accounts: state of the accounts where it began, with the ledger of that cycle.
        energy: change of the stack's energy in the jump, J.
    """

    before: RunState
    length: int
    start: list[float]
    change: list[float]
    gain: list[float]
    accounts: dict[str, Any]
    energy: float

    def numbers(self) -> dict[str, Any]:
        """Plain numbers: all but `before`."""
        return {name: value for name, value in vars(self).items() if name != "before"}


class CycleJumper:
    """Decides after each cycle whether to pass over some, to confirm a jump, or to go back.

    Args:
        sim: the run; changed by jumps.
        recorder: what it records; told of jumps.
        tolerance: largest error of ln T of any layer that a jump may make.

    Attributes:
        growth: of ln T in the last cycle, (n_layers,), as far as `end_of_cycle` called it ready.
        jumps: those confirmed, with units in the keys.
        refused: jumps that were too long.
    """

    def __init__(self, sim: Simulation, recorder: Recorder, tolerance: float) -> None:
        self.sim, self.recorder, self.tolerance = sim, recorder, tolerance
        self.jumps: list[dict[str, float]] = []
        self.refused = 0
        self.growth: Floats | None = None
        self._row = [self._levels()]  # ln T since the last jump, cycle by cycle
        self._gain: Floats | None = None  # of T^2 in the last cycle, K^2
        self._known: tuple[int, Floats] | None = None  # cycle and gain before the last jump
        self._pending: Jump | None = None
        self._length = 0.0

    def _levels(self) -> Floats:
        return np.asarray(np.log(self.sim.totals().temperature))

    # ---- after a cycle ---------------------------------------------------------------------------
    def end_of_cycle(self) -> Literal["wait", "ready", "back"]:
        """Look at the cycle just finished; confirm the last jump or take it back (collective).

        Returns:
            "wait": more cycles must be computed here; "ready": the growth can be trusted, a jump may follow; "back":
            the run is where the last jump began, a shorter one may follow.
        """
        self._row = [*self._row, self._levels()][-MOST - 1 :]
        if len(self._row) <= FEWEST:
            return "wait"
        y = np.array(self._row)
        growth = y[-1] - y[-2]
        unrest = float(np.abs(growth - (y[-2] - y[-3])).max())
        jump = self._pending
        if jump is not None and jump.length * unrest > 0.5 * self.tolerance and len(y) <= MOST:
            return "wait"
        gain = np.exp(2.0 * y[-1]) - np.exp(2.0 * y[-2])
        self.growth, self._gain = growth, gain
        if jump is None:
            if self._length == 0.0:  # error of a first, straight jump: length^2 / 2 times the change of growth a cycle
                self._length = math.sqrt(2.0 * self.tolerance / max(unrest, 1e-12))
            return "ready"
        gap = self.sim.clock.cycle - jump.before.clock.cycle
        change = _gained(np.array(jump.start), passed_sum(np.array(jump.gain), gain, gap, jump.length))
        error = float(np.abs(change - jump.change).max())
        factor = SAFETY * float(np.cbrt(self.tolerance / max(error, 1e-300)))
        self._pending = None
        if error > self.tolerance:
            self.refused += 1
            self._length = jump.length * min(max(factor, SHORTER), 0.5)
            self._go_back(jump)
            return "back"
        self._length = jump.length * min(max(factor, 0.5), LONGER)
        self._known = (jump.before.clock.cycle, np.array(jump.gain))
        self._book(jump, gap, error)
        return "ready"

    def jump(self, room: int, goal: tuple[int, float] | None = None) -> None:
        """Pass over as many cycles as seem right, if any, after "ready" or "back" (collective).

        Args:
            room: cycles left to the end of the run.
            goal: number of a layer and its y at which the run ends, or None.
        """
        low, high = 0, max(min(int(self._length), room - MOST), 0)
        while low < high:  # the longest that is allowed
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._allowed(middle, goal) else (low, middle - 1)
        if low < SHORTEST:
            self._length *= 1.5
            return
        self._pass_over(low)

    def _change(self, length: int) -> Floats:
        """What the next cycles are expected to add to ln T."""
        assert self._gain is not None
        if self._known is None:  # ln T goes on as it did
            return -length * _gained(self._row[-1], -self._gain)
        cycle, gain = self._known
        total = passed_sum(self._gain, gain, cycle - self.sim.clock.cycle, length)
        return _gained(self._row[-1], total)

    def _allowed(self, length: int, goal: tuple[int, float] | None) -> bool:
        if float(np.abs(self._change(length)).max()) > LARGEST_CHANGE:
            return False
        # The cycles that confirm the jump shall come before the goal, which is then passed by a computed cycle.
        return goal is None or self._row[-1][goal[0]] + self._change(length + FEWEST)[goal[0]] > goal[1]

    # ---- changing the run ------------------------------------------------------------------------
    def _pass_over(self, length: int) -> None:
        sim, clock = self.sim, self.sim.clock
        assert self._gain is not None
        change = self._change(length)
        energy, before = float(sim.totals().energy.sum()), sim.state()
        levels, accounts = _plain(self._row[-1]), self.recorder.accounts.state()
        clock.cycle += length
        clock.time += length * sum(phase.duration for phase in sim.case.cycle.phases)
        self._scale(change)
        self._pending = Jump(
            before,
            length,
            levels,
            _plain(change),
            _plain(self._gain),
            accounts,
            float(sim.totals().energy.sum()) - energy,
        )
        self.recorder.accounts.begin_cycle()

    def _scale(self, change: Floats) -> None:
        """Scale the temperatures in each layer by exp(change); the row of cycles begins anew (collective)."""
        sim = self.sim
        sim.u = sim.network.hold(sim.u * np.exp(2.0 * change)[sim.heat.space.layer])
        self._row = [self._levels()]

    def _go_back(self, jump: Jump) -> None:
        self.sim.restore(jump.before)
        self._row = [self._levels()]
        self._gain = np.array(jump.gain)
        self.recorder.rewind(jump.accounts)

    def _book(self, jump: Jump, gap: int, error: float) -> None:
        """Give the ledger what the cycles passed over would have booked, and note the jump."""
        sim, booked = self.sim, Ledger(**jump.accounts["last_cycle"])
        passed = _passed_ledger(booked, self.recorder.accounts.last_cycle, gap, jump.length)
        sim.ledger.add(passed)
        self.recorder.insert(passed, jump.before.clock.time)
        given = sum(passed.bath.values())
        residual = jump.energy - passed.work - passed.load + given
        k = sim.heat.space.layer_number(self.recorder.accounts.cold)
        self.jumps.append(
            {
                "from_cycle": jump.before.clock.cycle,
                "to_cycle": jump.before.clock.cycle + jump.length,
                "T_cold_from_K": math.exp(jump.start[k]),
                "T_cold_to_K": math.exp(jump.start[k] + jump.change[k]),
                "error": error,
                "first_law_residual": residual / max(abs(given) + abs(passed.work), 1e-300),
            }
        )

    # ---- checkpoint ------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Plain numbers, for the checkpoint."""
        known = None if self._known is None else (self._known[0], _plain(self._known[1]))
        return {
            "jumps": self.jumps,
            "refused": self.refused,
            "gain": None if self._gain is None else _plain(self._gain),
            "row": [_plain(y) for y in self._row],
            "known": known,
            "pending": None if self._pending is None else self._pending.numbers(),
            "length": self._length,
        }

    @property
    def before(self) -> RunState | None:
        """State of the run before a jump that has not been confirmed yet."""
        return None if self._pending is None else self._pending.before

    def restore(self, state: dict[str, Any], before: RunState | None) -> None:
        """Go on from a checkpoint: what `state` gave, and `before`."""
        self.jumps, self.refused, self._length = state["jumps"], state["refused"], state["length"]
        self._gain = None if state["gain"] is None else np.array(state["gain"])
        self._row = [np.array(y) for y in state["row"]]
        self._known = None if state["known"] is None else (state["known"][0], np.array(state["known"][1]))
        self._pending = None if before is None else Jump(before, **state["pending"])


def _gained(level: Floats, gain: Floats) -> Floats:
    """Change of ln T where T^2 (K^2) gains something; minus infinity where nothing is left."""
    with np.errstate(divide="ignore"):
        return np.asarray(0.5 * np.log(np.maximum(1.0 + gain * np.exp(-2.0 * level), 0.0)))


def _plain(values: Floats) -> list[float]:
    return [float(value) for value in values]


def _passed_ledger(first: Ledger, last: Ledger, gap: int, cycles: int) -> Ledger:
    """Sums over the cycles between two of which the ledgers are known."""

    def passed(a: Any, b: Any) -> Any:
        if isinstance(a, dict):
            return {name: passed(a.get(name, 0.0), b.get(name, 0.0)) for name in {**a, **b}}
        return float(passed_sum(np.array([a]), np.array([b]), gap, cycles)[0])

    old, new = first.to_json(), last.to_json()
    return Ledger(**{name: passed(old[name], new[name]) for name in old})
