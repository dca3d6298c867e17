"""A column of layers to try heat and switching on, and the laws of the two phases written down once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from mpi4py import MPI
from scipy.optimize import brentq
from scipy.special import k0, k1

from fem.interfaces.laws import InterfaceLaw
from fem.materials.bcs_theory import WEAK_COUPLING
from fem.materials.library import get_material
from fem.materials.material import Material
from meshes.arrays import Floats
from meshes.boxes import Slab, layered_box
from solvers.heat.network import ActiveNetwork
from solvers.heat.problem import Bath, Contact, HeatLayer, HeatProblem
from solvers.heat.step import Step
from solvers.heat.stepper import HeatStepper
from solvers.verification.report import Row

CENTIMETRE = (1e-2, 1e-2)
AREA = 1e-4  # m^2
RTOL = 1e-8


def metal(name: str, **changes: Any) -> Material:
    """A metal of the library with weak-coupling gap and some constants of its own."""
    material = get_material(name)
    if material.superconducting:
        material = replace(material, gap_ratio=WEAK_COUPLING)
    return replace(material, **changes)


class Block:
    """A pile of layers of 1 cm x 1 cm in one column of cells, and its state.

    Args:
        comm: MPI communicator.
        layers: (material, thickness in m, cells, start temperature in K), bottom to top, named "0", "1", ...
        laws: flux law between each and the next.
        baths: see `solvers.heat.problem.Bath`.
        rtol: of the time steps.
    """

    def __init__(
        self,
        comm: MPI.Intracomm,
        layers: Sequence[tuple[Material, float, int, float]],
        laws: Sequence[InterfaceLaw] = (),
        baths: Sequence[Bath] = (),
        rtol: float = RTOL,
    ) -> None:
        names = [str(k) for k in range(len(layers))]
        tagged = layered_box(
            comm,
            [Slab(name, height, cells) for name, (_, height, cells, _) in zip(names, layers, strict=True)],
            CENTIMETRE,
            (max(2, comm.size), 1),
        )
        contacts = [
            Contact(f"{a}|{b}", a, b, [f"{a}|{b}"], law) for (a, b), law in zip(pairwise(names), laws, strict=True)
        ]
        heat_layers = {name: HeatLayer(layer[0], [name]) for name, layer in zip(names, layers, strict=True)}
        self.heat = HeatProblem(tagged, heat_layers, contacts, baths)
        self.space = self.heat.space
        self.stepper = HeatStepper(self.heat.activate(), rtol)
        start = np.array([layer[3] for layer in layers])
        self.u: Floats = start[self.space.layer] ** 2
        self.f: Floats = np.ones(self.space.n_local)
        self.first_law = self.second_law = 0.0

    @property
    def network(self) -> ActiveNetwork:
        """Its contacts and baths that are on."""
        return self.stepper.network

    def activate(self, names: Sequence[str]) -> None:
        """Let only these contacts and baths conduct from now on."""
        self.stepper.network = self.heat.activate(names)

    def temperatures(self) -> list[float]:
        """Of the layers: root of the mean of T^2, K."""
        sums, volumes = self.space.layer_sums(self.u * self.space.volume, self.space.volume)
        return [float(T) for T in np.sqrt(sums / volumes)]

    def energy(self) -> float:
        """Energy of all, J."""
        return float(self.space.layer_sums(self.heat.energy(self.u, self.f)[0]).sum())

    def entropy(self) -> float:
        """Entropy of all, J/K."""
        return float(self.space.layer_sums(self.heat.entropy(self.u, self.f)).sum())

    def advance(self, duration: float) -> Step:
        """Exchange heat for a time (s), and watch both laws in every step."""
        return self.stepper.advance(self.u, self.f, duration, self._check)

    def _check(self, step: Step) -> None:
        energy, entropy = self.energy(), self.entropy()
        self.u = step.u
        residual = self.energy() - energy + sum(step.bath.values()) - step.source
        self.first_law = max(self.first_law, abs(residual) / energy)
        with np.errstate(divide="ignore", invalid="ignore"):
            out = sum(np.divide(step.bath[b.name], b.uniform) for b in self.heat.baths)
        self.second_law = min(self.second_law, (self.entropy() - entropy + out) / entropy)

    def laws(self, case: str) -> list[Row]:
        """Rows for both laws, over all steps so far."""
        return [
            Row(case, "first law, worst step, residual over energy", 0.0, self.first_law, 1e-12),
            Row(case, "second law, worst step, entropy lost over entropy", 0.0, self.second_law, 1e-14),
        ]

    def switch(self, f: float) -> float:
        """Go to another normal fraction at constant entropy; returns the work, J."""
        new = np.full_like(self.f, f)
        self.u, work = self.heat.switch(self.u, self.f, new)
        self.f = new
        return work


# ---- laws written down once more, from the series of Bessel functions --------------------------------------------


def _series(term: Callable[[Floats], Floats], d: float) -> float:
    """Alternating sum over n = 1, 2, ... of term(n), whose terms fall off like exp(-n d)."""
    n: Floats = np.arange(1.0, 40.0 / d + 2.0, dtype=np.float64)
    return float((np.where(n % 2 == 1, 1.0, -1.0) * term(n)).sum())


@lru_cache(maxsize=10000)
def gap_argument(t: float) -> float:
    """Delta/kT at t = T/Tc < 1 in weak coupling."""

    def excess(d: float) -> float:
        return float(WEAK_COUPLING * np.exp(-2.0 * _series(lambda n: k0(n * d), d)) / d - t)

    return float(brentq(excess, 0.05, 2.0 * WEAK_COUPLING / t, xtol=1e-13, rtol=1e-14))


def entropy_super(material: Material, T: float) -> float:
    """Entropy of the superconducting state, J/(m^3 K), by its series."""
    assert material.critical_temperature is not None
    d = gap_argument(T / material.critical_temperature)
    electrons = 6 / np.pi**2 * _series(lambda n: d * d * k0(n * d) + 2 * d * k1(n * d) / n, d)
    return float(material.gamma * T * electrons + material.beta * T**3 / 3)


def entropy_normal(material: Material, T: float) -> float:
    """Entropy of the normal state, J/(m^3 K)."""
    return material.gamma * T + material.beta * T**3 / 3
