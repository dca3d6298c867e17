"""The magnetic field through the middle of the stack, with the films superconducting and normal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fem.constants import MU0
from meshes.arrays import Floats
from meshes.picture import BARRIER_COLOUR
from solvers.figures.run_data import RunData, RunLayer
from solvers.figures.style import INK, MUTED, NORMAL, SUPER, PiecewiseAxis, new_figure, quantity
from solvers.output.result import SCREENED

LETTER = 0.0085  # width of a letter in that of the figure
FACES = 12.0  # penetration depths shown at each face of a film that is thicker than two of these


@dataclass(frozen=True)
class Profile:
    """|B| through the central column in one state.

    Attributes:
        label: the state and its drive.
        normal: normal fraction of the switching films there, 0 to 1.
        field: |B| of each cell, T.
    """

    label: str
    normal: float
    field: Floats


def field_profiles(run: RunData) -> list[Profile]:
    """The strongest field with the films superconducting, and with the films normal, as far as there are such."""
    films = {film.name for film in run.films}
    cells = np.isin(run.profiles.get("layer", np.zeros(0)), list(films))
    names = [phase.name for phase in run.case.cycle.phases]
    best: dict[bool, Profile] = {}
    for name in [*names, SCREENED]:
        field, fraction = (run.profiles.get(key) for key in (f"B_{name}_T", f"f_{name}"))
        if field is None or fraction is None or not field.any():
            continue
        normal = float(fraction[cells].mean()) if cells.any() else 0.0
        state = "normal" if normal > 0.95 else "superconducting" if normal < 0.05 else f"{100 * normal:.0f} % normal"
        what = " and ".join(sorted({film.material.name for film in run.films}))
        profile = Profile(f"{what} {state}, {_drive_of(run, name)}".strip(), normal, field)
        known = best.get(normal > 0.5)
        if known is None or profile.field.max() > 1.001 * known.field.max():
            best[normal > 0.5] = profile
    return [best[key] for key in sorted(best)]


def _drive_of(run: RunData, name: str) -> str:
    """The drive that goes with a profile, in words."""
    drive = run.drive
    assert drive is not None
    assert run.case.drive is not None
    key = f"drive_{name}"
    if key in run.profiles:
        value = float(run.profiles[key])
    else:
        rows = np.flatnonzero((run.history["phase"] == name) & (run.history["cycle"] == 1))
        value = float(drive[rows[-1]])
    if run.case.drive.applied_field is None:
        return quantity(abs(value), "A")
    return f"{quantity(MU0 * abs(value), 'T')} applied"


def draw_penetration(run: RunData) -> Figure | None:
    """|B| through the central column: films superconducting against films normal."""
    if run.drive is None:
        return None
    profiles = field_profiles(run)
    if not profiles:
        return None
    figure = new_figure(12.5, 5.6, "Magnetic field through the middle of the stack")
    axes = figure.add_subplot()
    place, shown = _stack_axis(run)
    z = run.profiles["z_m"]
    inside = (z >= shown[0]) & (z <= shown[1])
    for profile in profiles:
        colour = NORMAL if profile.normal > 0.5 else SUPER
        axes.plot(place(z[inside]), 1e3 * profile.field[inside], "o-", color=colour, markersize=3, label=profile.label)
    top = 1.3e3 * max(float(profile.field[inside].max()) for profile in profiles)
    _show_layers(axes, run, place, top)
    axes.set(xlim=place(np.array(shown)), ylim=(-0.1 * top, top), ylabel="|B| (mT)")
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top])
    axes.axhline(0.0, color=MUTED, linewidth=0.8)
    axes.grid(axis="x", visible=False)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def _depth(run: RunData, layer: RunLayer) -> float:
    """Penetration depth (m) of a layer at the start; infinite if it is no superconductor then."""
    if layer.material.critical_temperature is None or layer.material.penetration_depth0 is None:
        return float(np.inf)
    return float(layer.material.penetration_depth(run.case.start))


def _stack_axis(run: RunData) -> tuple[PiecewiseAxis, tuple[float, float]]:
    """Height axis with every layer readable: thick superconductors by their faces, and some vacuum; its limits."""
    ends, widths = [0.0], []
    for layer in run.layers:
        if layer.bottom > ends[-1] * (1 + 1e-9):  # a barrier
            ends.append(layer.bottom)
            widths.append(0.02)
        depth = _depth(run, layer)
        if layer.thickness > 2 * FACES * depth:
            ends += [layer.bottom + FACES * depth, layer.top - FACES * depth, layer.top]
            widths += [1.0, 0.3, 1.0]
        else:
            ends.append(layer.top)
            # Normal layers have little to show.
            widths.append(0.5 if np.isinf(depth) else float(np.clip(0.2 * layer.thickness / depth, 0.6, 2.0)))
    margin = 0.04 * ends[-1]
    low, high = run.profiles["lines_z_m"][[0, -1]]
    shown = (max(-margin, float(low)), min(ends[-1] + margin, float(high)))
    return PiecewiseAxis([shown[0], *ends, shown[1]], [0.15, *widths, 0.15]), shown


def _show_layers(axes: Axes, run: RunData, place: PiecewiseAxis, top: float) -> None:
    """Shade and name the layers; mark penetration depths and transition fields."""
    ticks = [0.0]
    switching = {film.name for film in run.films}
    gaps = [(low.top, high.bottom) for low, high in pairwise(run.layers) if high.bottom > low.top * (1 + 1e-9)]
    for number, gap in enumerate(gaps):
        name = f"barrier, {quantity(gap[1] - gap[0], 'm')}"
        axes.axvspan(*place(gap), color=BARRIER_COLOUR, alpha=0.6, linewidth=0, zorder=0, label="" if number else name)
    for layer in run.layers:
        a, b = place([layer.bottom, layer.top])
        axes.axvspan(a, b, color=layer.colour, alpha=0.16, linewidth=0, zorder=0)
        words = [layer.name, layer.material.name, quantity(layer.thickness, "m")]
        fits = (b - a) / place.places[-1] > LETTER * len(f"{words[1]}, {words[2]}")
        name = f"{words[0]}\n{words[1]}, {words[2]}" if fits else "\n".join(words)
        axes.text((a + b) / 2, 0.985 * top, name, ha="center", va="top", fontsize=11, color=INK)
        ticks += [layer.bottom, layer.top]
        depth = _depth(run, layer)
        if layer.thickness > 2 * FACES * depth:
            middle = place([layer.bottom + FACES * depth, layer.top - FACES * depth])
            axes.axvspan(
                float(middle[0]),
                float(middle[1]),
                facecolor="none",
                edgecolor=layer.colour,
                hatch="//",
                alpha=0.35,
                linewidth=0,
                ymin=0.1,
                ymax=0.82,
            )
        if np.isfinite(depth) and layer.thickness > depth:
            for start, end in ((layer.bottom, layer.bottom + depth), (layer.top, layer.top - depth)):
                x = place([start, end])
                axes.plot(x, [-0.05 * top] * 2, color=layer.colour, linewidth=7, solid_capstyle="butt", zorder=4)
            axes.text(
                (a + b) / 2,
                -0.05 * top,
                f"λ = {quantity(depth, 'm')}",
                fontsize=10,
                ha="center",
                va="center",
                color=INK,
            )
        field = 1e3 * run.transition_field(layer)
        if layer.name in switching and field < 0.85 * top:
            axes.plot([a, b], [field, field], color=MUTED, linewidth=1.3, linestyle=(0, (4, 2)), zorder=1)
            text = f"transition at {field:.3g} mT"
            axes.text((a + b) / 2, field - 0.015 * top, text, ha="center", va="top", fontsize=10, color=MUTED)
    heights = sorted(set(ticks))
    kept = [z for k, z in enumerate(heights) if k == 0 or place(z) - place(heights[k - 1]) > 0.05]
    unit, factor = ("µm", 1e6) if heights[-1] < 1e-3 else ("mm", 1e3)
    axes.set_xticks(place(kept), [f"{factor * z:.4g}" for z in kept])
    shortened = any(layer.thickness > 2 * FACES * _depth(run, layer) for layer in run.layers)
    more = ", thick films shortened (hatched)" if shortened else ""
    axes.set_xlabel(f"height ({unit}); linear in each layer, thin layers widened{more}")
