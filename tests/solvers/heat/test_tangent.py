"""Derivatives of temperatures by parameters, against those of steps computed anew with other values."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from mpi4py import MPI

import coldstack as cs
from fem.constants import LORENZ
from meshes.boxes import Slab, layered_box

SIZE = (1e-2, 2e-2)
TIMES = (0.2, 0.2, 0.2, 0.4)  # of the duration
TA, CU = cs.get_material("Ta"), cs.get_material("Cu")
BLOCK = cs.Material("block", constant_conductivity=3.0, constant_heat_capacity=0.5)
VALUES = {
    "resistance_area": 3e-10,
    "transmission": 0.1,
    "h": 200.0,
    "gamma": CU.gamma,
    "capacity": 0.5,
    "gap_ratio": TA.gap_ratio,
    "resistivity": CU.resistivity,
    "thickness": 2e-3,
    "duration": 2e-3,
}
PARAMETERS = {
    "resistance_area": cs.LawConstant("junction", "resistance_area"),
    "transmission": cs.LawConstant("junction", "transmission"),
    "h": cs.LawConstant("bath", "h"),
    "gamma": cs.MaterialConstant(["b"], "gamma"),
    "capacity": cs.MaterialConstant(["c"], "constant_heat_capacity"),
    "gap_ratio": cs.MaterialConstant(["a"], "gap_ratio"),
    "resistivity": cs.MaterialConstant(["b"], "resistivity"),
    "thickness": cs.Thickness(["b"]),
    "duration": cs.Duration(VALUES["duration"]),
}


def problem(comm, values):
    """Mixed tantalum, a junction with phonons beside it, copper, a perfect contact, a block; a bath and a load."""
    slabs = [Slab("a", 1e-3, 2), Slab("b", values["thickness"], 3), Slab("c", 5e-4, 1)]
    film = replace(TA, critical_temperature=0.8, gap_ratio=values["gap_ratio"])
    copper = replace(CU, gamma=values["gamma"], resistivity=values["resistivity"])
    block = replace(BLOCK, constant_heat_capacity=values["capacity"])
    layers = {s.name: cs.HeatLayer(m, [s.name]) for s, m in zip(slabs, (film, copper, block), strict=True)}
    law = cs.Sum(
        (cs.TunnelJunction(film, copper, values["resistance_area"]), cs.PhononContact(600.0, values["transmission"]))
    )
    contacts = [
        cs.Contact("junction", "a", "b", ["a|b"], law),
        cs.Contact("b|c", "b", "c", ["b|c"], cs.Perfect()),
    ]
    baths = [cs.Bath("bath", "a", 0.15, ["bottom"], cs.Conductance(values["h"]))]
    sources = [cs.Source("load", "c", 1e-6, ["top"], (0.0, 0.6e-2, 0.0, 1e-2))]
    heat = cs.HeatProblem(layered_box(comm, slabs, SIZE, (2, 2)), layers, contacts, baths, sources)
    f = np.where(heat.space.layer == 0, np.clip(heat.space.x[:, 0] / 5e-3, 0.0, 1.0), 1.0)
    return heat, *(np.array([0.5, 0.2, 0.2])[heat.space.layer] ** 2, f)


def temperatures(comm, values):
    """Temperatures of the layers after steps of fixed shares of the duration."""
    heat, u, f = problem(comm, values)
    stepper = cs.HeatStepper(heat.activate())
    for number, share in enumerate(TIMES):
        step = stepper.step(u, f, share * values["duration"])
        assert (step.first is None) == (number >= 2)  # steps of two stages, and of one
        u = step.u
    sums = heat.space.layer_sums(heat.space.volume, u * heat.space.volume)
    return np.sqrt(sums[1] / sums[0])


def derivatives(comm, names):
    """The same temperatures, and their derivatives."""
    heat, u, f = problem(comm, VALUES)
    tangent = cs.HeatTangent(cs.HeatStepper(heat.activate()), [PARAMETERS[name] for name in names])
    for share in TIMES:
        u = tangent.step(u, f, share * VALUES["duration"]).u
    T, by = tangent.layer_temperatures(u)
    return T, dict(zip(names, by, strict=True))


def around(name, share, compute):
    """Central difference over a share of a value."""
    up, down = (compute(VALUES | {name: VALUES[name] * (1.0 + sign * share)}) for sign in (1, -1))
    return (up - down) / (2.0 * share * VALUES[name])


def test_derivatives_against_central_differences():
    """Two widths extrapolated to none leave an error of the fourth order; mesh and problem are made anew for each."""
    T, found = derivatives(MPI.COMM_SELF, list(PARAMETERS))
    np.testing.assert_allclose(T, temperatures(MPI.COMM_SELF, VALUES), rtol=1e-14)
    for name, by in found.items():
        wide, narrow = (around(name, share, partial(temperatures, MPI.COMM_SELF)) for share in (4e-3, 2e-3))
        expected = (4.0 * narrow - wide) / 3.0
        np.testing.assert_allclose(by, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max(), err_msg=name)


def cycle(comm, values, names):
    """Temperatures and derivatives after two phases: the film switches between them, and the block is let in."""
    heat, u, f = problem(comm, values)
    first, second = heat.activate(["junction", "bath"]), heat.activate(["junction", "b|c", "load"])
    tangent = cs.HeatTangent(cs.HeatStepper(first), [PARAMETERS[name] for name in names])
    u = np.where(heat.space.layer == 2, 0.1**2, u)
    for share in (0.2, 0.2):
        u = tangent.step(u, f, share * values["duration"]).u
    new_f = np.where(heat.space.layer == 0, 1.0 - 0.5 * f, f)
    u, _ = tangent.switch(u, f, new_f)
    tangent.stepper.network = second
    u, _, _ = tangent.equilibrate_ties(u, new_f)
    for share in (0.2, 0.4):
        u = tangent.step(u, new_f, share * values["duration"]).u
    return tangent.layer_temperatures(u)


def test_derivatives_through_two_phases():
    names = ["resistance_area", "capacity", "gap_ratio", "thickness", "duration"]
    _, found = cycle(MPI.COMM_SELF, VALUES, names)
    for name, by in zip(names, found, strict=True):
        wide, narrow = (
            around(name, share, lambda values: cycle(MPI.COMM_SELF, values, [])[0]) for share in (4e-3, 2e-3)
        )
        expected = (4.0 * narrow - wide) / 3.0
        np.testing.assert_allclose(by, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max(), err_msg=name)


@pytest.mark.mpi
@pytest.mark.ranks4
def test_derivatives_on_any_number_of_ranks(comm):
    """A rank has cells of some layers only; the linear systems of many ranks are solved by iteration."""
    names = list(PARAMETERS)
    alone, together = cycle(MPI.COMM_SELF, VALUES, names), cycle(comm, VALUES, names)
    np.testing.assert_allclose(together[0], alone[0], rtol=1e-9)
    for row, expected in zip(together[1], alone[1], strict=True):
        np.testing.assert_allclose(row, expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max())


def check_taylor(comm, name):
    """Remainders of the first order in a parameter fall with the square of its change."""
    T, found = derivatives(comm, [name])
    steps = [0.04 * VALUES[name] / 2**k for k in range(5)]
    left = [np.abs(temperatures(comm, VALUES | {name: VALUES[name] + s}) - T - s * found[name]).max() for s in steps]
    orders = np.log2(np.array(left[:-1]) / left[1:])
    assert np.all((orders > 1.95) & (orders < 2.05)), (orders, left)


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_taylor_remainders_are_of_second_order(name):
    check_taylor(MPI.COMM_SELF, name)


@pytest.mark.mpi
def test_taylor_remainders_in_parallel(comm):
    check_taylor(comm, "resistance_area")


def test_derivatives_along_steps_chosen_by_error():
    """A thin metal film behind a junction: u - u_bath = (u0 - u_bath) exp(-L0 t / (gamma d R_A))."""
    d, R_A, t, metal = 1e-6, 1e-5, 0.1, replace(CU, beta=0.0)
    tagged = layered_box(MPI.COMM_SELF, [Slab("a", d, 1), Slab("b", d, 1)], (1e-5, 1e-5), (1, 1))
    layers = {name: cs.HeatLayer(metal, [name]) for name in "ab"}
    contacts = [cs.Contact("a|b", "a", "b", ["a|b"], cs.TunnelJunction(metal, metal, R_A))]
    heat = cs.HeatProblem(tagged, layers, contacts, [cs.Bath("bath", "a", 0.05)])
    u, f = heat.state(0.1)
    u, _, _ = heat.activate().equilibrate_ties(u, f)
    parameters = [
        *[cs.LawConstant("a|b", "resistance_area"), cs.MaterialConstant(["b"], "gamma")],
        *[cs.Thickness(["b"]), cs.Duration(t), cs.LawConstant("a|b", "resistance_area")],
    ]
    scales = np.array([R_A, CU.gamma, d, t, R_A])
    # The last one starts with what a change of R_A before this phase would have left.
    start = np.zeros((5, heat.space.n_local))
    start[4, heat.space.layer == 1] = 3.0
    tangent = cs.HeatTangent(cs.HeatStepper(heat.activate(), rtol=1e-6), parameters, start)
    step = tangent.advance(u, f, t)
    T, by = tangent.layer_temperatures(step.u)
    rate = LORENZ * t / (CU.gamma * d * R_A)
    excess = (0.1**2 - 0.05**2) * np.exp(-rate)
    assert T == pytest.approx([0.05, np.sqrt(0.05**2 + excess)], rel=3e-5)
    by_rate = -excess / (2.0 * T[1])
    expected = by_rate * rate * np.array([-1.0, -1.0, -1.0, 1.0, -1.0])
    expected[4] += R_A * 3.0 * np.exp(-rate) / (2.0 * T[1])
    assert by[:, 1] * scales == pytest.approx(expected, rel=3e-4)
    assert not by[:, 0].any()


def two_temperatures(comm, thickness, sigma):
    """Electrons and lattice on the same cells, a bath throughout the lattice; derivatives by thickness and sigma."""
    slabs = [Slab("a", thickness, 2), Slab("b", 1e-6, 1)]
    lattice = cs.Material("lattice", beta=60.0, sound_speeds=(4e3, 2e3), phonon_mean_free_path=1e-6)
    layers = {"a": cs.HeatLayer(CU, ["a"]), "ions": cs.HeatLayer(lattice, ["a"]), "b": cs.HeatLayer(CU, ["b"])}
    contacts = [
        cs.Contact("inside", "a", "ions", (), cs.ElectronPhonon(sigma)),
        cs.Contact("a|b", "a", "b", ["a|b"], cs.TunnelJunction(CU, CU, 1e-6)),
    ]
    bath = cs.Bath("bath", "ions", 0.05, (), cs.ElectronPhonon(1e10, 4.0))
    heat = cs.HeatProblem(layered_box(comm, slabs, (1e-5, 1e-5), (2, 2)), layers, contacts, [bath])
    u, f = heat.state({"a": 0.3, "ions": 0.2, "b": 0.25})
    parameters = [cs.Thickness(["a", "ions"]), cs.LawConstant("inside", "sigma")]
    tangent = cs.HeatTangent(cs.HeatStepper(heat.activate()), parameters)
    for dt in (1e-6, 1e-6, 2e-6):
        u = tangent.step(u, f, dt).u
    return tangent.layer_temperatures(u)


@pytest.mark.mpi
def test_derivatives_with_layers_on_the_same_cells(comm):
    values = np.array([2e-6, 2e9])
    _, by = two_temperatures(comm, *values)
    for k, row in enumerate(by):
        found = []
        for share in (4e-3, 2e-3):
            step = np.where(np.arange(2) == k, share * values, 0.0)
            found.append(two_temperatures(comm, *(values + step))[0] - two_temperatures(comm, *(values - step))[0])
            found[-1] /= 2.0 * share * values[k]
        expected = (4.0 * found[1] - found[0]) / 3.0
        np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        (cs.LawConstant("bridge", "h"), "no contact or bath"),
        (cs.LawConstant("bath", "resistance_area"), "no one number"),
        (cs.LawConstant("b|c", "h"), "no one number"),
        (cs.LawConstant("junction", "dynes"), "is 0"),
        (cs.MaterialConstant(["d"], "gamma"), "no layer"),
        (cs.MaterialConstant(["a", "b"], "gamma"), "no one number"),
        (cs.MaterialConstant(["a"], "penetration_law"), "no one number"),
        (cs.Thickness(["d"]), "no layer"),
    ],
)
def test_parameters_that_a_problem_has_not(parameter, words):
    heat, _, _ = problem(MPI.COMM_SELF, VALUES)
    with pytest.raises(ValueError, match=words):
        cs.HeatTangent(cs.HeatStepper(heat.activate()), [parameter])


def test_what_has_no_derivative():
    tagged = layered_box(MPI.COMM_SELF, [Slab("a", 1e-3, 1)], SIZE)
    tagged.mesh.geometry.x[:, 0] += 0.3 * tagged.mesh.geometry.x[:, 2]
    stepper = cs.HeatStepper(cs.HeatProblem(tagged, {"a": cs.HeatLayer(CU, ["a"])}).activate())
    with pytest.raises(ValueError, match="upright and level"):
        cs.HeatTangent(stepper, [cs.Thickness(["a"])])
    with pytest.raises(ValueError, match="shape"):
        cs.HeatTangent(stepper, [cs.MaterialConstant(["a"], "gamma")], np.zeros((2, 8)))
    with pytest.raises(ValueError, match="list of names"):
        cs.Thickness("a")
    with pytest.raises(ValueError, match="positive"):
        cs.Duration(0.0)
