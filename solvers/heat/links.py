"""Where contacts, baths and heat sources touch the nodes of a heat problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem.interfaces.laws import InterfaceLaw
from fem.interfaces.markers import Ideal, Perfect
from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Floats, Ints
from solvers.heat.parts import Bath, Contact, Source, values_at


@dataclass(frozen=True)
class Link:
    """Node pairs of a contact; for a bath, nodes of a face (j repeats i) and u of the bath at each."""

    name: str
    i: Ints
    j: Ints
    area: Floats
    law: InterfaceLaw | Perfect | Ideal
    bath_u: Floats | None = None
    on_facets: bool = True


def check_layers(
    names: Sequence[str], contacts: Sequence[Contact], baths: Sequence[Bath], sources: Sequence[Source]
) -> None:
    """Raise ValueError for a contact, bath or source of a layer that is not there."""
    wanted = [(contact.name, layer) for contact in contacts for layer in (contact.lower, contact.upper)]
    wanted += [(bath.name, bath.layer) for bath in baths] + [(source.name, source.layer) for source in sources]
    for part, layer in wanted:
        if layer not in names:
            raise ValueError(f"{part!r}: no layer {layer!r}; there are: {', '.join(names)}")


def largest_u(space: LayerwiseSpace, bath: Bath, nodes: Ints) -> float:
    """Largest T^2 of a bath where it touches its layer, K^2 (collective).

    Raises:
        ValueError: its temperature is negative or no number somewhere.
    """
    T = values_at(bath.temperature, space.x[nodes])
    ends = np.array([T.max(initial=0.0), float((~(T >= 0.0)).any())])
    space.comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
    if ends[1]:
        raise ValueError(f"bath {bath.name!r}: its temperature is negative or no number somewhere")
    return float(ends[0] ** 2)


def contact_link(space: LayerwiseSpace, contact: Contact) -> Link:
    """Node pairs of a contact with their areas, or volumes where the layers are on the same cells (collective).

    Raises:
        ValueError: the two layers share none of the facets.
    """
    if not contact.facets:
        return Link(contact.name, *space.pairs_inside(contact.lower, contact.upper), contact.law, on_facets=False)
    facets = space.tagged.facets(*contact.facets)
    i, j, area = space.pairs(contact.lower, contact.upper, facets)
    if space.comm.allreduce(len(i)) == 0:
        raise ValueError(
            f"contact {contact.name!r}: {contact.lower!r} and {contact.upper!r} share no facet of "
            f"{list(contact.facets)}"
        )
    pairs, inverse = np.unique(np.column_stack([i, j]), axis=0, return_inverse=True)
    return Link(contact.name, pairs[:, 0], pairs[:, 1], _gather(inverse, area, len(pairs)), contact.law)


def bath_link(space: LayerwiseSpace, bath: Bath) -> Link:
    """Nodes that a bath with a law touches, with areas or volumes (collective).

    Raises:
        ValueError: the layer has none of the facets.
    """
    if bath.facets:
        nodes, area = _face(space, bath.layer, bath.facets, f"bath {bath.name!r}")
    else:
        nodes = space.nodes(bath.layer)
        nodes = nodes[nodes < space.n_owned]
        area = space.volume[nodes]
    return Link(
        bath.name, nodes, nodes, area, bath.law, values_at(bath.temperature, space.x[nodes]) ** 2, bool(bath.facets)
    )


def bath_nodes(space: LayerwiseSpace, bath: Bath) -> Ints:
    """Local nodes that a bath in perfect contact holds (collective).

    Raises:
        ValueError: the layer has none of the facets.
    """
    if not bath.facets:
        return space.nodes(bath.layer)
    nodes, _ = _face(space, bath.layer, bath.facets, f"bath {bath.name!r}")
    flag = np.zeros(space.n_local)
    flag[nodes] = 1.0
    return np.flatnonzero(space.accumulate(flag)).astype(np.int32)


def _face(
    space: LayerwiseSpace,
    layer: str,
    facets: Sequence[str],
    what: str,
    patch: tuple[float, float, float, float] | None = None,
) -> tuple[Ints, Floats]:
    nodes, area = space.face(layer, space.tagged.facets(*facets), patch)
    if space.comm.allreduce(len(nodes)) == 0:
        raise ValueError(f"{what}: layer {layer!r} has no facet of {list(facets)}")
    unique, inverse = np.unique(nodes, return_inverse=True)
    return unique.astype(np.int32), _gather(inverse, area, len(unique))


def source_nodes(space: LayerwiseSpace, source: Source) -> Floats:
    """Nodal power of a source, W, (n_local,) (collective).

    Raises:
        ValueError: the layer has none of the facets, or the patch lies outside them.
    """
    weight: Floats = np.zeros(space.n_local)
    if source.facets:
        nodes, area = _face(space, source.layer, source.facets, f"load {source.name!r}", source.patch)
        weight[nodes] = area
        weight = space.accumulate(weight)
    else:
        nodes = space.nodes(source.layer)
        weight[nodes] = space.volume[nodes]
    total = float(space.layer_sums(weight).sum())
    if total <= 0:
        raise ValueError(f"load {source.name!r}: its patch lies outside the face")
    density: Floats = np.full(space.n_local, source.power / total)
    if source.density is not None:
        density += values_at(source.density, space.x)
    return np.asarray(weight * density)


def _gather(index: npt.NDArray[np.integer[Any]], values: Floats, size: int) -> Floats:
    """Sums of the values with the same index, (size,)."""
    return np.asarray(np.bincount(index.reshape(-1), values, minlength=size), dtype=np.float64)
