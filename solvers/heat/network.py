"""The heat problem as a network of nodes with some of its contacts, baths and sources on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from mpi4py import MPI

from fem.interfaces.markers import Ideal, Perfect
from fem.spaces.layerwise import LayerwiseSpace
from fem.spaces.numbering import Edges
from meshes.arrays import Bools, Floats, Ints
from solvers.heat.links import Link
from solvers.heat.matrix import NetworkMatrix
from solvers.heat.parts import Crossing, Flow, PairFlow, PairJacobian, values_at
from solvers.heat.ties import Ties

if TYPE_CHECKING:
    from solvers.heat.problem import HeatProblem


@dataclass(frozen=True, eq=False)
class ActiveNetwork:
    """A heat problem with a given set of its contacts, baths and sources on; `HeatProblem.activate` makes it.

    A perfect contact gives the nodes of its two sides one unknown, or, where one side is held by a bath, holds the
    other side's nodes too. An ideal one holds all nodes of the other layer.

    Attributes:
        problem: the heat problem.
        active: names of the contacts, baths and sources that are on.
        ties: trees of the nodes that share one temperature.
        held_u: u of nodes that a bath holds, K^2, (n_local,); 0 elsewhere.
        edges: conduction edges through which something may flow.
        perfect: perfect contacts that tie nodes.
        conducting: contacts with a law.
        emptied: other layer and sign (1: it is the lower one) of each ideal contact that holds it, by name.
        source: nodal power of the sources, W, (n_local,).
        source_total: power of the sources, W.
        group: number of the group of layers tied by perfect contacts, -1 for held nodes, (n_local,).
        n_groups: how many groups there are.
        connected: number of the set of connected layers to which each layer belongs, (n_layers,).
        crossings: of the conduction edges and each conducting contact, the pairs between two groups.
        matrix: the linear system of this network.
        heating: nodal power (W) of a mechanism outside the network, by "MECHANISM LAYER".
        heating_power: its sum in each layer, W, by the same names.
    """

    problem: HeatProblem
    active: frozenset[str]
    ties: Ties
    held_u: Floats
    edges: Edges
    perfect: Sequence[Link]
    conducting: Sequence[Link]
    emptied: Mapping[str, tuple[str, float]]
    source: Floats
    source_total: float
    group: Ints
    n_groups: int
    connected: Ints
    crossings: Sequence[Crossing]
    matrix: NetworkMatrix
    heating: Mapping[str, Floats] = field(default_factory=dict)
    heating_power: Mapping[str, float] = field(default_factory=dict)

    @property
    def space(self) -> LayerwiseSpace:
        """Numbering of the nodes."""
        return self.problem.space

    @property
    def held(self) -> Bools:
        """Whether a bath holds a node, (n_local,)."""
        return self.ties.held

    def heated(self, mechanism: str, nodal: Floats | None) -> ActiveNetwork:
        """This network with a mechanism from outside that heats the nodes, beside the sources (collective).

        Args:
            mechanism: its name.
            nodal: W, not negative, (n_local,); None: nothing heats.
        """
        if nodal is None:
            return replace(self, heating={}, heating_power={})
        space = self.space
        sums = space.layer_sums(nodal)
        names = {f"{mechanism} {name}": k for k, name in enumerate(space.names) if sums[k] > 0.0}
        heating = {name: np.where(space.layer == k, nodal, 0.0) for name, k in names.items()}
        return replace(self, heating=heating, heating_power={name: float(sums[k]) for name, k in names.items()})

    def active_sources(self) -> list[tuple[str, Floats]]:
        """Name and nodal power (W) of each source that is on, and of what heats from outside."""
        problem = self.problem
        on = [(s.name, problem.source_nodal[s.name]) for s in problem.sources if s.name in self.active]
        return [*on, *self.heating.items()]

    # ---- tied nodes ------------------------------------------------------------------------------
    def hold(self, u: Floats) -> Floats:
        """U with the nodes held by baths set to their temperature."""
        return np.where(self.held, self.held_u, u)

    def equilibrate_ties(self, u: Floats, f: Floats) -> tuple[Floats, dict[str, float], dict[str, float]]:
        """Bring held nodes to their bath's temperature and merged nodes to a common one (collective).

        Returns:
            The new u, and the energy (J) that this gave to each bath and through each contact, by name.
        """
        new = self.ties.equalise(self.matrix, lambda v: self.energy(v, f), self.hold(u))
        given = self.energy(u, f)[0] - self.energy(new, f)[0]
        return new, *self._tied_sums(given)[:2]

    def _tied_sums(
        self, nodal: Floats, more: Sequence[float] = ()
    ) -> tuple[dict[str, float], dict[str, float], list[float]]:
        """What tied nodes give away: to each bath, and through each perfect contact (lower to upper), by name.

        With it goes the sum over the ranks of more numbers.
        """
        n, baths = self.space.n_owned, self.problem.baths
        from_held = np.bincount(self.ties.bath[:n] + 1, nodal[:n], minlength=len(baths) + 1)[1:]
        total: Floats = np.concatenate([from_held, self.ties.through(nodal), more], dtype=np.float64)
        self.space.comm.Allreduce(MPI.IN_PLACE, total)
        total, through, sums = np.split(total, [len(baths), len(baths) + len(self.perfect)])
        contacts = dict.fromkeys((c.name for c in self.problem.contacts), 0.0)
        for link, amount in zip(self.perfect, through, strict=True):
            contacts[link.name] = float(amount)
        if self.emptied:
            given = self.space.layer_sums(nodal)
            for name, (layer, sign) in self.emptied.items():
                # What the layer gives, and what perfect contacts bring into it.
                passed = float(given[self.space.layer_number(layer)])
                for c in self.problem.contacts:
                    if c.name != name and layer in (c.lower, c.upper) and isinstance(c.law, Perfect | Ideal):
                        passed += contacts[c.name] * (1.0 if c.upper == layer else -1.0)
                contacts[name] = sign * passed
        return {b.name: float(total[k]) for k, b in enumerate(baths)}, contacts, [float(x) for x in sums]

    def tied_by(self) -> tuple[list[str], Ints]:
        """Names of all baths and contacts, and the number of the one that ties each node, -1: none (collective).

        A node that a bath touches itself counts as tied by the bath, others by the last perfect contact they touch.
        """
        names = [b.name for b in self.problem.baths] + [c.name for c in self.problem.contacts]
        number: Floats = np.full(self.space.n_local, -1.0)
        for link in self.perfect:
            number[link.i] = number[link.j] = names.index(link.name)
        number = self.space.maximum(number)
        for name, (layer, _) in self.emptied.items():
            number[self.space.nodes(layer)] = names.index(name)
        for bath in self.problem.baths:
            if isinstance(bath.law, Perfect) and bath.name in self.active:
                number[self.problem.held_nodes[bath.name]] = names.index(bath.name)
        return names, number.astype(np.int32)

    # ---- laws on nodes ---------------------------------------------------------------------------
    def energy(self, u: Floats, f: Floats) -> tuple[Floats, Floats]:
        """Nodal energies (J) and their slopes d/du (J/K^2), (n_local,)."""
        return self.problem.energy(u, f)

    def entropy(self, u: Floats, f: Floats) -> Floats:
        """Nodal entropies (J/K), (n_local,)."""
        return self.problem.entropy(u, f)

    def _conduction(self, u: Floats, f: Floats) -> tuple[Floats, PairJacobian]:
        """Power through the conduction edges and its slopes.

        Kirchhoff's transformation: weight times the difference of the integral of k dT, at the mean f of the edge.
        It is exact along an edge and monotone in both ends, however steep k(T) is.
        """
        i, j, weight = self.edges.i, self.edges.j, self.edges.weight
        values, slopes = np.zeros((2, 3, len(u)))
        for material, nodes in zip(self.problem.materials, self.problem.layer_nodes, strict=True):
            held = self.held_u[nodes][self.held[nodes]]
            if len(held) == len(nodes) and (held == held[:1]).all():  # nothing flows, and the laws are expensive
                continue
            values[:, nodes], slopes[:, nodes] = material.conduction_potentials(u[nodes])
        start, end = f[i], f[j]
        if (start == end).all():  # one potential for each node
            value, slope = (x[0] + f * x[1] + (1.0 - f) * x[2] for x in (values, slopes))
            return weight * (value[i] - value[j]), PairJacobian(i, j, weight * slope[i], weight * slope[j])
        mean = 0.5 * (start + end)
        rise = values[:, i] - values[:, j]
        q = rise[0] + mean * rise[1] + (1.0 - mean) * rise[2]
        of_i, of_j = (x[0] + mean * x[1] + (1.0 - mean) * x[2] for x in (slopes[:, i], slopes[:, j]))
        return weight * q, PairJacobian(i, j, weight * of_i, weight * of_j)

    def hottest(self, u: Floats) -> Floats:
        """U of the hottest layer or bath connected to each node's layer by active contacts (collective)."""
        sums, volumes = self.space.layer_sums(u * self.space.volume, self.space.volume)
        mean = sums / volumes
        for bath in self.problem.baths:
            if bath.name in self.active:
                k = self.space.layer_number(bath.layer)
                mean[k] = max(mean[k], self.problem.hottest_u[bath.name])
        hot = np.array([mean[self.connected == c].max() for c in self.connected])
        return np.asarray(hot[self.space.layer])

    def power(self, u: Floats, f: Floats) -> Flow:
        """Power into every node and through every contact with a law at a state (collective).

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction, (n_local,).
        """
        flow = self.flows(u, f)
        sums = self.space.comm.allreduce(np.array([p.power.sum() for p in flow.pair_flows]))
        self._book(flow, sums)
        return flow

    def flows(self, u: Floats, f: Floats, mixed: Bools | None = None) -> Flow:
        """Power into every node and of every pair at a state; `close` sums it over contacts and baths (collective).

        Args:
            u: T^2, K^2, (n_local,).
            f: normal fraction, (n_local,).
            mixed: nodes that conduct among each other as normal metal does, whatever their f, (n_local,).
        """
        edges = self.edges
        q, conduction = self._conduction(u, f if mixed is None else np.where(mixed, 1.0, f))
        jacobian = [conduction]
        nodal: Floats = np.zeros(self.space.n_local)
        bath_slope: Floats = np.zeros(self.space.n_local)
        self._transfer(nodal, edges.i, edges.j, q)
        pair_flows = [PairFlow("conduction", edges.i, edges.j, q)]
        for link in self.conducting:
            assert not isinstance(link.law, Perfect | Ideal)
            i, j = link.i, link.j
            q, d_i, d_j = link.law.flux(u[i], u[j], f[i], f[j])
            q = q * link.area
            self._transfer(nodal, i, j, q)
            jacobian.append(PairJacobian(i, j, d_i * link.area, -d_j * link.area))
            pair_flows.append(PairFlow(link.name, i, j, q))
        for name, link in self.problem.bath_links.items():
            if name not in self.active:
                continue
            assert not isinstance(link.law, Perfect | Ideal)
            assert link.bath_u is not None
            i = link.i
            q, d_i, _ = link.law.flux(u[i], link.bath_u, f[i], np.ones(len(i)))
            q = q * link.area
            nodal -= np.bincount(i, q, minlength=len(nodal))
            bath_slope += np.bincount(i, d_i * link.area, minlength=len(nodal))
            pair_flows.append(PairFlow(name, i, None, q, np.sqrt(link.bath_u)))
        nodal = self.space.accumulate(nodal) + sum(self.heating.values(), self.source)
        contact = dict.fromkeys((c.name for c in self.problem.contacts), 0.0)
        bath = dict.fromkeys((b.name for b in self.problem.baths), 0.0)
        return Flow(nodal, contact, bath, self.source_total, pair_flows, jacobian, bath_slope)

    @staticmethod
    def _book(flow: Flow, sums: Sequence[float]) -> None:
        """Put the sums over its pair flows into a flow."""
        for pair, power in zip(flow.pair_flows, sums, strict=True):
            for book in (flow.contact, flow.bath):
                if pair.name in book:
                    book[pair.name] = float(power)

    def linearise(self, flow: Flow, slope: Floats, h: float) -> None:
        """Fill the matrix with the Jacobian of an implicit stage of h (s) (collective).

        Args:
            flow: the power at its state.
            slope: of what the nodes store, J/K^2, (n_local,).
            h: s.
        """
        size, n = self.space.n_local, self.space.n_owned
        total = flow.bath_slope.copy()
        for s in flow.jacobian:
            total += np.bincount(s.i, s.of_i, minlength=size)
            total += np.bincount(s.j, s.of_j, minlength=size)
        diagonal = h * total
        diagonal[:n] += slope[:n]
        of_i, of_j = (h * np.concatenate([getattr(s, side) for s in flow.jacobian]) for side in ("of_i", "of_j"))
        self.matrix.fill(diagonal, of_i, of_j)

    def close(self, flow: Flow, rate: Floats) -> None:
        """Book what passes through contacts and into baths, in one reduction (collective).

        Args:
            flow: completed in place.
            rate: actual rate of change of the nodal energies, W, (n_local,); 0 at held nodes.
        """
        baths, contacts, sums = self._tied_sums(flow.nodal - rate, [float(p.power.sum()) for p in flow.pair_flows])
        self._book(flow, sums)
        for contact in self.problem.contacts:
            if isinstance(contact.law, Perfect | Ideal):
                flow.contact[contact.name] = contacts[contact.name]
        for bath in self.problem.baths:
            if isinstance(bath.law, Perfect):
                flow.bath[bath.name] = baths[bath.name]

    @staticmethod
    def _transfer(nodal: Floats, i: Ints, j: Ints, q: Floats) -> None:
        nodal -= np.bincount(i, q, minlength=len(nodal))
        nodal += np.bincount(j, q, minlength=len(nodal))


