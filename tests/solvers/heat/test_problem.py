"""The heat problem: perfect contacts, baths, sources, balances, signs, and the same answer on any number of ranks."""

from dataclasses import replace

import numpy as np
import pytest
from mpi4py import MPI

from fem.interfaces.laws import Conductance, ElectronPhonon, PhononContact, Sum, TunnelJunction
from fem.interfaces.markers import Ideal, Perfect
from fem.materials.library import get_material
from fem.materials.material import Material
from meshes.boxes import Slab, layered_box
from solvers.heat.problem import Bath, Contact, HeatLayer, HeatProblem, Source
from solvers.heat.stepper import HeatStepper

SIZE = (1e-2, 2e-2)
SLABS = [Slab("a", 1e-3, 2), Slab("b", 2e-3, 3), Slab("c", 5e-4, 1)]
VOLUMES = np.array([2e-7, 4e-7, 1e-7])
PLAIN = Material("plain", 0.0, 0.0, constant_conductivity=3.0, constant_heat_capacity=50.0)
OTHER = replace(PLAIN, constant_conductivity=0.5, constant_heat_capacity=20.0)
TA, CU = get_material("Ta"), get_material("Cu")


def by_layer(x):
    """Rank 0 has the lowest layer, and so on, a fourth half of the highest: most own no cell of some layer."""
    return np.minimum((x[:, 2] > 1e-3) + 1 * (x[:, 2] > 3e-3) * (1 + (x[:, 0] > 5e-3)), MPI.COMM_WORLD.size - 1)


def apart(x):
    """The last rank has one corner only, away from all interfaces."""
    last = MPI.COMM_WORLD.size - 1
    corner = (x[:, 0] > 0.75e-2) & (x[:, 1] > 1.5e-2) & (x[:, 2] < 5e-4)
    return np.where(corner, last, (x[:, 1] / 2e-2 * last).astype(int))


def problem(comm, contacts=(), baths=(), sources=(), materials=(PLAIN, OTHER, PLAIN), **mesh):
    tagged = layered_box(comm, SLABS, SIZE, (4, 4), **mesh)
    layers = {slab.name: HeatLayer(material, [slab.name]) for slab, material in zip(SLABS, materials, strict=True)}
    return HeatProblem(tagged, layers, contacts, baths, sources)


def perfect(lower, upper, name=None):
    return Contact(name or f"{lower}|{upper}", lower, upper, ["|".join(sorted((lower, upper)))], Perfect())


def start(heat, *temperatures):
    return np.array(temperatures)[heat.space.layer] ** 2


def spread(heat, u, layer):
    """Lowest and highest temperature of a layer, on all ranks."""
    T = np.sqrt(u[heat.space.nodes(layer)])
    comm = heat.space.comm
    return comm.allreduce(T.min(initial=np.inf), op=MPI.MIN), comm.allreduce(T.max(initial=0.0), op=MPI.MAX)


def mean(heat, u):
    sums, volumes = heat.space.layer_sums(np.sqrt(u) * heat.space.volume, heat.space.volume)
    return sums / volumes


# ---- perfect contacts --------------------------------------------------------------------------------------------


@pytest.mark.mpi
@pytest.mark.parametrize("rank_of", [None, by_layer, apart])
@pytest.mark.parametrize("swap", [False, True])
def test_chain_of_perfect_contacts_is_one_body(comm, rank_of, swap):
    """Three layers of one material with perfect contacts conduct as one slab; every contact passes the same power."""
    pairs = [("b", "a"), ("c", "b")] if swap else [("a", "b"), ("b", "c")]
    contacts = [perfect(*pair, name=name) for pair, name in zip(pairs, ("first", "second"), strict=True)]
    baths = [Bath("hot", "a", 0.3, ["bottom"]), Bath("cold", "c", 0.1, ["top"])]
    heat = problem(comm, contacts, baths, materials=(PLAIN,) * 3, rank_of=rank_of)
    f = np.ones(heat.space.n_local)
    u, flow = HeatStepper(heat.activate()).steady(start(heat, 0.1, 0.2, 0.3), f)
    exact = 0.3 - 0.2 * heat.space.x[:, 2] / 3.5e-3
    np.testing.assert_allclose(np.sqrt(u), exact, rtol=1e-8)
    power = 3.0 * 0.2 / 3.5e-3 * 2e-4
    assert flow.bath == pytest.approx({"hot": -power, "cold": power}, rel=1e-8)
    sign = -1 if swap else 1
    assert flow.contact == pytest.approx({"first": sign * power, "second": sign * power}, rel=1e-8)


