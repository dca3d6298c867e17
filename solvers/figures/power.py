"""Cooling power against temperature, and the temperature that the machine holds under a load."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fem.constants import LORENZ
from meshes.arrays import Floats
from solvers.figures.run_data import RunData, footprint
from solvers.figures.states import ts_path
from solvers.figures.style import DRAWN, INK, MUTED, REJECTED, new_figure

NORMAL_FROM = 0.5  # a film with more normal fraction than this cools


@dataclass(frozen=True)
class PowerCurve:
    """Power drawn from the cold layer while the film is normal, one entry for each time step.

    Attributes:
        temperature: mean temperature of the cold layer in the step, K.
        power: W.
        cycle: number of the cycle, from 1.
        time: at the end of the step, s.
    """

    temperature: Floats
    power: Floats
    cycle: Floats
    time: Floats


@dataclass(frozen=True)
class LoadCurve:
    """Temperature at which the heat that a cycle draws is what a constant load puts in meanwhile.

    Without that load the cold layer goes from `warmest` to `coldest` in a cycle. Where the power goes as T^2, the same
    heat is drawn at the constant `base`, whose square is the logarithmic mean of theirs.

    Attributes:
        load: heat drawn in a cycle over its duration, besides what the case's own loads put in, W.
        base: K.
        coldest: K.
        warmest: K.
    """

    load: Floats
    base: Floats
    coldest: Floats
    warmest: Floats


def power_curve(run: RunData) -> PowerCurve:
    """Cooling power of every step of the phases in which a film is normal."""
    history = run.history
    before = {name: np.concatenate([[0.0], values[:-1]]) for name, values in history.items() if name != "phase"}
    drawn = np.zeros(len(history["time_s"]))
    for name, values in history.items():
        ends = name.removeprefix("heat_").removesuffix("_J").split(" ")[0].split("|")
        if name.startswith("heat_") and run.cold.name in ends and len(ends) == 2:
            drawn += (values - before[name]) * (1.0 if ends[0] == run.cold.name else -1.0)
    T = f"T_{run.cold.name}_K"
    earlier = np.concatenate([[run.case.start], history[T][:-1]])
    mean = np.sqrt(0.5 * (earlier**2 + history[T] ** 2))
    length = history["time_s"] - before["time_s"]
    normal = np.max([history[f"f_{film.name}"] for film in run.films], axis=0) > NORMAL_FROM
    # The first step after a jump over cycles: what went before it is not in the history.
    jumped = np.diff(history["cycle"], prepend=1) > 1
    keep = normal & (length > 0) & ~jumped
    power = drawn[keep] / length[keep]
    return PowerCurve(mean[keep], power, history["cycle"][keep], history["time_s"][keep])


def load_curve(run: RunData) -> LoadCurve:
    """Base temperature against load, from the cycles of a run without that load: one entry for each that cools."""
    period = sum(phase.duration for phase in run.case.cycle.phases)
    coldest = np.array([cycle["T_cold_K"] for cycle in run.cycles])
    T, number = run.history[f"T_{run.cold.name}_K"], run.history["cycle"]
    warmest = np.empty_like(coldest)
    for k, cycle in enumerate(run.cycles):
        first = int(np.flatnonzero(number == cycle["cycle"])[0])
        follows = first > 0 and number[first] - number[first - 1] <= 1  # no jump between them
        warmest[k] = run.case.start if first == 0 else T[first - 1] if follows else np.nan
    cooled = coldest < warmest
    drawn = np.array([cycle["Q_cold_J"] for cycle in run.cycles])[cooled]
    low, high = coldest[cooled], warmest[cooled]
    base = np.sqrt((high**2 - low**2) / (2 * np.log(high / low)))
    own = sum(load.power for load in run.case.load if load.layer == run.cold.name)
    return LoadCurve(drawn / period - own, base, low, high)


def draw_power(run: RunData) -> Figure | None:
    """Cooling power against temperature, and base temperature against load."""
    if not run.films or not run.cycles:
        return None
    power, load = power_curve(run), load_curve(run)
    figure = new_figure(12.5, 5.2, "Cooling power")
    left, right = figure.subplots(1, 2)
    cools = power.power > 0
    if cools.any():
        T = power.temperature[cools]
        left.loglog(1e3 * T, power.power[cools], ".", color=DRAWN, label="in each time step of the cold phase")
        ideal = _ideal(run)
        if ideal:
            span = np.array([T.min(), T.max()])
            left.loglog(1e3 * span, ideal * span**2, "--", color=INK, linewidth=1.2, label="junction, film at 0 K")
    if (load.load > 0).any():
        shown = load.load > 0
        left.loglog(
            1e3 * load.base[shown], load.load[shown], "s-", color=REJECTED, label="mean over each cycle, less loads"
        )
        right.fill_betweenx(load.load, 1e3 * load.coldest, 1e3 * load.warmest, color=MUTED, alpha=0.25, linewidth=0)
        right.loglog(1e3 * load.base[shown], load.load[shown], "s-", color=REJECTED)
    left.set(title=f"Power drawn from {run.cold.label}", xlabel="its temperature (mK)", ylabel="power (W)")
    right.set(
        title="Base temperature under a load (band: swing in a cycle)", xlabel="temperature (mK)", ylabel="load (W)"
    )
    for axes in (left, right):
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.grid(which="minor", visible=False)
    left.legend(loc="upper left")
    return figure


def _ideal(run: RunData) -> float:
    """Power over T^2 (W/K^2) of the cold layer's tunnel junction to something at 0 K; 0 without a junction."""
    names = [layer.name for layer in run.layers]
    k = names.index(run.cold.name)
    total = 0.0
    for other in (k - 1, k + 1):
        if not 0 <= other < len(names):
            continue
        block = run.case.interface_above(min(k, other))
        if block.resistance_area is not None:
            (x0, x1), (y0, y1) = footprint(run.layers[k], run.layers[other])
            total += 0.5 * LORENZ / block.resistance_area * (x1 - x0) * (y1 - y0)
    return total


def write_tables(run: RunData, folder: Path) -> list[Path]:
    """Write what the figures show as CSV, units in the headers; returns the files."""
    tables: dict[str, Mapping[str, npt.NDArray[Any]]] = {}
    if run.films and run.cycles:
        power, load = power_curve(run), load_curve(run)
        tables["cooling_power"] = {
            "cycle": power.cycle.astype(int),
            "time_s": power.time,
            f"T_{run.cold.name}_K": power.temperature,
            "cooling_power_W": power.power,
        }
        tables["load_curve"] = {
            "load_W": load.load,
            "T_base_K": load.base,
            "T_coldest_K": load.coldest,
            "T_warmest_K": load.warmest,
        }
    phases = np.array([phase.name for phase in run.case.cycle.phases])
    for film in run.films:
        paths = [(cycle, *ts_path(run, film, cycle)) for cycle in np.unique(run.history["cycle"]).astype(int)]
        tables[f"ts_diagram_{film.name}"] = {
            "cycle": np.concatenate([np.full(len(s), cycle) for cycle, s, _, _ in paths]),
            "phase": np.concatenate([phases[phase.astype(int)] for *_, phase in paths]),
            "entropy_J_per_m3_K": np.concatenate([s for _, s, _, _ in paths]),
            "temperature_K": np.concatenate([T for _, _, T, _ in paths]),
        }
    return [_write(folder / f"{name}.csv", columns) for name, columns in tables.items()]


def _write(path: Path, columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path
