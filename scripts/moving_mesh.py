"""Compute a study on a mesh that moves and on meshes made anew, and draw both: figure of docs/studies.md.

    scripts/env python3 scripts/moving_mesh.py --results results/moving-mesh

What is there already is not computed again. Some 5 minutes on 2 idle cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from solvers.studies.run import checked_plan, run_study

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "cases" / "studies" / "moving-mesh.toml"
WORDS = {"T_cold": "copper (K)", "T_film": "tantalum, coldest (K)", "B_niobium": "field at the niobium (T)"}
# What a study on new meshes says instead: the same steps, fewer of them.
ANEW = {
    "moving_mesh = true": "moving_mesh = false",
    'linear = ["0.9331 um", "0.9339 um"], points = 9': 'linear = ["0.9333 um", "0.9337 um"], points = 5',
}
WANTED = 1e-6  # second differences that an optimisation takes for smooth


def computed(folder: Path) -> dict[str, xr.Dataset]:
    """Datasets of the study, and of one with a mesh made anew for each member."""
    folder.mkdir(parents=True, exist_ok=True)
    text = STUDY.read_text(encoding="utf-8").replace('"../refrigerator.toml"', f'"{ROOT}/cases/refrigerator.toml"')
    found = {}
    for name, file, changes in (("the mesh moves", "moving", {}), ("a new mesh each", "anew", ANEW)):
        path = folder / f"{file}.toml"
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        found[name] = run_study(checked_plan(path), folder / path.stem).dataset
    return found


def second_differences(values: np.ndarray) -> np.ndarray:
    """Second differences over the mean."""
    return np.asarray(np.abs(np.diff(values, 2) / values.mean()))


def draw(found: dict[str, xr.Dataset], path: Path) -> None:
    """Results above, their second differences below."""
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(WORDS), sharex=True)
    for j, (key, words) in enumerate(WORDS.items()):
        for (name, data), mark in zip(found.items(), ("o-", "x--"), strict=True):
            thickness = data["thickness"].values * 1e6
            axes[0, j].plot(thickness, data[key].values, mark, ms=4, lw=1, label=name)
            axes[1, j].semilogy(thickness[1:-1], second_differences(data[key].values), mark, ms=4, lw=1)
        axes[0, j].set_title(words, fontsize=10)
        axes[0, j].ticklabel_format(useOffset=False)
        axes[1, j].axhline(WANTED, color="0.6", lw=1)
        axes[1, j].set_xlabel("thickness of the tantalum (um)")
    axes[1, 0].set_ylabel("second difference / mean")
    axes[0, 0].legend(fontsize=9)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Compute, draw, print the largest second differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/moving-mesh"), help="folder of the members")
    parser.add_argument("--figure", type=Path, default=ROOT / "docs" / "figures" / "moving-mesh.png")
    arguments = parser.parse_args()
    found = computed(arguments.results)
    draw(found, arguments.figure)
    for key in WORDS:
        largest = ", ".join(f"{name}: {second_differences(d[key].values).max():.1e}" for name, d in found.items())
        print(f"{key}: largest second difference over the mean: {largest}")


if __name__ == "__main__":
    main()
