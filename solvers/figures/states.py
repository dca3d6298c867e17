"""The working film's cycle in the temperature-entropy plane, and the field through the stack in its states."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from meshes.picture import BARRIER_COLOUR
from solvers.figures.materials import NORMAL, SUPER
from solvers.figures.run_data import INK, MUTED, Floats, PiecewiseAxis, RunData, RunLayer, new_figure, quantity
from solvers.output.result import SCREENED

PATH_SHADES = ("#111827", "#6b7280", "#a3a9b4")  # first cycle, those between, last
MOST_FILMS = 3
FINE = 0.1  # largest step of ln s of a path
LETTER = 0.0085  # width of a letter in that of the figure
FACES = 12.0  # penetration depths shown at each face of a film that is thicker than two of these


# ---- temperature and entropy ---------------------------------------------------------------------
def draw_ts_diagram(run: RunData) -> Figure | None:
    """Paths of the switching films between the entropies of their two states."""
    films = [film for film in run.films if film.material.gamma > 0][:MOST_FILMS]
    if not films:
        return None
    figure = new_figure(2.0 + 6.5 * len(films), 6.4, "Temperature and entropy of the working film")
    for axes, film in zip(figure.subplots(1, len(films), squeeze=False)[0], films, strict=True):
        _ts_panel(axes, run, film)
    names = [f"{i + 1} {phase.name}" for i, phase in enumerate(run.case.cycle.phases)]
    figure.supxlabel("     ".join(names), fontsize=10, color=INK, x=0.5)
    return figure


def ts_path(run: RunData, film: RunLayer, cycle: int) -> tuple[Floats, Floats, Floats]:
    """The way of a film through a cycle, one point for its start and each step, and more where steps are wide.

    Returns:
        Entropy without that of nuclear spins (J m^-3 K^-1), mean temperature (K), and number of the phase, of each
        point.
    """
    history, volume = run.history, run.volume(film)
    names = [phase.name for phase in run.case.cycle.phases]
    rows = np.flatnonzero(history["cycle"] == cycle)
    if rows[0] > 0:
        rows = np.concatenate([[rows[0] - 1], rows])
    spins = history.get(f"S_spins_{film.name}_J_per_K", np.zeros(len(history["cycle"])))
    s = (history[f"S_{film.name}_J_per_K"] - spins)[rows] / volume
    T, f = history[f"T_{film.name}_K"][rows], history[f"f_{film.name}"][rows]
    phase = np.array([names.index(name) for name in history["phase"][rows]], dtype=np.float64)
    if len(rows) > 0 and rows[0] == 0:
        start = float(film.material.entropy(run.case.start, f[0] if phase[0] else 0.0))
        s, T = np.concatenate([[start], s]), np.concatenate([[run.case.start], T])
        f, phase = np.concatenate([[f[0]], f]), np.concatenate([[phase[0]], phase])
    parts = [(s[:1], T[:1], phase[:1])]
    for k in range(1, len(s)):
        n = max(1, int(np.ceil(abs(np.log(s[k] / s[k - 1])) / FINE))) if f[k] == f[k - 1] else 1
        between = np.linspace(0.0, 1.0, n + 1)[1:]
        fine = s[k - 1] * (s[k] / s[k - 1]) ** between
        T_fine = np.full(n, T[k])
        if n > 1:
            # Along the curve of the film's state; the factor between its mean temperature and that passes evenly.
            on_curve = film.material.temperature_from_entropy(np.concatenate([[s[k - 1]], fine]), f[k])
            first, last = np.log([T[k - 1] / on_curve[0], T[k] / on_curve[-1]])
            T_fine = on_curve[1:] * np.exp((1 - between) * first + between * last)
            T_fine[-1], fine[-1] = T[k], s[k]
        parts.append((fine, T_fine, np.full(n, phase[k])))
    s, T, phase = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return s, T, phase


def _ts_panel(axes: Axes, run: RunData, film: RunLayer) -> None:
    cycles = run.shown_cycles()
    paths = {cycle: ts_path(run, film, cycle) for cycle in cycles}
    isentropes = _isentropes(run, film, cycles[0])
    all_s, all_T = (np.concatenate([path[i] for path in [*paths.values(), *isentropes]]) for i in (0, 1))
    low_T, high_T = float(all_T.min()) * 10**-0.5, float(all_T.max()) * 10**0.35
    T = np.geomspace(low_T, high_T, 400)
    critical = film.material.critical_temperature
    for fraction, name, colour in ((1.0, "normal", NORMAL), (0.0, "superconducting", SUPER)):
        shown = T if fraction or critical is None else T[critical >= T]
        axes.loglog(film.material.entropy(shown, fraction), 1e3 * shown, color=colour, linewidth=6, alpha=0.35)
        axes.lines[-1].set_label(f"{name} {film.material.name}")
    for number, (s, t) in enumerate(isentropes):
        axes.loglog(s, 1e3 * t, ":", color=MUTED, linewidth=1.6, label="" if number else "reversible switching")
    for cycle in cycles:
        s, t, _ = paths[cycle]
        shade = PATH_SHADES[0 if cycle == cycles[0] else 2 if cycle == cycles[-1] else 1]
        axes.loglog(
            s, 1e3 * t, color=shade, linewidth=1.8, label=f"cycle {cycle}", zorder=3 - 0.01 * cycle / cycles[-1]
        )
    low_s, high_s = float(all_s.min()) * 10**-0.5, float(all_s.max()) * 10**0.5
    axes.set(
        xlim=(low_s, high_s),
        ylim=(1e3 * low_T, 1e3 * high_T),
        xlabel="entropy of electrons and lattice (J m⁻³ K⁻¹)",
        ylabel="temperature (mK)",
        title=film.label,
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(which="minor", visible=False)
    _arrows(axes, *paths[cycles[0]])
    axes.legend(loc="lower right")


def _isentropes(run: RunData, film: RunLayer, cycle: int) -> list[tuple[Floats, Floats]]:
    """How the film would switch in a cycle if no entropy were produced: entropies and temperatures from end to end."""
    s, _, phase = ts_path(run, film, cycle)
    out: list[tuple[Floats, Floats]] = []
    history = run.history
    for number, block in enumerate(run.case.cycle.phases):
        rows = (history["cycle"] == cycle) & (history["phase"] == block.name)
        f = history[f"f_{film.name}"][rows]
        here = np.flatnonzero(phase == number)
        if len(f) == 0 or np.ptp(f) < 0.5:
            continue
        entropy = np.full(2, s[max(here[0] - 1, 0)])
        out.append((entropy, film.material.temperature_from_entropy(entropy, np.array([0.0, 1.0]))))
    return out


def _arrows(axes: Axes, s: Floats, T: Floats, phase: Floats) -> None:
    """An arrow with the phase's number in the middle of each phase's way."""
    x, y = np.log10(s), np.log10(1e3 * T)
    (x0, x1), (y0, y1) = np.log10(axes.get_xlim()), np.log10(axes.get_ylim())
    x, y = (x - x0) / (x1 - x0), (y - y0) / (y1 - y0)
    centre = np.array([(x.min() + x.max()) / 2, (y.min() + y.max()) / 2])
    for number in np.unique(phase):
        rows = np.flatnonzero(phase == number)
        rows = np.concatenate([[max(rows[0] - 1, 0)], rows])
        length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x[rows]), np.diff(y[rows])))])
        if length[-1] < 0.03:
            continue
        middle = length[-1] / 2
        tail, tip = (np.array([np.interp(a, length, v[rows]) for v in (x, y)]) for a in (middle - 0.02, middle + 0.01))
        axes.annotate(
            "",
            (float(tip[0]), float(tip[1])),
            (float(tail[0]), float(tail[1])),
            xycoords="axes fraction",
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "-|>", "color": PATH_SHADES[0], "mutation_scale": 20, "shrinkA": 0, "shrinkB": 0},
        )
        across = np.array([tail[1] - tip[1], tip[0] - tail[0]])
        across /= max(float(np.hypot(*across)), 1e-12)
        across *= np.sign(across @ (tip - centre)) or 1.0
        axes.text(
            float(tip[0] + 0.045 * across[0]),
            float(tip[1] + 0.045 * across[1]),
            str(int(number) + 1),
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=12,
            fontweight="bold",
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": PATH_SHADES[0], "linewidth": 1.0},
        )


# ---- field through the stack ---------------------------------------------------------------------
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
    return f"{quantity(4e-7 * np.pi * abs(value), 'T')} applied"


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
