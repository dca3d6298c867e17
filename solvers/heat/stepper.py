"""One adaptive step of the heat equation: SDIRK2 with Newton and an exact energy balance of the layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from fem.materials.material import Material
from meshes.arrays import Bools, Floats
from solvers.errors import StepFailure
from solvers.heat import spin_energy
from solvers.heat.checks import check_state
from solvers.heat.entropy import step_entropy
from solvers.heat.network import ActiveNetwork
from solvers.heat.parts import Flow
from solvers.heat.stage import Point, Stage, StageSolver
from solvers.heat.step import Step, sum_of_steps
from solvers.heat.step_control import StepControl
from solvers.heat.storage import Change, Stored, reach_held

GAMMA = 1.0 - 1.0 / np.sqrt(2.0)  # SDIRK2, L-stable and stiffly accurate (Alexander 1977)
FILTER_TOLERANCE = 1e-7  # of the solves that filter the error: the length of a step must not depend on the ranks
STEADY_TOLERANCE = 1e-12  # change of u, relative to itself and the hottest connected layer, of two long steps
STEADY_LIMIT = 60
# Third-order weights of the rates at 0, GAMMA dt and dt (exact for linear relaxation), minus those of the method.
_ORDER_CONDITIONS = np.array([[1.0, 1.0, 1.0], [0.0, GAMMA, 1.0], [0.0, GAMMA**2, 0.5]])
ERROR_WEIGHTS = np.linalg.solve(_ORDER_CONDITIONS, [1.0, 1 / 2, 1 / 6]) - [0.0, 1 - GAMMA, GAMMA]


@dataclass(frozen=True)
class _Last:
    """The end of the last step, from which the next one starts unless something was done to it."""

    point: Point
    f: Floats
    network: ActiveNetwork
    materials: Sequence[Material]

    def is_at(self, network: ActiveNetwork, u: Floats, f: Floats) -> bool:
        """Whether it is what a network has at these arrays (the very same ones)."""
        known = (self.network, self.materials, self.point.u, self.f)
        return all(a is b for a, b in zip(known, (network, network.problem.materials, u, f), strict=True))


class HeatStepper(StageSolver):
    """Advances u = T^2 of a heat problem, at a fixed normal fraction or while it changes.

    Args:
        network: the active network; another one of the same problem may take its place between steps.
        rtol: error of a step relative to the energy of each layer plus its energy at the temperature of the hottest
            layer it is in contact with.
    """

    def __init__(self, network: ActiveNetwork, rtol: float = 1e-3) -> None:
        super().__init__(network)
        self.rtol = rtol
        self.control = StepControl()
        self.rejected = 0
        self._last: _Last | None = None

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
        start = self._at(u, f, moving, mixed)
        begin = start.stored
        f1 = f if change is None else change.at(f, GAMMA)
        stage1 = Stage(f1, begin.amount + GAMMA * gain, h, moving, mixed)
        first, jacobian = self.solve(start, stage1)
        heat1 = first.stored.heat(stage1.target)
        network.close(first.flow, heat1 / h)
        rate0 = np.where(network.held, 0.0, start.flow.nodal)
        ones = [(h, first.flow, first.u)]
        target2 = begin.amount + gain + (dt - h) / h * (first.stored.amount - stage1.target)
        if self._runs_out(target2, moving):
            size = self._error(first, stage1, jacobian, np.asarray(0.5 * (heat1 - h * rate0)))
            return self._finish(h, begin, u, first, stage1, ones, size, heat1)
        stage2 = Stage(f if change is None else change.fraction, target2, h, moving, mixed)
        second, jacobian = self.solve(first, stage2)
        heat2 = second.stored.heat(target2)
        network.close(second.flow, heat2 / h)
        w0, w1, w2 = dt * ERROR_WEIGHTS
        # Rates of what is stored: of entropy, where that is it.
        rates = (rate0 / begin.factor, heat1 / (h * first.stored.factor), heat2 / (h * second.stored.factor))
        error = np.asarray(second.stored.factor * (w0 * rates[0] + w1 * rates[1] + w2 * rates[2]))
        flows = [(dt - h, first.flow, first.u), (h, second.flow, second.u)]
        heat = np.asarray((dt - h) / h * heat1 + heat2)
        size = self._error(second, stage2, jacobian, error)
        return self._finish(dt, begin, u, second, stage2, flows, size, heat)

    def _at(self, u: Floats, f: Floats, moving: Bools | None, mixed: Bools | None) -> Point:
        """The point at u and f: the end of the last step, if it is still that (collective)."""
        network = self.network
        if moving is None and self._last is not None and self._last.is_at(network, u, f):
            return self._last.point
        start = Stage(f, u, 0.0, moving, mixed).at(network, u)
        if moving is None:
            self._last = _Last(start, f, network, network.problem.materials)
        return start

    def _runs_out(self, target: Floats, moving: Bools | None) -> bool:
        """Whether some node would have to store less than at T = 0 (collective)."""
        network = self.network
        lowest = target if moving is None else np.where(moving, 1.0, target)
        lowest = lowest - spin_energy.lowest_energy(network.problem)
        least = float(lowest[~network.held].min(initial=np.inf))
        if moving is not None:  # entropy falls to that of T = 0 at the most
            left = (target - spin_energy.lowest_entropy(network.problem))[moving & ~network.held]
            least = min(least, float(left.min(initial=np.inf)))
        return bool(network.space.comm.allreduce(least, op=MPI.MIN) <= 0)

    def _finish(
        self,
        dt: float,
        begin: Stored,
        u: Floats,
        end: Point,
        stage: Stage,
        flows: list[tuple[float, Flow, Floats]],
        error: float,
        heat: Floats,
    ) -> Step:
        def total(name: str) -> dict[str, float]:
            keys = {k for _, flow, _ in flows for k in getattr(flow, name)}
            return {k: sum(w * getattr(flow, name).get(k, 0.0) for w, flow, _ in flows) for k in sorted(keys)}

        source = sum(w * flow.source for w, flow, _ in flows)
        work = 0.0
        moving = stage.moving
        if moving is not None:
            nodal = np.where(moving, end.energy - begin.energy - heat, 0.0)
            work = float(self.network.space.layer_sums(nodal).sum())
        else:
            self._last = _Last(end, stage.f, self.network, self.network.problem.materials)
        entropy = step_entropy(self.network, begin, end.energy, u, end.u, stage.f, flows, moving)
        inner = flows[0][2] if len(flows) > 1 else None
        return Step(dt, end.u, stage.f, work, total("contact"), total("bath"), source, entropy, error, inner)

    def _scale(self, u: Floats, f: Floats, energy: Floats) -> Floats:
        """What errors of the nodal energies are measured against, J, (n_local,) (collective)."""
        network, hot = self.network, self.network.hottest(u)
        return np.asarray(
            spin_energy.heat(network.problem, u, energy)
            + spin_energy.heat(network.problem, hot, network.energy(hot, f)[0])
        )

    def _error(self, end: Point, stage: Stage, jacobian: Floats, error: Floats) -> float:
        """Size of a nodal energy error over the tolerance: the larger of layer means and filtered nodes.

        In a layer that switches only the mean counts: how its nodes come to one temperature, in nanoseconds while its
        normal fraction moves in a straight line from nothing, is not resolved.
        """
        network = self.network
        space, n, moving = network.space, network.space.n_owned, stage.moving
        scale, slope = self._scale(end.u, stage.f, end.energy), stage.slope(end)
        # What relaxes within the step is damped by the method like 1/dt: filter twice, or it is taken for an error.
        node = np.where(network.held | (False if moving is None else moving), 0.0, error)[:n]
        for _ in range(2):
            node = slope[:n] * network.matrix.solve(node, FILTER_TOLERANCE)
        weight = space.volume[:n]
        size = network.n_groups + 1
        owned = network.group[:n] + 1
        free = owned > 0 if moving is None else (owned > 0) & ~moving[:n]
        squares = float((weight * (node / scale[:n]) ** 2)[free].sum())
        sums = [np.bincount(owned, v[:n], minlength=size) for v in (error, scale, slope)]
        total = np.concatenate([*sums, [squares, float(weight[free].sum())]])
        space.comm.Allreduce(MPI.IN_PLACE, total)
        rms = float(np.sqrt(total[-2] / total[-1])) if total[-1] > 0 else 0.0
        mean, scales, slopes = total[:-2].reshape(3, size)[:, 1:]
        for _ in range(2):
            mean = slopes * np.linalg.solve(jacobian, mean)
        worst = max(float(np.abs(mean / scales).max(initial=0.0)), rms)
        if moving is not None and reach_held(network, moving):
            # What a film passes on to nodes that are held goes through all of it, not through its last cells alone.
            rest: Floats = np.where(network.held | ~moving, 0.0, error)[:n]
            for _ in range(2):
                rest = np.asarray(slope[:n] * network.matrix.solve(rest, FILTER_TOLERANCE))
            means = space.comm.allreduce(np.bincount(owned, rest, minlength=size))[1:]
            worst = max(worst, float(np.abs(means / scales).max(initial=0.0)))
        return worst / self.rtol

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
            start = self._at(u, f, None, None)
            end, _ = self.solve(start, Stage(f, start.energy, dt))
            change = np.abs(end.u - u) / (end.u + network.hottest(end.u))
            u = end.u
            moving = network.space.comm.allreduce(float(change.max(initial=0.0)), op=MPI.MAX) > STEADY_TOLERANCE
            quiet = 0 if moving else quiet + 1
            if quiet == 2:
                network.close(end.flow, np.asarray((end.energy - start.energy) / dt))
                return u, end.flow
            dt *= 10.0
        raise StepFailure("heat: no steady state; is some layer without a bath?")

    def first_dt(self, u: Floats, f: Floats) -> float:
        """A first step that changes no layer's energy by more than about sqrt(rtol) / 2 of its scale (collective)."""
        network = self.network
        start = self._at(u, f, None, None)
        power = start.flow.nodal
        scale = self._scale(u, f, start.energy)
        free = ~network.held
        sums, scales = network.space.layer_sums(np.where(free, power, 0.0), np.where(free, scale, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            shortest = float(np.where(sums == 0, np.inf, scales / np.abs(sums)).min())
        return 0.5 * float(np.sqrt(self.rtol)) * shortest
