"""Which mechanism produced how much entropy, such that the sum is what stack, baths and loads gained, to round-off.

In a step the energy of a node changes by the sum of what reached it, so its entropy change over its energy change is
the one inverse temperature at which all of that counts: with it the entropy that leaves one end of a flow and
arrives at the other, summed over all flows, is the entropy gained, however long the step. (The product of power and
inverse temperatures at the stages of a step would miss a few per cent where a film of some 10 uK begins to warm up.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from meshes.arrays import Bools, Floats

if TYPE_CHECKING:
    from solvers.heat.network import ActiveNetwork
    from solvers.heat.parts import Flow
    from solvers.heat.storage import Stored


# Nodes whose u changes by less than this part of it count at their mean temperature (error of second order in it).
SMALL_CHANGE = 1e-4


def step_entropy(
    network: ActiveNetwork,
    begin: Stored,
    end_energy: Floats,
    before: Floats,
    after: Floats,
    f: Floats,
    flows: Sequence[tuple[float, Flow, Floats]],
    moving: Bools | None = None,
) -> dict[str, float]:
    """Entropy that a step produced, J/K: by conduction, each contact, each bath and each load (collective).

    Args:
        network: the active network.
        begin: what the nodes stored at the start of the step.
        end_energy: nodal energies at its end, J, (n_local,).
        before: u at the start of the step, K^2, (n_local,).
        after: u at its end, K^2, (n_local,).
        f: normal fraction at its end, (n_local,).
        flows: for each stage the time that it counts (s), its flow, and its u (K^2, (n_local,)).
        moving: nodes that stored entropy: each stage gave them its heat at its own temperature; None: none.
    """
    space = network.space
    mean = _inverse_temperature(network, end_energy - begin.energy, before, after, f)
    inverses = [mean if moving is None else np.where(moving, 1.0 / np.sqrt(u), mean) for _, _, u in flows]
    local: dict[str, float] = {}
    for (time, flow, _), inverse in zip(flows, inverses, strict=True):
        for pair in flow.pair_flows:
            flowing = pair.power != 0.0
            if pair.j is not None:
                end = inverse[pair.j][flowing]
            else:
                assert pair.temperature is not None
                with np.errstate(divide="ignore"):
                    end = 1.0 / pair.temperature[flowing]
            made = time * float((pair.power[flowing] * (end - inverse[pair.i][flowing])).sum())
            local[pair.name] = local.get(pair.name, 0.0) + made
    total = space.comm.allreduce(np.array(list(local.values())))
    produced = dict(zip(local, (float(value) for value in total), strict=True))
    for name, power in network.active_sources():
        heated = power != 0.0
        gained = np.zeros_like(power)
        for (time, _, _), inverse in zip(flows, inverses, strict=True):
            gained[heated] += time * power[heated] * inverse[heated]
        produced[name] = float(space.layer_sums(gained).sum())
    return produced


def tie_entropy(network: ActiveNetwork, before: Floats, after: Floats, f: Floats) -> dict[str, float]:
    """Entropy produced when tied nodes came to one temperature, J/K, by the bath or contact that ties (collective).

    A node that gained dE and dS produced dS - dE/T, with T the common temperature: what it would have produced in
    touch with a large body at T. The sum over a tree of free nodes, whose energy does not change, is the sum of dS.

    Args:
        network: the active network.
        before: u before `ActiveNetwork.equilibrate_ties`, K^2, (n_local,).
        after: u after it, K^2, (n_local,).
        f: normal fraction, (n_local,).
    """
    names, tie = network.tied_by()
    energy = network.energy(after, f)[0] - network.energy(before, f)[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        spent = np.where(energy == 0.0, 0.0, energy / np.sqrt(after))
    produced = network.entropy(after, f) - network.entropy(before, f) - spent
    n = network.space.n_owned
    total = np.bincount(tie[:n] + 1, produced[:n], minlength=len(names) + 1)[1:]
    return dict(zip(names, (float(value) for value in network.space.comm.allreduce(total)), strict=True))


def _inverse_temperature(network: ActiveNetwork, energy: Floats, before: Floats, after: Floats, f: Floats) -> Floats:
    """Mean 1/T of each node's change of energy (J) in a step at one f, 1/K, (n_local,) (collective)."""
    energy = energy.copy()
    entropy = network.entropy(after, f) - network.entropy(before, f)
    matrix = network.matrix
    n = network.space.n_owned
    # Merged nodes count as one: heat that reaches one of them warms all.
    energy[:n], entropy[:n] = (matrix.share(matrix.combine(values[:n])) for values in (energy, entropy))
    network.space.update_ghosts(energy)
    network.space.update_ghosts(entropy)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = 2.0 / (np.sqrt(before) + np.sqrt(after))
        moved = np.abs(after - before) > SMALL_CHANGE * (after + before)
        return np.asarray(np.where(moved & (energy != 0.0), entropy / energy, mean))
