"""What the heat problem refuses, on all ranks and in words that say what to do."""

import logging
from dataclasses import dataclass

import dolfinx.mesh
import numpy as np
import pytest
from mpi4py import MPI

from fem.interfaces.laws import Conductance, TunnelJunction
from fem.interfaces.markers import Perfect
from fem.materials.library import get_material
from fem.materials.material import Material
from meshes.boxes import Slab, layered_box
from meshes.tagged import TaggedMesh, tag_mesh
from solvers.heat.problem import Bath, Contact, HeatLayer, HeatProblem, Source
from solvers.heat.step_control import StepControl
from solvers.heat.stepper import HeatStepper

PLAIN = Material("plain", constant_conductivity=1.0, constant_heat_capacity=1e4)
SIDES = {"x-": (0, 0.0), "x+": (0, 1.0), "y-": (1, 0.0), "y+": (1, 1.0), "z-": (2, 0.0), "z+": (2, 1.0)}


WEAK = Conductance(5.0)


def pile(comm, law=WEAK, material=PLAIN, **more):
    tagged = layered_box(comm, [Slab("lower", 1e-3, 2), Slab("upper", 1e-3, 2)], (1e-2, 1e-2), (4, 2))
    layers = {name: HeatLayer(material, [name]) for name in ("lower", "upper")}
    contacts = [Contact("contact", "lower", "upper", ["lower|upper"], law)]
    return HeatProblem(tagged, layers, contacts, [Bath("cold", "lower", 0.1, ["bottom"])], **more)


def warped_cube(comm, n, amount):
    """A unit cube of n^3 hexahedra, corners inside moved at random by up to a part of the cells."""
    ghosts = dolfinx.mesh.GhostMode.shared_facet
    ends = [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    mesh = dolfinx.mesh.create_box(comm, ends, [n] * 3, dolfinx.mesh.CellType.hexahedron, ghost_mode=ghosts)
    x = mesh.geometry.x
    inside = ((x > 1e-9) & (x < 1.0 - 1e-9)).all(axis=1)
    moves = np.random.default_rng(1).uniform(-1.0, 1.0, ((n + 1) ** 3, 3))
    x[inside] += amount / n * moves[np.asarray(mesh.geometry.input_global_indices)[inside]]
    faces = {name: lambda x, k=k, v=v: np.isclose(x[k], v) for name, (k, v) in SIDES.items()}
    return tag_mesh(mesh, {"cube": lambda x: np.full(x.shape[1], True)}, faces)


@pytest.mark.mpi
@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_states_that_are_none(comm, wrong):
    """A temperature that is wrong on one rank only is refused on all."""
    heat = pile(comm)
    with pytest.raises(ValueError, match=r"T\^2 is negative, too large or no number"):
        heat.state(wrong)
    with pytest.raises(ValueError, match=r"T\^2 is negative"):
        heat.state({"lower": 0.1, "upper": lambda x: np.where(x[0] + x[1] == 0.0, wrong, 0.2)})
    with pytest.raises(ValueError, match="normal fraction is negative, too large"):
        heat.state(0.1, fraction=1.5)
    u, f = heat.state(0.2)
    u[heat.space.key[:, 1] == 0] = np.copysign(wrong, -1.0) if wrong == -1.0 else np.nan
    stepper = HeatStepper(heat.activate())
    with pytest.raises(ValueError, match=r"T\^2 is negative"):
        stepper.advance(u, f, 1.0)
    with pytest.raises(ValueError, match=r"T\^2 is negative"):
        stepper.steady(u, f)


@pytest.mark.parametrize("duration", [-1.0, np.nan, np.inf])
def test_times_that_are_none(duration):
    heat = pile(MPI.COMM_SELF)
    with pytest.raises(ValueError, match="must be a number of seconds"):
        HeatStepper(heat.activate()).advance(*heat.state(0.2), duration)


def test_no_time_is_a_time():
    heat = pile(MPI.COMM_SELF)
    u, f = heat.state(0.2)
    np.testing.assert_array_equal(HeatStepper(heat.activate()).advance(u, f, 0.0).u, u)


def test_a_step_whose_error_is_no_number_is_tried_again_shorter():
    control = StepControl()
    assert not control.accepts(np.nan)
    assert control.after(1.0, np.nan) == control.after(1.0, np.inf) == control.shrink
    assert control.after(1.0, 1.0 + 1e-9) < control.safety  # what may not stand is always shortened
    assert control.hopeless(np.nan, 1.0)


@pytest.mark.mpi
def test_groups_with_nothing_in_them(comm):
    tagged = layered_box(comm, [Slab("lower", 1e-3, 2), Slab("upper", 1e-3, 2)], (1e-2, 1e-2), (4, 2))
    empty = TaggedMesh(
        tagged.mesh,
        tagged.cell_tags,
        tagged.facet_tags,
        {**tagged.cell_names, "nothing": 98},
        {**tagged.facet_names, "nowhere": 99},
        tagged.length_unit,
    )
    layers = {"lower": HeatLayer(PLAIN, ["lower"])}
    with pytest.raises(ValueError, match="layer 'upper': no cell is in nothing"):
        HeatProblem(empty, {**layers, "upper": HeatLayer(PLAIN, ["nothing"])})
    with pytest.raises(ValueError, match="layer 'upper': no cell is in no group at all"):
        HeatProblem(empty, {**layers, "upper": HeatLayer(PLAIN, [])})
    with pytest.raises(ValueError, match="bath 'cold': no facet is in nowhere"):
        HeatProblem(empty, layers, baths=[Bath("cold", "lower", 0.1, ["bottom", "nowhere"])])
    with pytest.raises(ValueError, match="load 'hot': no facet is in nowhere"):
        HeatProblem(empty, layers, sources=[Source("hot", "lower", 1.0, ["nowhere"])])
    with pytest.raises(KeyError, match="no facet group 'botom'"):
        HeatProblem(empty, layers, baths=[Bath("cold", "lower", 0.1, ["botom"])])


def test_a_string_is_no_list():
    with pytest.raises(ValueError, match=r"must be a list of names, \['lower'\], not the string 'lower'"):
        HeatLayer(PLAIN, "lower")
    with pytest.raises(ValueError, match="facets of contact 'c' must be a list"):
        Contact("c", "lower", "upper", "lower|upper", Perfect())
    with pytest.raises(ValueError, match="facets of bath 'b' must be a list"):
        Bath("b", "lower", 0.1, "bottom")
    with pytest.raises(ValueError, match="facets of load 's' must be a list"):
        Source("s", "lower", 0.1, "bottom")


@dataclass(frozen=True)
class FluxOnly:
    """Forgets the derivatives."""

    def flux(self, u1, u2, f1, f2):
        return u1 - u2


def test_laws_that_are_none():
    with pytest.raises(ValueError, match=r"must return \(q, dq/du1, dq/du2\)"):
        pile(MPI.COMM_SELF, FluxOnly())
    for law in (None, 5.0):
        with pytest.raises(ValueError, match=r"contact 'c': a law with a method flux, or Perfect\(\)"):
            Contact("c", "lower", "upper", ["lower|upper"], law)


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("law", "material"),
    [
        (Conductance(1e15), PLAIN),
        (Conductance(1e300), PLAIN),
        (TunnelJunction(get_material("Cu"), get_material("Cu"), 1e-20), get_material("Cu")),
    ],
)
def test_contacts_too_good_to_be_computed(comm, law, material):
    with pytest.raises(ValueError, match=r"more than round-off allows: make it a perfect contact, law Perfect\(\)"):
        pile(comm, law, material)


