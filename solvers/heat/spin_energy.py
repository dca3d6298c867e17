"""What the energy of nuclear spins, -M B, means for the accuracy of a heat problem.

It is negative and, once the spins are polarised, large beside the heat in them. So errors are measured against c T / 2
of the spins instead, which is the energy of electrons of that heat capacity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fem.materials.conduction import SMALLEST_U
from meshes.arrays import Floats

if TYPE_CHECKING:
    from solvers.heat.problem import HeatProblem


def heat(problem: HeatProblem, u: Floats, energy: Floats) -> Floats:
    """Nodal energies with c T / 2 of the spins in the place of their energy: a positive measure, J, (n_local,).

    Args:
        problem: the heat problem.
        u: T^2, K^2, (n_local,).
        energy: nodal energies there, J, (n_local,).
    """
    out = energy.copy()
    for material, nodes in zip(problem.materials, problem.layer_nodes, strict=True):
        if material.spins is not None:
            nuclei, field = material.spins
            T = np.sqrt(np.maximum(u[nodes], SMALLEST_U))
            more = 0.5 * T * nuclei.heat_capacity(T, field) - nuclei.energy(T, field)
            out[nodes] += more * problem.space.volume[nodes]
    return out


def entropy(problem: HeatProblem, u: Floats) -> Floats:
    """The part of the spins in the nodal entropies, J/K, (n_local,); u as in `heat`."""
    out = np.zeros_like(u)
    for material, nodes in zip(problem.materials, problem.layer_nodes, strict=True):
        if material.spins is not None:
            nuclei, field = material.spins
            out[nodes] = nuclei.entropy(np.sqrt(u[nodes]), field)
    return np.asarray(out * problem.space.volume)


def lowest_energy(problem: HeatProblem) -> Floats:
    """Nodal energies at T = 0, J, (n_local,): 0 without spins."""
    lowest = [0.0 if law.spins is None else law.spins[0].lowest_energy(law.spins[1]) for law in problem.materials]
    return np.asarray(np.array(lowest)[problem.space.layer] * problem.space.volume)


def lowest_entropy(problem: HeatProblem) -> Floats:
    """Nodal entropies at T = 0, J/K, (n_local,): 0 without spins."""
    lowest = [0.0 if law.spins is None else law.spins[0].lowest_entropy(law.spins[1]) for law in problem.materials]
    return np.asarray(np.array(lowest)[problem.space.layer] * problem.space.volume)
