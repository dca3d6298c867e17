"""Numbers that a heat problem depends on, and the network in which one of them has another value.

They are what `solvers.heat.tangent` takes derivatives by. The mesh and its numbering stay: a parameter changes laws,
materials, or volumes and edges.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from mpi4py import MPI

from fem.interfaces.laws import Sum
from fem.materials.material import Material
from fem.spaces.numbering import Edges
from solvers.heat.links import Link
from solvers.heat.network import ActiveNetwork
from solvers.heat.parts import Bath, Contact
from solvers.heat.problem import HeatProblem

FLAT = 1e-9  # of the length of an edge: what it may lean


class Parameter(Protocol):
    """A number on which a heat problem depends."""

    def value(self, problem: HeatProblem) -> float:
        """Its value (collective).

        Raises:
            ValueError: the problem has no such number.
        """

    def at(self, network: ActiveNetwork, value: float) -> ActiveNetwork:
        """The network with another value of it: for energies and powers only, not to be solved with (collective)."""


@dataclass(frozen=True)
class LawConstant:
    """A constant of the law of a contact or bath.

    Attributes:
        part: name of the contact or bath.
        constant: such as resistance_area (`TunnelJunction`), h (`Conductance`), transmission (`PhononContact`).
    """

    part: str
    constant: str

    def value(self, problem: HeatProblem) -> float:
        """See `Parameter.value`."""
        parts: list[Contact | Bath] = [*problem.contacts, *problem.baths]
        for part in parts:
            if part.name == self.part:
                found = [v for law in _laws(part.law) if (v := getattr(law, self.constant, None)) is not None]
                if len(found) == 1 and isinstance(found[0], int | float):
                    return float(found[0])
                raise ValueError(f"{self.part!r}: its law has no one number {self.constant!r}: {part.law!r}")
        raise ValueError(f"no contact or bath is called {self.part!r}")

    def at(self, network: ActiveNetwork, value: float) -> ActiveNetwork:
        """See `Parameter.at`."""

        def changed(law: Any) -> Any:
            if isinstance(law, Sum):
                return Sum(tuple(changed(each) for each in law.laws))
            return replace(law, **{self.constant: value}) if hasattr(law, self.constant) else law

        def link(old: Link) -> Link:
            return replace(old, law=changed(old.law)) if old.name == self.part else old

        problem = copy.copy(network.problem)
        problem.bath_links = {name: link(old) for name, old in problem.bath_links.items()}
        return replace(network, problem=problem, conducting=[link(old) for old in network.conducting])


@dataclass(frozen=True)
class MaterialConstant:
    """A constant of the material of layers, in the layers and in the laws of the junctions at them.

    What a law was given as a number (a phonon conductance made from sound speeds) stays.

    Attributes:
        layers: names of the heat layers, all of which have the constant.
        constant: an attribute of `Material` that is a number, such as gamma, resistivity, gap_ratio.
    """

    layers: Sequence[str]
    constant: str

    def __post_init__(self) -> None:
        """Raise ValueError for a string instead of a list of layers."""
        _check_names(self.layers)

    def value(self, problem: HeatProblem) -> float:
        """See `Parameter.value`."""
        numbers = [problem.space.layer_number(name) for name in _known(problem, self.layers)]
        values = {getattr(problem.materials[k], self.constant, None) for k in numbers}
        [value] = values if len(values) == 1 else [None]
        if not isinstance(value, int | float):
            raise ValueError(f"layers {', '.join(self.layers)} have no one number {self.constant!r}: {values}")
        return float(value)

    def at(self, network: ActiveNetwork, value: float) -> ActiveNetwork:
        """See `Parameter.at`."""
        problem = copy.copy(network.problem)
        pairs = zip(problem.space.names, problem.materials, strict=True)
        problem.materials = [self._changed(law, value) if name in self.layers else law for name, law in pairs]
        sides = {c.name: {"lower": c.lower, "upper": c.upper} for c in problem.contacts}
        conducting = [replace(k, law=self._in_law(k.law, sides[k.name], value)) for k in network.conducting]
        return replace(network, problem=problem, conducting=conducting)

    def _changed(self, material: Material, value: float) -> Material:
        return replace(material, **{self.constant: value})  # type: ignore[arg-type]

    def _in_law(self, law: Any, sides: dict[str, str], value: float) -> Any:
        if isinstance(law, Sum):
            return Sum(tuple(self._in_law(each, sides, value) for each in law.laws))
        for side, layer in sides.items():
            material = getattr(law, side, None)
            if layer in self.layers and isinstance(material, Material):
                law = replace(law, **{side: self._changed(material, value)})
        return law


@dataclass(frozen=True)
class Thickness:
    """The thickness of flat layers, m, of which all cells stretch alike; contacts and baths keep their areas.

    Attributes:
        layers: names of the heat layers: one, or those on the same cells.
    """

    layers: Sequence[str]

    def __post_init__(self) -> None:
        """Raise ValueError for a string instead of a list of layers."""
        _check_names(self.layers)

    def value(self, problem: HeatProblem) -> float:
        """See `Parameter.value`; raises for a mesh with edges that are neither upright nor level, too."""
        space = problem.space
        _known(problem, self.layers)
        z = space.x[np.isin(space.layer, [space.layer_number(name) for name in self.layers]), 2]
        steps = np.abs(space.x[space.edges.i] - space.x[space.edges.j])
        across, up, length = steps[:, :2].max(axis=1), steps[:, 2], np.linalg.norm(steps, axis=1)
        leaning = float((np.minimum(across, up) > FLAT * length).any())
        ends = np.empty(3)
        space.comm.Allreduce(np.array([z.max(initial=-np.inf), -z.min(initial=np.inf), leaning]), ends, op=MPI.MAX)
        if ends[2]:
            raise ValueError("the derivative by a thickness needs cells with upright and level edges only")
        return float(ends[0] + ends[1])

    def at(self, network: ActiveNetwork, value: float) -> ActiveNetwork:
        """See `Parameter.at`."""
        problem, space = copy.copy(network.problem), copy.copy(network.space)
        factor = value / self.value(problem)
        stretched = np.isin(space.layer, [space.layer_number(name) for name in self.layers])
        space.volume = np.where(stretched, factor * space.volume, space.volume)
        edges = network.edges
        upright = space.x[edges.i, 2] != space.x[edges.j, 2]
        weight = edges.weight * np.where(stretched[edges.i], np.where(upright, 1 / factor, factor), 1.0)

        def link(old: Link) -> Link:
            grows = np.where(stretched[old.i], factor, 1.0)
            return old if old.on_facets else replace(old, area=old.area * grows)

        problem.space = space
        problem.bath_links = {name: link(old) for name, old in problem.bath_links.items()}
        conducting = [link(old) for old in network.conducting]
        return replace(network, problem=problem, edges=Edges(edges.i, edges.j, weight), conducting=conducting)


@dataclass(frozen=True)
class Duration:
    """The duration of what is computed, s: all steps of it stretch alike.

    Attributes:
        seconds: the duration.
    """

    seconds: float

    def __post_init__(self) -> None:
        """Raise ValueError for a duration that is not positive."""
        if not 0.0 < self.seconds < np.inf:
            raise ValueError(f"a duration must be a positive number of seconds, got {self.seconds!r}")

    def value(self, _problem: HeatProblem) -> float:
        """See `Parameter.value`."""
        return self.seconds

    def at(self, network: ActiveNetwork, _value: float) -> ActiveNetwork:
        """See `Parameter.at`: no law depends on it."""
        return network


def _check_names(layers: Sequence[str]) -> None:
    if isinstance(layers, str):
        raise ValueError(f"layers must be a list of names, [{layers!r}], not the string {layers!r}")


def _known(problem: HeatProblem, layers: Sequence[str]) -> Sequence[str]:
    for name in layers:
        if name not in problem.space.names:
            raise ValueError(f"no layer is called {name!r}; there are: {', '.join(problem.space.names)}")
    return layers


def _laws(law: Any) -> list[Any]:
    """The laws that a law is the sum of."""
    return [part for each in law.laws for part in _laws(each)] if isinstance(law, Sum) else [law]


def pair_at(parameter: Parameter, network: ActiveNetwork, share: float) -> tuple[ActiveNetwork, ActiveNetwork, float]:
    """Networks at a share of the value above and below it, and their distance.

    Raises:
        ValueError: the value is 0, or there is none.
    """
    value = parameter.value(network.problem)
    if value == 0.0:
        raise ValueError(f"{parameter}: is 0, and there is no value below to take a difference with")
    step = share * abs(value)
    return parameter.at(network, value + step), parameter.at(network, value - step), 2 * step
