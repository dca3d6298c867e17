"""Heat that the field leaves in a film while it switches: hysteresis of the transition, overshoot of the field."""

from __future__ import annotations

from typing import Literal

import numpy as np

from fem.constants import MU0
from fem.materials.material import Material
from meshes.arrays import Bools, Floats
from solvers.heat.problem import HeatProblem
from solvers.heat.storage import MIXED, evening_time
from solvers.switching.hysteresis import COMPLETE, fractions_between, lossy_branch
from solvers.switching.pattern import Pattern
from solvers.switching.switching import Switching

Overshoot = float | Literal["ramp"] | None

# Mean of H/Hc - 1 over the volume that a front passes, over half the thickness times sqrt(rate / diffusivity):
# up, the normal metal grows from the faces, X = sqrt(D r) t; down, it shrinks towards them, X^2 = a^2 - D r t^2.
MEAN_UP, MEAN_DOWN = 1 / 2, np.pi / 4


def mean_overshoot(material: Material, thickness: float, rate: Floats, rising: Bools) -> Floats:
    """H/Hc - 1 outside a film, mean over its volume, while the front between its two states passes.

    The field reaches both faces. A layer X of normal metal lies between each face, where H = Hc (1 +- r t), and the
    front, where H = Hc: quasi-steady X dX/dt = +- D r t.

    Args:
        material: of the film; its resistivity is that of the normal metal.
        thickness: m.
        rate: dH/dt over Hc, 1/s, (n,).
        rising: whether the film becomes normal, (n,).
    """
    assert material.resistivity is not None
    reach = 0.5 * thickness * np.sqrt(np.abs(rate) * MU0 / material.resistivity)
    return np.asarray(np.where(rising, MEAN_UP, MEAN_DOWN) * reach)


