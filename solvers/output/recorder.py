"""What a run records on its way: history, accounts, profiles, and how far the drive takes its conductor."""

from __future__ import annotations

from typing import Any

from solvers.output.accounts import Accounts
from solvers.output.history import History
from solvers.output.profiles import Profiles
from solvers.simulation.events import PhaseEnded, PhaseStarted, Stepped
from solvers.simulation.ledger import Ledger
from solvers.simulation.simulation import Simulation
from solvers.simulation.validity import DriveLimits


class Recorder:
    """Hands what happens in a run to those that record it.

    Args:
        sim: the run, at its start.

    Attributes:
        history: a row for each step.
        accounts: balances of the cycles.
        profiles: field through the stack.
        limits: how far the drive takes its conductor.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.history, self.accounts, self.profiles = History(sim), Accounts(sim), Profiles(sim)
        self.limits = DriveLimits(sim)

    def start_of_phase(self, event: PhaseStarted) -> None:
        """Record the start of a phase (collective)."""
        self.accounts.start_of_phase(event)

    def step(self, event: Stepped) -> None:
        """Record a step (collective)."""
        row = self.history.step(event, self.sim.totals())
        self.profiles.step(event, row)
        self.limits.step()
        self.accounts.step(row)

    def end_of_phase(self, event: PhaseEnded) -> None:
        """Record the end of a phase (collective)."""
        self.profiles.end_of_phase(event)

    def end_of_cycle(self) -> None:
        """Close the balances of a cycle (collective)."""
        self.accounts.end_of_cycle()

    # ---- jumps over cycles -----------------------------------------------------------------------
    def rewind(self, accounts: dict[str, Any]) -> None:
        """Forget what was recorded since the accounts had a state; the run is there again."""
        self.accounts.restore(accounts)
        self.history.rewind(self.sim.clock.time)

    def insert(self, passed: Ledger, time: float) -> None:
        """Add what was booked for a time that was passed over to the sums of all rows after a moment (collective)."""
        self.history.insert(passed, time)
        self.accounts.begin_cycle()

    # ---- what a run goes on from -----------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Plain numbers that the next step starts from."""
        return {"accounts": self.accounts.state(), "limits": self.limits.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.accounts.restore(state["accounts"])
        self.limits.restore(state["limits"])
