"""The heat equation on a layered stack: storage, conduction and contacts as a network of nodes.

Unknown u = T^2 (K^2), in which the heat capacity, conduction and junctions of normal metals are linear. The energy
of a node is volume * e(T, f), the power into it is conduction plus contacts plus sources; one implicit stage solves
energy - h * power = target. After every linear solve one constant shift of u per layer closes the energy sums of the
layers to round-off, so that contact fluxes and the first law do not depend on any solver tolerance.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem.materials.material import Material
from fem.spaces.layerwise import Edges, LayerwiseSpace
from meshes.tagged import TaggedMesh
from solvers.heat.links import bath_link, bath_nodes, check_layers, contact_link, largest_u, source_nodes
from solvers.heat.matrix import NetworkMatrix
from solvers.heat.parts import Bath, Contact, Flow, HeatLayer, Passage, ScalarField, Slopes, Source, values_at
from solvers.heat.ties import Ties

__all__ = ["Bath", "Contact", "Flow", "HeatLayer", "HeatProblem", "Slopes", "Source"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]


class HeatProblem:
    """Nonlinear heat conduction in layers with contacts, baths and sources, on any tagged mesh.

    Args:
        tagged: the mesh.
        layers: layer name -> material and cell groups.
        contacts: thermal contacts between layers.
        baths: heat baths.
        sources: heat loads.

    Raises:
        ValueError: names that do not fit together, a face that a layer has not, a negative temperature.
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
        self.space = LayerwiseSpace(tagged, {name: layer.groups for name, layer in layers.items()})
        self.materials = [layer.material for layer in layers.values()]
        self.contacts, self.baths, self.sources = tuple(contacts), tuple(baths), tuple(sources)
        check_layers(self.space.names, self.contacts, self.baths, self.sources)
        self.layer_nodes = [self.space.nodes(name) for name in self.space.names]
        self._contact_links = [contact_link(self.space, c) for c in self.contacts]
        self._bath_links = {b.name: bath_link(self.space, b) for b in self.baths if b.law is not None}
        self._held_nodes = {b.name: bath_nodes(self.space, b) for b in self.baths if b.law is None}
        touched = self._held_nodes | {name: link.i for name, link in self._bath_links.items()}
        self._hottest_u = {b.name: largest_u(self.space, b, touched[b.name]) for b in self.baths}
        self._source_nodal = {s.name: source_nodes(self.space, s) for s in self.sources}
        self.matrix = NetworkMatrix(self.space)
        names = [c.name for c in self.contacts] + [b.name for b in self.baths] + [s.name for s in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"names of contacts, baths and sources must differ, got {names}")
        self._heating: dict[str, Floats] = {}
        self._names = names
        self.activate(names)

    # ---- set-up ----------------------------------------------------------------------------------
    def state(
        self, temperature: float | ScalarField | Mapping[str, float | ScalarField], fraction: float = 1.0
    ) -> tuple[Floats, Floats]:
        """Unknown u = T^2 and normal fraction f of a state to start from, (n_local,) each.

        Args:
            temperature: K, a number or a function of points x (3, n) in metres; for all layers, or by layer name.
            fraction: normal fraction of all layers; it matters for superconductors only.

        Raises:
            ValueError: the layers named are not those of the problem.
        """
        space = self.space
        by_layer = temperature if isinstance(temperature, Mapping) else dict.fromkeys(space.names, temperature)
        if set(by_layer) != set(space.names):
            raise ValueError(f"temperatures of {', '.join(by_layer)}, but the layers are {', '.join(space.names)}")
        u: Floats = np.empty(space.n_local)
        for name, nodes in zip(space.names, self.layer_nodes, strict=True):
            u[nodes] = values_at(by_layer[name], space.x[nodes]) ** 2
        return u, np.full(space.n_local, float(fraction))

    def activate(self, names: Collection[str]) -> None:
        """Let only the named contacts, baths and sources conduct (or heat) from now on (collective).

        A perfect contact gives the nodes of its two sides one unknown, or, where one side is held by a bath, holds
        the other side's nodes too. An ideal one holds all nodes of the other layer.

        Raises:
            ValueError: an unknown name, or an ideal contact of which not just one layer is held throughout.
        """
        space = self.space
        self.active = frozenset(names)
        unknown = self.active - set(self._names)
        if unknown:
            raise ValueError(f"no contact, bath or source is called {', '.join(sorted(unknown))}")
        bath_of_node: Floats = np.full(space.n_local, -1.0)
        for number, bath in enumerate(self.baths):
            if bath.name in self.active and bath.law is None:
                bath_of_node[self._held_nodes[bath.name]] = number
        bath_of_node = self._hold_ideal(space.maximum(bath_of_node))
        self._perfect = [k for k in self._contact_links if k.law is None and k.name in self._tying]
        self._ties = Ties(space, [(k.i, k.j) for k in self._perfect], bath_of_node.astype(np.int32))
        self.held = self._ties.held
        self._held_u = np.zeros(space.n_local)
        for number, bath in enumerate(self.baths):
            mine = self.held & (self._ties.bath == number)
            self._held_u[mine] = values_at(bath.temperature, space.x[mine]) ** 2
        edges, held = self.space.edges, self.held
        # Between two nodes held at one temperature nothing ever flows.
        live = ~(held[edges.i] & held[edges.j] & (self._held_u[edges.i] == self._held_u[edges.j]))
        self._edges = Edges(edges.i[live], edges.j[live], edges.weight[live])
        self._conducting = [k for k in self._contact_links if k.law is not None and k.name in self.active]
        self.matrix.merge(
            self._ties.root,
            np.concatenate([self._edges.i, *(k.i for k in self._conducting)]),
            np.concatenate([self._edges.j, *(k.j for k in self._conducting)]),
        )
        self._sources = np.zeros(space.n_local)
        for source in self.sources:
            if source.name in self.active:
                self._sources += self._source_nodal[source.name]
        self._source_total = float(space.layer_sums(self._sources).sum())
        self._group_layers()

    def _hold_ideal(self, bath_of_node: Floats) -> Floats:
        """Let active ideal contacts hold all of their other layer (collective); notes which and what ties instead."""
        space = self.space
        self._emptied: dict[str, tuple[str, float]] = {}
        for contact in self.contacts:
            if not contact.ideal or contact.name not in self.active:
                continue
            lowest = [
                -space.comm.allreduce(float((-bath_of_node[space.nodes(name)]).max(initial=-np.inf)), op=MPI.MAX)
                for name in (contact.lower, contact.upper)
            ]
            if (lowest[0] >= 0) == (lowest[1] >= 0):
                raise ValueError(f"ideal contact {contact.name!r}: just one of its layers must be held by a bath")
            held = int(lowest[1] >= 0)
            _ = self.baths[int(lowest[held])].uniform  # raises where there is no one temperature to take
            other = (contact.upper, contact.lower)[held]
            bath_of_node[space.nodes(other)] = lowest[held]
            self._emptied[contact.name] = (other, 1.0 if other == contact.lower else -1.0)
        self._tying = self.active - self._emptied.keys()
        return bath_of_node

    def heat_with(self, mechanism: str, nodal: Floats | None) -> dict[str, float]:
        """Let a mechanism outside the network heat the nodes from now on, beside the sources (collective).

        Args:
            mechanism: its name.
            nodal: W, not negative, (n_local,); None: no more.

        Returns:
            Power in each layer that is heated, W, by "MECHANISM LAYER", as its entropy is named.
        """
        self._heating = {}
        if nodal is None:
            return {}
        sums = self.space.layer_sums(nodal)
        heated = {f"{mechanism} {name}": k for k, name in enumerate(self.space.names) if sums[k] > 0.0}
        self._heating = {name: np.where(self.space.layer == k, nodal, 0.0) for name, k in heated.items()}
        return {name: float(sums[k]) for name, k in heated.items()}

    def _group_layers(self) -> None:
        """Number the groups of layers tied by perfect contacts (-1: held nodes) and the connected layers."""
        names = self.space.names
        links = {c.name: (names.index(c.lower), names.index(c.upper)) for c in self.contacts if c.name in self.active}
        free = self.space.layer_sums(np.where(self.held, 0.0, 1.0)) > 0
        merging = np.array([int((~self.held[k.i] & ~self.held[k.j]).any()) for k in self._perfect])
        merging = self.space.comm.allreduce(merging)
        tied = _components(len(names), [links[k.name] for k, some in zip(self._perfect, merging, strict=True) if some])
        used = [int(number) for number in np.unique(tied[free])]
        self.n_groups = len(used)
        number = {old: new for new, old in enumerate(used)}
        group_of_layer = np.array([number.get(int(t), -1) for t in tied])
        self.group = np.where(self.held, -1, group_of_layer[self.space.layer])
        self._connected = _components(len(names), list(links.values()))

    def hold(self, u: Floats) -> Floats:
        """U with the nodes held by active baths set to their temperature."""
        return np.where(self.held, self._held_u, u)

    def engage(self, u: Floats, f: Floats) -> tuple[Floats, dict[str, float], dict[str, float]]:
        """Bring held nodes to their bath's temperature and merged nodes to a common one (collective).

        Returns:
            The new u, and the energy (J) that this gave to each bath and through each contact, by name.
        """
        new = self._ties.equalise(self.matrix, lambda v: self.energy(v, f), self.hold(u))
        given = self.energy(u, f)[0] - self.energy(new, f)[0]
        return new, *self._tied_sums(given)

    def _tied_sums(self, nodal: Floats) -> tuple[dict[str, float], dict[str, float]]:
        """What tied nodes give away: to each bath, and through each perfect contact (lower to upper), by name."""
        n = self.space.n_owned
        total = np.bincount(self._ties.bath[:n] + 1, nodal[:n], minlength=len(self.baths) + 1)[1:]
        total = self.space.comm.allreduce(total)
        contacts = dict.fromkeys((c.name for c in self.contacts), 0.0)
        for link, through in zip(self._perfect, self._ties.through(nodal), strict=True):
            contacts[link.name] = float(through)
        if self._emptied:
            given = self.space.layer_sums(nodal)
            for name, (layer, sign) in self._emptied.items():
                # What the layer gives, and what perfect contacts bring into it.
                passed = float(given[self.space.layer_number(layer)])
                for c in self.contacts:
                    if c.name != name and layer in (c.lower, c.upper) and c.law is None:
                        passed += contacts[c.name] * (1.0 if c.upper == layer else -1.0)
                contacts[name] = sign * passed
        return {b.name: float(total[k]) for k, b in enumerate(self.baths)}, contacts

    def tied_by(self) -> tuple[list[str], Ints]:
        """Names of all baths and contacts, and the number of the one that ties each node, -1: none (collective).

        A node that a bath touches itself counts as tied by the bath, others by the last perfect contact they touch.
        """
        names = [b.name for b in self.baths] + [c.name for c in self.contacts]
        number: Floats = np.full(self.space.n_local, -1.0)
        for link in self._perfect:
            number[link.i] = number[link.j] = names.index(link.name)
        number = self.space.maximum(number)
        for name, (layer, _) in self._emptied.items():
            number[self.space.nodes(layer)] = names.index(name)
        for bath in self.baths:
            if bath.law is None and bath.name in self.active:
                number[self._held_nodes[bath.name]] = names.index(bath.name)
        return names, number.astype(np.int32)

    def active_sources(self) -> list[tuple[str, Floats]]:
        """Name and nodal power (W) of each source that is on, and of what heats besides (`heat_with`)."""
        on = [(s.name, self._source_nodal[s.name]) for s in self.sources if s.name in self.active]
        return [*on, *self._heating.items()]

    def switch(
        self, u: Floats, f: Floats, new_f: Floats, materials: Sequence[Material] | None = None
    ) -> tuple[Floats, float]:
        """Change the normal fraction, and materials with the field, at constant entropy, node by node (collective).

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction now, (n_local,).
            new_f: normal fraction to be, (n_local,).
            materials: those of the layers from now on; left out: as they are.

        Returns:
            The new u, before `engage`, and the magnetic work that this took, J.
        """
        before, old = self.energy(u, f)[0], self.materials
        self.materials = old if materials is None else list(materials)
        new = u.copy()
        for was, material, nodes in zip(old, self.materials, self.layer_nodes, strict=True):
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

    def _conduction(self, u: Floats, f: Floats) -> tuple[Floats, Slopes]:
        """Power through the conduction edges and its slopes.

        Kirchhoff's transformation: weight times the difference of the integral of k dT, at the mean f of the edge.
        It is exact along an edge and monotone in both ends, however steep k(T) is.
        """
        edges = self._edges
        common, normal, paired = (np.empty_like(u) for _ in range(3))
        kappa_n, kappa_s = np.empty_like(u), np.empty_like(u)
        for material, nodes in zip(self.materials, self.layer_nodes, strict=True):
            held = self._held_u[nodes][self.held[nodes]]
            if len(held) == len(nodes) and (held == held[:1]).all():  # nothing flows, and the laws are dear
                for values in (common, normal, paired, kappa_n, kappa_s):
                    values[nodes] = 0.0
                continue
            common[nodes], normal[nodes], paired[nodes] = material.conduction_potentials(u[nodes])
            kappa_n[nodes] = material.conductivity_u(u[nodes], 1.0)
            kappa_s[nodes] = material.conductivity_u(u[nodes], 0.0)
        i, j, weight = edges.i, edges.j, edges.weight
        mean = 0.5 * (f[i] + f[j])
        q = common[i] - common[j] + mean * (normal[i] - normal[j]) + (1.0 - mean) * (paired[i] - paired[j])
        slopes = [weight * (mean * kappa_n[k] + (1.0 - mean) * kappa_s[k]) for k in (i, j)]
        return weight * q, Slopes(i, j, slopes[0], slopes[1])

    def hottest(self, u: Floats) -> Floats:
        """U of the hottest layer or bath connected to each node's layer by active contacts (collective)."""
        sums, volumes = self.space.layer_sums(u * self.space.volume, self.space.volume)
        mean = sums / volumes
        for bath in self.baths:
            if bath.name in self.active:
                k = self.space.layer_number(bath.layer)
                mean[k] = max(mean[k], self._hottest_u[bath.name])
        hot = np.array([mean[self._connected == c].max() for c in self._connected])
        return np.asarray(hot[self.space.layer])

    def power(self, u: Floats, f: Floats, mixed: npt.NDArray[np.bool_] | None = None) -> Flow:
        """Power into every node and through every contact at a state (collective).

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction, (n_local,).
            mixed: nodes that conduct among each other as normal metal does, whatever their f, (n_local,).
        """
        edges = self._edges
        q, conduction = self._conduction(u, f if mixed is None else np.where(mixed, 1.0, f))
        slopes = [conduction]
        nodal: Floats = np.zeros(self.space.n_local)
        bath_slope: Floats = np.zeros(self.space.n_local)
        self._transfer(nodal, edges.i, edges.j, q)
        passages = [Passage("conduction", edges.i, edges.j, q)]
        for link in self._conducting:
            assert link.law is not None
            i, j = link.i, link.j
            q, d_i, d_j = link.law.flux(u[i], u[j], f[i], f[j])
            q = q * link.area
            self._transfer(nodal, i, j, q)
            slopes.append(Slopes(i, j, d_i * link.area, -d_j * link.area))
            passages.append(Passage(link.name, i, j, q))
        for name, link in self._bath_links.items():
            if name not in self.active:
                continue
            assert link.law is not None
            assert link.bath_u is not None
            i = link.i
            q, d_i, _ = link.law.flux(u[i], link.bath_u, f[i], np.ones(len(i)))
            q = q * link.area
            nodal -= np.bincount(i, q, minlength=len(nodal))
            bath_slope += np.bincount(i, d_i * link.area, minlength=len(nodal))
            passages.append(Passage(name, i, None, q, np.sqrt(link.bath_u)))
        nodal = self.space.accumulate(nodal) + sum(self._heating.values(), self._sources)
        totals = self.space.comm.allreduce(np.array([p.power.sum() for p in passages[1:]]))
        power = {p.name: float(total) for p, total in zip(passages[1:], totals, strict=True)}
        return Flow(
            nodal,
            {c.name: power.get(c.name, 0.0) for c in self.contacts},
            {b.name: power.get(b.name, 0.0) for b in self.baths},
            self._source_total,
            passages,
            slopes,
            bath_slope,
        )

    def close(self, flow: Flow, rate: Floats) -> None:
        """Book what passes through perfect contacts and into holding baths (collective).

        Args:
            flow: completed in place.
            rate: actual rate of change of the nodal energies, W, (n_local,); 0 at held nodes.
        """
        baths, contacts = self._tied_sums(flow.nodal - rate)
        for contact in self.contacts:
            if contact.law is None:
                flow.contact[contact.name] = contacts[contact.name]
        for bath in self.baths:
            if bath.law is None:
                flow.bath[bath.name] = baths[bath.name]

    @staticmethod
    def _transfer(nodal: Floats, i: Ints, j: Ints, q: Floats) -> None:
        nodal -= np.bincount(i, q, minlength=len(nodal))
        nodal += np.bincount(j, q, minlength=len(nodal))


def _alike(*values: Floats) -> tuple[Floats, ...]:
    """Values of a layer's nodes, one of each where all are alike (a layer held by a bath): the laws are dear."""
    if all(len(v) and (v == v[0]).all() for v in values):
        return tuple(v[:1] for v in values)
    return values


def _components(n: int, links: Sequence[tuple[int, int]]) -> Ints:
    """Number of the connected component of each of n items."""
    component = np.arange(n, dtype=np.int32)
    for a, b in links:
        component[component == component[a]] = component[b]
    return component
