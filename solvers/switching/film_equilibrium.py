"""Temperature and normal fraction of films that are in equilibrium with the field, at the entropy that they have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from fem.materials.material import Material
from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Bools, Floats
from meshes.tagged import TaggedMesh
from solvers.errors import ComputationError
from solvers.field.problem import FieldProblem
from solvers.field.solution import FieldSolution
from solvers.heat.storage import MIXED, evening_time
from solvers.switching.across import CurveAcross, stands_across
from solvers.switching.columns import Columns, Film
from solvers.switching.curve import Thresholds, TransitionCurve
from solvers.switching.numbering import ColumnNumbers

# A curve is solved anew where a penetration depth has changed by this factor; beyond the largest the field hardly
# depends on it any more.
DEPTH_STEP, LARGEST_DEPTH = 1.05, 2.0
# The same for the ratio of two films' transition fields; a film near Tc counts as one of the smallest ratio.
RATIO_STEP, SMALLEST_RATIO = 1.05, 0.01
BISECTIONS = 50


@dataclass(frozen=True)
class Equilibrium:
    """What was found.

    Attributes:
        fraction: normal fraction of every column, (n,).
        peak: largest H of every column over the drive, 1/m or 1, (n,).
        depths: penetration depths of all films that the field was solved with, m.
        observed: what the observer saw, per unit of the drive.
        above: whether a column is above Tc, (n,).
    """

    fraction: Floats
    peak: Floats
    depths: tuple[float, ...]
    observed: Floats
    above: Bools


class FilmEquilibrium:
    """Finds where field, entropy and normal fraction of the films agree.

    Args:
        problem: the field problem.
        space: the heat space on the same mesh.
        films: all superconducting layers.
        columns: those of the films that switch.
        screening: of every local cell (1/m^2) for levels of all columns, (n,), and depths of all films (m).
        share: part of the device's current that the mesh carries.
        width: eps / (mu0 Hc0^2) of the transition.
        film_transition: whether thin films have the higher transition field of their thickness.
        hysteresis: transition fields over Hc on the way up (>= 1) and down (<= 1), or None.
        tolerance: mean change of f at which field and fraction agree.
        observer: see `TransitionCurve`.
        nothing: what the observer sees where there is no field.

    Attributes:
        across: whether the drive is a field across the films.
        film_transition: whether films switch at more than Hc: not in a field across them.
    """

    def __init__(
        self,
        problem: FieldProblem,
        space: LayerwiseSpace,
        films: Sequence[Film],
        columns: Sequence[Columns],
        screening: Callable[[Floats, tuple[float, ...]], Floats],
        share: float,
        width: float,
        film_transition: bool,
        hysteresis: tuple[float, float] | None,
        tolerance: float,
        observer: Callable[[FieldSolution, float], Floats],
        nothing: Floats,
    ) -> None:
        self.problem, self.space, self.films, self.columns = problem, space, tuple(films), tuple(columns)
        self.numbers = ColumnNumbers(columns, problem.tagged.length_unit, problem.comm)
        self.share, self.width, self.tolerance, self.observer = share, width, tolerance, observer
        self.across, self.limits = stands_across(problem), hysteresis or (1.0, 1.0)
        self.film_transition = film_transition and not self.across
        self._screening = screening
        self.nothing = nothing
        self._curves: dict[tuple[int, ...], TransitionCurve] = {}
        self._seen: dict[tuple[float, ...], Floats] = {}
        self.length = [_length(problem.tagged, c) for c in columns]

    def find(
        self,
        drive: float,
        duration: float,
        u: Floats,
        f: Floats,
        fraction: Floats,
        materials: Mapping[str, Material],
    ) -> Equilibrium:
        """The equilibrium at a drive if no heat comes or goes (collective).

        A film in which temperatures even out within the duration has one, else each column keeps its entropy. Above Tc
        a column is normal, whatever the field.

        Args:
            drive: A, or A/m of an applied field.
            duration: of the step that leads there, s.
            u: nodal T^2, K^2, (n_local,).
            f: nodal normal fraction, (n_local,).
            fraction: normal fraction of every column, (n,).
            materials: of the films' layers.

        Raises:
            ComputationError: the conductor of the drive is normal.
            StepFailure: field and fraction do not settle.
        """
        temperatures = self.temperatures(u)
        key, depths = self._depths(temperatures, drive)
        entropies = [self.entropy(k, duration, u, f, materials[c.film.layer]) for k, c in enumerate(self.columns)]
        above = self._above(entropies, materials)
        if drive == 0.0:
            return Equilibrium(above.astype(np.float64), np.zeros(self.numbers.n), depths, self.nothing, above)
        if not self.columns:
            return Equilibrium(np.zeros(0), np.zeros(0), depths, self._bare(depths), above)
        ratios = self._ratios(temperatures, materials)
        curve = self._curve((*key, *ratios), depths, materials)
        reduced, new = (np.zeros(self.numbers.n) for _ in range(2))
        for k, columns in enumerate(self.columns):
            film, mine = columns.film, self.numbers.film == k
            material = materials[film.layer]

            def drives(T: Floats, material: Material = material, k: int = k) -> Floats:
                return self._reduced(abs(drive), T, material, k, curve.transition_field(k))

            def normal(x: Floats, mine: Bools = mine) -> Floats:
                every = np.zeros(self.numbers.n)
                every[mine] = x
                up, down = self.limits
                if up == down:
                    return curve.at(every)[0][mine]
                low, high = curve.at(np.asarray(every / up))[0], curve.at(np.asarray(every / down))[0]
                return np.asarray(np.clip(fraction, low, high)[mine])

            entropy, even = entropies[k]
            weight = self.numbers.volume[mine] / self.numbers.volume[mine].sum()
            T = self._settle(material, entropy, lambda T: normal(drives(T)), weight if even else None)
            reduced[mine] = drives(T)
            new[mine] = normal(reduced[mine])
        peak = curve.at(reduced)[1]
        cold = np.isfinite(reduced)
        mean = (
            float(np.exp(np.average(np.log(reduced[cold]), weights=self.numbers.volume[cold])))
            if cold.any()
            else np.inf
        )
        return Equilibrium(new, peak, depths, curve.observed(mean), above)

    def _above(self, entropies: Sequence[tuple[Floats, bool]], materials: Mapping[str, Material]) -> Bools:
        """Whether columns of these entropies (see `entropy`) are above Tc, where both states have the same, (n,)."""
        above = np.zeros(self.numbers.n, dtype=bool)
        for k, (columns, (entropy, _)) in enumerate(zip(self.columns, entropies, strict=True)):
            material = materials[columns.film.layer]
            above[self.numbers.film == k] = entropy >= material.entropy(material.critical_temperature or 0.0, 1.0)
        return above

    def _bare(self, depths: tuple[float, ...]) -> Floats:
        """What the observer sees per unit of the drive where no film can switch (collective)."""
        if depths not in self._seen:
            solution = self.problem.solve(self._screening(np.zeros(0), depths))
            self._seen[depths] = self.observer(solution, solution.per_drive(self.share))
        return self._seen[depths]

    def _settle(
        self, material: Material, entropy: Floats, fraction: Callable[[Floats], Floats], weight: Floats | None
    ) -> Floats:
        """Temperatures of columns at which fraction and entropy agree, K, (n,); with weights they have one together."""
        cold, warm = (np.asarray(material.temperature_from_entropy(entropy, f)) for f in (1.0, 0.0))
        low: Floats = np.asarray(np.minimum(cold, warm))
        high: Floats = np.asarray(np.maximum(cold, warm))
        if weight is not None:
            low, high = low[:1], high[:1]
        for _ in range(BISECTIONS):
            middle = np.sqrt(low * high)
            normal: Floats = fraction(np.broadcast_to(middle, entropy.shape))
            if weight is not None:
                normal = np.array([float(weight @ normal)])
            above = np.asarray(material.temperature_from_entropy(entropy[: len(low)], normal)) > middle
            low = np.asarray(np.where(above, middle, low))
            high = np.asarray(np.where(above, high, middle))
            if (high - low <= 1e-12 * high).all():
                break
        return np.asarray(np.broadcast_to(np.sqrt(low * high), entropy.shape))

    def entropy(self, k: int, duration: float, u: Floats, f: Floats, material: Material) -> tuple[Floats, bool]:
        """Entropy of the columns of switching film k, J m^-3 K^-1, (n,) (collective).

        With it, whether they have one temperature in a step of this duration (s): then it is the mean.
        """
        columns, nodes, mine = self.columns[k], self.space.nodes(self.columns[k].film.layer), self.numbers.film == k
        s = np.zeros_like(u)
        s[nodes] = material.entropy(np.sqrt(u[nodes]), f[nodes])
        means = [c.mean(s, self.space) if c is columns else np.zeros(c.n) for c in self.columns]
        entropy = self.numbers.gather(self.columns, means)[mine]
        T = self.temperatures(u)[self.films.index(columns.film)]
        even = evening_time(material, self.length[k], T**2) < MIXED * duration
        if even:
            entropy = np.full_like(entropy, float(np.average(entropy, weights=self.numbers.volume[mine])))
        return entropy, even

    def temperatures(self, u: Floats) -> list[float]:
        """Mean temperature of each film, K (collective)."""
        sums, volumes = self.space.layer_sums(u * self.space.volume, self.space.volume)
        layers = [self.space.layer_number(film.layer) for film in self.films]
        return [float(np.sqrt(sums[k] / volumes[k])) for k in layers]

    def _depths(self, temperatures: Sequence[float], drive: float) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Penetration depths near those of the films, as numbers of steps and in m.

        Raises:
            ComputationError: the conductor of the drive is normal.
        """
        key, depths = [], []
        for film, T in zip(self.films, temperatures, strict=True):
            ground = float(film.material.penetration_depth(0.0))
            ratio = float(film.material.penetration_depth(T)) / ground
            if drive and not film.switches and not np.isfinite(ratio):
                raise ComputationError(f"{film.layer}: at {T:.4g} K it is normal, so that no supercurrent passes it")
            key.append(round(math.log(min(ratio, LARGEST_DEPTH)) / math.log(DEPTH_STEP)))
            depths.append(ground * DEPTH_STEP ** key[-1])
        return tuple(key), tuple(depths)

    def transition_field(self, k: int, T: Floats, material: Material) -> Floats:
        """Transition field of switching film k, A/m; 0 above Tc."""
        field = np.asarray(material.critical_field(T))
        if self.film_transition:
            factor = material.film_critical_field_factor(self.columns[k].film.thickness, T)
            field = np.where(field > 0.0, field * factor, 0.0)
        return field

    def _reduced(self, drive: float, T: Floats, material: Material, k: int, field: float) -> Floats:
        """Drives at which film k, with a transition field (A/m), would be as it is at T."""
        own = self.transition_field(k, T, material)
        with np.errstate(divide="ignore"):
            return np.where(own > 0.0, drive * field / own, np.inf)

    def _ratios(self, temperatures: Sequence[float], materials: Mapping[str, Material]) -> tuple[int, ...]:
        """Transition fields of all films but the first over its own, in steps of RATIO_STEP from those at T = 0.

        Films of one curve have one reduced drive, while they may have temperatures of their own.
        """
        at = []
        for k, columns in enumerate(self.columns):
            T = np.array([0.0, temperatures[self.films.index(columns.film)]])
            ground, now = self.transition_field(k, T, materials[columns.film.layer])
            at.append(max(float(now / ground), SMALLEST_RATIO))
        return tuple(round(math.log(value / at[0]) / math.log(RATIO_STEP)) for value in at[1:])

    def _curve(
        self, key: tuple[int, ...], depths: tuple[float, ...], materials: Mapping[str, Material]
    ) -> TransitionCurve:
        """The curve of these depths and ratios, solved or yet to be solved."""
        if key not in self._curves:
            zero = np.zeros(1)
            laws = [materials[c.film.layer] for c in self.columns]
            ground = np.array([float(self.transition_field(k, zero, law)[0]) for k, law in enumerate(laws)])
            bulk = np.array([float(law.critical_field(0.0)) for law in laws])
            own = np.array([depths[self.films.index(c.film)] for c in self.columns])
            factor, half = ground / bulk, np.array([0.5 * c.film.thickness for c in self.columns])
            relative = RATIO_STEP ** np.array([0, *key[len(self.films) :]])
            thresholds = Thresholds(ground * relative, factor, 2 * self.width / factor**2, half / own, own)
            self._curves[key] = (CurveAcross if self.across else TransitionCurve)(
                self.problem,
                self.columns,
                self.numbers,
                thresholds,
                lambda level: self._screening(level, depths),
                self.share,
                self.tolerance,
                self.observer,
            )
        return self._curves[key]


def _length(tagged: TaggedMesh, columns: Columns) -> float:
    """Longest extent of a film, m (collective)."""
    xy = columns.centres()
    ends = np.concatenate([xy.max(axis=0, initial=-np.inf), -xy.min(axis=0, initial=np.inf)])
    tagged.mesh.comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
    top, bottom = np.split(ends, 2)
    return float((top + bottom).max()) * tagged.length_unit
