"""Print and draw the constants and laws of a material (`coldstack materials`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

from fem.constants import E_CHARGE, MU0
from fem.materials.library import LIBRARY, get_material
from fem.materials.material import Material
from meshes.arrays import Floats
from solvers.figures.style import DPI, NORMAL, OTHER, STYLE, SUPER, new_figure

# field of Material: what it is, unit, factor from SI to that unit
_ROWS: dict[str, tuple[str, str, float]] = {
    "gamma": ("Sommerfeld constant", "J m^-3 K^-2", 1.0),
    "beta": ("phonon heat capacity / T^3", "J m^-3 K^-4", 1.0),
    "critical_temperature": ("critical temperature", "K", 1.0),
    "gap_ratio": ("gap / kB Tc at T = 0", "", 1.0),
    "measured_critical_field": ("measured mu0 Hc(0)", "mT", 1e3),
    "lower_critical_field": ("mu0 Hc1(0)", "mT", 1e3),
    "penetration_depth0": ("penetration depth at T = 0", "nm", 1e9),
    "coherence_length": ("coherence length", "nm", 1e9),
    "kappa": ("Ginzburg-Landau kappa", "", 1.0),
    "resistivity": ("residual resistivity", "ohm m", 1.0),
    "room_resistivity": ("resistivity at 295 K", "ohm m", 1.0),
    "electron_phonon": ("electron-phonon constant", "W m^-3 K^-n", 1.0),
    "electron_phonon_exponent": ("electron-phonon exponent n", "", 1.0),
    "sound_speeds": ("sound speeds, longitudinal, transverse", "m/s", 1.0),
    "density": ("density", "kg/m^3", 1.0),
    "phonon_speed": ("phonon speed in conduction", "m/s", 1.0),
    "phonon_mean_free_path": ("phonon mean free path", "um", 1e6),
    "constant_conductivity": ("constant conductivity", "W m^-1 K^-1", 1.0),
    "constant_heat_capacity": ("constant heat capacity", "J m^-3 K^-1", 1.0),
}
_SUPERCONDUCTING = ("gap_ratio", "measured_critical_field", "lower_critical_field", "penetration_depth0", "kappa")
_DEFAULT_SOURCE = {
    "phonon_speed": "assumption: typical of metals",
    "gap_ratio": "BCS weak coupling",
    "electron_phonon_exponent": "clean metals",
}


def _console() -> Console:
    """A console; wide enough for the sources when the output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=140)


def _number(value: Any, factor: float) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{factor * part:.4g}" for part in value)
    return f"{factor * value:.4g}"


def list_materials() -> None:
    """Print a table of the library."""
    table = Table(title="Materials", title_justify="left")
    for heading in ("name", "Tc (K)", "mu0 Hc(0) (mT)", "gamma (J m^-3 K^-2)", "beta (J m^-3 K^-4)", "rho (ohm m)"):
        table.add_column(heading, justify="left" if heading == "name" else "right")
    for material in LIBRARY.values():
        critical = material.critical_temperature
        table.add_row(
            material.name,
            "-" if critical is None else f"{critical:.4g}",
            "-" if critical is None else f"{1e3 * MU0 * float(material.critical_field(0.0)):.1f}",
            f"{material.gamma:.4g}" if material.gamma else "-",
            f"{material.beta:.3g}",
            "-" if material.resistivity is None else f"{material.resistivity:.3g}",
        )
    _console().print(table)