def build_network(problem: HeatProblem, active: frozenset[str]) -> ActiveNetwork:
    """The network of a problem with these contacts, baths and sources on (collective).

    Raises:
        ValueError: an ideal contact of which not just one layer is held throughout.
    """
    space = problem.space
    bath_of_node: Floats = np.full(space.n_local, -1.0)
    for number, bath in enumerate(problem.baths):
        if bath.name in active and bath.name in problem.held_nodes:
            bath_of_node[problem.held_nodes[bath.name]] = number
    bath_of_node, emptied = _hold_ideal(problem, active, space.maximum(bath_of_node))
    on = [k for k in problem.contact_links if k.name in active and k.name not in emptied]
    perfect = [k for k in on if isinstance(k.law, Perfect)]
    conducting = [k for k in on if not isinstance(k.law, Perfect)]
    ties = Ties(space, [(k.i, k.j) for k in perfect], bath_of_node.astype(np.int32))
    held, held_u = ties.held, np.zeros(space.n_local)
    for number, bath in enumerate(problem.baths):
        mine = held & (ties.bath == number)
        held_u[mine] = values_at(bath.temperature, space.x[mine]) ** 2
    edges = space.edges
    # Between two nodes held at one temperature nothing ever flows.
    live = ~(held[edges.i] & held[edges.j] & (held_u[edges.i] == held_u[edges.j]))
    edges = Edges(edges.i[live], edges.j[live], edges.weight[live])
    pairs = [(edges.i, edges.j), *((k.i, k.j) for k in conducting)]
    i, j = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    source = np.zeros(space.n_local)
    for name, nodal in problem.source_nodal.items():
        if name in active:
            source += nodal
    group, n_groups, connected = _group_layers(problem, active, held, perfect)
    return ActiveNetwork(
        problem,
        active,
        ties,
        held_u,
        edges,
        perfect,
        conducting,
        emptied,
        source,
        float(space.layer_sums(source).sum()),
        group,
        n_groups,
        connected,
        [Crossing.between(group, n_groups, i, j) for i, j in pairs],
        NetworkMatrix(space, ties.root, held, i, j, problem.solves),
    )


