"""One implicit stage of a step: Newton's method, then an exact energy balance of the layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from meshes.arrays import Bools, Floats
from solvers.errors import StepFailure
from solvers.heat import spin_energy
from solvers.heat.network import ActiveNetwork
from solvers.heat.parts import Flow
from solvers.heat.storage import Stored, guesses, stored

NEWTON_LIMIT = 30
NEWTON_TOLERANCE = 1e-9  # largest change of u, relative to itself and 1e-4 of the hottest connected layer
BALANCE_TOLERANCE = 1e-13  # energy balance of a layer, relative to its energy
EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Point:
    """What nodes store and what flows at one u (K^2, (n_local,))."""

    u: Floats
    stored: Stored
    flow: Flow

    @property
    def energy(self) -> Floats:
        """Nodal energies, J."""
        return self.stored.energy


@dataclass(frozen=True)
class Stage:
    """One implicit stage: heat(u, f) - h power(u, f) = 0, with the heat that brings nodes from `target` to u.

    Attributes:
        f: normal fraction, (n_local,).
        target: nodal energies, J, of moving nodes entropies, J/K, (n_local,).
        h: s.
        moving: nodes that store entropy, (n_local,); None: none.
        mixed: see `ActiveNetwork.power`.
    """

    f: Floats
    target: Floats
    h: float
    moving: Bools | None = None
    mixed: Bools | None = None

    def at(self, network: ActiveNetwork, u: Floats) -> Point:
        """The point at u (K^2) (collective)."""
        return Point(u, stored(network, u, self.f, self.moving), network.flows(u, self.f, self.mixed))

    def residual(self, network: ActiveNetwork, point: Point) -> Floats:
        """What each node lacks, J, (n_local,); 0 in held nodes."""
        return np.where(network.held, 0.0, point.stored.heat(self.target) - self.h * point.flow.nodal)

    def slope(self, point: Point) -> Floats:
        """Slope in u of what nodes store, J/K^2, (n_local,)."""
        return point.stored.heat_slope(self.target, point.u, self.moving)


class StageSolver:
    """Solves implicit stages.

    Args:
        network: the active network; another one of the same problem may take its place between stages.

    Attributes:
        newton_max: iterations of Newton's method that the longest solution took.
    """

    def __init__(self, network: ActiveNetwork) -> None:
        self.network = network
        self.newton_max = 0

    def solve(self, start: Point, stage: Stage) -> tuple[Point, Floats]:
        """Solve energy(u) - h power(u) = target, in moving nodes T (entropy(u) - target) = h power(u) (collective).

        The balance of the layers is closed only once Newton's method has converged: until then each shift would cost
        an evaluation of all laws.

        Args:
            start: where to start from, at the fraction of the stage if no node moves; held nodes have their values.
            stage: what to solve.

        Returns:
            The solution and the Jacobian of the balance of the groups there (J/K^2, (n_groups, n_groups)).

        Raises:
            StepFailure: no convergence, or a temperature would turn negative.
        """
        network = self.network
        point = start if stage.moving is None else self._better_guess(start.u, stage)
        hot = network.hottest(point.u)
        for iteration in range(1, NEWTON_LIMIT + 1):
            point = self._newton(point, stage)
            self.newton_max = max(self.newton_max, iteration)
            misfit, lowest = self._misfit(point, stage, hot)
            if not misfit < NEWTON_TOLERANCE:
                continue
            point, jacobian, shift = self._balance(point, stage, lowest)
            if shift < NEWTON_TOLERANCE or self._misfit(point, stage, hot)[0] < NEWTON_TOLERANCE:
                return point, jacobian
        name = self._farthest(point, stage, hot)
        raise StepFailure(f"heat: Newton did not converge in {NEWTON_LIMIT} iterations, least of all in layer {name}")

    def _better_guess(self, u: Floats, stage: Stage) -> Point:
        """Of films that switch the better one of two guesses (collective)."""
        network, n = self.network, self.network.space.n_owned
        assert stage.moving is not None
        points = [stage.at(network, v) for v in guesses(network, u, stage.f, stage.target, stage.moving)]
        local = [np.abs(stage.residual(network, p)) / np.sqrt(np.maximum(p.u, 1e-300)) for p in points]
        misfits = network.space.comm.allreduce(np.array([float(v[:n].sum()) for v in local]))
        return points[int(np.argmin(misfits))]

    def _newton(self, point: Point, stage: Stage) -> Point:
        """One iteration (collective)."""
        network, n = self.network, self.network.space.n_owned
        network.linearise(point.flow, stage.slope(point), stage.h)
        change = np.zeros_like(point.u)
        change[:n] = -network.matrix.solve(stage.residual(network, point)[:n])
        u = np.maximum(point.u + network.space.update_ghosts(change), 0.1 * point.u)
        return stage.at(network, network.hold(u))

    def _misfit(self, point: Point, stage: Stage, hot: Floats) -> tuple[float, Floats]:
        """Change of u that is left at the most, relative to u, and the smallest u of each group (collective)."""
        network, n = self.network, self.network.space.n_owned
        ends = np.full(network.n_groups + 2, -np.inf)
        ends[-1] = float(self._left(point, stage, hot).max(initial=0.0))
        np.maximum.at(ends, network.group[:n] + 1, -point.u[:n])
        network.space.comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
        return float(ends[-1]), -ends[1:-1]

    def _left(self, point: Point, stage: Stage, hot: Floats) -> Floats:
        """Change of u that is left in owned nodes, relative to u; 0 in held ones, (n_owned,) (collective)."""
        network, n = self.network, self.network.space.n_owned
        left = np.abs(network.matrix.combine(stage.residual(network, point)[:n]))
        scale = network.matrix.diagonal() * (point.u + 1e-4 * hot)[:n]
        return np.asarray(np.divide(left, scale, out=np.zeros(n), where=~network.held[:n]))

    def _farthest(self, point: Point, stage: Stage, hot: Floats) -> str:
        """Name of the layer in which most is left (collective)."""
        left, space = self._left(point, stage, hot), self.network.space
        here = (float(left.max()), int(space.layer[np.argmax(left)])) if len(left) else (-1.0, 0)
        return str(space.names[space.comm.allreduce(here, op=MPI.MAX)[1]])

    # ---- balance of the layers -------------------------------------------------------------------
    def _groups(self, point: Point, stage: Stage) -> tuple[Floats, Floats, Floats]:
        """Residual, round-off level (J) and Jacobian (J/K^2) of the energy balance of the groups (collective)."""
        network, h = self.network, stage.h
        group, size, n = network.group, network.n_groups + 1, network.space.n_owned
        owned = group[:n] + 1
        # What can be closed: the energy of the layers, and sums of flows that nearly cancel, to round-off.
        gross = BALANCE_TOLERANCE * spin_energy.heat(network.problem, point.u, point.energy)[:n]
        kept = np.abs(point.stored.factor * point.stored.amount)[:n]
        gross += 4 * EPSILON * (kept + h * np.abs(point.flow.nodal[:n]))
        by_node = (stage.residual(network, point), gross, stage.slope(point))
        sums = np.array([np.bincount(owned, v[:n], minlength=size) for v in by_node], dtype=np.float64)
        from_baths = np.bincount(group + 1, h * point.flow.bath_slope, minlength=size)
        sums[1] += 4 * EPSILON * np.bincount(group + 1, h * point.flow.bath_slope * point.u, minlength=size)
        jacobian = np.diag(sums[2] + from_baths).reshape(-1)
        for s, crossing in zip(point.flow.jacobian, network.crossings, strict=True):
            if len(crossing.pairs) == 0:
                continue
            of_i, of_j = h * s.of_i[crossing.pairs], h * s.of_j[crossing.pairs]
            entries = np.concatenate([of_i, -of_j, -of_i, of_j])
            jacobian += np.bincount(crossing.entries, entries, minlength=size * size)
            through = of_i * point.u[s.i[crossing.pairs]] + of_j * point.u[s.j[crossing.pairs]]
            sums[1] += 4 * EPSILON * np.bincount(crossing.ends, np.tile(through, 2), minlength=size)
        total = np.concatenate([sums.reshape(-1), jacobian])
        network.space.comm.Allreduce(MPI.IN_PLACE, total)
        sums = total[: sums.size].reshape(-1, size)[:, 1:]
        return sums[0], sums[1], total[-size * size :].reshape(size, size)[1:, 1:]

    def _balance(self, point: Point, stage: Stage, lowest: Floats) -> tuple[Point, Floats, float]:
        """Shift u of each group of layers by a constant so that its energy balance closes (collective).

        Args:
            point: where to start from.
            stage: what to solve.
            lowest: smallest u of each group, K^2, (n_groups,).

        Returns:
            The point, the Jacobian of the groups there, and the largest shift relative to u.
        """
        network = self.network
        free, largest = network.group >= 0, 0.0
        for _ in range(NEWTON_LIMIT):
            residual, level, jacobian = self._groups(point, stage)
            if (np.abs(residual) <= level).all():
                return point, jacobian, largest
            shift = -np.linalg.solve(jacobian, residual)
            down = float((shift / lowest).min())
            if down < -0.9:
                shift *= 0.9 / -down
            largest = max(largest, float((np.abs(shift) / lowest).max()))
            lowest = lowest + shift
            u = point.u.copy()
            u[free] += shift[network.group[free]]
            point = stage.at(network, u)
        raise StepFailure("heat: the energy balance of the layers did not close")
