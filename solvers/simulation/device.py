"""What a run works on: the problems of a case, and the state that they are in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from mpi4py import MPI

from meshes.arrays import Floats
from meshes.stack_mesh import build_stack_mesh
from solvers.case.model import Case
from solvers.heat.network import ActiveNetwork
from solvers.heat.stepper import HeatStepper
from solvers.simulation import build
from solvers.simulation.geometry import stack_geometry
from solvers.simulation.ledger import Ledger, Totals
from solvers.simulation.state import Clock, Counters, RunState
from solvers.switching.eddy_currents import EddyCurrents
from solvers.switching.losses import SwitchingLosses
from solvers.switching.spin_fields import SpinFields


class Device:
    """The problems of a case and their state: what is saved, gone back to, and advanced by `Simulation`.

    Args:
        case: what to compute.
        comm: MPI communicator.

    Attributes:
        u: nodal T^2, K^2, (n_local,).
        f: nodal normal fraction, (n_local,).
        clock: where the run is.
        ledger: energies and entropies booked since the start, of the whole device.
        counters: what is counted.
        timings: wall time by part, s.
    """

    def __init__(self, case: Case, comm: MPI.Intracomm) -> None:
        self.case, self.comm = case, comm
        self.timings: dict[str, float] = {}
        with self.timed("mesh"):
            self.stack = stack_geometry(case)
            self.tagged = build_stack_mesh(self.stack, comm)
        with self.timed("setup"):
            self.heat, self.gates = build.heat_problem(case, self.tagged, self.stack)
            self.stepper = HeatStepper(self.heat.activate(), case.solver.rtol)
            counting = build.spin_layers(case, self.heat)
            self.spins = SpinFields(self.heat.space, counting)
            self.switching = build.switching(case, self.heat, self.stack, self.spins)
        overshoot = case.physics.overshoot
        self.losses = SwitchingLosses(self.heat, self.switching, overshoot) if self.switching else None
        space = self.heat.space
        self.u: Floats = np.full(space.n_local, case.start**2)
        self.f = build.without_field(self.heat)
        self.clock, self.ledger, self.counters = Clock(), Ledger(), Counters()
        self.set_spin_field(dict.fromkeys(counting, 0.0))
        self.heating: Floats | None = None
        if self.eddy is not None:
            for name in self.eddy.layers:
                self.ledger.add_loss(f"eddy {name}", 0.0, 0.0, self.scale)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the wall time of a block to `timings`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[part] = self.timings.get(part, 0.0) + time.perf_counter() - start

    def destroy(self) -> None:
        """Free the PETSc objects (collective); nothing can be solved any more, state and ledger stay."""
        self.heat.destroy()
        if self.switching is not None:
            self.switching.problem.destroy()

    # ---- what is there ---------------------------------------------------------------------------
    @property
    def network(self) -> ActiveNetwork:
        """The heat problem with the contacts, baths and loads of the present phase on."""
        return self.stepper.network

    @property
    def scale(self) -> float:
        """Devices per mesh: 4 on a quarter model."""
        return 4.0 if self.stack.quarter else 1.0

    @property
    def eddy(self) -> EddyCurrents | None:
        """The eddy currents; None where there are none."""
        return None if self.switching is None else self.switching.eddy

    @property
    def bath_temperature(self) -> dict[str, float]:
        """Temperature of each bath, K, by name."""
        return {bath.name: bath.uniform for bath in self.heat.baths}

    def totals(self) -> Totals:
        """Energy, entropy and temperature of each layer, whole device (collective)."""
        space = self.heat.space
        energy = self.heat.energy(self.u, self.f)[0]
        entropy = self.heat.entropy(self.u, self.f)
        sums = space.layer_sums(energy, entropy, self.u * space.volume, space.volume)
        return Totals(self.scale * sums[0], self.scale * sums[1], np.sqrt(sums[2] / sums[3]))

    def drive_value(self) -> float:
        """Present drive in A, or in A/m for an applied field."""
        return self.drive_value_at(self.clock.drive)

    def drive_value_at(self, drive: float) -> float:
        """A drive in units of the amplitude in A, or in A/m for an applied field."""
        return drive * self.case.drive.amplitude if self.case.drive else 0.0

    # ---- what the phases and the field set -----------------------------------------------------------
    def activate(self, names: list[str]) -> None:
        """Let only these contacts, baths and loads conduct or heat from now on (collective)."""
        self.stepper.network = self.heat.activate(names).heated("eddy", self.heating)

    def heat_with(self, heating: Floats | None) -> None:
        """Let eddy currents heat the nodes (W, (n_local,)) from now on (collective); None: they do not."""
        self.heating = heating
        self.stepper.network = self.network.heated("eddy", heating)

    def set_spin_field(self, fields: dict[str, float]) -> None:
        """Let the nuclear spins of these layers be in these fields (T) from now on."""
        self.heat.set_spin_field(fields)
        if self.switching is not None:
            self.switching.set_spin_field(fields)

    # ---- what a run goes on from -----------------------------------------------------------------
    def state(self) -> RunState:
        """All that the run needs to go on from here (collective)."""
        return RunState(
            self.u,
            self.f,
            replace(self.clock),
            self.ledger.copy(),
            replace(self.counters),
            self.heat.spin_field,
            None if self.switching is None else self.switching.state(),
            None if self.losses is None else self.losses.state(),
            self.heating,
        )

    def restore(self, state: RunState) -> None:
        """Go on from a state (collective)."""
        self.u, self.f = state.u, state.f
        self.clock, self.ledger = replace(state.clock), state.ledger.copy()
        self.counters = replace(state.counters)
        self.set_spin_field(state.spin_field)
        if self.switching is not None and state.films is not None:
            self.switching.restore(state.films)
        if self.losses is not None and state.reached is not None:
            self.losses.restore(state.reached)
        self.heat_with(state.heating)