@pytest.mark.mpi
@pytest.mark.parametrize("rank_of", [None, by_layer])
def test_merged_bodies_come_to_one_temperature(comm, rank_of):
    """Energy is kept, and each contact is booked with what passed it."""
    heat = problem(comm, [perfect("a", "b"), perfect("b", "c")], rank_of=rank_of)
    f = np.ones(heat.space.n_local)
    u = start(heat, 0.1, 0.2, 0.4)
    before = heat.space.layer_sums(heat.energy(u, f)[0])
    new, bath, contact = heat.activate().equilibrate_ties(u, f)
    after = heat.space.layer_sums(heat.energy(new, f)[0])
    assert after.sum() == pytest.approx(before.sum(), rel=1e-13)
    assert contact == pytest.approx({"a|b": before[0] - after[0], "b|c": after[2] - before[2]}, rel=1e-12)
    assert bath == {}
    stepper = HeatStepper(heat.activate(), 1e-4)
    u = stepper.advance(new, f, 1e3).u
    capacity = VOLUMES * [50.0, 20.0, 50.0]
    final = capacity @ [0.1, 0.2, 0.4] / capacity.sum()
    for name in "abc":
        np.testing.assert_allclose(spread(heat, u, name), final, rtol=1e-9)


@pytest.mark.parametrize("materials", [(TA, CU, TA), (CU, TA, PLAIN)])
def test_merged_nodes_of_any_law(materials):
    """Superconductor, normal metal and constant heat capacity: the common temperature keeps the energy."""
    heat = problem(MPI.COMM_SELF, [perfect("a", "b"), perfect("b", "c")], materials=materials)
    f = np.where(heat.space.layer == 1, 0.3, 0.0)
    u = start(heat, 1e-4, 2.0, 0.3)
    new, _, _ = heat.activate().equilibrate_ties(u, f)
    before, after = heat.energy(u, f)[0].sum(), heat.energy(new, f)[0].sum()
    assert after == pytest.approx(before, rel=1e-12)
    i, j = heat.contact_links[0].i, heat.contact_links[0].j
    np.testing.assert_array_equal(new[i], new[j])
    assert 1e-4 < np.sqrt(new[i[0]]) < 2.0


@pytest.mark.mpi
@pytest.mark.parametrize("held", ["a", "c"])
def test_a_bath_holds_through_perfect_contacts(comm, held):
    """Both ends of the chain: the middle layer's faces are held too, and all heat passes the right contacts."""
    heat = problem(comm, [perfect("a", "b"), perfect("b", "c")], [Bath("bath", held, 0.1)])
    f = np.ones(heat.space.n_local)
    u, _, _ = heat.activate().equilibrate_ties(start(heat, 0.3, 0.3, 0.3), f)
    energy = heat.space.layer_sums(heat.energy(u, f)[0])
    step = HeatStepper(heat.activate(), 1e-4).advance(u, f, 1e3)
    np.testing.assert_allclose(np.sqrt(step.u), 0.1, rtol=1e-9)
    lost = energy - heat.space.layer_sums(heat.energy(step.u, f)[0])
    far = 0 if held == "c" else 2
    sign = 1 if held == "c" else -1
    assert step.bath["bath"] == pytest.approx(lost.sum(), rel=1e-11)
    away, near = ("a|b", "b|c") if held == "c" else ("b|c", "a|b")
    assert step.contact[away] == pytest.approx(sign * lost[far], rel=1e-9)
    assert step.contact[near] == pytest.approx(sign * lost.sum(), rel=1e-9)


@pytest.mark.mpi
@pytest.mark.parametrize("swap", [False, True])
def test_ideal_contact_empties_a_layer_at_once(comm, swap):
    """All of "b" takes the temperature at which "a" is held; the bath gets what "b" had, and then what "c" gives."""
    ends = ("b", "a") if swap else ("a", "b")
    hot = Contact("hot", *ends, ["a|b"], Ideal())
    cold = Contact("cold", "b", "c", ["b|c"], Conductance(7.0))
    heat = problem(comm, [hot, cold], [Bath("bath", "a", 0.1)])
    f = np.ones(heat.space.n_local)
    u = start(heat, 0.1, 0.7, 0.4)
    u, bath, through = heat.activate().equilibrate_ties(u, f)
    assert spread(heat, u, "b") == (0.1, 0.1)
    given = 20.0 * VOLUMES[1] * 0.6
    assert bath["bath"] == pytest.approx(given, rel=1e-12)
    assert through["hot"] == pytest.approx(given if swap else -given, rel=1e-12)
    step = HeatStepper(heat.activate()).advance(u, f, 3.0)
    assert spread(heat, step.u, "b") == (0.1, 0.1)
    lost = 50.0 * VOLUMES[2] * (0.4 - mean(heat, step.u)[2])
    assert lost > 0
    assert step.contact["cold"] == pytest.approx(-lost, rel=1e-10)
    assert step.contact["hot"] == pytest.approx(lost if swap else -lost, rel=1e-10)
    assert step.bath["bath"] == pytest.approx(lost, rel=1e-10)