@pytest.mark.mpi
def test_meshes_of_second_order(comm):
    """Corners straight or not: their nodes on the edges are not nodes of the network."""
    import basix.ufl

    element = basix.ufl.element("Lagrange", "tetrahedron", 2, shape=(3,))
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    middles = [(corners[a] + corners[b]) / 2 for a, b in ((2, 3), (1, 3), (1, 2), (0, 3), (0, 2), (0, 1))]
    mesh = dolfinx.mesh.create_mesh(MPI.COMM_SELF, np.arange(10)[None], np.vstack([corners, middles]), element)
    tagged = tag_mesh(mesh, {"body": lambda x: np.full(x.shape[1], True)}, {"bottom": lambda x: np.isclose(x[2], 0.0)})
    with pytest.raises(ValueError, match="cells of order 2: the heat equation takes cells of first order"):
        HeatProblem(tagged, {"body": HeatLayer(PLAIN, ["body"])})


@pytest.mark.mpi
@pytest.mark.parametrize(("amount", "largest", "told"), [(0.0, 1e-13, False), (0.25, 1e-3, True)])
def test_distorted_hexahedra_are_told_of(comm, caplog, amount, largest, told):
    """A linear temperature is kept to round-off by boxes, to 5e-4 of its range by cells distorted by a quarter."""

    def linear(x):
        return 1.0 + 0.1 * (x[0] + 2.0 * x[1] - x[2])

    with caplog.at_level(logging.WARNING, logger="coldstack"):
        baths = [Bath(name, "cube", linear, [name]) for name in SIDES]
        heat = HeatProblem(warped_cube(comm, 4, amount), {"cube": HeatLayer(PLAIN, ["cube"])}, baths=baths)
    if comm.rank == 0:
        assert any("hexahedra are distorted" in record.message for record in caplog.records) == told
    u, _ = HeatStepper(heat.activate()).steady(*heat.state(1.0))
    error = comm.allreduce(float(np.abs(np.sqrt(u) - linear(heat.space.x.T)).max()), op=MPI.MAX) / 0.4
    assert error < largest
    assert (error > 1e-5) == told


@pytest.mark.mpi
def test_activating_changes_nothing_but_the_network_asked_for(comm):
    """Two networks of one problem side by side, and with heat from outside."""
    heat = pile(comm, sources=[Source("load", "upper", 1e-6)])
    u, f = heat.state({"lower": 0.1, "upper": 0.2})
    every, alone = heat.activate(), heat.activate(["load"])
    before = every.power(u, f)
    assert before.contact["contact"] < 0.0
    assert alone.power(u, f).contact["contact"] == 0.0
    heated = alone.heated("eddy", np.where(heat.space.layer == 0, 2.0 * heat.space.volume, 0.0))
    assert heated.heating_power == {"eddy lower": pytest.approx(2e-7, rel=1e-12)}
    powers = [heat.space.layer_sums(network.power(u, f).nodal) for network in (alone, heated)]
    np.testing.assert_allclose(powers, [[0.0, 1e-6], [2e-7, 1e-6]], rtol=1e-12, atol=1e-20)
    assert every.power(u, f).contact == before.contact
    assert heat.activate() is every
