"""What nodes store in an implicit stage: energy, or in films that switch entropy.

A node that keeps its normal fraction gains just the energy that reaches it. In a film that switches the field does
work on every node, and only the heat is known that reaches it: T (s(u, f) - s_before) = h P(u). So an isolated film
keeps its entropy to round-off in steps of any length, two nodes that exchange heat make entropy by their own difference
of temperature alone, and the work is what the energy balance leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from mpi4py import MPI

from fem.materials.material import Material
from meshes.arrays import Bools, Floats

if TYPE_CHECKING:
    from solvers.heat.network import ActiveNetwork

# A film whose temperatures even out in less than this part of a step has one temperature: its normal and its
# superconducting parts conduct alike then. (By T^4, as phonons do, an implicit step of any order evens out badly.)
MIXED = 0.1


@dataclass(frozen=True)
class Change:
    """How the normal fraction moves in a step, in a straight line in time.

    Attributes:
        fraction: at the end of the step, (n_local,).
        gain: entropy that losses of the transition make in each node in the step, J/K, (n_local,).
        moving: nodes of the layers that switch, and of those tied to them, (n_local,).
        evening: for each node the time in which temperatures even out along its layer if that switches, s, 0
            elsewhere, (n_local,).
    """

    fraction: Floats
    gain: Floats
    moving: Bools
    evening: Floats

    def at(self, start: Floats, share: float) -> Floats:
        """Normal fraction after a share of the step, (n_local,); `start` at its beginning."""
        return start + share * (self.fraction - start)

    def mixed(self, dt: float) -> Bools:
        """Nodes of layers in which temperatures even out long before a step of dt (s) ends, (n_local,)."""
        return (self.evening > 0.0) & (self.evening < MIXED * dt)


def change_to(network: ActiveNetwork, u: Floats, f: Floats, new_f: Floats, gain: Floats | None = None) -> Change | None:
    """The change of the normal fraction from f to new_f in a step, None if there is none (collective).

    Args:
        network: the active network; layers tied by perfect contacts move together.
        u: T^2 at the start, K^2, (n_local,).
        f: normal fraction at the start, (n_local,).
        new_f: at the end, (n_local,).
        gain: entropy that losses make, J/K, (n_local,); None: none.
    """
    space = network.space
    gain = np.zeros_like(f) if gain is None else gain
    layers = space.layer_sums(((f != new_f) | (gain != 0.0)).astype(np.float64)) > 0
    if not layers.any():
        return None
    groups = {int(g) for g, layer in zip(network.group, space.layer, strict=True) if g >= 0 and layers[layer]}
    groups = {g for part in space.comm.allgather(groups) for g in part}
    moving = layers[space.layer] | np.isin(network.group, sorted(groups))
    return Change(new_f, gain, moving, _evening_times(network, u, layers)[space.layer])


def evening_time(material: Material, length: float, u: float) -> float:
    """Diffusion time (L/pi)^2 c/k along a layer of a length (m) at T^2 = u (K^2), in the slower of its states, s."""
    ratios = [float(material.energy_u(u, f)[1] / material.conductivity_u(u, f)) for f in (0.0, 1.0)]
    return float((length / np.pi) ** 2 * max(ratios))


def _evening_times(network: ActiveNetwork, u: Floats, wanted: Bools) -> Floats:
    """The same of each wanted layer, 0 for the others, s, (n_layers,) (collective)."""
    space, problem = network.space, network.problem
    n = space.n_owned
    sums, volumes = space.layer_sums(u * space.volume, space.volume)
    times = np.zeros(len(space.names))
    for k in np.flatnonzero(wanted):
        x = space.x[problem.layer_nodes[k][problem.layer_nodes[k] < n]]
        ends = np.concatenate([x.max(axis=0, initial=-np.inf), -x.min(axis=0, initial=np.inf)])
        space.comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
        top, bottom = np.split(ends, 2)
        times[k] = evening_time(problem.materials[k], float((top + bottom).max()), float(sums[k] / volumes[k]))
    return times


def reach_held(network: ActiveNetwork, nodes: Bools) -> bool:
    """Whether some of these nodes, (n_local,), conduct to nodes that a bath holds (collective)."""
    held, i, j = network.held, network.matrix.i, network.matrix.j
    free = nodes & ~held
    some = (free[i] & held[j]) | (held[i] & free[j])
    return bool(network.space.comm.allreduce(int(some.any()), op=MPI.MAX))


@dataclass(frozen=True)
class Stored:
    """What the nodes store in one state.

    Attributes:
        energy: J, (n_local,).
        slope: its slope in u, J/K^2, (n_local,).
        amount: energy (J), or entropy (J/K) of moving nodes, (n_local,).
        factor: heat per amount: 1, or the temperature (K) of moving nodes, (n_local,).
    """

    energy: Floats
    slope: Floats
    amount: Floats
    factor: Floats

    def heat(self, target: Floats) -> Floats:
        """Heat (J) that brought the nodes from a target amount to this state, (n_local,)."""
        return self.factor * (self.amount - target)

    def heat_slope(self, target: Floats, u: Floats, moving: Bools | None) -> Floats:
        """Slope of `heat` in u, J/K^2, (n_local,); never less than a tenth of that of the energy."""
        if moving is None:
            return self.slope
        with np.errstate(divide="ignore", invalid="ignore"):
            more = np.where(moving & (u > 0.0), 0.5 * (self.amount - target) / self.factor, 0.0)
        return np.asarray(np.maximum(self.slope + more, 0.1 * self.slope))


def stored(network: ActiveNetwork, u: Floats, f: Floats, moving: Bools | None) -> Stored:
    """What the nodes store at u (K^2) and f, (n_local,) each; `moving` as in `Change`, None for none."""
    energy, slope = network.energy(u, f)
    if moving is None:
        return Stored(energy, slope, energy, np.ones_like(u))
    amount, factor = energy.copy(), np.ones_like(u)
    entropy = network.entropy(u, f)
    amount[moving], factor[moving] = entropy[moving], np.sqrt(u[moving])
    return Stored(energy, slope, amount, factor)


def guesses(network: ActiveNetwork, u: Floats, f: Floats, target: Floats, moving: Bools) -> list[Floats]:
    """Two states to start Newton's method from: films of one temperature, and nodes that exchange nothing (collective).

    Args:
        network: the active network.
        u: K^2, (n_local,), kept outside moving nodes.
        f: normal fraction of the stage, (n_local,).
        target: entropy of moving nodes, J/K, (n_local,).
        moving: nodes that store entropy, (n_local,).
    """
    space = network.space
    free = moving & ~network.held
    sums = space.layer_sums(*(np.where(free, v, 0.0) for v in (target, f * space.volume, space.volume)))
    uniform, alone = u.copy(), u.copy()
    for k, (material, nodes) in enumerate(zip(network.problem.materials, network.problem.layer_nodes, strict=True)):
        entropy, normal, volume = (float(total[k]) for total in sums)
        if volume == 0.0:
            continue
        least = 0.0 if material.spins is None else material.spins[0].lowest_entropy(material.spins[1])
        mean = entropy / volume
        if mean <= least:
            continue
        mine = nodes[free[nodes]]
        uniform[mine] = float(material.temperature_from_entropy(mean, normal / volume)) ** 2
        density = np.maximum(target[mine] / space.volume[mine], least + 1e-12 * (mean - least))
        alone[mine] = material.temperature_from_entropy(density, f[mine]) ** 2
    return [network.hold(uniform), network.hold(alone)]


def switched_at_once(
    network: ActiveNetwork, u: Floats, f: Floats, new_f: Floats, gain: Floats | None = None, duration: float = np.inf
) -> tuple[Floats, float]:
    """Films that switch at constant entropy but for losses, before any heat comes or goes (collective).

    A film in which temperatures even out within the duration has one temperature afterwards.

    Args:
        network: the active network.
        u: T^2, K^2, (n_local,).
        f: normal fraction now, (n_local,).
        new_f: normal fraction to be, (n_local,).
        gain: entropy that losses make, J/K, (n_local,); None: none.
        duration: s.

    Returns:
        The new u, and the magnetic work that this took, J.
    """
    change = change_to(network, u, f, new_f, gain)
    if change is None:
        return u, 0.0
    even, alone = guesses(network, u, new_f, network.entropy(u, f) + change.gain, change.moving)
    new = np.where(change.mixed(duration), even, alone)
    work = network.energy(new, new_f)[0] - network.energy(u, f)[0]
    return new, float(network.space.layer_sums(work).sum())