@pytest.mark.parametrize(
    "baths", [[], [Bath("one", "a", 0.1), Bath("two", "b", 0.2)], [Bath("face", "a", 0.1, ["bottom"])]]
)
def test_ideal_contact_needs_one_layer_held(baths):
    with pytest.raises(ValueError, match="just one of its layers must be held"):
        problem(MPI.COMM_SELF, [Contact("hot", "a", "b", ["a|b"], Ideal())], baths).activate()


@pytest.mark.mpi
def test_switching_a_perfect_contact_off(comm):
    heat = problem(comm, [perfect("a", "b"), Contact("b|c", "b", "c", ["b|c"], Conductance(0.0))])
    f = np.ones(heat.space.n_local)
    network = heat.activate(["b|c"])
    u, _, contact = network.equilibrate_ties(start(heat, 0.1, 0.2, 0.4), f)
    assert contact == {"a|b": 0.0, "b|c": 0.0}
    step = HeatStepper(network).advance(u, f, 100.0)
    np.testing.assert_array_equal(step.u, start(heat, 0.1, 0.2, 0.4))
    assert step.contact["b|c"] == 0.0


@pytest.mark.mpi
def test_a_destroyed_problem_builds_its_networks_anew(comm):
    heat = problem(comm, [perfect("a", "b"), Contact("b|c", "b", "c", ["b|c"], Conductance(3.0))])
    f, u = np.ones(heat.space.n_local), start(heat, 0.1, 0.1, 0.4)
    networks = [heat.activate(names) for names in (None, ["b|c"])]
    before = HeatStepper(networks[0]).advance(u, f, 0.5).u
    heat.destroy()
    assert not any(network.matrix._mat or network.matrix._ksp for network in networks)
    np.testing.assert_array_equal(HeatStepper(heat.activate()).advance(u, f, 0.5).u, before)


@pytest.mark.mpi
def test_very_good_contact_is_a_perfect_one(comm):
    results = []
    for law in (Conductance(1e9), Perfect()):
        contacts = [Contact("a|b", "a", "b", ["a|b"], law), Contact("b|c", "b", "c", ["b|c"], Conductance(30.0))]
        heat = problem(comm, contacts, [Bath("bath", "c", 0.1, ["top"])])
        f = np.ones(heat.space.n_local)
        u, _, _ = heat.activate().equilibrate_ties(start(heat, 0.3, 0.3, 0.3), f)
        step = HeatStepper(heat.activate(), 1e-6).advance(u, f, 0.5)
        results.append([*mean(heat, step.u), step.bath["bath"], step.contact["a|b"], step.contact["b|c"]])
    np.testing.assert_allclose(results[0], results[1], rtol=2e-5)


# ---- signs, baths, sources ---------------------------------------------------------------------------------------


@pytest.mark.mpi
@pytest.mark.parametrize(
    "laws", [(Conductance(40.0),), (PhononContact(500.0),), (Conductance(4.0), PhononContact(90.0))]
)
def test_flow_and_its_sign_for_both_orders(comm, laws):
    law = laws[0] if len(laws) == 1 else Sum(laws)
    flows = []
    for lower, upper in (("a", "b"), ("b", "a")):
        heat = problem(comm, [Contact("contact", lower, upper, ["a|b"], law)])
        flow = heat.activate().power(start(heat, 0.3, 0.2, 0.1), np.ones(heat.space.n_local))
        flows.append(flow.contact["contact"])
        sums = heat.space.layer_sums(flow.nodal)
        np.testing.assert_allclose(sums, [-abs(flows[-1]), abs(flows[-1]), 0.0], rtol=1e-12, atol=1e-20)
    q = float(law.flux(0.09, 0.04, 1.0, 1.0)[0])
    np.testing.assert_allclose(flows, [q * 2e-4, -q * 2e-4], rtol=1e-12)
    assert q > 0