class SwitchingLosses:
    """What it costs when nodes switch: the entropy that each of them, left alone, makes in its transition.

    Args:
        heat: the heat problem.
        switching: normal fractions and field of its films.
        overshoot: H/Hc - 1 when the films switch; "ramp": as follows from ramp and thickness; None: no such loss.

    Attributes:
        reached: squared field, (A/m)^2, of nodes that are on their way to the normal state, minus that of nodes on
            their way back; 0 elsewhere, (n_local,).
    """

    def __init__(self, heat: HeatProblem, switching: Switching, overshoot: Overshoot) -> None:
        self.heat, self.switching, self.overshoot = heat, switching, overshoot
        self.reached: Floats = np.zeros(heat.space.n_local)
        self.films = [(columns.film, heat.space.nodes(columns.film.layer)) for columns in switching.columns]

    def state(self) -> Floats:
        """What the next step starts from: `reached`, (n_local,)."""
        return self.reached.copy()

    def restore(self, reached: Floats) -> None:
        """Go on from a state."""
        self.reached = reached.copy()

    def gain(
        self, u: Floats, f: Floats, new_f: Floats, rate: float, duration: float, pattern: Pattern | None
    ) -> tuple[Floats, dict[str, tuple[float, float]]]:
        """Losses of a change of the normal fraction (collective).

        A film in which temperatures even out within the duration switches as one, else each node alone.

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction now, (n_local,).
            new_f: normal fraction to be, (n_local,).
            rate: of the drive, A/s or A/m/s.
            duration: of the change, s.
            pattern: of the field before; None: the present one.

        Returns:
            Entropy that each node makes, J/K, (n_local,); heat (J) and entropy (J/K) of each loss by name.
        """
        lost: dict[str, tuple[float, float]] = {}
        if self.overshoot is None and self.switching.hysteresis is None:
            return np.zeros_like(u), lost
        f, new_f = (self._evened(u, values, duration) for values in (f, new_f))
        before = self.heat.entropy(u, f)
        if self.overshoot is None:
            return self.heat.entropy(self._insulated(u, f, new_f, lost), new_f) - before, lost
        # The heat of an overshoot arises in normal metal: most of it before the way down, after that up.
        loss, given = self._overshoot(u, f, new_f, rate, pattern)
        warmed, _, s_first = self._heated(u, f, np.where(new_f < f, given, 0.0))
        switched = self._insulated(warmed, f, new_f, lost)
        new, _, s_last = self._heated(switched, new_f, np.where(new_f > f, given, 0.0))
        total = float(self.heat.space.layer_sums(loss * self.heat.space.volume).sum())
        lost["overshoot"] = (total, s_first + s_last)
        return self.heat.entropy(new, new_f) - before, lost

    def _evened(self, u: Floats, f: Floats, duration: float) -> Floats:
        """Normal fraction with its mean in films of one temperature (collective)."""
        space, out = self.heat.space, f.copy()
        volume, sums, squares = space.layer_sums(space.volume, f * space.volume, u * space.volume)
        for k, (film, nodes) in enumerate(self.films):
            n, material = space.layer_number(film.layer), self.switching.materials[film.layer]
            time = evening_time(material, self.switching.equilibrium.length[k], float(squares[n] / volume[n]))
            if time < MIXED * duration:
                out[nodes] = sums[n] / volume[n]
        return out

    def _insulated(self, u: Floats, f: Floats, new_f: Floats, lost: dict[str, tuple[float, float]]) -> Floats:
        """New u of nodes left alone, without overshoot; hysteresis is added to `lost`."""
        switched, _ = self.heat.switch(u, f, new_f)
        if self.switching.hysteresis is None:
            return switched
        lag, made = self._hysteresis(u, f, new_f, switched, self.switching.hysteresis)
        new, _, entropy = self._heated(switched, new_f, lag)
        lost["hysteresis"] = (float(self.heat.space.layer_sums(made * self.heat.space.volume).sum()), entropy)
        return new

    def _heated(self, u: Floats, f: Floats, density: Floats) -> tuple[Floats, float, float]:
        """U after heat (J/m^3) was given to the nodes of the films; what it came to: energy (J), entropy (J/K)."""
        new = u.copy()
        for film, nodes in self.films:
            k = nodes[density[nodes] > 0.0]
            material = self.switching.materials[film.layer]
            energy = material.energy_u(u[k], f[k])[0] + density[k]
            new[k] = material.temperature_from_energy(energy, f[k]) ** 2
        given = self.heat.energy(new, f)[0] - self.heat.energy(u, f)[0]
        made = self.heat.entropy(new, f) - self.heat.entropy(u, f)
        energy, entropy = self.heat.space.layer_sums(given, made).sum(axis=1)
        return new, float(energy), float(entropy)

    def _hysteresis(
        self, u: Floats, f: Floats, new_f: Floats, switched: Floats, limits: tuple[float, float]
    ) -> tuple[Floats, Floats]:
        """Energy that nodes have more after a transition with loss than after one at constant entropy, and its heat.

        Both J/m^3, (n_local,). They differ, since heat that is there is warmed or cooled by the rest of the way.
        """
        heat, made = np.zeros_like(u), np.zeros_like(u)
        for film, nodes in self.films:
            material, thickness = self.switching.materials[film.layer], self.switching.film_thickness(film)
            for rising, eta in zip((True, False), limits, strict=True):
                k = nodes[(new_f[nodes] > f[nodes]) if rising else (new_f[nodes] < f[nodes])]
                if eta == 1.0 or not len(k):
                    continue
                entropy = material.entropy(np.sqrt(u[k]), f[k])
                fractions, sign = fractions_between(f[k], new_f[k]), 1.0 if rising else -1.0
                reached = np.where(sign * self.reached[k] > 0.0, np.abs(self.reached[k]), np.nan)
                path = lossy_branch(material, entropy, fractions, eta, rising, thickness, reached)
                partly = np.abs(new_f[k] - 0.5) < 0.5 - COMPLETE
                self.reached[k] = np.where(partly, sign * path.field[-1], 0.0)
                energy = material.energy(path.temperature[-1], new_f[k])
                heat[k] = np.maximum(energy - material.energy_u(switched[k], new_f[k])[0], 0.0)
                gained = np.diff(material.entropy(path.temperature, fractions), axis=0)
                made[k] = (0.5 * (path.temperature[1:] + path.temperature[:-1]) * gained).sum(axis=0)
        return heat, made

    def _overshoot(
        self, u: Floats, f: Floats, new_f: Floats, rate: float, pattern: Pattern | None
    ) -> tuple[Floats, Floats]:
        """Joule heat of an overshoot, and the energy that it is for the more normal of the two states, J/m^3.

        At constant entropy the energy of a node of normal metal falls as 1/f while f grows, for it has one
        temperature. The heat of the metal behind a front does not: it stays. So that mu0 Hc^2 h of each
        volume that switched is there in the end, however small the steps, a step takes (f0 + f1) / max(f0, f1) of it.
        """
        loss = np.zeros_like(u)
        switched, _ = self.heat.switch(u, f, new_f)
        field = self.switching.nodal_field(pattern) if self.overshoot == "ramp" else u
        for film, nodes in self.films:
            k = nodes[new_f[nodes] != f[nodes]]
            material, thickness = self.switching.materials[film.layer], self.switching.film_thickness(film)
            # Midway, since the film cools or warms as it switches.
            temperature = 0.5 * (np.sqrt(u[k]) + np.sqrt(switched[k]))
            critical = material.critical_field(temperature)
            if self.overshoot == "ramp":
                factor = material.film_critical_field_factor(thickness, temperature) if thickness is not None else 1.0
                relative = abs(rate) * field[k] / (factor * critical)
                excess = mean_overshoot(material, film.thickness, relative, new_f[k] > f[k])
            else:
                assert isinstance(self.overshoot, float)
                excess = np.full(len(k), self.overshoot)
            loss[k] = MU0 * critical**2 * excess * np.abs(new_f[k] - f[k])
        more = np.maximum(np.maximum(f, new_f), 1e-300)
        return loss, loss * (f + new_f) / more
