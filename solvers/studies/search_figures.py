"""Figures of an optimisation: how the search converged, and the front of two objectives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from solvers.figures.style import INK, STYLE, new_figure
from solvers.studies.figures import DPI, label

if TYPE_CHECKING:
    import xarray as xr

GOOD, BAD, BEST = "#4c78a8", "#c4c4c4", "#c8553d"


def plot_search(dataset: xr.Dataset, folder: Path) -> list[Path]:
    """Draw convergence, and the Pareto front if there are two objectives.

    Args:
        dataset: of the search.
        folder: for the pictures; made if needed.

    Returns:
        The pictures written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    signs = {str(n): 1.0 for n in np.atleast_1d(dataset.attrs.get("minimise", []))}
    signs |= {str(n): -1.0 for n in np.atleast_1d(dataset.attrs.get("maximise", []))}
    with matplotlib.rc_context(STYLE):
        figures = {"convergence": _convergence(dataset, signs)}
        if len(signs) == 2:
            figures["pareto"] = _front(dataset, *signs)
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.png", dpi=DPI)
    return [folder / f"{name}.png" for name in figures]


def _convergence(dataset: xr.Dataset, signs: dict[str, float]) -> Figure:
    figure = new_figure(7.5, 3.6 * len(signs), str(dataset.attrs["title"]))
    good = dataset["feasible"].values == 1
    number = np.arange(len(good))
    for axes, (name, sign) in zip(figure.subplots(len(signs), 1, squeeze=False)[:, 0], signs.items(), strict=True):
        values: Any = dataset[name].values
        axes.plot(number[~good], values[~good], "x", color=BAD, label="a constraint is not met")
        axes.plot(number[good], values[good], "o", markersize=4, color=GOOD, label="members")
        if good.any():
            so_far = sign * np.minimum.accumulate(np.where(good, sign * values, np.inf))
            axes.step(
                number[np.isfinite(so_far)], so_far[np.isfinite(so_far)], where="post", color=BEST, label="best so far"
            )
        axes.set(xlabel="member", ylabel=label(dataset[name]))
        axes.legend(fontsize="small")
    return figure


def _front(dataset: xr.Dataset, one: str, other: str) -> Figure:
    figure = new_figure(7.0, 5.4, str(dataset.attrs["title"]))
    axes = figure.subplots()
    x, y = dataset[one].values, dataset[other].values
    good, best = dataset["feasible"].values == 1, dataset["best"].values == 1
    axes.plot(x[~good], y[~good], "x", color=BAD, label="a constraint is not met")
    axes.plot(x[good & ~best], y[good & ~best], "o", markersize=4, color=GOOD, label="members")
    order = np.argsort(x[best])
    axes.plot(x[best][order], y[best][order], "o-", color=BEST, label="none is better in both")
    axes.set_xlabel(label(dataset[one]), color=INK)
    axes.set_ylabel(label(dataset[other]), color=INK)
    axes.legend(fontsize="small")
    return figure
