"""The heat equation on a layered stack: storage, conduction and contacts as a network of nodes.

Unknown u = T^2 (K^2), in which the heat capacity, conduction and junctions of normal metals are linear. The energy
of a node is volume * e(T, f), the power into it is conduction plus contacts plus sources; one implicit stage solves
energy - h * power = target. Once that has converged one constant shift of u per layer closes the energy sums of the
layers to round-off, so that contact fluxes and the first law do not depend on any solver tolerance.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fem.interfaces.markers import Perfect
from fem.materials.material import Material
from fem.spaces.layerwise import LayerwiseSpace
from meshes.arrays import Floats
from meshes.tagged import TaggedMesh
from solvers.heat.checks import check_groups, check_laws, check_mesh, check_state
from solvers.heat.links import bath_link, bath_nodes, check_layers, contact_link, largest_u, source_nodes
from solvers.heat.matrix import SolveCounts
from solvers.heat.network import ActiveNetwork, build_network
from solvers.heat.parts import Bath, Contact, HeatLayer, ScalarField, Source, values_at

__all__ = ["Bath", "Contact", "HeatLayer", "HeatProblem", "Source"]


class HeatProblem:
    """Nonlinear heat conduction in layers with contacts, baths and sources, on any tagged mesh.

    Args:
        tagged: the mesh.
        layers: layer name -> material and cell groups.
        contacts: thermal contacts between layers.
        baths: heat baths.
        sources: heat loads.

    Raises:
        ValueError: names that do not fit together, a group without cells or facets, a face that a layer has not, a
            mesh of higher order, a negative temperature.
        KeyError: a cell or facet group that the mesh has not.
    """

    def __init__(
        self,
        tagged: TaggedMesh,
        layers: Mapping[str, HeatLayer],
        contacts: Sequence[Contact] = (),
        baths: Sequence[Bath] = (),
        sources: Sequence[Source] = (),
    ) -> None:
        check_mesh(tagged)
        check_groups(tagged, layers, contacts, baths, sources)
        self.space = LayerwiseSpace(tagged, {name: layer.groups for name, layer in layers.items()})
        self.materials = [layer.material for layer in layers.values()]
        self.contacts, self.baths, self.sources = tuple(contacts), tuple(baths), tuple(sources)
        check_layers(self.space.names, self.contacts, self.baths, self.sources)
        self.layer_nodes = [self.space.nodes(name) for name in self.space.names]
        self.contact_links = [contact_link(self.space, c) for c in self.contacts]
        self.bath_links = {b.name: bath_link(self.space, b) for b in self.baths if not isinstance(b.law, Perfect)}
        self.held_nodes = {b.name: bath_nodes(self.space, b) for b in self.baths if isinstance(b.law, Perfect)}
        check_laws(self.space, self.materials, [*self.contact_links, *self.bath_links.values()])
        touched = self.held_nodes | {name: link.i for name, link in self.bath_links.items()}
        self.hottest_u = {b.name: largest_u(self.space, b, touched[b.name]) for b in self.baths}
        self.source_nodal = {s.name: source_nodes(self.space, s) for s in self.sources}
        names = [c.name for c in self.contacts] + [b.name for b in self.baths] + [s.name for s in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"names of contacts, baths and sources must differ, got {names}")
        self.names = names
        self.solves = SolveCounts()
        self._networks: dict[frozenset[str], ActiveNetwork] = {}

    # ---- set-up ----------------------------------------------------------------------------------
    def state(
        self, temperature: float | ScalarField | Mapping[str, float | ScalarField], fraction: float = 1.0
    ) -> tuple[Floats, Floats]:
        """Unknown u = T^2 and normal fraction f of a state to start from, (n_local,) each.

        Args:
            temperature: K, a number or a function of points x (3, n) in metres; for all layers, or by layer name.
            fraction: normal fraction of all layers; it matters for superconductors only.

        Raises:
            ValueError: the layers named are not those of the problem, or a temperature is negative or no number.
        """
        space = self.space
        by_layer = temperature if isinstance(temperature, Mapping) else dict.fromkeys(space.names, temperature)
        if set(by_layer) != set(space.names):
            raise ValueError(f"temperatures of {', '.join(by_layer)}, but the layers are {', '.join(space.names)}")
        u: Floats = np.empty(space.n_local)
        for name, nodes in zip(space.names, self.layer_nodes, strict=True):
            T = values_at(by_layer[name], space.x[nodes])
            u[nodes] = np.where(T >= 0.0, T, np.nan) ** 2
        f = np.full(space.n_local, float(fraction))
        check_state(space, u, f)
        return u, f

    def activate(self, names: Collection[str] | None = None) -> ActiveNetwork:
        """The network in which only the named contacts, baths and sources conduct (or heat) (collective).

        Networks are kept by the problem: the same names give the same one again.

        Args:
            names: of contacts, baths and sources; left out: all of them.

        Raises:
            ValueError: an unknown name, or an ideal contact of which not just one layer is held throughout.
        """
        active = frozenset(self.names if names is None else names)
        unknown = active - set(self.names)
        if unknown:
            raise ValueError(f"no contact, bath or source is called {', '.join(sorted(unknown))}")
        if active not in self._networks:
            self._networks[active] = build_network(self, active)
        network = self._networks[active]
        network.matrix.forget()
        return network

    def destroy(self) -> None:
        """Free the PETSc objects of all networks (collective); they cannot be solved any more."""
        for network in self._networks.values():
            network.matrix.destroy()
        self._networks.clear()

    # ---- changes at constant entropy ---------------------------------------------------------------
    @property
    def spin_field(self) -> dict[str, float]:
        """Field of the nuclear spins of each layer where they count, T, by layer."""
        pairs = zip(self.space.names, self.materials, strict=True)
        return {name: material.spin_field for name, material in pairs if material.spin_field is not None}

    def set_spin_field(self, fields: Mapping[str, float]) -> None:
        """Let the nuclear spins of these layers be in these fields (T) from now on, at the temperatures they have.

        Raises:
            ValueError: a layer that the problem has not.
        """
        self.materials = self._in_fields(fields)

    def _in_fields(self, fields: Mapping[str, float]) -> list[Material]:
        unknown = set(fields) - set(self.space.names)
        if unknown:
            raise ValueError(f"no layer is called {', '.join(sorted(unknown))}")
        pairs = zip(self.space.names, self.materials, strict=True)
        return [replace(law, spin_field=fields[name]) if name in fields else law for name, law in pairs]

    def switch(self, u: Floats, f: Floats, new_f: Floats) -> tuple[Floats, float]:
        """Change the normal fraction at constant entropy, node by node (collective).

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction now, (n_local,).
            new_f: normal fraction to be, (n_local,).

        Returns:
            The new u, before `ActiveNetwork.equilibrate_ties`, and the magnetic work that this took, J.
        """
        return self._at_constant_entropy(u, f, new_f, self.materials)

    def magnetise(self, u: Floats, f: Floats, fields: Mapping[str, float]) -> tuple[Floats, float]:
        """Change the field of the nuclear spins at constant entropy, node by node (collective).

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction, (n_local,).
            fields: T, by layer; the spins are in them from now on.

        Returns:
            The new u, before `ActiveNetwork.equilibrate_ties`, and the magnetic work that this took, J.

        Raises:
            ValueError: a layer that the problem has not.
        """
        return self._at_constant_entropy(u, f, f, self._in_fields(fields))

    def _at_constant_entropy(
        self, u: Floats, f: Floats, new_f: Floats, materials: list[Material]
    ) -> tuple[Floats, float]:
        """Change normal fraction and materials, which stay; the new u and the work (J) that it took (collective)."""
        before, old = self.energy(u, f)[0], self.materials
        self.materials = materials
        new = u.copy()
        for was, material, nodes in zip(old, materials, self.layer_nodes, strict=True):
            k = nodes[new_f[nodes] != f[nodes]] if was is material else nodes
            if len(k):
                values, fraction, new_fraction = _alike(u[k], f[k], new_f[k])
                entropy = was.entropy(np.sqrt(values), fraction)
                new[k] = material.temperature_from_entropy(entropy, new_fraction) ** 2
        work = self.energy(new, new_f)[0] - before
        return new, float(self.space.layer_sums(work).sum())

    # ---- laws on nodes ---------------------------------------------------------------------------
    def energy(self, u: Floats, f: Floats) -> tuple[Floats, Floats]:
        """Nodal energies (J) and their slopes d/du (J/K^2), (n_local,)."""
        e, slope = np.empty_like(u), np.empty_like(u)
        for material, nodes in zip(self.materials, self.layer_nodes, strict=True):
            e[nodes], slope[nodes] = material.energy_u(*_alike(u[nodes], f[nodes]))
        return e * self.space.volume, slope * self.space.volume

    def entropy(self, u: Floats, f: Floats) -> Floats:
        """Nodal entropies (J/K), (n_local,)."""
        s = np.empty_like(u)
        for material, nodes in zip(self.materials, self.layer_nodes, strict=True):
            values, fraction = _alike(u[nodes], f[nodes])
            s[nodes] = material.entropy(np.sqrt(values), fraction)
        return s * self.space.volume


def _alike(*values: Floats) -> tuple[Floats, ...]:
    """Values of a layer's nodes, one of each where all are alike (a layer held by a bath): laws are expensive."""
    if all(len(v) and (v == v[0]).all() for v in values):
        return tuple(v[:1] for v in values)
    return values
