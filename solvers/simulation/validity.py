"""Where a run leaves what its model holds for: warnings with numbers, and what to do about each.

The field is computed as if superconductors kept their constants at any field and current, and switched at once at
their transition field. A conductor beyond its critical field or its depairing current, a type-II film and a mesh that
is coarser than the penetration depth make the result doubtful.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from mpi4py import MPI

from fem.constants import MU0
from fem.materials import ginzburg_landau
from fem.materials.material import Material
from meshes.arrays import Bools
from meshes.text import metres
from solvers.simulation.law_limits import heat_warnings
from solvers.simulation.resolution import COARSE, Resolution, resolution
from solvers.simulation.simulation import Simulation
from solvers.switching.columns import Film, reading_cells
from solvers.switching.pattern import Pattern

# Fields and currents nearer than this (m) to the edges of the conductor (or a quarter of its width, or a cell) do not
# converge on affordable meshes: what is told of them is told apart.
EDGE = 1e-6
# A field that grows is looked at again when it has grown by this factor, and at the full drive.
FULLER = 1.05


@dataclass
class ConductorLoad:
    """The largest field and current in the layer that carries the drive's current, at the fullest drive so far.

    Attributes:
        drive: A.
        surface_field: largest B in its cells and in those above and below it, T.
        inner_field: the same away from its edges, T.
        critical_field: its lower critical field, or its critical field if that is all that is known, T.
        sheet_current: largest current per width away from its edges, the jump of H across it, A/m.
        largest_sheet_current: bound on it by depairing and by the critical field, A/m.
    """

    drive: float = 0.0
    surface_field: float = 0.0
    inner_field: float = 0.0
    critical_field: float = math.inf
    sheet_current: float = 0.0
    largest_sheet_current: float = math.inf


class DriveLimits:
    """Follows how far the drive takes the layer that carries its current.

    Args:
        sim: the run.

    Attributes:
        conductor: the layer, or None where nothing carries a current.
        worst: what was largest so far.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        films = sim.switching.films if sim.switching else ()
        self.conductor = next((film for film in films if not film.switches), None)
        self.worst = ConductorLoad()
        self._seen: tuple[object, float] = (None, 0.0)
        if self.conductor is not None:
            self._find_cells(self.conductor, films)

    def _find_cells(self, conductor: Film, films: Sequence[Film]) -> None:
        """Cells for the surface field, and those above (+1) and below (-1) the conductor for its sheet current."""
        tagged = self.sim.tagged
        inside = tagged.cells(conductor.group)
        self._reading = reading_cells(tagged, inside, tagged.cells(*(film.group for film in films)))
        layer = next(layer for layer in self.sim.stack.layers if layer.name == conductor.layer)
        self.width = layer.size[1]
        low, high = layer.interval(1)
        corners = np.asarray(tagged.mesh.geometry.x, dtype=np.float64)[tagged.mesh.geometry.dofmap[self._reading]]
        corners *= tagged.length_unit
        y, z, slack = corners[:, :, 1], corners[:, :, 2].mean(axis=1), 1e-6 * self.width

        def away(margin: float) -> Bools:
            return np.asarray((y.min(axis=1) > low + margin - slack) & (y.max(axis=1) < high - margin + slack))

        margin = min(EDGE, self.width / 4)
        if not self.sim.comm.allreduce(int(away(margin).any())):
            margin = 0.0  # cells too wide to leave any out
        self._inner = away(margin)
        within = np.isin(self._reading, inside)
        bottom, top = (pick(z[within], initial=start) for pick, start in ((np.min, np.inf), (np.max, -np.inf)))
        self._side = np.where(within, 0.0, np.where(z > top, 1.0, np.where(z < bottom, -1.0, 0.0)))
        self._side[~self._inner | (self._reading >= tagged.mesh.topology.index_map(3).size_local)] = 0.0
        _, self._column = np.unique(tagged.columns[self._reading], return_inverse=True)

    def step(self) -> None:
        """Look at the conductor if the drive is as full as ever and the field is a new one (collective)."""
        switching, drive = self.sim.switching, abs(self.sim.drive_value())
        if self.conductor is None or switching is None or switching.pattern is None:
            return
        fresh = switching.pattern is not self._seen[0] or drive != self._seen[1]
        full = self.sim.case.drive is not None and drive >= (1 - 1e-9) * abs(self.sim.case.drive.amplitude)
        least = self.worst.drive if full else FULLER * self.worst.drive
        if drive == 0.0 or drive < (1 - 1e-9) * least or not fresh:
            return
        self._seen = (switching.pattern, drive)
        now = self._load(self.conductor, drive, switching.pattern)
        worst = self.worst
        if now.surface_field / now.critical_field > worst.surface_field / worst.critical_field:
            worst.surface_field, worst.critical_field = now.surface_field, now.critical_field
            worst.inner_field = now.inner_field
        if now.sheet_current / now.largest_sheet_current > worst.sheet_current / worst.largest_sheet_current:
            worst.sheet_current, worst.largest_sheet_current = now.sheet_current, now.largest_sheet_current
        worst.drive = max(worst.drive, drive)

    def _load(self, conductor: Film, drive: float, pattern: Pattern) -> ConductorLoad:
        """The load at a drive."""
        sim, material, scale = self.sim, conductor.material, abs(pattern.amplitude(drive))
        flux = pattern.solution.flux_density(self._reading)
        field = np.linalg.norm(flux, axis=1)
        # The jump of H across the conductor: its own current density is not smooth where cells at the edges are wider
        # than the penetration depth.
        sheet = np.stack([np.bincount(self._column, self._side * flux[:, k] / MU0) for k in (0, 1)], axis=1)
        values = (field, field[self._inner], np.linalg.norm(sheet, axis=1))
        local = np.array([value.max(initial=0.0) for value in values]) * scale
        largest = np.empty_like(local)
        sim.comm.Allreduce(local, largest, op=MPI.MAX)
        temperature = float(sim.totals().temperature[sim.heat.space.layer_number(conductor.layer)])
        return ConductorLoad(
            drive,
            float(largest[0]),
            float(largest[1]),
            _field_limit(material, temperature),
            float(largest[2]),
            ginzburg_landau.largest_sheet_current(material, conductor.thickness, temperature),
        )

    def warnings(self) -> list[str]:
        """What the conductor does not bear."""
        if self.conductor is None:
            return []
        worst, name, out = self.worst, self.conductor.layer, []
        if worst.surface_field > worst.critical_field:
            known = self.conductor.material.lower_critical_field is not None
            what = "lower critical field (of the clean metal; a film's is less)" if known else "critical field"
            drive = worst.drive * worst.critical_field / worst.surface_field
            everywhere = worst.inner_field > worst.critical_field
            where, enters = ("surface", "enters") if everywhere else ("edges", "enters there")
            out.append(
                f"{name}: {1e3 * worst.surface_field:.0f} mT at its {where} at {worst.drive:.4g} A "
                f"({1e3 * worst.inner_field:.0f} mT away from its edges) passes its {what}, "
                f"{1e3 * worst.critical_field:.0f} mT: flux {enters}. Stay below about {drive:.3g} A, or even out the "
                "field by a return plane or a wider strip"
            )
        if worst.sheet_current > worst.largest_sheet_current:
            ratio = worst.sheet_current / worst.largest_sheet_current
            drive = worst.drive / ratio
            out.append(
                f"{name}: {worst.sheet_current:.3g} A/m at {worst.drive:.4g} A, away from its edges, "
                f"is {ratio:.2f} times what depairing and its critical field allow; spread evenly it could "
                f"carry {worst.largest_sheet_current * self.width:.3g} A. Stay below about {drive:.3g} A, or make it "
                "thicker or wider"
            )
        return out

    def to_json(self) -> dict[str, Any]:
        """For summary.json; empty where nothing carries a current or the drive has not begun."""
        if self.conductor is None or self.worst.drive == 0.0:
            return {}
        worst = self.worst
        return {
            "fullest_A": worst.drive,
            "conductor": self.conductor.layer,
            "surface_field_T": worst.surface_field,
            "surface_field_away_from_edges_T": worst.inner_field,
            "critical_field_T": worst.critical_field,
            "sheet_current_A_per_m": worst.sheet_current,
            "largest_sheet_current_A_per_m": worst.largest_sheet_current,
        }

    def state(self) -> dict[str, float]:
        """Plain numbers, for the checkpoint."""
        return asdict(self.worst)

    def restore(self, state: dict[str, float]) -> None:
        """Go on from a checkpoint."""
        self.worst = ConductorLoad(**state)


