"""What a heat problem is made of: layers, contacts between them, baths and heat sources; and what flows in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fem.interfaces.laws import InterfaceLaw
from fem.interfaces.markers import Ideal, Perfect
from fem.materials.material import Material
from meshes.arrays import Floats, Ints

# A function of points x (3, n) in metres that gives one value for each, (n,).
ScalarField = Callable[[Floats], npt.ArrayLike]


def _check_names(names: object, what: str) -> None:
    """Raise ValueError where one name stands instead of a list of them."""
    if isinstance(names, str):
        raise ValueError(f"{what} must be a list of names, [{names!r}], not the string {names!r}")


def _check_law(law: object, what: str) -> None:
    """Raise ValueError for what is not a law of an interface."""
    if not isinstance(law, Perfect | Ideal) and not callable(getattr(law, "flux", None)):
        raise ValueError(f"{what}: a law with a method flux, or Perfect(), is needed, not {law!r}")


@dataclass(frozen=True)
class HeatLayer:
    """A layer of the heat problem: its material and the cell groups that belong to it."""

    material: Material
    groups: Sequence[str]

    def __post_init__(self) -> None:
        """Raise ValueError for a string instead of a list of groups."""
        _check_names(self.groups, "cell groups of a layer")


@dataclass(frozen=True)
class Contact:
    """A thermal contact between two layers, over named facets or throughout cells that both are on.

    Attributes:
        name: used in balances and for switching it on and off.
        lower, upper: layer names; a positive flow goes from lower to upper.
        facets: facet group names; empty: the two layers are on the same cells and touch everywhere.
        law: flux law per area of the facets (W/m^2) or per volume (W/m^3); `Perfect()`: no temperature jump;
            `Ideal()`: all of the one layer takes the temperature of the other, which a bath must hold throughout
            while this contact is active.
    """

    name: str
    lower: str
    upper: str
    facets: Sequence[str]
    law: InterfaceLaw | Perfect | Ideal

    def __post_init__(self) -> None:
        """Raise ValueError for a string instead of a list of facets, or a law that is none."""
        _check_names(self.facets, f"facets of contact {self.name!r}")
        _check_law(self.law, f"contact {self.name!r}")


@dataclass(frozen=True)
class Bath:
    """A heat bath at a fixed temperature, on faces of a layer or throughout it.

    Attributes:
        name: used in balances and for switching it on and off.
        layer: the layer it touches.
        temperature: K: one number, or a function of points x (3, n) in metres that gives (n,). It is evaluated when
            the problem is made and when a network is activated first, and stays: for a bath that changes in time, make
            several baths and activate one after the other, or a problem for each time.
        facets: facet group names; empty: the whole layer touches the bath.
        law: flux law with the layer as side 1, per area of the facets (W/m^2) or per volume of the whole layer
            (W/m^3); `Perfect()`: the touched nodes are held at the temperature. Where two baths hold one node the
            later bath does.
    """

    name: str
    layer: str
    temperature: float | ScalarField
    facets: Sequence[str] = ()
    law: InterfaceLaw | Perfect = Perfect()  # noqa: RUF009 -- frozen

    def __post_init__(self) -> None:
        """Raise ValueError for a negative temperature, a string instead of a list of facets, or a law that is none."""
        _check_names(self.facets, f"facets of bath {self.name!r}")
        _check_law(self.law, f"bath {self.name!r}")
        if not callable(self.temperature) and not self.temperature >= 0.0:
            raise ValueError(f"bath {self.name!r}: its temperature must not be negative")

    @property
    def uniform(self) -> float:
        """Its temperature, K.

        Raises:
            ValueError: the temperature is a function of the place.
        """
        if callable(self.temperature):
            raise ValueError(f"bath {self.name!r} has no single temperature")
        return self.temperature


@dataclass(frozen=True)
class Source:
    """Power put into a layer (W): over its whole volume, or over part of a face.

    Attributes:
        name: used for switching it on and off.
        layer: the layer heated.
        power: W in all, spread evenly.
        facets: facet group names; empty: the volume of the layer.
        patch: (x0, x1, y0, y1) in metres on the (horizontal) face, or None for all of it.
        density: power added to that, W/m^3 or on facets W/m^2, as a function of points x (3, n) in metres.
    """

    name: str
    layer: str
    power: float = 0.0
    facets: Sequence[str] = ()
    patch: tuple[float, float, float, float] | None = None
    density: ScalarField | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a patch of a volume, or a string instead of a list of facets."""
        _check_names(self.facets, f"facets of load {self.name!r}")
        if self.patch is not None and not self.facets:
            raise ValueError(f"load {self.name!r}: a patch needs the facets on which it lies")


def values_at(given: float | ScalarField, x: Floats) -> Floats:
    """A number, or a function of points, at points x (n, 3) in metres; (n,)."""
    return np.array(np.broadcast_to(given(x.T) if callable(given) else given, len(x)), dtype=np.float64)


@dataclass(frozen=True)
class PairFlow:
    """Power from nodes i to nodes j, W, or where j is None to a bath of some temperature at each (K)."""

    name: str
    i: Ints
    j: Ints | None
    power: Floats
    temperature: Floats | None = None


@dataclass(frozen=True)
class PairJacobian:
    """Linearised flow of a set of pairs: power from i to j = of_i * u_i - of_j * u_j + const."""

    i: Ints
    j: Ints
    of_i: Floats
    of_j: Floats


@dataclass(frozen=True)
class Crossing:
    """Pairs of a set whose nodes are in different groups of layers; flow inside a group cancels in its balance.

    Attributes:
        pairs: their numbers in the set, (n,).
        entries: places in the flat matrix of the groups of (i, i), (i, j), (j, i) and (j, j), (4 n,).
        ends: number of the group, 0: held, of i and of j, (2 n,).
    """

    pairs: Ints
    entries: Ints
    ends: Ints

    @classmethod
    def between(cls, group: Ints, n_groups: int, i: Ints, j: Ints) -> Crossing:
        """Those of the pairs (i, j) whose nodes differ in their group, -1 for held nodes, (n_local,)."""
        pairs = np.flatnonzero(group[i] != group[j]).astype(np.int32)
        a, b, size = group[i[pairs]] + 1, group[j[pairs]] + 1, n_groups + 1
        entries = np.concatenate([row * size + column for row, column in ((a, a), (a, b), (b, a), (b, b))])
        return cls(pairs, entries, np.concatenate([a, b]))


@dataclass
class Flow:
    """Power in the network at one state.

    Attributes:
        nodal: power into each node, W, (n_local,).
        contact: power through each contact, lower to upper, W, by name; `ActiveNetwork.close` completes perfect ones.
        bath: power from the stack into each bath, W, by name.
        source: power of all active sources, W.
        pair_flows: power of every pair by "conduction", contact and bath (perfect contacts and holding baths apart).
        jacobian: linearisation of every pair: conduction edges first, then contacts in order.
        bath_slope: what baths add to the nodal slopes -d(power)/du, W/K^2, (n_local,), this rank's part.
    """

    nodal: Floats
    contact: dict[str, float]
    bath: dict[str, float]
    source: float
    pair_flows: list[PairFlow]
    jacobian: list[PairJacobian]
    bath_slope: Floats