def _hold_ideal(
    problem: HeatProblem, active: frozenset[str], bath_of_node: Floats
) -> tuple[Floats, dict[str, tuple[str, float]]]:
    """Let active ideal contacts hold all of their other layer (collective).

    Returns:
        Number of the bath that holds each node, and `ActiveNetwork.emptied`.
    """
    space, emptied = problem.space, {}
    for contact in problem.contacts:
        if not isinstance(contact.law, Ideal) or contact.name not in active:
            continue
        lowest = [
            -space.comm.allreduce(float((-bath_of_node[space.nodes(name)]).max(initial=-np.inf)), op=MPI.MAX)
            for name in (contact.lower, contact.upper)
        ]
        if (lowest[0] >= 0) == (lowest[1] >= 0):
            raise ValueError(f"ideal contact {contact.name!r}: just one of its layers must be held by a bath")
        held = int(lowest[1] >= 0)
        _ = problem.baths[int(lowest[held])].uniform  # raises where there is no one temperature to take
        other = (contact.upper, contact.lower)[held]
        bath_of_node[space.nodes(other)] = lowest[held]
        emptied[contact.name] = (other, 1.0 if other == contact.lower else -1.0)
    return bath_of_node, emptied


def _group_layers(
    problem: HeatProblem, active: frozenset[str], held: Bools, perfect: Sequence[Link]
) -> tuple[Ints, int, Ints]:
    """`ActiveNetwork.group`, `n_groups` and `connected` (collective)."""
    space, names = problem.space, problem.space.names
    links = {c.name: (names.index(c.lower), names.index(c.upper)) for c in problem.contacts if c.name in active}
    free = space.layer_sums(np.where(held, 0.0, 1.0)) > 0
    merging = np.array([int((~held[k.i] & ~held[k.j]).any()) for k in perfect])
    merging = space.comm.allreduce(merging)
    tied = _components(len(names), [links[k.name] for k, some in zip(perfect, merging, strict=True) if some])
    used = [int(number) for number in np.unique(tied[free])]
    number = {old: new for new, old in enumerate(used)}
    group_of_layer = np.array([number.get(int(t), -1) for t in tied], dtype=np.int32)
    group = np.where(held, -1, group_of_layer[space.layer]).astype(np.int32)
    return group, len(used), _components(len(names), list(links.values()))


def _components(n: int, links: Sequence[tuple[int, int]]) -> Ints:
    """Number of the connected component of each of n items."""
    component = np.arange(n, dtype=np.int32)
    for a, b in links:
        component[component == component[a]] = component[b]
    return component
