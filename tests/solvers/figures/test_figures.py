"""Figures show what the files of a run say, for runs of every kind."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from fem.materials.library import get_material
from solvers.case.model import Case, load_case
from solvers.cycles.run import run as run_case
from solvers.errors import InputError
from solvers.figures.history import draw_history
from solvers.figures.penetration import draw_penetration
from solvers.figures.plot import draw_cycles, figures_of, plot_result, stack_picture
from solvers.figures.power import load_curve, power_curve
from solvers.figures.run_data import RunData
from solvers.figures.states import draw_ts_diagram, ts_path
from solvers.figures.style import PiecewiseAxis, quantity, readable_widths
from solvers.output.result import SCREENED, Result, write_history
from tests.solvers.conftest import CHIP_CELLS

CASES = Path(__file__).parents[3] / "cases"
REFRIGERATOR = CASES / "refrigerator.toml"
BARRIER = 2e-9
STEPS = 8  # of each phase
FIGURES = ("geometry", "history", "ts_diagram", "penetration", "cycles", "cooling_power")
TABLES = ("cooling_power.csv", "load_curve.csv", "ts_diagram_working.csv")


class Synthetic:
    """A folder as a run writes it, from a lumped machine: films switch at 0.7 of the drive, heat relaxes in holds."""

    def __init__(self, case, films):
        self.case, self.films = case, films
        self.unit = "A_per_m" if case.drive and case.drive.applied_field else "A"
        self.rows = []
        self.cycles = []

    def write(self, folder):
        folder.mkdir()
        bottoms, z = {}, 0.0
        for k, layer in enumerate(self.case.layer):
            z += BARRIER if k == 1 else 0.0
            bottoms[layer.name] = z
            z += layer.thickness
        summary = {
            "case": self.case.model_dump(mode="json"),
            "layers": [{"name": name, "z_bottom_m": bottom} for name, bottom in bottoms.items()],
            "cold_layer": self.case.layer[-1].name,
            "results": {"cycles": self.cycles},
        }
        folder.joinpath("summary.json").write_text(json.dumps(summary))
        self._run(folder, bottoms)
        summary["results"]["cycles"] = self.cycles
        folder.joinpath("summary.json").write_text(json.dumps(summary))
        write_history(folder / "history.csv", self.rows)
        return folder

    def _run(self, folder, bottoms):
        write_history(folder / "history.csv", [{"time_s": 0.0, "cycle": 1, "phase": self.case.cycle.phases[0].name}])
        layers = {layer.name: layer for layer in RunData(folder).layers}
        start, cold = self.case.start, self.case.start
        entropy = {name: float(layers[name].material.entropy(start, 0.0)) for name in self.films}
        profiles = self._lines(bottoms)
        time = 0.0
        for cycle in range(1, self.case.cycle.repeat + 1):
            for phase in self.case.cycle.phases:
                for k in range(1, STEPS + 1):
                    drive = phase.hold if phase.hold is not None else np.interp(k / STEPS, [0, 1], phase.ramp)
                    f = float(drive > 0.7)
                    amplitude = self.case.drive.amplitude if self.case.drive else 0.0
                    row = {"time_s": time + phase.duration * k / STEPS, "cycle": cycle, "phase": phase.name}
                    row[f"drive_{self.unit}"] = drive * amplitude
                    if phase.hold is not None:
                        cold *= 0.95 if f else 1.0
                    upper, below = self.case.layer[-1].name, self.case.layer[-2].name
                    row[f"heat_{below}|{upper}_J"] = self._stored(layers[upper], cold) - self._stored(
                        layers[upper], start
                    )
                    for name, layer in layers.items():
                        row[f"T_{name}_K"] = cold if layer is layers[self.case.layer[-1].name] else start
                        row[f"S_{name}_J_per_K"] = 0.0
                    for name in self.films:
                        material, layer = layers[name].material, layers[name]
                        goal = float(material.entropy(cold if f else start, f))
                        if phase.hold is not None:
                            entropy[name] *= (goal / entropy[name]) ** (0.5 if k < STEPS else 1.0)
                        volume = (
                            layer.thickness + (BARRIER if layer.name == self.case.layer[1].name else 0)
                        ) * np.prod(layer.size)
                        row[f"S_{name}_J_per_K"] = entropy[name] * volume
                        row[f"T_{name}_K"] = float(material.temperature_from_entropy(entropy[name], f))
                        row[f"f_{name}"] = f
                        row[f"B_{name}_T"] = 0.097 * abs(drive)
                    self.rows.append(row)
                time += phase.duration
                if cycle == 1:
                    profiles |= self._profile(phase.name, drive, f)
            heat = [row[f"heat_{below}|{upper}_J"] for row in self.rows]
            per_cycle = STEPS * len(self.case.cycle.phases)
            gave = (heat[-per_cycle - 1] if cycle > 1 else 0.0) - heat[-1]
            heats = {"Q_cold_J": gave, "Q_hot_J": 1e-14 + gave, "work_J": 1e-14}
            self.cycles.append({"cycle": cycle, "T_cold_K": cold, **heats})
        if self.films:
            profiles |= self._profile(SCREENED, 0.69, 0.0) | {f"drive_{SCREENED}": np.array(0.69 * amplitude)}
        np.savez(folder / "profiles.npz", **profiles)

    @staticmethod
    def _stored(layer, T):
        return float(layer.material.energy(T)) * layer.thickness * layer.size[0] * layer.size[1]

    def _lines(self, bottoms):
        edges, groups = [-2e-6, -1e-6, 0.0], ["vacuum", "vacuum"]
        for k, layer in enumerate(self.case.layer):
            if k == 1:
                edges.append(bottoms[layer.name])
                groups.append(f"{layer.name}.barrier")
            inner = np.minimum(1.5e-8 * np.array([1, 3, 7, 15, 31, 63]), layer.thickness * np.arange(1, 7) / 13)
            edges += list(
                bottoms[layer.name] + np.concatenate([inner, layer.thickness - inner[::-1], [layer.thickness]])
            )
            groups += [layer.name] * 13
        edges.append(edges[-1] + 0.6e-6)
        self.groups, self.edges = np.array([*groups, "vacuum"]), np.array(edges)
        half = max(layer.size[0] for layer in self.case.layer) / 2
        plan = half * np.array([0.0, 0.1, 7 / 30, 1 / 3, 0.7, 1.0])
        middles = (self.edges[1:] + self.edges[:-1]) / 2
        return {"plan_x_m": plan, "plan_y_m": plan, "lines_z_m": self.edges, "z_m": middles, "layer": self.groups}

    def _profile(self, name, drive, f):
        if self.case.drive is None:
            return {}
        inside = np.isin(self.groups, self.films)
        middle = (self.edges[1:] + self.edges[:-1]) / 2
        screened = np.ones(len(middle))
        for film in self.films:
            z = middle[self.groups == film]
            depth = np.minimum(z - z.min(), z.max() - z) + 7.5e-9
            screened[self.groups == film] = np.exp(-depth / 6e-8) if f == 0 else 1.0
        return {f"B_{name}_T": 0.097 * abs(drive) * screened, f"f_{name}": np.where(inside, f, 1.0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    case = load_case(REFRIGERATOR)
    return Synthetic(case, ("working",)).write(tmp_path_factory.mktemp("figures") / "run")


def lines_of(figure):
    assert figure is not None
    lines = [line for axes in figure.axes for line in axes.lines]
    return {str(line.get_label()): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in lines}


# Upright axes of each figure, in order; those of the first are for the names of phases, which have none.
LABELS = {
    "history": ["temperature (mK)", "B (mT)", "fraction"],
    "ts_diagram": ["temperature (mK)"],
    "penetration": ["|B| (mT)"],
    "cycles": ["T (mK)", "energy (J)"],
    "cooling_power": ["power (W)", "load (W)"],
}


def check_drawn(folder, films):
    """Whether each figure has its title, its axes with labels, and lines whose points lie inside them."""
    for name, figure in figures_of(RunData(folder)).items():
        assert figure.get_suptitle(), name
        panels = [axes for axes in figure.axes if axes.axison]
        labels = LABELS[name] * (len(films) if name == "ts_diagram" else 1)
        wanted = [label for label in labels if films or label not in ("B (mT)", "fraction")]
        assert [axes.get_ylabel() for axes in panels] == wanted, name
        assert any(axes.get_xlabel() for axes in panels), name
        for axes in panels:
            assert axes.lines, (name, axes.get_ylabel())
            low, high = axes.get_ylim()
            for line in axes.lines:
                shown = np.asarray(line.get_ydata(), dtype=np.float64)
                inside = (shown >= low) & (shown <= high)
                # The laws in the T-S diagram run on beyond it.
                assert inside.any() if name == "ts_diagram" else (inside | np.isnan(shown)).all(), (name, line)


def check_sizes(paths):
    """Whether pictures have the sizes of their figures, in pixels."""
    for path in paths:
        if path.suffix == ".png":
            height, width, _ = matplotlib.image.imread(path).shape
            assert (width > 1000, height > 600) == (True, True), path


def test_every_figure_is_drawn(folder):
    paths = plot_result(folder)
    assert [path.name for path in paths] == [*(f"{name}.png" for name in FIGURES), *TABLES]
    assert all(path.parent == folder / "figures" for path in paths)
    check_sizes(paths)
    check_drawn(folder, ("working",))


def test_no_solver_is_loaded():
    # The figures are drawn on one rank while others wait: nothing that starts MPI or PETSc may come with them.
    code = "import sys, solvers.figures.plot; print([m for m in sys.modules if m in ('dolfinx', 'petsc4py', 'mpi4py')])"
    out = subprocess.run([sys.executable, "-c", code], cwd=CASES.parent, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_history_shows_the_file(folder):
    run, table = RunData(folder), Result.load(folder).history()
    lines = lines_of(draw_history(run))
    for name, label in (("sink", "sink (Nb)"), ("working", "working (Ta)"), ("load", "load (Cu)")):
        x, y = lines[label]
        np.testing.assert_allclose(y, 1e3 * np.array([0.1, *table[f"T_{name}_K"]]), rtol=1e-14)
        assert np.all(np.diff(x) > 0)
        # Every phase, 1 ms or 300 ms long, has at least a thirtieth of the axis.
        assert np.diff(x[::STEPS]).min() > x[-1] / 30
    np.testing.assert_array_equal(lines["normal fraction of working"][1][1:], table["f_working"])
    np.testing.assert_allclose(lines["current / 2.4 A"][1][1:], table["drive_A"] / 2.4, rtol=1e-14)
    np.testing.assert_allclose(lines["largest at working (Ta)"][1][1:], 1e3 * table["B_working_T"], rtol=1e-14)


def test_path_passes_through_every_state_of_the_file(folder):
    run, table = RunData(folder), Result.load(folder).history()
    film = run.layers[1]
    s, T, phase = ts_path(run, film, 1)
    volume = (1e-6 + BARRIER) * 14e-6 * 14e-6
    for row in np.flatnonzero(table["cycle"] == 1):
        near = np.abs(np.log(s / (table["S_working_J_per_K"][row] / volume)))
        near += np.abs(np.log(T / table["T_working_K"][row]))
        names = {run.case.cycle.phases[int(number)].name for number in phase[near < 1e-12]}
        assert table["phase"][row] in names
    # Where steps are wide, the way leads along the curve of the state, not straight through the diagram.
    ways = phase == 3
    np.testing.assert_allclose(s[ways], film.material.entropy(T[ways], 0.0), rtol=1e-9)
    assert np.abs(np.diff(np.log(s))).max() < 0.11


def test_entropy_of_spins_is_left_out_of_the_diagram(folder, tmp_path):
    case = load_case(REFRIGERATOR)
    synthetic = Synthetic(case, ("working",))
    other = synthetic.write(tmp_path / "run")
    for k, row in enumerate(synthetic.rows):
        row["S_spins_working_J_per_K"] = -1e-12 * (1 + k % 7)
        row["S_working_J_per_K"] += row["S_spins_working_J_per_K"]
    write_history(other / "history.csv", synthetic.rows)
    with_spins, without = RunData(other), RunData(folder)
    for found, expected in zip(
        ts_path(with_spins, with_spins.layers[1], 1), ts_path(without, without.layers[1], 1), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_history_shows_the_lattice(tmp_path):
    synthetic = Synthetic(load_case(REFRIGERATOR, ["layer.load.electron_phonon=true"]), ("working",))
    other = synthetic.write(tmp_path / "run")
    for k, row in enumerate(synthetic.rows):
        row["T_load.lattice_K"] = 0.05 + 1e-4 * k
    write_history(other / "history.csv", synthetic.rows)
    lattice = lines_of(draw_history(RunData(other)))["lattice of load"][1]
    np.testing.assert_allclose(lattice, 1e3 * np.array([0.1, *(row["T_load.lattice_K"] for row in synthetic.rows)]))


def test_curves_of_the_two_states(folder):
    run = RunData(folder)
    lines = lines_of(draw_ts_diagram(run))
    for label, fraction in (("normal Ta", 1.0), ("superconducting Ta", 0.0)):
        s, T = lines[label]
        np.testing.assert_allclose(s, run.layers[1].material.entropy(T / 1e3, fraction), rtol=1e-12)
    # From 100 mK superconducting, reversibly, to beta T^3 / (3 gamma).
    assert lines["reversible switching"][1].min() == pytest.approx(1e3 * 10.43 * 0.1**3 / (3 * 543.8), rel=2e-3)


def test_field_profiles(folder):
    run, profiles = RunData(folder), np.load(folder / "profiles.npz")
    figure = draw_penetration(run)
    lines = lines_of(figure)
    shown = (profiles["z_m"] > -1e-7) & (profiles["z_m"] < 4.6e-6)
    for label, name in (("Ta superconducting, 1.66 A", SCREENED), ("Ta normal, 2.4 A", "magnetise")):
        np.testing.assert_allclose(lines[label][1], 1e3 * profiles[f"B_{name}_T"][shown], rtol=1e-14)
    assert figure is not None
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "λ = 60 nm" in texts
    assert "transition at 85.6 mT" in texts  # 80.35 mT of bulk tantalum, (1 - tanh x / x)^-1/2 of it in 1 um


def test_cycles(folder):
    figure = draw_cycles(RunData(folder))
    assert figure is not None
    cycles = Result.load(folder).cycles
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [100, *(1e3 * c["T_cold_K"] for c in cycles)])
    for line, key in zip(figure.axes[1].lines, ("Q_hot_J", "work_J", "Q_cold_J"), strict=True):
        assert list(line.get_ydata()) == [c[key] for c in cycles]


def test_mesh_is_put_together_again(folder):
    picture = stack_picture(RunData(folder))
    assert picture is not None
    profiles = np.load(folder / "profiles.npz")
    names = {tag: name for name, tag in picture.names.items()}
    assert list(picture.names) == ["sink", "working.barrier", "working", "load", "vacuum"]
    assert picture.quarter
    column = np.all(picture.boxes[:, :2, 0] == 0.0, axis=1)
    order = np.argsort(picture.boxes[column][:, 2, 0])
    assert [names[tag] for tag in picture.tags[column][order]] == profiles["layer"].tolist()


def variant(name):
    if name == "many cycles":
        return load_case(REFRIGERATOR, ["cycle.repeat=40"]), ("working",)
    if name == "thick":
        thick = [f"layer.{layer}.thickness={size}" for layer, size in (("working", "1 mm"), ("load", "3 mm"))]
        return load_case(REFRIGERATOR, ["cycle.repeat=1", *thick]), ("working",)
    data = load_case(REFRIGERATOR, ["cycle.repeat=2"]).model_dump(mode="json")
    if name == "no drive":
        data["drive"] = None
        data["cycle"] = {"repeat": 1, "phases": [{"name": "wait", "duration": 1.0, "hold": 0.0}]}
        for block in data["interface"]:
            block["conducts_in"] = None
        return Case.model_validate(data), ()
    if name == "applied field":
        data["drive"] = {"applied_field": "y", "amplitude": "95 mT"}
        return Case.model_validate(data), ("sink", "working")
    assert name == "five layers"
    for new, below, material in (("upper", "load", "Al"), ("lid", "upper", "sapphire")):
        data["layer"].append({**data["layer"][1], "name": new, "material": material})
        data["interface"].append({"between": [below, new], "conductance": 1.0})
    return Case.model_validate(data), ("working", "upper")


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("many cycles", set()),
        ("thick", set()),
        ("applied field", set()),
        ("five layers", set()),
        ("no drive", {"ts_diagram.png", "penetration.png", "cooling_power.png"}),
    ],
)
def test_runs_of_every_kind(name, missing, tmp_path):
    case, films = variant(name)
    folder = Synthetic(case, films).write(tmp_path / "run")
    paths = plot_result(folder)
    tables = {*TABLES[:2], *(f"ts_diagram_{film}.csv" for film in films)} if films else set()
    assert {path.name for path in paths} == {f"{name}.png" for name in FIGURES} - missing | tables
    check_sizes(paths)
    check_drawn(folder, films)


def test_cooling_power_is_the_heat_over_the_time(folder):
    """The copper falls by 5 % in each step of the cold phase of 0.3 s."""
    plot_result(folder)
    with (folder / "figures" / "cooling_power.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if float(row["cooling_power_W"]) != 0.0]
    assert len(rows) == 3 * STEPS
    gamma = get_material("Cu").gamma
    T = 0.1 * 0.95 ** np.arange(3 * STEPS + 1)
    energy = (gamma / 2 * T**2 + get_material("Cu").beta / 4 * T**4) * 3e-6 * 14e-6**2
    expected = -np.diff(energy) / (0.3 / STEPS)
    assert [float(row["cooling_power_W"]) for row in rows] == pytest.approx(expected, rel=1e-9)
    assert [float(row["T_load_K"]) for row in rows] == pytest.approx(np.sqrt((T[1:] ** 2 + T[:-1] ** 2) / 2), rel=1e-12)


def test_load_curve_holds_where_a_cycle_draws_what_the_load_puts_in(folder):
    curve = load_curve(RunData(folder))
    ends = 0.1 * 0.95 ** (STEPS * np.arange(4))
    assert curve.warmest == pytest.approx(ends[:-1])
    assert curve.coldest == pytest.approx(ends[1:])
    assert ((curve.coldest < curve.base) & (curve.base < curve.warmest)).all()
    # Where a fixed share of T^2 is drawn in each moment, the heat of a cycle is as at the mean of T^2 over time.
    time = np.linspace(0.0, 1.0, 2001)
    falling = np.exp(2 * (np.log(ends[0]) + (np.log(ends[1]) - np.log(ends[0])) * time))
    assert curve.base[0] == pytest.approx(np.sqrt(np.trapezoid(falling, time)), rel=1e-6)
    period = sum(phase.duration for phase in load_case(REFRIGERATOR).cycle.phases)
    assert curve.load[0] * period == pytest.approx(RunData(folder).cycles[0]["Q_cold_J"])


def test_nothing_is_told_of_cycles_jumped_over(folder, tmp_path):
    """The heat and the fall of temperature between the rows before and after a jump belong to no one cycle."""
    jumped = shutil.copytree(folder, tmp_path / "jumped")
    with (folder / "history.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["cycle"] != "2" and row["phase"] == "cool"]
    write_history(jumped / "history.csv", rows)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    del summary["results"]["cycles"][1]
    (jumped / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    run, whole = RunData(jumped), RunData(folder)
    assert load_curve(run).load == pytest.approx(load_curve(whole).load[:1])
    every = power_curve(whole)
    power = dict(zip(zip(every.cycle, every.time.round(9), strict=True), every.power, strict=True))
    found = power_curve(run)
    assert len(found.power) == 2 * STEPS - 1
    for cycle, time, value in list(zip(found.cycle, found.time, found.power, strict=True))[1:]:
        assert value == pytest.approx(power[cycle, round(time, 9)])


def test_cycles_left_out_leave_a_gap(tmp_path):
    run = RunData(Synthetic(*variant("many cycles")).write(tmp_path / "run"))
    assert run.shown_cycles() == [1, 2, 3, 38, 39, 40]
    _, T = lines_of(draw_history(run))["load (Cu)"]
    assert np.count_nonzero(np.isnan(T)) == 1
    assert len(T) == 1 + 6 * 4 * STEPS + 1
    assert T[-1] == pytest.approx(1e3 * run.history["T_load_K"][-1])


@pytest.mark.parametrize("broken", ["summary.json", "history.csv", "profiles.npz"])
def test_a_folder_that_no_run_wrote(broken, tmp_path):
    folder = Synthetic(*variant("thick")).write(tmp_path / "run")
    folder.joinpath(broken).write_text("{}" if broken == "summary.json" else "")
    with pytest.raises(InputError, match="run"):
        plot_result(folder)
    assert not (folder / "figures").exists()


def test_pieces_of_an_axis():
    axis = PiecewiseAxis([0.0, 1e-3, 0.3], readable_widths([1e-3, 0.299]))
    np.testing.assert_allclose(axis([0.0, 0.5e-3, 1e-3, 0.3]), [0.0, 0.5, 1.0, 2.0 + np.log10(299)])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.3, "s", "300 ms"), (1e-3, "s", "1 ms"), (6e-8, "m", "60 nm"), (2.4, "A", "2.4 A"), (0.0, "T", "0 T")],
)
def test_values_with_prefixes(value, unit, text):
    assert quantity(value, unit) == text


@pytest.mark.mpi
def test_a_run_leaves_what_the_figures_need(comm, shared_tmp_path):
    data = load_case(REFRIGERATOR, CHIP_CELLS).model_dump(mode="json")
    data["cycle"] = {"repeat": 1, "phases": data["cycle"]["phases"][:2]}
    data["interface"][0] |= {"contact": None, "conductance": 0.0, "conducts_in": None}
    data["interface"][1]["conducts_in"] = ["cool"]
    data["solver"]["ramp_step"] = 0.25
    data["output"] = {"fields": "none", "figures": True}
    result = run_case(Case.model_validate(data), shared_tmp_path / "run", comm, quiet=True)
    if comm.rank > 0:
        return
    written = {path.name for path in (result.folder / "figures").iterdir()}
    assert written == {f"{name}.png" for name in FIGURES} | set(TABLES)
    # The barrier lies between the niobium and the tantalum.
    bottoms = [layer["z_bottom_m"] for layer in result.summary["layers"]]
    np.testing.assert_allclose(bottoms, [0.0, 0.402e-6, 1.402e-6], rtol=1e-9)
    run = RunData(result.folder)
    profiles = run.profiles
    # Before the film switches its middle is screened, with less current than the whole.
    film = profiles["layer"] == "working"
    assert 0.5 < profiles[f"drive_{SCREENED}"] < 2.4
    assert profiles[f"f_{SCREENED}"][film].max() < 0.01
    screened, normal = profiles[f"B_{SCREENED}_T"][film], profiles["B_magnetise_T"][film]
    assert screened.min() < 0.1 * screened.max()
    assert normal.min() > 0.9 * normal.max()
    picture = stack_picture(run)
    assert picture is not None
    assert len(picture.boxes) == result.summary["mesh"]["cells"]
