"""Derivatives of temperatures by parameters, against those of steps computed anew with other values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from mpi4py import MPI

import coldstack as cs
from fem.constants import LORENZ
from meshes.arrays import Floats
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
    "resistivity": CU.resistivity or 0.0,
    "thickness": 2e-3,
    "duration": 2e-3,
}
PARAMETERS: dict[str, cs.Parameter] = {
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


def problem(comm: MPI.Intracomm, values: dict[str, float]) -> tuple[cs.HeatProblem, Floats, Floats]:
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


def temperatures(comm: MPI.Intracomm, values: dict[str, float]) -> Floats:
    """Temperatures of the layers after steps of fixed shares of the duration."""
    heat, u, f = problem(comm, values)
    stepper = cs.HeatStepper(heat.activate())
    for number, share in enumerate(TIMES):
        step = stepper.step(u, f, share * values["duration"])
        assert (step.first is None) == (number >= 2)  # steps of two stages, and of one
        u = step.u
    sums = heat.space.layer_sums(heat.space.volume, u * heat.space.volume)
    return np.sqrt(sums[1] / sums[0])


def derivatives(comm: MPI.Intracomm, names: list[str]) -> tuple[Floats, dict[str, Floats]]:
    """The same temperatures, and their derivatives."""
    heat, u, f = problem(comm, VALUES)
    tangent = cs.HeatTangent(cs.HeatStepper(heat.activate()), [PARAMETERS[name] for name in names])
    for share in TIMES:
        u = tangent.step(u, f, share * VALUES["duration"]).u
    T, by = tangent.layer_temperatures(u)
    return T, dict(zip(names, by, strict=True))


def around(name: str, share: float, compute: Callable[[dict[str, float]], Floats]) -> Floats:
    """Central difference over a share of a value."""
    up, down = (compute(VALUES | {name: VALUES[name] * (1.0 + sign * share)}) for sign in (1, -1))
    return (up - down) / (2.0 * share * VALUES[name])


@pytest.mark.mpi
def test_derivatives_against_central_differences(comm: MPI.Intracomm) -> None:
    """Two widths extrapolated to none leave an error of the fourth order; mesh and problem are made anew for each."""
    T, found = derivatives(comm, list(PARAMETERS))
    np.testing.assert_allclose(T, temperatures(comm, VALUES), rtol=1e-14)
    for name, by in found.items():
        wide, narrow = (around(name, share, lambda values: temperatures(comm, values)) for share in (4e-3, 2e-3))
        expected = (4.0 * narrow - wide) / 3.0
        np.testing.assert_allclose(by, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max(), err_msg=name)


@pytest.mark.mpi
@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_taylor_remainders_are_of_second_order(comm: MPI.Intracomm, name: str) -> None:
    T, found = derivatives(comm, [name])
    steps = [0.04 * VALUES[name] / 2**k for k in range(5)]
    left = [np.abs(temperatures(comm, VALUES | {name: VALUES[name] + s}) - T - s * found[name]).max() for s in steps]
    orders = np.log2(np.array(left[:-1]) / left[1:])
    assert np.all((orders > 1.95) & (orders < 2.05)), (orders, left)


@pytest.mark.mpi
def test_derivatives_along_steps_chosen_by_error(comm: MPI.Intracomm) -> None:
    """A thin metal film behind a junction: u - u_bath = (u0 - u_bath) exp(-L0 t / (gamma d R_A))."""
    d, R_A, t, metal = 1e-6, 1e-5, 0.1, replace(CU, beta=0.0)
    tagged = layered_box(comm, [Slab("a", d, 1), Slab("b", d, 1)], (1e-5, 1e-5), (2, 2))
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
    tangent = cs.HeatTangent(cs.HeatStepper(heat.activate(), rtol=1e-7), parameters, start)
    step = tangent.advance(u, f, t)
    T, by = tangent.layer_temperatures(step.u)
    rate = LORENZ * t / (CU.gamma * d * R_A)
    excess = (0.1**2 - 0.05**2) * np.exp(-rate)
    assert T == pytest.approx([0.05, np.sqrt(0.05**2 + excess)], rel=1e-5)
    by_rate = -excess / (2.0 * T[1])
    expected = by_rate * rate * np.array([-1.0, -1.0, -1.0, 1.0, -1.0])
    expected[4] += R_A * 3.0 * np.exp(-rate) / (2.0 * T[1])
    assert by[:, 1] * scales == pytest.approx(expected, rel=1e-4)
    assert not by[:, 0].any()


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
def test_parameters_that_a_problem_has_not(parameter: cs.Parameter, words: str) -> None:
    heat, _, _ = problem(MPI.COMM_SELF, VALUES)
    with pytest.raises(ValueError, match=words):
        cs.HeatTangent(cs.HeatStepper(heat.activate()), [parameter])


def test_what_has_no_derivative() -> None:
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
