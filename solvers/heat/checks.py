"""What a heat problem refuses before it computes anything; every error is raised on all ranks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from mpi4py import MPI

from fem.interfaces.markers import Ideal, Perfect
from fem.materials.material import Material
from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Floats
from meshes.quality import scaled_jacobians
from meshes.tagged import TaggedMesh
from solvers.heat.links import Link
from solvers.heat.parts import Bath, Contact, HeatLayer, Source

log = logging.getLogger("coldstack")

# Hexahedra more distorted than this (1 - scaled Jacobian; 0 for a box) are told of.
DISTORTION = 0.05
# Largest conductance of a contact over that of the cells beside it. A contact 1e6 times better makes a jump of 1e-6 of
# the difference over one cell; between 1e6 and 1e9 time steps begin to fail by round-off.
LARGEST_CONDUCTANCE = 3e6
TYPICAL_U = 0.01  # K^2: where it is evaluated


def check_mesh(tagged: TaggedMesh) -> None:
    """Refuse curved meshes, and warn of distorted hexahedra (collective).

    On hexahedra the conduction edges are exact for boxes. Where the corners of 4^3 (8^3) cells in a cube are moved at
    random by up to 5 %, 10 % or 25 % of a cell, a linear temperature between held faces is wrong by 2e-5 (3e-5),
    8e-5 (1e-4) or 5e-4 (7e-4) of its range at worst; refinement does not help.

    Raises:
        ValueError: cells of second or higher order.
    """
    mesh = tagged.mesh
    if mesh.geometry.cmap.degree != 1:
        raise ValueError(
            f"the mesh has cells of order {mesh.geometry.cmap.degree}: the heat equation takes cells of first order, "
            "with straight edges (Gmsh: Mesh.ElementOrder = 1)"
        )
    if mesh.geometry.dofmap.shape[1] != 8:
        return
    n_cells = mesh.topology.index_map(mesh.topology.dim).size_local
    corners = mesh.geometry.x[mesh.geometry.dofmap[:n_cells]].astype(np.float64)
    worst = 1.0 - float(scaled_jacobians(corners).min(initial=1.0))
    worst = mesh.comm.allreduce(worst, op=MPI.MAX)
    if worst > DISTORTION and mesh.comm.rank == 0:
        log.warning(
            "heat: hexahedra are distorted (scaled Jacobian %.2f at worst, 1 for a box): temperatures between them are "
            "wrong by some 1e-4 of their range",
            1.0 - worst,
        )


def check_groups(
    tagged: TaggedMesh,
    layers: Mapping[str, HeatLayer],
    contacts: Sequence[Contact],
    baths: Sequence[Bath],
    sources: Sequence[Source],
) -> None:
    """Refuse groups of cells or facets in which there is nothing (collective).

    Raises:
        ValueError: an empty group.
        KeyError: a group that the mesh has not.
    """
    dim = tagged.mesh.topology.dim
    wanted = [("layer", name, "cell", tuple(layer.groups)) for name, layer in layers.items()]
    for what, parts in (("contact", contacts), ("bath", baths), ("load", sources)):
        wanted += [(what, part.name, "facet", (group,)) for part in parts for group in part.facets]
    found = np.zeros(len(wanted), dtype=np.int64)
    for k, (_, _, kind, groups) in enumerate(wanted):
        entities = tagged.cells(*groups) if kind == "cell" else tagged.facets(*groups)
        found[k] = np.count_nonzero(entities < tagged.mesh.topology.index_map(dim - (kind == "facet")).size_local)
    for (what, name, kind, groups), count in zip(wanted, tagged.mesh.comm.allreduce(found), strict=True):
        if count == 0:
            raise ValueError(f"{what} {name!r}: no {kind} is in {', '.join(groups) or 'no group at all'}")


def check_state(space: LayerwiseSpace, u: Floats, f: Floats) -> None:
    """Refuse states that are no states (collective).

    Raises:
        ValueError: a u = T^2 that is negative or no number, or a normal fraction outside 0 ... 1.
    """
    for values, most, what in ((u, np.inf, "T^2"), (f, 1.0, "normal fraction")):
        if np.shape(values) != (space.n_local,):
            raise ValueError(f"{what}: one value for each node is needed, ({space.n_local},), not {np.shape(values)}")
        wrong = int(np.count_nonzero(~((values >= 0.0) & (values <= most) & np.isfinite(values))))
        if space.comm.allreduce(wrong):
            raise ValueError(f"{what} is negative, too large or no number at some nodes")


def check_laws(space: LayerwiseSpace, materials: Sequence[Material], links: Sequence[Link]) -> None:
    """Refuse laws that are no laws, and contacts so good that round-off forbids them (collective).

    Raises:
        ValueError: a law that does not return a flux and its two derivatives; a contact over facets that conducts
            over `LARGEST_CONDUCTANCE` times better than the cells beside it at 0.1 K; nothing but a perfect one can.
    """
    kappa = np.array([float(material.conductivity_u(np.array([TYPICAL_U]), 1.0)[0]) for material in materials])
    edges = space.edges
    beside: Floats = np.zeros(space.n_local)
    for end in (edges.i, edges.j):
        beside += np.bincount(end, edges.weight * kappa[space.layer[end]], minlength=space.n_local)
    beside = space.accumulate(beside)
    for link in links:
        if isinstance(link.law, Perfect | Ideal):
            continue
        u, f = np.full(len(link.i), TYPICAL_U), np.ones(len(link.i))
        result = link.law.flux(u, u, f, f)
        if not isinstance(result, tuple) or len(result) != 3:
            raise ValueError(f"{link.name!r}: flux(u1, u2, f1, f2) of its law must return (q, dq/du1, dq/du2)")
        ratio = 0.0
        if link.on_facets:
            most = np.maximum(beside[link.i], beside[link.j])
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                ratios = np.where(most > 0.0, np.abs(result[1]) * link.area / most, 0.0)
            ratio = float(np.where(np.isfinite(ratios), ratios, np.inf).max(initial=0.0))
        ratio = space.comm.allreduce(ratio, op=MPI.MAX)
        if ratio > LARGEST_CONDUCTANCE:
            raise ValueError(
                f"{link.name!r} conducts {ratio:.0e} times better than the cells beside it, more than round-off "
                'allows: make it a perfect contact, law Perfect(), contact = "perfect" in a case'
            )
