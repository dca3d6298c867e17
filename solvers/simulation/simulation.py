"""A run: the stack goes through the phases of its cycle, field and heat in turn.

In a step of the drive the field says how far the films switch; then they do so while heat is exchanged, in implicit
steps in which the normal fraction goes from its old to its new value in a straight line.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from mpi4py import MPI

from meshes.arrays import Floats
from solvers.case.blocks import PhaseBlock
from solvers.case.model import Case
from solvers.errors import ComputationError, StepFailure
from solvers.heat.entropy import tie_entropy
from solvers.heat.step import Step
from solvers.heat.storage import Change, change_to, switched_at_once
from solvers.simulation.device import Device
from solvers.simulation.events import CycleEnded, Event, PhaseEnded, PhaseStarted, Stepped
from solvers.simulation.law_limits import hottest
from solvers.simulation.state import RunState
from solvers.simulation.waveform import drive_points

# A ramp step that changes the mean normal fraction by more than this is taken in halves, down to 1/4.
LARGEST_SWITCH = 0.3
SMALLEST_RAMP_FRACTION = 1 / 4
# Where no field is found even for this part of the largest change of the drive, there is none to be found.
HOPELESS_RAMP = 1e-3
# Where the decay of eddy currents would allow a longer step, the field follows the heat's steps down to this part.
SHORTEST_FIELD_STEP = 0.1
# What to try where a run ends.
FIELD_HINT = "try a smaller solver.ramp_step, a larger solver.fraction_tolerance or a finer mesh"
HEAT_HINT = "try a larger solver.rtol, a smaller solver.ramp_step or a finer mesh"


class Simulation(Device):
    """A run: how the state of a device advances through the phases of its cycle.

    Args:
        case: what to compute.
        comm: MPI communicator.
    """

    def __init__(self, case: Case, comm: MPI.Intracomm) -> None:
        super().__init__(case, comm)
        self._failure = ""

    # ---- running ---------------------------------------------------------------------------------
    def run(self) -> Iterator[Event]:
        """Advance to the end of the last cycle; yields what happens (collective).

        At each event but the start of a phase the run is between two steps: its state may be saved, or changed.

        Raises:
            ComputationError: no step, however small, works out.
        """
        phases = self.case.cycle.phases
        while self.clock.cycle < self.case.cycle.repeat:
            while self.clock.phase < len(phases):
                phase, cycle = phases[self.clock.phase], self.clock.cycle + 1
                yield from self._run_phase(phase, cycle)
                clock = self.clock
                clock.phase, clock.in_phase, clock.dt = clock.phase + 1, 0.0, 0.0
                yield PhaseEnded(cycle, phase)
            self.clock.cycle, self.clock.phase = self.clock.cycle + 1, 0
            yield CycleEnded(self.clock.cycle)

    def _run_phase(self, phase: PhaseBlock, cycle: int) -> Iterator[Event]:
        with self.timed("heat"):
            self.activate([gate.name for gate in self.gates if gate.open(phase.name)])
            self._equilibrate_ties()
            if self.clock.dt == 0.0:
                self.clock.dt = min(self.stepper.first_dt(self.u, self.f), phase.duration)
        yield PhaseStarted(cycle, phase, self.clock.in_phase > 0.0)
        points = drive_points(phase)
        if self.eddy is not None and self.clock.time == 0.0 and points[0][1] != 0.0:
            self._start_at_rest(points[0][1])
        for start, end in pairwise(points):
            if self.clock.in_phase == start[0]:
                self.clock.ramp = self.case.solver.ramp_step
            while self.clock.in_phase < end[0]:
                dt = self._step(start, end, phase.duration)
                if dt is not None:
                    yield Stepped(cycle, phase, dt)

    def _step(self, start: tuple[float, float], end: tuple[float, float], duration: float) -> float | None:
        """One step between two corners of the drive, at most to the second; its length in s, or None: refused."""
        (t0, v0), (t1, v1), clock = start, end, self.clock
        left = t1 - clock.in_phase
        length = left if v0 == v1 else min(left, clock.ramp / abs(v1 - v0) * (t1 - t0))
        follow = self.eddy is not None
        if follow and v0 == v1:
            length, follow = self._hold_step(v0, left)
        if left - length < 1e-9 * (t1 - t0):
            length = left
        drive = v1 if length == left else v0 + (v1 - v0) * (clock.in_phase + length - t0) / (t1 - t0)
        largest = self.case.solver.ramp_step
        # A step of 1 is asked for: the field changes at once.
        may_refuse = v0 != v1 and clock.ramp > SMALLEST_RAMP_FRACTION * largest and largest != 1.0
        rate = (v1 - v0) / (t1 - t0)
        before = self.state()
        try:
            goal = self._switch(drive, rate, length, may_refuse, dt=length if follow else None)
            if goal is None:
                self._refuse(before)
                return None
            clock.ramp = min(2 * clock.ramp, largest)
            clock.drive = drive
            if largest == 1.0 and v0 != v1:
                goal = self._switch_at_once(*goal, length)
            # A hold takes one step of the heat problem at a time, so that the films follow its temperature.
            done = self._exchange(length, duration, goal, one_step=v0 == v1 and not follow)
        except StepFailure as failure:
            self._refuse(before)
            if v0 == v1 or self.clock.ramp < HOPELESS_RAMP * largest:
                raise ComputationError(f"no step of the field works out: {failure}; {FIELD_HINT}") from None
            return None
        except ComputationError:
            self.restore(before)  # the last good state
            raise
        clock.in_phase = t1 if done == left else clock.in_phase + done
        clock.time += done
        return done

    def _refuse(self, before: RunState) -> None:
        """Take a step back; the next one changes the drive by half as much."""
        self.restore(before)
        self.clock.ramp /= 2
        self.counters.rejected += 1

    def _equilibrate_ties(self) -> None:
        """Bring nodes that a bath holds to its temperature and book the heat."""
        before = self.u
        self.u, bath, contact = self.network.equilibrate_ties(before, self.f)
        self.ledger.add_flow(bath, contact, self.bath_temperature, self.scale)
        self.ledger.add_produced(tie_entropy(self.network, before, self.u, self.f), self.scale)

    def _switch(
        self, drive: float, rate: float, length: float, may_refuse: bool, dt: float | None = None
    ) -> tuple[Floats, Floats] | None:
        """Find how far the films switch in a step of a length (s) to a drive that changes at a rate (1/s).

        With eddy currents the field takes the time dt to get there, and heats for that time from now on.

        Returns:
            Normal fraction at the end of the step and entropy that losses make in it (J/K), (n_local,) each; None:
            refused, too large a change.
        """
        if self.switching is None or self.case.drive is None or (self.eddy is not None and dt is None):
            return self.f, np.zeros_like(self.f)
        pattern = self.switching.pattern
        with self.timed("field"):
            largest = LARGEST_SWITCH if may_refuse else 1.0
            value = self.drive_value_at(drive)
            changed = self.switching.update(value, length, self.u, self.f, largest, dt)
            if changed is None:
                return None
            if self.eddy is not None and dt is not None:
                self.heat_with(self.eddy.accept(value))
            fields = self.spins.at(self.switching, value)
        goal, gain = self.switching.nodal_fraction(self.u, self.f), np.zeros_like(self.f)
        with self.timed("switch"):
            if fields != self.heat.spin_field:
                self._magnetise(fields)
            if changed and self.losses is not None:
                gain, lost = self.losses.gain(self.u, self.f, goal, rate * self.case.drive.amplitude, length, pattern)
                for mechanism, (heat, entropy) in lost.items():
                    self.ledger.work -= self.scale * heat  # it is in the work of the steps that follow
                    self.ledger.add_loss(mechanism, heat, entropy, self.scale)
        return goal, gain

    def _switch_at_once(self, fraction: Floats, gain: Floats, duration: float) -> tuple[Floats, Floats]:
        """Let the films switch before any heat comes or goes; arguments and result as those of a goal."""
        self.u, work = switched_at_once(self.network, self.u, self.f, fraction, gain, duration)
        self.f, self.ledger.work = fraction, self.ledger.work + self.scale * work
        self._equilibrate_ties()
        return fraction, np.zeros_like(gain)

    def _magnetise(self, fields: dict[str, float]) -> None:
        """Change the field (T) of nuclear spins at constant entropy, node by node; the energy comes from the field."""
        self.u, work = self.heat.magnetise(self.u, self.f, fields)
        if self.switching is not None:
            self.switching.set_spin_field(fields)
        self.ledger.work += self.scale * work
        self._equilibrate_ties()

    # ---- eddy currents ---------------------------------------------------------------------------
    def _start_at_rest(self, drive: float) -> None:
        """Begin the run in the field of its first drive, without eddy currents."""
        assert self.switching is not None
        assert self.eddy is not None
        value = self.drive_value_at(drive)
        with self.timed("field"):
            self.switching.update(value, np.inf, self.u, self.f)
            self.switching.start_eddy(value)
            fields = self.spins.at(self.switching, value)
        self._switch_at_once(self.switching.nodal_fraction(self.u, self.f), np.zeros_like(self.f), np.inf)
        if fields != self.heat.spin_field:
            self._magnetise(fields)
        self.clock.drive = drive

    def _hold_step(self, drive: float, left: float) -> tuple[float, bool]:
        """Length of the next step of a hold (s), and whether the field has to be followed in it."""
        assert self.switching is not None
        assert self.eddy is not None
        value = self.drive_value_at(drive)
        with self.timed("field"):
            longest = self.eddy.hold_step(value, self._negligible_energy())
            if longest is None and self.switching.at_rest(value, left, self.u, self.f):
                self.heat_with(None)
                return left, False
        if longest is None:  # the films follow their temperature
            return min(left, self.clock.dt), True
        return min(left, longest, max(self.clock.dt, SHORTEST_FIELD_STEP * longest)), True

    def _negligible_energy(self) -> float:
        """Energy (J, of this mesh) that makes no difference to a layer that conducts, by the tolerance of a step."""
        energy = self.heat.energy(self.u, self.f)[0] + self.heat.energy(self.network.hottest(self.u), self.f)[0]
        sums = self.heat.space.layer_sums(energy)
        assert self.eddy is not None
        conducting = [self.heat.space.layer_number(name) for name in self.eddy.layers]
        return self.case.solver.rtol * float(sums[conducting].min())

    # ---- heat ------------------------------------------------------------------------------------
    def _exchange(self, length: float, duration: float, goal: tuple[Floats, Floats], one_step: bool) -> float:
        """Exchange heat for a time while the films switch, or for one step in which they do; returns the time taken.

        Args:
            length: s.
            duration: of the phase, s.
            goal: normal fraction at the end, and entropy that losses make (J/K), (n_local,) each.
            one_step: take one accepted step of at most that time.
        """
        done, (fraction, gain) = 0.0, goal
        with self.timed("heat"):
            while done < length:
                left = length - done
                dt = min(self.clock.dt, left)
                part = 1.0 if one_step else dt / left
                change = change_to(self.network, self.u, self.f, self.f + part * (fraction - self.f), part * gain)
                step = self._try_step(dt, change)
                if step is None:
                    if self.stepper.control.hopeless(self.clock.dt, duration):
                        raise ComputationError(
                            f"no time step works out, down to {dt:.1e} s: {self._failure}; {HEAT_HINT}"
                        )
                    continue
                self._accept(step)
                gain = gain * (1.0 - part * step.dt / dt)
                done = length if step.dt == left else done + step.dt
                if one_step:
                    break
        return done

    def _try_step(self, dt: float, change: Change | None) -> Step | None:
        """A step of at most dt, or None: rejected. Sets the length of the next one."""
        control = self.stepper.control
        if self.counters.steps >= self.case.solver.max_steps:
            raise ComputationError(f"solver.max_steps = {self.counters.steps} time steps are used up; raise it")
        try:
            step = self.stepper.step(self.u, self.f, dt, change)
        except StepFailure as failure:
            self._failure = str(failure)
            self.counters.rejected += 1
            self.clock.dt = control.after_failure(dt)
            return None
        if not control.accepts(step.error):
            self._failure = f"the error is {step.error:.1e} times the tolerance"
            self.counters.rejected += 1
            self.clock.dt = control.after(step.dt, step.error)
            return None
        # A step cut short by the end of a phase says nothing against the longer one.
        cut = step.dt < self.clock.dt and step.dt == dt
        self.clock.dt = max(control.after(step.dt, step.error), self.clock.dt if cut else 0.0)
        return step

    def _accept(self, step: Step) -> None:
        before = self.totals().entropy.sum() + self.ledger.entropy_out
        self.u, self.f = step.u, step.f
        self.ledger.work += self.scale * step.work
        self.ledger.add_step(step, self.bath_temperature, self.scale)
        for mechanism, power in self.network.heating_power.items():
            self.ledger.add_loss(mechanism, power * step.dt, 0.0, self.scale)  # its entropy is in the step's
        totals = self.totals()
        self.counters.hottest = max(self.counters.hottest, hottest(self.heat.space.names, totals.temperature))
        entropies = totals.entropy
        entropy = entropies.sum()
        # The entropy of nuclear spins is negative.
        size = np.abs(entropies).sum()
        self.counters.entropy_worst = min(
            self.counters.entropy_worst, (entropy + self.ledger.entropy_out - before) / size
        )
        self.counters.steps += 1
