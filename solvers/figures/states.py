"""The working film's cycles in the temperature-entropy plane."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from meshes.arrays import Floats
from solvers.figures.run_data import RunData, RunLayer
from solvers.figures.style import INK, MUTED, NORMAL, PATH_SHADES, SUPER, new_figure

MOST_FILMS = 3
FINE = 0.1  # largest step of ln s of a path


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
