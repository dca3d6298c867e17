"""Films that switch column by column: the temperature follows from their entropy, whatever the way and the steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from mpi4py import MPI

from meshes.arrays import Floats
from meshes.boxes import Slab, layered_box
from solvers.heat.problem import HeatLayer, HeatProblem
from solvers.heat.stepper import HeatStepper
from solvers.heat.storage import change_to
from solvers.verification.heat.block import metal
from solvers.verification.report import Row

LENGTH, THICKNESS, RAMP = 14e-6, 1e-6, 1e-3  # m, m, s
# Nothing but conduction differs: in this film heat goes a hundredth of its length in the ramp.
SLOW_RESISTIVITY, SLOW_PATH = 30.0, 1e-12


class Chain:
    """A film of columns in a row, alone.

    Args:
        comm: MPI communicator.
        columns: how many.
        temperature: at the start, K.
        fraction: at the start.
        slow: whether it hardly conducts.
    """

    def __init__(self, comm: MPI.Intracomm, columns: int, temperature: float, fraction: float, slow: bool) -> None:
        ta = replace(metal("Ta"), phonon_mean_free_path=THICKNESS)
        if slow:
            ta = replace(ta, resistivity=SLOW_RESISTIVITY, phonon_mean_free_path=SLOW_PATH)
        tagged = layered_box(comm, [Slab("film", THICKNESS, 1)], (LENGTH, THICKNESS), (columns, 1))
        self.heat = HeatProblem(tagged, {"film": HeatLayer(ta, ["film"])})
        self.stepper = HeatStepper(self.heat.activate())
        self.u, self.f = self.heat.state(temperature, fraction)
        self.place = (self.heat.space.x[:, 0] - self.heat.space.x[:, 0].min()) / LENGTH
        self.columns = columns

    def switch(self, new: Floats, dt: float) -> None:
        """Go to new normal fractions in a time (s), in as few steps as the stepper takes."""
        done = 0.0
        while done < dt * (1 - 1e-12):
            left = dt - done
            change = change_to(self.stepper.network, self.u, self.f, new)
            step = self.stepper.step(self.u, self.f, left, change)
            self.u, self.f, done = step.u, step.f, done + step.dt

    def ramp(self, steps: int, rising: bool) -> None:
        """A front passes from one end to the other, a column or so wide."""
        for k in range(steps):
            front = (k + 1) / steps * (self.columns + 2) - 1
            normal = np.clip(front - np.round(self.place * self.columns), 0.0, 1.0)
            self.switch(normal if rising else 1.0 - normal, RAMP / steps)

    def temperature(self) -> float:
        """Root of the mean of T^2, K (collective)."""
        sums, volumes = self.heat.space.layer_sums(self.u * self.heat.space.volume, self.heat.space.volume)
        return float(np.sqrt(sums / volumes)[0])

    def totals(self) -> tuple[float, float]:
        """Energy and entropy per volume, J/m^3 and J m^-3 K^-1 (collective)."""
        space = self.heat.space
        energy, entropy = self.heat.energy(self.u, self.f)[0], self.heat.entropy(self.u, self.f)
        sums = space.layer_sums(energy, entropy, space.volume)
        return float(sums[0][0] / sums[2][0]), float(sums[1][0] / sums[2][0])


def film(comm: MPI.Intracomm) -> list[Row]:
    """Magnetised from 100 mK and demagnetised from 59.059 mK; slow films; half after half (collective)."""
    rows = []
    for columns, steps in ((4, 8), (12, 48), (40, 48), (40, 200)):
        case = f"film of {columns} columns, a ramp in {steps} steps"
        up = Chain(comm, columns, 0.1, 0.0, slow=False)
        entropy = up.totals()[1]
        up.ramp(steps, rising=True)
        rows.append(Row(case, "magnetised from 100 mK (K)", 6.3946e-6, up.temperature(), 1e-4))
        rows.append(Row(case, "entropy kept on the way up", 1.0, up.totals()[1] / entropy, 1e-4))
        down = Chain(comm, columns, 0.059059, 1.0, slow=False)
        down.ramp(steps, rising=False)
        rows.append(Row(case, "demagnetised from 59.059 mK (K)", 1.295180, down.temperature(), 1e-4))
        rows.append(Row(case, "its energy (J/m^3)", 35.00295, down.totals()[0], 2e-4))
    ta = metal("Ta")
    # Each column keeps the entropy that it has: the first ones are cold, and nothing comes from the others.
    slow = Chain(comm, 12, 0.1, 0.0, slow=True)
    alone = float(ta.temperature_from_entropy(ta.entropy(0.1, 0.0), 1.0))
    slow.switch(np.ones_like(slow.f), 1e-9)
    rows.append(
        Row("film that does not conduct", "magnetised at once from 100 mK (K)", alone, slow.temperature(), 1e-6)
    )
    half = Chain(comm, 40, 0.1, 0.0, slow=True)
    half.switch(np.where(half.place <= 0.5, 1.0, 0.0), 1e-12)
    fast = Chain(comm, 40, 0.1, 0.0, slow=False)
    fast.u = fast.stepper.advance(half.u, half.f, 1e-3).u  # from now on it conducts
    # All heat of the second half, beta T^4/4, comes into the first, gamma T^2/2 (a node at the border counts twice).
    exact = np.sqrt(ta.beta * 0.1**4 / (2 * ta.gamma))
    share = 20.5 / 19.5
    rows.append(
        Row(
            "half of a film switched at once",
            "T when it has evened out (K)",
            exact / np.sqrt(share),
            fast.temperature(),
            1e-4,
        )
    )
    return rows
