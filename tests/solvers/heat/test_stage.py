"""Solutions of implicit stages: they do not depend on the linear solver, and a step begins where it is told to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fem.interfaces.laws import PhononContact, TunnelJunction
from fem.interfaces.markers import Perfect
from fem.materials.library import get_material
from meshes.boxes import Slab, layered_box
from solvers.heat import matrix
from solvers.heat.problem import Bath, Contact, HeatLayer, HeatProblem
from solvers.heat.stepper import HeatStepper

TA, CU = replace(get_material("Ta"), phonon_mean_free_path=1e-6), get_material("Cu")
SLABS = [Slab("sink", 4e-7, 2), Slab("film", 1e-6, 5), Slab("load", 3e-6, 4)]


def stack(comm):
    """A cold superconducting film in perfect contact with a bath below, and a junction and phonons above it."""
    tagged = layered_box(comm, SLABS, (2e-5, 2e-5), (4, 4))
    layers = {slab.name: HeatLayer(law, [slab.name]) for slab, law in zip(SLABS, (TA, TA, CU), strict=True)}
    contacts = [
        Contact("sink|film", "sink", "film", ["sink|film"], Perfect()),
        Contact("film|load", "film", "load", ["film|load"], TunnelJunction(TA, CU, 2e-6)),
        Contact("phonons", "film", "load", ["film|load"], PhononContact(100.0)),
    ]
    return HeatProblem(tagged, layers, contacts, [Bath("cold", "sink", 0.1)])


def steps(heat):
    """State and energy to the bath after a hot film has cooled for some steps, and the largest number of iterations."""
    stepper = HeatStepper(heat.activate())
    u, f = heat.state({"sink": 0.1, "film": 1.2, "load": 0.3}, 0.0)
    u, _, _ = stepper.network.equilibrate_ties(u, f)
    u += 0.2 * u * np.cos(2e5 * heat.space.x[:, 0]) * ~stepper.network.held
    bath = 0.0
    for dt in (1e-13, 1e-11, 1e-9, 1e-7):
        step = stepper.step(u, f, dt)
        u, bath = step.u, bath + step.bath["cold"]
    return u, bath, heat.solves.iterations_max


@pytest.mark.mpi
def test_factorised_as_iterated(comm, monkeypatch):
    direct, given, _ = steps(stack(comm))
    monkeypatch.setattr(matrix, "DIRECT_LIMIT", 0)
    heat = stack(comm)
    iterated, given_too, iterations = steps(heat)
    np.testing.assert_allclose(direct, iterated, rtol=1e-8)
    assert given == pytest.approx(given_too, rel=1e-10)
    assert iterations <= matrix.REUSE_LIMIT


@pytest.mark.mpi
def test_last_point_is_not_taken_for_another(comm):
    """A step from the state reached is the same for a stepper that was not there."""
    heat = stack(comm)
    stepper = HeatStepper(heat.activate(["cold", "film|load"]))
    u, f = heat.state({"sink": 0.1, "film": 0.5, "load": 0.3}, 0.0)
    u = stepper.step(stepper.network.hold(u), f, 1e-9).u
    for change in ("nothing", "network", "fraction", "material", "state"):
        if change == "network":
            stepper.network = heat.activate()
            u, _, _ = stepper.network.equilibrate_ties(u, f)
        elif change == "fraction":
            f = f + 0.5
        elif change == "material":
            heat.materials = [TA, TA, replace(CU, gamma=2.0 * CU.gamma)]
        elif change == "state":
            u = 1.1 * u
        expected = HeatStepper(stepper.network).step(u, f, 1e-9)
        step = stepper.step(u, f, 1e-9)
        np.testing.assert_allclose(step.u, expected.u, rtol=1e-12)
        assert step.error == pytest.approx(expected.error, rel=1e-6)
        u = step.u