@pytest.mark.mpi
def test_bath_at_absolute_zero(comm):
    """Held nodes at u = 0 must not spoil the scaling of the others."""
    contacts = [Contact("a|b", "a", "b", ["a|b"], Conductance(5.0)), perfect("b", "c")]
    heat = problem(comm, contacts, [Bath("zero", "a", 0.0)], materials=(CU, CU, CU))
    f = np.ones(heat.space.n_local)
    with np.errstate(invalid="raise"):
        u, _, _ = heat.activate().equilibrate_ties(start(heat, 0.1, 0.2, 0.2), f)
        before = heat.space.layer_sums(heat.energy(u, f)[0]).sum()
        step = HeatStepper(heat.activate(), 1e-3).advance(u, f, 5e-4)
    after = heat.space.layer_sums(heat.energy(step.u, f)[0]).sum()
    assert 0 < after < 0.9 * before
    assert step.bath["zero"] == pytest.approx(before - after, rel=1e-11)


@pytest.mark.mpi
def test_volume_bath_counts_every_node_once(comm):
    law = ElectronPhonon(2e9)
    heat = problem(comm, (), [Bath("lattice", "b", 0.1, (), law)], materials=(CU, CU, CU))
    flow = heat.activate().power(start(heat, 0.3, 0.2, 0.3), np.ones(heat.space.n_local))
    assert flow.bath["lattice"] == pytest.approx(2e9 * (0.2**5 - 0.1**5) * 4e-7, rel=1e-12)
    np.testing.assert_allclose(heat.space.layer_sums(flow.nodal), [0, -flow.bath["lattice"], 0], rtol=1e-12)


@pytest.mark.mpi
def test_sources(comm):
    """Volume, face, patch, density: the power asked for, in the layer and on the part of it that is meant."""
    sources = [
        Source("volume", "a", 1e-6),
        Source("face", "c", 2e-6, ["top"]),
        Source("patch", "c", 3e-6, ["top"], (0.0, 0.6e-2, 0.9e-2, 2.5e-2)),
        Source("density", "b", 4e-6, density=lambda x: 7.0 * x[0]),
    ]
    heat = problem(comm, sources=sources)
    u, f = start(heat, 0.2, 0.2, 0.2), np.ones(heat.space.n_local)
    x, y, z = heat.space.x.T
    expected = {"volume": [1e-6, 0, 0], "face": [0, 0, 2e-6], "patch": [0, 0, 3e-6]}
    expected["density"] = [0, 4e-6 + 7.0 * 0.5e-2 * 4e-7, 0]
    for name, powers in expected.items():
        flow = heat.activate([name]).power(u, f)
        np.testing.assert_allclose(heat.space.layer_sums(flow.nodal), powers, rtol=1e-12, atol=1e-20)
        assert flow.source == pytest.approx(sum(powers), rel=1e-12)
        if name in ("face", "patch"):
            assert not flow.nodal[z < 3.49e-3].any()
        if name == "patch":
            assert not flow.nodal[(x > 0.76e-2) | (y < 0.4e-2)].any()
    # Smaller than a cell: its power goes to the corner of the cell that it is in.
    heat = problem(comm, sources=[Source("tiny", "c", 1e-6, ["top"], (1e-4, 2e-4, 1e-4, 2e-4))])
    powers = heat.activate().power(u, f).nodal
    assert powers.sum() == pytest.approx(powers[(x == 0) & (y == 0)].sum(), rel=1e-12)
    with pytest.raises(ValueError, match="outside the face"):
        problem(comm, sources=[Source("off", "c", 1e-6, ["top"], (2e-2, 3e-2, 0.0, 1e-2))])
    with pytest.raises(ValueError, match="needs the facets"):
        Source("off", "c", 1e-6, patch=(0.0, 1.0, 0.0, 1.0))