def print_material(material: str | Material) -> None:
    """Print the constants of a material with their sources, what follows from them, and the library's own check.

    Args:
        material: the material or its name in the library.

    Raises:
        KeyError: for an unknown name.
    """
    if isinstance(material, str):
        material = get_material(material)
    table = Table(title=material.name, title_justify="left")
    table.add_column("constant", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("source")
    for key, (label, unit, factor) in _ROWS.items():
        value = getattr(material, key)
        if value is None or (key in _SUPERCONDUCTING and not material.superconducting):
            continue
        source = material.sources.get(key) or _DEFAULT_SOURCE.get(key, "no source given")
        table.add_row(label, _number(value, factor), unit, source)
    if material.nuclei is not None:
        curie, source = material.nuclei.curie_constant(), material.sources.get("nuclei", "no source given")
        table.add_row("nuclear heat capacity T^2 / B^2", _number(curie, 1.0), "J K m^-3 T^-2", source)
        table.add_row("dipole field of the nuclei", _number(material.nuclei.dipole_field, 1e3), "mT", source)
    if material.superconducting:
        table.add_section()
        gap = material.gap0 / E_CHARGE * 1e3
        table.add_row("gap at T = 0", f"{gap:.4g}", "meV", "derived: gap ratio and Tc")
        if material.gamma:
            field = 1e3 * MU0 * float(material.critical_field(0.0))
            table.add_row("mu0 Hc(0)", f"{field:.4g}", "mT", "derived from the entropies of the two phases")
        table.add_row("lambda(T) law", material.penetration_law, "", "chosen")
    console = _console()
    console.print(table)
    for warning in material.check():
        console.print(f"warning: {warning}", highlight=False)


def plot_material(material: str | Material, path: Path) -> None:
    """Draw the laws of a material: gap, entropy, heat capacity, critical field, penetration depth, conductivity.

    A material that never superconducts gets its three thermal laws only.

    Args:
        material: the material or its name in the library.
        path: picture to write (its ending chooses the format).

    Raises:
        KeyError: for an unknown name.
    """
    if isinstance(material, str):
        material = get_material(material)
    rows = 2 if material.superconducting else 1
    with matplotlib.rc_context(STYLE):
        figure = new_figure(13.5, 3.9 * rows, _headline(material))
        axes = figure.subplots(rows, 3, squeeze=False)
        if material.superconducting:
            _draw_superconducting(material, list(axes[0]))
        _draw_thermal(material, list(axes[-1]))
        figure.savefig(path, dpi=DPI)


def _headline(material: Material) -> str:
    if material.critical_temperature is None:
        return f"{material.name}: thermal laws"
    return (
        f"{material.name}: laws of the superconducting and the normal state, Tc = {material.critical_temperature:g} K"
    )


def _draw_superconducting(material: Material, axes: list[Any]) -> None:
    """Gap, critical field and penetration depth against T."""
    critical = material.critical_temperature
    assert critical is not None
    # denser toward Tc, where all three change fastest
    T = critical * (1.0 - np.linspace(1.0, 0.0, 400) ** 2)
    gap, field, depth = axes
    gap.plot(T, material.gap(T) / E_CHARGE * 1e3, color=SUPER)
    gap.set(title="Gap", ylabel="Δ (meV)")
    field.plot(T, 1e3 * MU0 * material.critical_field(T), color=SUPER)
    field.fill_between(T, 1e3 * MU0 * material.critical_field(T), color=SUPER, alpha=0.08)
    field.set(title="Critical field", ylabel="μ₀Hc (mT)")
    measured = material.measured_critical_field
    if measured is not None:
        field.plot([0.0], [1e3 * measured], "o", color=NORMAL, clip_on=False, zorder=5, label="measured at T = 0")
        field.legend(loc="upper right")
    field.text(0.12 * critical, 0.2e3 * MU0 * float(material.critical_field(0.0)), "superconducting", color=SUPER)
    for axis in (gap, field):
        axis.set_ylim(bottom=0.0)
    if material.penetration_depth0 is None:
        depth.set_axis_off()
        depth.text(0.5, 0.5, "λ(0) is not given", ha="center", transform=depth.transAxes, color=OTHER)
    else:
        below = T[T < critical]
        depth.plot(below, 1e9 * material.penetration_depth(below), color=SUPER)
        depth.set(title=f"Penetration depth ({material.penetration_law})", ylabel="λ (nm)")
        depth.set_ylim(0.0, 5e9 * material.penetration_depth0)
    for axis in axes:
        if axis.axison:
            axis.set(xlabel="T (K)", xlim=(0.0, 1.05 * critical))


def _draw_thermal(material: Material, axes: list[Any]) -> None:
    """Entropy, heat capacity and conductivity against T, of both phases."""
    top = 1.3 * (material.critical_temperature or 5.0)
    T = np.asarray(np.geomspace(1e-2 * top, top, 600), dtype=np.float64)
    phases = [(1.0, "normal", NORMAL)]
    if material.superconducting:
        phases.append((0.0, "superconducting", SUPER))
    conduction = "Heat conductivity"
    if material.phonon_mean_free_path is None and material.constant_conductivity is None:
        conduction += " (electrons only)"
    laws = (
        (axes[0], material.entropy, "Entropy", "s (J m⁻³ K⁻¹)"),
        (axes[1], material.heat_capacity, "Heat capacity", "c (J m⁻³ K⁻¹)"),
        (axes[2], material.conductivity, conduction, "k (W m⁻¹ K⁻¹)"),
    )
    for axis, law, title, label in laws:
        highest = 0.0
        lowest = np.inf
        for fraction, name, color in phases:
            values = law(T, fraction)
            axis.loglog(T, np.where(values > 0.0, values, np.nan), color=color, label=name)
            highest, lowest = max(highest, float(values.max())), min(lowest, _smallest_positive(values))
        if title == "Entropy" and material.beta > 0.0 and material.constant_heat_capacity is None and material.gamma:
            axis.loglog(T, material.beta * T**3 / 3.0, ":", color=OTHER, linewidth=1.5, label="phonons")
        axis.set(title=title, xlabel="T (K)", ylabel=label)
        bottom = max(0.5 * lowest, 1e-9 * highest)
        axis.set_ylim(bottom, highest * (highest / bottom) ** 0.4)  # the legend lies above the curves
        if material.critical_temperature is not None:
            axis.axvline(material.critical_temperature, color=OTHER, linewidth=0.8, linestyle="--")
        if len(phases) > 1 or axis.lines[1:]:
            axis.legend(loc="upper left")
        axis.grid(which="minor", visible=False)


def _smallest_positive(values: Floats) -> float:
    positive = values[values > 0.0]
    return float(positive.min()) if positive.size else 1.0
