"""The summary of a run: headline results, balances, versions, timings, counts, as in summary.json."""

from __future__ import annotations

import json
import math
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fem.interfaces.markers import Ideal
from solvers.case.model import case_sha256
from solvers.output.provenance import provenance
from solvers.output.recorder import Recorder
from solvers.output.result import replace_file
from solvers.simulation.resolution import resolution
from solvers.simulation.simulation import Simulation
from solvers.simulation.validity import run_warnings


def summarise(
    sim: Simulation,
    recorder: Recorder,
    ending: Mapping[str, Any],
    counts: Mapping[str, int],
    logged: Sequence[str],
    seconds: float,
) -> dict[str, Any]:
    """Everything in summary.json; None for what is not a finite number (collective).

    Args:
        sim: the run, at its end.
        recorder: what it recorded.
        ending: more results: how its cycles ended.
        counts: more counts of the solver.
        logged: warnings that were logged.
        seconds: wall time of it all, s.
    """
    case, switching, accounts = sim.case, sim.switching, recorder.accounts
    problem = switching.problem if switching else None
    memory = sim.comm.allreduce(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024
    info = sim.tagged.info
    heights = [layer.thickness + sim.stack.barriers.get(k, 0.0) for k, layer in enumerate(sim.stack.layers)]
    bottom = np.cumsum([0.0, *heights[:-1]])
    timings = {"total": seconds} | sim.timings
    if problem is not None:
        timings |= {f"field_{name}": value for name, value in problem.timings.items()}
    cold = sim.totals().temperature[sim.heat.space.layer_number(accounts.cold)]
    ideal = [contact.name for contact in sim.heat.contacts if isinstance(contact.law, Ideal)]
    summary: dict[str, Any] = {
        "results": {
            "T_cold_final_K": float(cold),
            "cooling_power_initial_W": accounts.power_initial,
            "half_switched_drive": accounts.half_switched,
            "fraction_at_full_drive": accounts.fraction_at_full_drive,
            "entropy_lowest_step": sim.counters.entropy_worst,
            "cycles": accounts.cycles,
        }
        | dict(ending),
        "cold_layer": accounts.cold,
        "working_layer": accounts.working,
        "contacts_ideal": [gate.name for gate in sim.gates if gate.phases is not None or gate.name in ideal],
        "drive": {"unit": "A/m" if case.drive and case.drive.applied_field else "A"} | recorder.limits.to_json(),
        "layers": [
            {
                "name": layer.name,
                "material": block.material,
                "thickness_m": layer.thickness,
                "size_m": layer.size,
                "z_bottom_m": float(z),
            }
            for layer, block, z in zip(sim.stack.layers, case.layer, bottom, strict=True)
        ],
        "mesh": {"cells": info.cells, "smallest_m": info.smallest_thickness, "largest_m": info.largest_lateral}
        | {"quarter": sim.stack.quarter, "resolution": [part.to_json() for part in resolution(case, sim.stack)]},
        "unknowns": {"field": problem.unknowns if problem else 0, "heat": sim.heat.space.n_global},
        "solver": {
            "steps": sim.counters.steps,
            "steps_rejected": sim.counters.rejected,
            "field_solves": problem.solves if problem else 0,
            "field_states": problem.factorisations if problem else 0,
            "field_eliminations": problem.eliminations if problem else 0,
            "field_solves_saved": switching.saved if switching else 0,
            "heat_solves": sim.heat.solves.solves,
            "heat_iterations_max": sim.heat.solves.iterations_max,
            "newton_max": sim.stepper.newton_max,
        }
        | dict(counts)
        | _eddy_counts(sim),
        "timings_s": timings,
        "memory_peak_MB": memory,
        "ranks": sim.comm.size,
        "warnings": sorted({*run_warnings(sim, recorder.limits), *logged}),
        "case": case.model_dump(mode="json"),
        "case_sha256": case_sha256(case),
    } | provenance(sim)
    return dict(finite(summary))


def finite(value: Any) -> Any:
    """Plain values for JSON, which knows no infinity: None where a number is not finite."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write the summary of a run (rank 0)."""
    with replace_file(path) as partial:
        partial.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _eddy_counts(sim: Simulation) -> dict[str, Any]:
    """How often the field was followed, and what energy was left whenever that ended."""
    eddy = sim.eddy
    if eddy is None:
        return {}
    return {"eddy_steps": eddy.steps, "eddy_stops": eddy.stops, "eddy_left_J": sim.scale * eddy.left}