def _field_limit(material: Material, T: float) -> float:
    """B at which flux enters a conductor, T; the lower critical field taken to fall with T as Hc does."""
    field = float(material.critical_field(T))
    if material.lower_critical_field is None:
        return MU0 * field
    return material.lower_critical_field * field / float(material.critical_field(0.0))


def run_warnings(sim: Simulation, drive: DriveLimits) -> list[str]:
    """All warnings of a run, sorted.

    Args:
        sim: the run, at its end.
        drive: what the drive did to its conductor.
    """
    out = sim.case.warnings() + [text for material in sim.heat.materials for text in material.check()]
    out += heat_warnings(sim.counters.hottest)
    if sim.case.physics.nuclear:
        metals = [material for material in sim.heat.materials if material.gamma > 0.0 and material.nuclei is None]
        out += [f"{metal.name}: its nuclear spins are not known and left out" for metal in metals]
    if sim.counters.entropy_worst < -1e-12:
        out.append(f"entropy fell in a step by {-sim.counters.entropy_worst:.1e} of the stack's entropy")
    if sim.switching is not None:
        out += [text for part in resolution(sim.case, sim.stack) for text in resolution_warnings(part)]
        out += [text for film in sim.switching.films if film.switches for text in type_two_warnings(film)]
        out += drive.warnings()
    return sorted(set(out))


