"""One adaptive step of the heat equation: SDIRK2 with Newton and an exact energy balance of the layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from meshes.arrays import Bools, Floats
from solvers.errors import StepFailure
from solvers.heat import spin_energy
from solvers.heat.checks import check_state
from solvers.heat.entropy import step_entropy
from solvers.heat.network import ActiveNetwork
from solvers.heat.parts import Flow
from solvers.heat.step import Step, sum_of_steps
from solvers.heat.step_control import StepControl
from solvers.heat.storage import Change, Stored, guesses, reach_held, stored

GAMMA = 1.0 - 1.0 / np.sqrt(2.0)  # SDIRK2, L-stable and stiffly accurate (Alexander 1977)
NEWTON_LIMIT = 30
NEWTON_TOLERANCE = 1e-9  # largest change of u, relative to itself and 1e-4 of the hottest connected layer
BALANCE_TOLERANCE = 1e-13  # energy balance of a layer, relative to its energy
FILTER_TOLERANCE = 1e-7  # of the solves that filter the error: the length of a step must not depend on the ranks
EPSILON = float(np.finfo(float).eps)
STEADY_TOLERANCE = 1e-12  # change of u, relative to itself and the hottest connected layer, of two long steps
STEADY_LIMIT = 60
# Third-order weights of the rates at 0, GAMMA dt and dt (exact for linear relaxation), minus those of the method.
_ORDER_CONDITIONS = np.array([[1.0, 1.0, 1.0], [0.0, GAMMA, 1.0], [0.0, GAMMA**2, 0.5]])
ERROR_WEIGHTS = np.linalg.solve(_ORDER_CONDITIONS, [1.0, 1 / 2, 1 / 6]) - [0.0, 1 - GAMMA, GAMMA]


@dataclass
class _State:
    """Everything known at a trial u."""

    u: Floats
    stored: Stored
    slope: Floats
    flow: Flow
    residual: Floats

    @property
    def energy(self) -> Floats:
        """Nodal energies, J."""
        return self.stored.energy


@dataclass(frozen=True)
class _Stage:
    """One implicit stage: heat(u, f) - h power(u, f) = 0, with the heat that brings nodes from `target` to u."""

    f: Floats
    target: Floats
    h: float
    moving: Bools | None = None
    mixed: Bools | None = None


class HeatStepper:
    """Advances u = T^2 of a heat problem, at a fixed normal fraction or while it changes.

    Args:
        network: the active network; another one of the same problem may take its place between steps.
        rtol: error of a step relative to the energy of each layer plus its energy at the temperature of the hottest
            layer it is in contact with.
    """

    def __init__(self, network: ActiveNetwork, rtol: float = 1e-3) -> None:
        self.network, self.rtol = network, rtol
        self.control = StepControl()
        self.newton_max = 0
        self.rejected = 0

    # ---- one implicit stage ----------------------------------------------------------------------
    def _evaluate(self, u: Floats, stage: _Stage) -> _State:
        now = stored(self.network, u, stage.f, stage.moving)
        flow = self.network.power(u, stage.f, stage.mixed)
        residual = np.where(self.network.held, 0.0, now.heat(stage.target) - stage.h * flow.nodal)
        return _State(u, now, now.heat_slope(stage.target, u, stage.moving), flow, residual)

    def solve_stage(
        self,
        u: Floats,
        f: Floats,
        target: Floats,
        h: float,
        moving: Bools | None = None,
        mixed: Bools | None = None,
    ) -> _State:
        """Solve energy(u) - h power(u) = target, in moving nodes T (entropy(u) - target) = h power(u) (collective).

        Args:
            u: first guess, K^2, (n_local,); held nodes have their values.
            f: normal fraction, (n_local,).
            target: nodal energies, J, of moving nodes entropies, J/K, (n_local,).
            h: s.
            moving: nodes that store entropy, (n_local,); None: none.
            mixed: see `HeatProblem.power`.

        Raises:
            StepFailure: no convergence, or a temperature would turn negative.
        """
        network = self.network
        n = network.space.n_owned
        free = ~network.held[:n]
        stage = _Stage(f, target, h, moving, mixed)
        state = self._start(u, stage)
        hot = network.hottest(state.u)
        for iteration in range(1, NEWTON_LIMIT + 1):
            diagonal = network.linearise(state.flow, state.slope, h)
            change = np.zeros_like(u)
            change[:n] = -network.matrix.solve(state.residual[:n])
            new = np.maximum(state.u + network.space.update_ghosts(change), 0.1 * state.u)
            state = self._balance(self._evaluate(network.hold(new), stage), stage)

            self.newton_max = max(self.newton_max, iteration)
            size = network.space.accumulate(diagonal)[:n]
            left = np.abs(network.matrix.combine(state.residual[:n]))
            scale = size * (state.u + 1e-4 * hot)[:n]
            worst = left[free] / scale[free]
            if network.space.comm.allreduce(float(worst.max(initial=0.0)), op=MPI.MAX) < NEWTON_TOLERANCE:
                return state
        layer = network.space.layer[:n][free][np.argmax(worst)] if free.any() else 0
        _, where = network.space.comm.allreduce((float(worst.max(initial=-1.0)), int(layer)), op=MPI.MAX)
        name = network.space.names[where]
        raise StepFailure(f"heat: Newton did not converge in {NEWTON_LIMIT} iterations, least of all in layer {name}")

    def _start(self, u: Floats, stage: _Stage) -> _State:
        """State to start Newton's method from: of films that switch the better one of two guesses (collective)."""
        if stage.moving is None:
            return self._evaluate(u, stage)
        states = [self._evaluate(v, stage) for v in guesses(self.network, u, stage.f, stage.target, stage.moving)]
        n = self.network.space.n_owned
        misfits = [float((np.abs(s.residual) / np.sqrt(np.maximum(s.u, 1e-300)))[:n].sum()) for s in states]
        misfits = list(self.network.space.comm.allreduce(np.array(misfits)))
        return states[int(np.argmin(misfits))]

    def _groups(self, state: _State, h: float) -> tuple[Floats, Floats, Floats]:
        """Residual, round-off level (J) and Jacobian (J/K^2) of the energy balance of the groups of layers."""
        network = self.network
        group, size, n = network.group, network.n_groups + 1, network.space.n_owned
        owned = group[:n] + 1
        residual: Floats = np.bincount(owned, state.residual[:n], minlength=size).astype(np.float64)
        # What can be closed: the energy of the layers, and sums of flows that nearly cancel, to round-off.
        gross = BALANCE_TOLERANCE * spin_energy.heat(network.problem, state.u, state.energy)[:n]
        kept = np.abs(state.stored.factor * state.stored.amount)
        gross += 4 * EPSILON * (kept[:n] + h * np.abs(state.flow.nodal[:n]))
        level: Floats = np.bincount(owned, gross, minlength=size).astype(np.float64)
        level += 4 * EPSILON * np.bincount(group + 1, h * state.flow.bath_slope * state.u, minlength=size)
        jacobian: Floats = np.diag(np.bincount(owned, state.slope[:n], minlength=size).astype(np.float64))
        jacobian += np.diag(np.bincount(group + 1, h * state.flow.bath_slope, minlength=size))
        for s in state.flow.jacobian:
            cross = group[s.i] != group[s.j]  # flow inside a group cancels in its balance
            a, b = group[s.i[cross]] + 1, group[s.j[cross]] + 1
            of_i, of_j = h * s.of_i[cross], h * s.of_j[cross]
            for row, column, value in ((a, a, of_i), (a, b, -of_j), (b, a, -of_i), (b, b, of_j)):
                flat = np.bincount(row * size + column, value, minlength=size * size)
                jacobian += flat.reshape(size, size)
            gross = of_i * state.u[s.i[cross]] + of_j * state.u[s.j[cross]]
            for row in (a, b):
                level += 4 * EPSILON * np.bincount(row, gross, minlength=size)
        total = network.space.comm.allreduce(np.concatenate([residual, level, jacobian.reshape(-1)]))
        residual, level, jacobian = np.split(total, [size, 2 * size])
        return residual[1:], level[1:], jacobian.reshape(size, size)[1:, 1:]

    def _balance(self, state: _State, stage: _Stage) -> _State:
        """Shift u of each group of layers by a constant so that its energy balance closes (collective)."""
        network = self.network
        if network.n_groups == 0:
            return state
        free = network.group >= 0
        for _ in range(NEWTON_LIMIT):
            residual, level, jacobian = self._groups(state, stage.h)
            if (np.abs(residual) <= level).all():
                return state
            shift = np.zeros_like(state.u)
            shift[free] = -np.linalg.solve(jacobian, residual)[network.group[free]]
            lowest = float((shift[free] / state.u[free]).min(initial=0.0))
            lowest = network.space.comm.allreduce(lowest, op=MPI.MIN)
            if lowest < -0.9:
                shift *= 0.9 / -lowest
            state = self._evaluate(state.u + shift, stage)
        raise StepFailure("heat: the energy balance of the layers did not close")

    # ---- one step --------------------------------------------------------------------------------
    def step(self, u: Floats, f: Floats, dt: float, change: Change | None = None) -> Step:
        """One SDIRK2 step, or one backward-Euler step of GAMMA dt where a second stage would go negative (collective).

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction, (n_local,).
            dt: s.
            change: of the normal fraction in this step; None: it stands still.

        Raises:
            StepFailure: no convergence.
        """
        network = self.network
        h = GAMMA * dt
        moving = None if change is None else change.moving
        mixed = None if change is None else change.mixed(dt)
        gain = 0.0 if change is None else change.gain
        begin = stored(network, u, f, moving)
        f1 = f if change is None else change.at(f, GAMMA)
        target1 = begin.amount + GAMMA * gain
        first = self.solve_stage(u, f1, target1, h, moving, mixed)
        heat1 = first.stored.heat(target1)
        network.close(first.flow, heat1 / h)
        rate0 = np.where(network.held, 0.0, network.power(u, f, mixed).nodal)
        ones = [(h, first.flow, first.u)]
        target2 = begin.amount + gain + (dt - h) / h * (first.stored.amount - target1)
        lowest = target2 if moving is None else np.where(moving, 1.0, target2)
        lowest = lowest - spin_energy.lowest_energy(network.problem)
        least = float(lowest[~network.held].min(initial=np.inf))
        if moving is not None:  # entropy falls to that of T = 0 at the most
            left = (target2 - spin_energy.lowest_entropy(network.problem))[moving & ~network.held]
            least = min(least, float(left.min(initial=np.inf)))
        if network.space.comm.allreduce(least, op=MPI.MIN) <= 0:
            size = self._error(first, f1, np.asarray(0.5 * (heat1 - h * rate0)), h, moving)
            return self._finish(h, begin, u, f1, first, ones, size, change, heat1)
        f2 = f if change is None else change.fraction
        second = self.solve_stage(first.u, f2, target2, h, moving, mixed)
        heat2 = second.stored.heat(target2)
        network.close(second.flow, heat2 / h)
        w0, w1, w2 = dt * ERROR_WEIGHTS
        # Rates of what is stored: of entropy, where that is it.
        rates = (rate0 / begin.factor, heat1 / (h * first.stored.factor), heat2 / (h * second.stored.factor))
        error = np.asarray(second.stored.factor * (w0 * rates[0] + w1 * rates[1] + w2 * rates[2]))
        flows = [(dt - h, first.flow, first.u), (h, second.flow, second.u)]
        heat = np.asarray((dt - h) / h * heat1 + heat2)
        size = self._error(second, f2, error, h, moving)
        return self._finish(dt, begin, u, f2, second, flows, size, change, heat)

    def _finish(
        self,
        dt: float,
        begin: Stored,
        u: Floats,
        f: Floats,
        state: _State,
        flows: list[tuple[float, Flow, Floats]],
        error: float,
        change: Change | None,
        heat: Floats,
    ) -> Step:
        def total(name: str) -> dict[str, float]:
            keys = {k for _, flow, _ in flows for k in getattr(flow, name)}
            return {k: sum(w * getattr(flow, name).get(k, 0.0) for w, flow, _ in flows) for k in sorted(keys)}

        source = sum(w * flow.source for w, flow, _ in flows)
        work = 0.0
        moving = None
        if change is not None:
            moving = change.moving
            nodal = np.where(moving, state.energy - begin.energy - heat, 0.0)
            work = float(self.network.space.layer_sums(nodal).sum())
        entropy = step_entropy(self.network, begin, u, state.u, f, flows, moving)
        inner = flows[0][2] if len(flows) > 1 else None
        return Step(dt, state.u, f, work, total("contact"), total("bath"), source, entropy, error, inner)

    def _scale(self, u: Floats, f: Floats, energy: Floats) -> Floats:
        """What errors of the nodal energies are measured against, J, (n_local,) (collective)."""
        network, hot = self.network, self.network.hottest(u)
        return np.asarray(
            spin_energy.heat(network.problem, u, energy)
            + spin_energy.heat(network.problem, hot, network.energy(hot, f)[0])
        )

    def _error(self, state: _State, f: Floats, error: Floats, h: float, moving: Bools | None) -> float:
        """Size of a nodal energy error over the tolerance: the larger of layer means and filtered nodes.

        In a layer that switches only the mean counts: how its nodes come to one temperature, in nanoseconds while its
        normal fraction moves in a straight line from nothing, is not resolved.
        """
        network = self.network
        space, n = network.space, network.space.n_owned
        scale = self._scale(state.u, f, state.energy)
        # What relaxes within the step is damped by the method like 1/dt: filter twice, or it is taken for an error.
        node = np.where(network.held | (False if moving is None else moving), 0.0, error)[:n]
        for _ in range(2):
            node = state.slope[:n] * network.matrix.solve(node, FILTER_TOLERANCE)
        weight = space.volume[:n]
        local = np.zeros(2)
        worst = 0.0
        size = network.n_groups + 1
        owned = network.group[:n] + 1
        sums = [np.bincount(owned, v[:n], minlength=size) for v in (error, scale, state.slope)]
        sums = list(space.comm.allreduce(np.array(sums))[:, 1:])
        if network.n_groups:
            _, _, jacobian = self._groups(state, h)
            mean = sums[0]
            for _ in range(2):
                mean = sums[2] * np.linalg.solve(jacobian, mean)
            worst = float(np.abs(mean / sums[1]).max())
        if moving is not None and reach_held(network, moving):
            # What a film passes on to nodes that are held goes through all of it, not through its last cells alone.
            rest: Floats = np.where(network.held | ~moving, 0.0, error)[:n]
            for _ in range(2):
                rest = np.asarray(state.slope[:n] * network.matrix.solve(rest, FILTER_TOLERANCE))
            means = space.comm.allreduce(np.bincount(owned, rest, minlength=size))[1:]
            worst = max(worst, float(np.abs(means / sums[1]).max(initial=0.0)))
        free = owned > 0 if moving is None else (owned > 0) & ~moving[:n]
        local[0] = float((weight * (node / scale[:n]) ** 2)[free].sum())
        local[1] = float(weight[free].sum())
        total = space.comm.allreduce(local)
        rms = float(np.sqrt(total[0] / total[1])) if total[1] > 0 else 0.0
        return max(worst, rms) / self.rtol

    # ---- many steps ------------------------------------------------------------------------------
    def advance(self, u: Floats, f: Floats, duration: float, on_step: Callable[[Step], None] | None = None) -> Step:
        """As many steps as it takes, their length chosen by the error, from a state to the end of a time (collective).

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction, (n_local,).
            duration: s.
            on_step: called after every accepted step.

        Returns:
            The sum of all steps; its error is the largest.

        Raises:
            ValueError: a state or a time that is negative or no number.
            StepFailure: no step, however small, works out.
        """
        if not 0.0 <= duration < np.inf:
            raise ValueError(f"a time to advance by must be a number of seconds, not negative, got {duration!r}")
        check_state(self.network.space, u, f)
        total = Step(0.0, u, f, 0.0, {}, {}, 0.0, {}, 0.0)
        dt = self.first_dt(u, f)
        while total.dt < duration:
            left = duration - total.dt
            dt = min(dt, left)
            if self.control.hopeless(dt, duration):
                raise StepFailure(f"heat: no time step works out, down to {dt:.1e} s")
            try:
                step = self.step(total.u, f, dt)
            except StepFailure:
                self.rejected += 1
                dt = self.control.after_failure(dt)
                continue
            dt = self.control.after(step.dt, step.error)
            if not self.control.accepts(step.error):
                self.rejected += 1
                continue
            if on_step is not None:
                on_step(step)
            total = sum_of_steps(total, step)
            if step.dt == left:
                break
        total.dt = duration
        return total

    def steady(self, u: Floats, f: Floats) -> tuple[Floats, Flow]:
        """The state that a problem tied to some bath comes to in the end (collective).

        Returns:
            Its u, and the powers in it.

        Raises:
            ValueError: a state that is negative or no number.
            StepFailure: no convergence.
        """
        network = self.network
        check_state(network.space, u, f)
        u, _, _ = network.equilibrate_ties(u, f)
        dt = min(self.first_dt(u, f), 1.0) or 1.0
        quiet = 0
        for _ in range(STEADY_LIMIT):
            energy, _ = network.energy(u, f)
            state = self.solve_stage(u, f, energy, dt)
            change = np.abs(state.u - u) / (state.u + network.hottest(state.u))
            u = state.u
            moving = network.space.comm.allreduce(float(change.max(initial=0.0)), op=MPI.MAX) > STEADY_TOLERANCE
            quiet = 0 if moving else quiet + 1
            if quiet == 2:
                network.close(state.flow, np.asarray((state.energy - energy) / dt))
                return u, state.flow
            dt *= 10.0
        raise StepFailure("heat: no steady state; is some layer without a bath?")

    def first_dt(self, u: Floats, f: Floats) -> float:
        """A first step that changes no layer's energy by more than about sqrt(rtol) / 2 of its scale (collective)."""
        network = self.network
        power = network.power(u, f).nodal
        scale = self._scale(u, f, network.energy(u, f)[0])
        free = ~network.held
        sums, scales = network.space.layer_sums(np.where(free, power, 0.0), np.where(free, scale, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            shortest = float(np.where(sums == 0, np.inf, scales / np.abs(sums)).min())
        return 0.5 * float(np.sqrt(self.rtol)) * shortest
