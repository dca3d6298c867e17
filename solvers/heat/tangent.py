"""Derivatives of the temperatures by parameters, carried along with steps at a normal fraction that stands still.

Each accepted step solves energy(u1) - h power(u1) = target in one or two stages. Its derivative is one linear system
with the Jacobian of the stage for each parameter p,

    J du1 = d target/dp - d energy/dp + h d power/dp + dh/dp power,

in which the derivatives at fixed u are central differences of energies and powers alone: exact to round-off for what
enters linearly, else to about 1e-10. The steps in time count as given: their lengths do not depend on parameters but
for a `Duration`. Between such phases films may switch at constant entropy, and tied nodes come to one temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fem.materials.conduction import SMALLEST_U
from meshes.arrays import Floats
from solvers.heat.network import ActiveNetwork
from solvers.heat.parameters import Duration, Parameter, pair_at
from solvers.heat.step import Step
from solvers.heat.stepper import GAMMA, HeatStepper

SHARE = 1e-5  # of a parameter, for differences at fixed u
SOLVED = 1e-12  # residual of the linear systems


class HeatTangent:
    """Steps of a heat problem together with the derivatives of u = T^2 by parameters.

    stepper = cs.HeatStepper(problem.activate(), rtol=1e-6)
    tangent = cs.HeatTangent(stepper, [cs.LawConstant("a|b", "resistance_area"), cs.Duration(0.1)])
    step = tangent.advance(u, f, 0.1)
    T, by = tangent.layer_temperatures(step.u)

    Args:
        stepper: makes the steps; another network of the same problem may take its place between them.
        parameters: by which the derivatives are.
        start: derivatives of u at the start, K^2 per unit of each parameter, (n_parameters, n_local); None: 0.

    Raises:
        ValueError: the problem does not have a parameter, its value is 0, or it is a thickness of a mesh whose edges
            are not all upright or level.

    Attributes:
        du: derivatives of u at the end of the last step, K^2 per unit of each parameter, (n_parameters, n_local).
    """

    def __init__(self, stepper: HeatStepper, parameters: Sequence[Parameter], start: Floats | None = None) -> None:
        self.stepper, self.parameters = stepper, list(parameters)
        shape = (len(self.parameters), stepper.network.space.n_local)
        self.du: Floats = np.zeros(shape) if start is None else np.array(start, dtype=np.float64)
        if self.du.shape != shape:
            raise ValueError(f"derivatives at the start must have the shape {shape}, not {self.du.shape}")
        self._perturb(stepper.network)

    def _perturb(self, network: ActiveNetwork) -> None:
        self._network = network
        self._pairs = [pair_at(parameter, network, SHARE) for parameter in self.parameters]

    # ---- steps -----------------------------------------------------------------------------------
    def step(self, u: Floats, f: Floats, dt: float) -> Step:
        """One step, accepted whatever its error (collective); arguments and errors as `HeatStepper.step`."""
        step = self.stepper.step(u, f, dt)
        self._carry(u, f, step)
        return step

    def advance(self, u: Floats, f: Floats, duration: float) -> Step:
        """Steps to the end of a time (collective); arguments and errors as `HeatStepper.advance`."""
        before = [u]

        def carry(step: Step) -> None:
            self._carry(before.pop(), f, step)
            before.append(step.u)

        return self.stepper.advance(u, f, duration, carry)

    def equilibrate_ties(self, u: Floats, f: Floats) -> tuple[Floats, dict[str, float], dict[str, float]]:
        """Bring tied nodes to one temperature, as a phase begins; as `ActiveNetwork.equilibrate_ties` (collective)."""
        network = self._network_now()
        result = network.equilibrate_ties(u, f)
        new, n = result[0], network.space.n_owned

        def sums(nodal: Floats) -> Floats:
            return network.matrix.share(network.matrix.combine(nodal[:n]))

        slope = network.energy(new, f)[1]
        content = self.du * network.energy(u, f)[1] + self._energies(u, f) - self._energies(new, f)
        merged, capacity = sums(np.ones_like(u)) != 1.0, sums(slope)
        for k, given in enumerate(content):
            row = self.du[k].copy()
            np.divide(sums(np.asarray(given)), capacity, out=row[:n], where=merged)
            self.du[k] = np.where(network.held, 0.0, network.space.update_ghosts(row))
        return result

    def switch(self, u: Floats, f: Floats, new_f: Floats) -> tuple[Floats, float]:
        """Change the normal fraction to what does not depend on the parameters; as `HeatProblem.switch` (collective).

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction now, (n_local,).
            new_f: normal fraction to be, (n_local,).

        Returns:
            The new u, before `equilibrate_ties`, and the magnetic work, J.
        """
        network = self._network_now()
        new, work = network.problem.switch(u, f, new_f)
        moved = (f != new_f) & (u > 0.0) & (new > 0.0)
        entropy = self.du[:, moved] * (network.energy(u, f)[1] / np.sqrt(np.maximum(u, SMALLEST_U)))[moved]
        entropy += self._differences(lambda changed: changed.entropy(u, f) - changed.entropy(new, new_f))[:, moved]
        self.du[:, moved] = entropy * (np.sqrt(new[moved]) / network.energy(new, new_f)[1][moved])
        return new, work

    def layer_temperatures(self, u: Floats) -> tuple[Floats, Floats]:
        """Temperature of each layer, the root of its mean u, and its derivatives (collective).

        Args:
            u: T^2 at the end of the last step, K^2, (n_local,).

        Returns:
            K, (n_layers,), and K per unit of each parameter, (n_parameters, n_layers).
        """
        space = self.stepper.network.space
        sums = np.atleast_2d(space.layer_sums(space.volume, u * space.volume, *(v * space.volume for v in self.du)))
        T = np.sqrt(sums[1] / sums[0])
        return T, sums[2:] / sums[0] / (2.0 * T)

    # ---- derivatives -----------------------------------------------------------------------------
    def _network_now(self) -> ActiveNetwork:
        """The network of the stepper, with those of other parameters."""
        if self.stepper.network is not self._network:
            self._perturb(self.stepper.network)
        return self._network

    def _carry(self, u: Floats, f: Floats, step: Step) -> None:
        """The derivatives at the end of a step from those at its start (collective)."""
        network = self._network_now()
        h = step.dt if step.first is None else GAMMA * step.dt
        begin = self.du * network.energy(u, f)[1] + self._energies(u, f)
        if step.first is None:
            self.du, _ = self._stage(step.u, f, h, begin)
            return
        _, first = self._stage(step.first, f, h, begin)
        target = np.asarray(begin + (1.0 - GAMMA) / GAMMA * (first - begin))
        self.du, _ = self._stage(step.u, f, h, target)

    def _stage(self, u: Floats, f: Floats, h: float, target: Floats) -> tuple[Floats, Floats]:
        """Derivatives of u, and of the nodal energies, at the end of a stage of h (s) (collective).

        Args:
            u: T^2 at its end, K^2, (n_local,).
            f: normal fraction, (n_local,).
            h: s.
            target: derivatives of the energies that the stage starts from, (n_parameters, n_local).
        """
        network = self.stepper.network
        n, held = network.space.n_owned, network.held
        slope, flow = network.energy(u, f)[1], network.power(u, f)
        network.linearise(flow, slope, h)
        energies = self._energies(u, f)
        right = target - energies + h * self._powers(u, f)
        for k, parameter in enumerate(self.parameters):
            if isinstance(parameter, Duration):
                right[k] += h / parameter.seconds * flow.nodal
        du: Floats = np.zeros_like(right)
        for k, given in enumerate(np.where(held, 0.0, right)):
            new = np.zeros_like(u)
            new[:n] = network.matrix.solve(given[:n], SOLVED)
            du[k] = np.where(held, 0.0, network.space.update_ghosts(new))
        return du, np.asarray(du * slope + energies)

    def _energies(self, u: Floats, f: Floats) -> Floats:
        """Derivatives of the nodal energies at fixed u, (n_parameters, n_local)."""
        return self._differences(lambda network: network.energy(u, f)[0])

    def _powers(self, u: Floats, f: Floats) -> Floats:
        """Derivatives of the nodal powers at fixed u, (n_parameters, n_local) (collective)."""
        return self._differences(lambda network: network.power(u, f).nodal)

    def _differences(self, nodal: Callable[[ActiveNetwork], Floats]) -> Floats:
        rows = np.zeros_like(self.du)
        for k, (up, down, distance) in enumerate(self._pairs):
            if up is not down:
                rows[k] = (nodal(up) - nodal(down)) / distance
        return rows