def resolution_warnings(part: Resolution) -> list[str]:
    """A warning where the penetration depth is not resolved through the thickness."""
    if part.through_thickness:
        return []
    wanted = COARSE * part.penetration_depth
    return [
        f"{part.layer}: cells of {metres(part.surface_cell)} at its faces are thicker than half the penetration depth, "
        f"{metres(part.penetration_depth)}: the field in it, and the drive at which films switch, are rough. Set "
        f"mesh.surface_cell to {COARSE:g} or less (cells of {metres(wanted)})"
    ]


def type_two_warnings(film: Film) -> list[str]:
    """Warnings for a film that is type II by its mean free path, or by a penetration depth given in the case."""
    material, out = film.material, []
    upper = "while the model switches it at once at its critical field"
    resistivity = material.resistivity or 0.0
    kappa = ginzburg_landau.kappa_of_resistivity(material, resistivity)
    if kappa is not None and kappa > ginzburg_landau.TYPE_TWO:
        limit = ginzburg_landau.type_one_resistivity(material)
        advice = "Its clean metal is type II already"
        if limit > 0.0:
            ratio = f", rrr above {material.room_resistivity / limit:.3g}" if material.room_resistivity else ""
            advice = f"It is type I below {limit:.3g} ohm m{_path(material, limit)}{ratio}"
        out.append(
            f"{film.layer}: type II by its mean free path: kappa = {kappa:.3f} at {resistivity:.3g} ohm m"
            f"{_path(material, resistivity)}, above 0.707: {_vortices(material, kappa)}, {upper}. {advice}"
        )
    # The library's depths are typical of some film; one that was given is that of this film.
    if material.sources.get("penetration_depth0") in ("given for the layer", "case file"):
        kappa = ginzburg_landau.kappa_of_penetration_depth(material)
        if kappa > ginzburg_landau.TYPE_TWO:
            assert material.penetration_depth0 is not None
            depth = material.penetration_depth0
            limit = depth * math.sqrt(ginzburg_landau.TYPE_TWO / kappa)
            out.append(
                f"{film.layer}: type II by its penetration depth: kappa = {kappa:.3f} from {metres(depth)} and its "
                f"critical field, above 0.707: {_vortices(material, kappa)}, {upper}. It is type I below "
                f"{metres(limit)}"
            )
    return out


def _path(material: Material, resistivity: float) -> str:
    path = ginzburg_landau.mean_free_path(material, resistivity) if resistivity > 0.0 else None
    return "" if path is None else f" (mean free path {metres(path)})"


def _vortices(material: Material, kappa: float) -> str:
    field = MU0 * float(material.critical_field(0.0))
    top = math.sqrt(2.0) * kappa * field
    return f"vortices stay in it from below {1e3 * field:.0f} mT up to about {1e3 * top:.0f} mT"
