"""The transition of a column with loss: above Hc on the way up, below it on the way down."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fem.constants import MU0
from fem.materials.material import Material
from meshes.arrays import Floats

# Steps in which a transition with loss is followed: energies within 0.1 %, of second order.
LOSS_STEPS = 16
# Less than this is left to switch: the temperature stands still.
COMPLETE = 1e-6


@dataclass(frozen=True)
class Branch:
    """A transition with loss, step by step.

    Attributes:
        temperature: K, (m, n).
        field: squared field (A/m)^2 that brought it there, never turning back, (m, n).
    """

    temperature: Floats
    field: Floats


def fractions_between(start: Floats, end: Floats) -> Floats:
    """Fractions from start to end (n,), denser where little is normal: there the temperature changes most; (m, n)."""
    weight = np.linspace(0.0, 1.0, LOSS_STEPS + 1)[:, None]
    return np.asarray(((1.0 - weight) * np.sqrt(start) + weight * np.sqrt(end)) ** 2)


def lossy_branch(
    material: Material,
    entropy: Floats,
    fraction: Floats,
    eta: float,
    rising: bool,
    thickness: float | None,
    reached: Floats | None = None,
) -> Branch:
    """Follow columns, thermally insulated, through a transition that takes place at eta times the critical field.

    Per volume that switches mu0/2 |H^2 - Hc(T)^2| is dissipated in the column itself: de = T ds + ... with
    T ds = mu0/2 |H^2 - Hc^2| df. A column that heats needs less field than the one that it is in: H stays and the rest
    switches at once. In a thin film H stands for the applied field over the factor by which the film raises Hc, since
    its magnetic energy is lower by the square of that factor.

    Args:
        material: a superconductor.
        entropy: at the start, J m^-3 K^-1, (n,).
        fraction: normal fractions on the way, (m, n), monotone.
        eta: transition field over Hc(T).
        rising: towards the normal state.
        thickness: of the film in metres for its transition field, or None for the bulk.
        reached: squared field, (A/m)^2, that it is in already on its way, (n,); NaN: not on its way.
    """
    way = _LossyWay(material, eta, rising, thickness)
    T = material.temperature_from_entropy(entropy, fraction[0])
    field = way.needed(T)
    if reached is not None:
        field = np.where(np.isnan(reached), field, way.further(field, reached))
    temperatures, fields = [T], [field]
    for old, new in pairwise(list(fraction)):
        T = way.step(T, field, np.asarray(old), np.asarray(new))
        field = way.further(field, way.needed(T))
        temperatures.append(T)
        fields.append(field)
    return Branch(np.array(temperatures), np.array(fields))


class _LossyWay:
    """Steps of `lossy_branch`; its arguments."""

    def __init__(self, material: Material, eta: float, rising: bool, thickness: float | None) -> None:
        self.material, self.eta, self.thickness = material, eta, thickness
        self.further = np.maximum if rising else np.minimum
        self.ground = material.critical_field(0.0) ** 2

    def laws(self, T: Floats) -> tuple[Floats, Floats]:
        """Squared critical field of the bulk, and squared factor of the film."""
        factor = 1.0 if self.thickness is None else self.material.film_critical_field_factor(self.thickness, T)
        return self.material.critical_field(T) ** 2, np.broadcast_to(factor, T.shape) ** 2

    def needed(self, T: Floats) -> Floats:
        """Squared field at which a column of this temperature goes on."""
        critical, factor = self.laws(T)
        return np.asarray(self.eta**2 * factor * critical)

    def loss(self, T: Floats, field: Floats) -> Floats:
        """Dissipation per volume that switches, J/m^3; none above Tc, where the states do not differ."""
        if self.eta == 1.0:
            return np.zeros_like(T)
        critical, factor = self.laws(T)
        reached = self.further(field, self.eta**2 * factor * critical) / factor
        return np.where(critical > 0.0, 0.5 * MU0 * np.abs(reached - critical), 0.0)

    def step(self, T: Floats, field: Floats, old: Floats, new: Floats) -> Floats:
        """Temperature after a step in f, of second order."""
        material, part = self.material, new - old
        if self.eta == 1.0:
            return material.temperature_from_entropy(material.entropy(T, old), new)
        # In a field that stands still all work goes into thermal energy, at once.
        energy, work = material.energy(T, old), self._work(T, field)
        guess = material.temperature_from_energy(np.maximum(energy + part * work, 0.0), new)
        work = 0.5 * (work + self._work(guess, field))
        sudden = material.temperature_from_energy(np.maximum(energy + part * work, 0.0), new)
        stands = (self.further(field, self.needed(sudden)) == field) & (energy + part * work > 0.0)
        # Else half of the heat before the switch at constant entropy and half after it.
        half = 0.5 * np.abs(part)
        after = material.temperature_from_energy(energy + half * self.loss(T, field), old)
        after = material.temperature_from_entropy(material.entropy(after, old), new)
        energy, gradual = material.energy(after, new), after
        for _ in range(2):
            gradual = material.temperature_from_energy(energy + half * self.loss(gradual, field), new)
        return np.where(stands, sudden, gradual)

    def _work(self, T: Floats, field: Floats) -> Floats:
        """Thermal energy that a volume gains when it becomes normal in a field, J/m^3."""
        critical, factor = self.laws(T)
        return np.asarray(0.5 * MU0 * (np.where(critical > 0.0, field / factor, 0.0) - self.ground))
