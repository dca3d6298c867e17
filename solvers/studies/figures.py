"""Figures of a study: curves, maps with contours, main effects and sensitivities, from its dataset alone."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solvers.figures.style import INK, STYLE, new_figure
from solvers.studies.sensitivity import sensitivities

if TYPE_CHECKING:
    import xarray as xr

DPI = 160
MANY_LINES = 12  # more curves than these are not told apart
LOG_RANGE = 10.0  # results that span more than this factor are drawn on a log axis
NO_COLDER = 0.99  # of the temperature at the start: nothing is refrigerated
MARKS = "os^Dv<>p*hXP"


def plot_study(dataset: xr.Dataset, folder: Path) -> list[Path]:
    """Draw the figures of a study; those in the folder are replaced.

    One varied dimension makes a curve of each result, two of numbers a map with contours, more (or a list of texts)
    curves along the longest dimension. Samples make main effects (each result against each input) and sensitivities.

    Args:
        dataset: of the study, see `solvers.studies.study.make_dataset`.
        folder: for the pictures.

    Returns:
        The pictures written; none of a result that no member has.
    """
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        for name in np.atleast_1d(dataset.attrs["results"]):
            result = dataset[str(name)]
            if not np.isfinite(result.values).any():
                continue
            for kind, figure in _drawings(dataset, result).items():
                path = folder / f"{name}{kind}.png"
                figure.savefig(path, dpi=DPI)
                written.append(path)
    return written


def _drawings(dataset: xr.Dataset, result: xr.DataArray) -> dict[str, Figure]:
    if "member" in dataset.dims:
        figures = {"": _effects(dataset, result)}
        indices = sensitivities(dataset, str(result.name))
        return figures | ({} if indices is None else {"-sensitivity": _bars(dataset, result, indices)})
    long = [name for name in result.dims if result.sizes[name] > 1] or list(result.dims)
    values = result.isel({name: 0 for name in result.dims if name not in long})
    numbers = [name for name in long if _is_number(dataset[name])]
    if len(long) == 2 and len(numbers) == 2 and min(values.sizes.values()) > 2:
        return {"": _map(dataset, values)}
    return {"": _curves(dataset, values)}


def label(values: xr.DataArray) -> str:
    """Name and unit for an axis."""
    name, unit = str(values.name).replace("_", " "), values.attrs.get("units", "")
    return f"{name} ({unit})" if unit else name


def _is_number(values: xr.DataArray) -> bool:
    return bool(np.issubdtype(values.dtype, np.number))


def _curves(dataset: xr.Dataset, result: xr.DataArray) -> Figure:
    figure = new_figure(7.5, 5.0, str(dataset.attrs["title"]))
    axes = figure.subplots()
    numeric = [name for name in result.dims if _is_number(dataset[name])] or list(result.dims)
    along = max(numeric, key=lambda name: result.sizes[name])
    others = [name for name in result.dims if name != along]
    choices = list(itertools.product(*(range(result.sizes[name]) for name in others)))
    for count, choice in enumerate(choices[:MANY_LINES]):
        line = result.isel(dict(zip(others, choice, strict=True)))
        words = [
            f"{dataset[name].name} {_text(dataset[name].values[i])}" for name, i in zip(others, choice, strict=True)
        ]
        x = dataset[along].values if _is_number(dataset[along]) else np.arange(result.sizes[along])
        axes.plot(x, line.values, f"{MARKS[count % len(MARKS)]}-", label=", ".join(words) or None)
    _input_axis(axes, dataset[along])
    if not _is_number(dataset[along]):
        axes.set_xticks(np.arange(result.sizes[along]), [str(value) for value in dataset[along].values])
    axes.set_ylabel(label(result))
    if _spans(result.values):
        axes.set_yscale("log")
    if others:
        more = f" (first {MANY_LINES} of {len(choices)} curves)" if len(choices) > MANY_LINES else ""
        axes.legend(title=" ".join(map(str, others)) + more, fontsize="small")
    return figure


def _map(dataset: xr.Dataset, result: xr.DataArray) -> Figure:
    figure = new_figure(7.5, 5.6, str(dataset.attrs["title"]))
    axes = figure.subplots()
    down, across = result.dims
    x, y = dataset[across].values, dataset[down].values
    log = _spans(result.values)
    norm = matplotlib.colors.LogNorm() if log else None
    picture = axes.pcolormesh(x, y, result.values, shading="nearest", norm=norm, cmap="viridis")
    finite = result.values[np.isfinite(result.values)]
    if np.ptp(finite) > 0 and np.isfinite(result.values).sum() > 3:
        spaced = np.geomspace if log else np.linspace
        levels = spaced(finite.min(), finite.max(), 9)[1:-1]
        lines = axes.contour(x, y, result.values, levels=levels, colors="white", linewidths=1)
        axes.clabel(lines, fmt="%.3g", fontsize="small")
    _border(axes, dataset, result)
    for i, j in zip(*np.nonzero(~np.isfinite(result.values)), strict=True):
        axes.plot(x[j], y[i], "x", color=INK)
    figure.colorbar(picture, label=label(result))
    _input_axis(axes, dataset[across])
    axes.set_ylabel(label(dataset[down]))
    if dataset[down].attrs.get("spacing") == "log":
        axes.set_yscale("log")
    return figure


def _border(axes: Axes, dataset: xr.Dataset, result: xr.DataArray) -> None:
    """For a temperature of the cold layer: where it is as good as that at the start, so that nothing refrigerates."""
    down, across = result.dims
    if not str(result.attrs.get("key", "")).endswith(("T_cold_final_K", "T_cold_K")) or "start_K" not in dataset.attrs:
        return
    border = NO_COLDER * float(dataset.attrs["start_K"])
    if np.nanmin(result.values) < border < np.nanmax(result.values):
        axes.contour(dataset[across].values, dataset[down].values, result.values, levels=[border], colors="red")
        axes.set_title(
            f"red: {NO_COLDER:.0%} of the temperature at the start, the border of refrigeration", fontsize=10
        )


def _inputs(dataset: xr.Dataset) -> list[Any]:
    """The varied inputs of samples."""
    return [dataset[name] for name in dataset.coords if name != "member"]


def _effects(dataset: xr.Dataset, result: xr.DataArray) -> Figure:
    inputs = _inputs(dataset)
    figure = new_figure(4.2 * len(inputs), 4.4, str(dataset.attrs["title"]))
    for axes, values in zip(figure.subplots(1, len(inputs), sharey=True, squeeze=False)[0], inputs, strict=True):
        axes.plot(values.values, result.values, "o", markersize=4, alpha=0.5)
        _input_axis(axes, values)
        if _spans(result.values):
            axes.set_yscale("log")
        if not _is_number(values):
            continue
        good = np.isfinite(result.values)
        order = np.argsort(values.values[good])
        parts = [part for part in np.array_split(order, max(2, min(10, good.sum() // 5))) if len(part)]
        means = [(values.values[good][part].mean(), result.values[good][part].mean()) for part in parts]
        axes.plot(*np.transpose(means), "-", color=INK, label="mean of neighbours")
    figure.axes[0].set_ylabel(label(result))
    figure.axes[0].legend(fontsize="small")
    return figure


def _bars(dataset: xr.Dataset, result: xr.DataArray, indices: dict[str, dict[str, float]]) -> Figure:
    figure = new_figure(6.5, 1.5 + 0.6 * len(_inputs(dataset)), f"What {str(result.name).replace('_', ' ')} depends on")
    axes = figure.subplots()
    names = [str(values.name) for values in _inputs(dataset)]
    for count, (kind, shares) in enumerate(indices.items()):
        height = 0.8 / len(indices)
        axes.barh(np.arange(len(names)) + (count + 0.5) * height - 0.4, [shares[n] for n in names], height, label=kind)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="share of the variance", xlim=(0, 1.05))
    axes.invert_yaxis()
    axes.legend(fontsize="small")
    return figure


def _input_axis(axes: Axes, values: xr.DataArray) -> None:
    axes.set_xlabel(label(values))
    if values.attrs.get("spacing") == "log":
        axes.set_xscale("log")


def _spans(values: Any) -> bool:
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > LOG_RANGE * finite.min())


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