def test_patch_on_a_quarter():
    """A patch in the middle of a full model heats as its quarter does with a quarter of the power."""
    results = []
    for whole in (True, False):
        factor = 2 if whole else 1
        tagged = layered_box(MPI.COMM_SELF, SLABS[:1], (factor * 1e-2, factor * 1e-2), (factor * 6, factor * 6))
        patch = (0.5e-2, 1.5e-2, 0.7e-2, 1.3e-2) if whole else (-0.5e-2, 0.5e-2, -0.3e-2, 0.3e-2)
        source = Source("load", "a", 1e-5 * factor**2, ["top"], patch)
        bath = Bath("bath", "a", 0.1, ["bottom"], Conductance(1.0))
        heat = HeatProblem(tagged, {"a": HeatLayer(PLAIN, ["a"])}, (), [bath], [source])
        u, flow = HeatStepper(heat.activate()).steady(np.full(heat.space.n_local, 0.01), np.ones(heat.space.n_local))
        corner = 1e-2 if whole else 0.0  # the middle of the device
        x, y, z = heat.space.x.T
        inside = (np.abs(z - 1e-3) < 1e-9) & (x > corner - 1e-9) & (y > corner - 1e-9)
        order = np.lexsort((x[inside], y[inside]))
        results.append(np.append(np.sqrt(u[inside][order]), flow.bath["bath"] / factor**2))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-9)
    assert np.ptp(results[0]) > 1e-3


def test_names_and_facets_are_checked():
    with pytest.raises(ValueError, match="must differ"):
        problem(MPI.COMM_SELF, [perfect("a", "b")], [Bath("a|b", "a", 0.1)])
    with pytest.raises(ValueError, match="share no facet"):
        problem(MPI.COMM_SELF, [Contact("x", "a", "c", ["a|b"], Perfect())])
    with pytest.raises(ValueError, match="has no facet"):
        problem(MPI.COMM_SELF, baths=[Bath("x", "a", 0.1, ["top"])])


# ---- switching ---------------------------------------------------------------------------------------------------


def test_switch_keeps_each_nodes_entropy():
    heat = problem(MPI.COMM_SELF, materials=(TA, CU, TA))
    rng = np.random.default_rng(5)
    u = rng.uniform(0.01, 2.0, heat.space.n_local) ** 2
    f = rng.uniform(0.0, 1.0, heat.space.n_local)
    new_f = np.where(heat.space.layer == 0, rng.uniform(0.0, 1.0, heat.space.n_local), f)
    new, work = heat.switch(u, f, new_f)
    np.testing.assert_allclose(heat.entropy(new, new_f), heat.entropy(u, f), rtol=1e-12)
    assert work == pytest.approx(heat.energy(new, new_f)[0].sum() - heat.energy(u, f)[0].sum(), rel=1e-9)
    np.testing.assert_array_equal(new[heat.space.layer > 0], u[heat.space.layer > 0])


def test_a_step_too_long_is_refused():
    """Where the second stage would go negative, the backward-Euler step that is left must own up to its error."""
    contact = Contact("a|b", "a", "b", ["a|b"], TunnelJunction(CU, CU, 2e-6))
    heat = problem(MPI.COMM_SELF, [contact], materials=(CU, CU, CU))
    step = HeatStepper(heat.activate(), 1e-3).step(start(heat, 0.2, 1e-3, 0.1), np.ones(heat.space.n_local), 1e3)
    assert step.dt < 1e3
    assert step.error > 5


# ---- any number of ranks -----------------------------------------------------------------------------------------


def full_run(comm, rank_of):
    """Everything at once: nonlinear laws, superconductors, a perfect contact, a bath, a load on a patch."""
    contacts = [
        Contact("junction", "a", "b", ["a|b"], Sum((TunnelJunction(TA, CU, 2e-10, 1e-4), PhononContact(600.0, 0.1)))),
        perfect("b", "c"),
    ]
    baths = [Bath("bath", "a", 0.15, ["bottom"], Conductance(100.0))]
    sources = [Source("load", "c", 1e-6, ["top"], (0.0, 0.6e-2, 0.0, 1e-2))]
    heat = problem(comm, contacts, baths, sources, (TA, CU, CU), rank_of=rank_of)
    x = heat.space.x
    f = np.where(heat.space.layer == 0, np.clip(x[:, 0] / 5e-3, 0.0, 1.0), 1.0)
    u, _, given = heat.activate().equilibrate_ties((0.2 + 0.1 * np.cos(300 * x[:, 1]) * np.cos(900 * x[:, 2])) ** 2, f)
    step = HeatStepper(heat.activate(), 1e-3).advance(u, f, 1e-4)
    steps = [*step.contact.values(), *step.bath.values(), step.source, *step.entropy.values(), *given.values()]
    return np.array([*mean(heat, step.u), *steps])


@pytest.mark.mpi
@pytest.mark.ranks4
@pytest.mark.parametrize("rank_of", [None, by_layer, apart])
def test_any_number_of_ranks(comm, rank_of):
    alone = full_run(MPI.COMM_SELF, None)
    np.testing.assert_allclose(full_run(comm, rank_of), alone, rtol=1e-8)
