import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import coldstack as cs
from fem.constants import LORENZ
from solvers.case.model import load_case
from solvers.errors import InputError
from solvers.studies import search as search_module
from solvers.studies.outcome import Outcome
from solvers.studies.search_file import read_search

ROOT = Path(__file__).parents[3]
Write = Callable[[str], Path]
R_A = '"interface.sink|load.resistance_area" = { log = ["1e-8 ohm m^2", "1e-4 ohm m^2"] }'
THICKNESS = '"layer.load.thickness" = { linear = ["1 um", "3 um"] }'


@pytest.mark.parametrize(
    ("method", "evaluations", "close"), [("tpe", 120, 0.1), ("nelder-mead", 80, 1e-3), ("gradient", 20, 1e-3)]
)
def test_the_smallest_value_is_found(write, method, evaluations, close):
    # A bowl around R_A = 1e-6.5, thickness 2.2 um, in place of members: the searches are told its values.
    text = (
        f'method = "{method}"\nevaluations = {evaluations}\nseed = 2\nminimise = ["T_cold"]\n[vary]\n{R_A}\n{THICKNESS}'
    )
    search, builder, _ = read_search(write(text))
    seen = []

    def bowl(points):
        if len(seen) >= evaluations:
            raise search_module._Ended
        values = [((np.log10(r) + 6.5) / 4) ** 2 + ((t - 2.2e-6) / 2e-6) ** 2 for r, t in points]
        seen.extend(zip(values, points, strict=True))
        return [Outcome([value], []) for value in values]

    methods = {"nelder-mead": search_module._nelder_mead, "gradient": search_module.gradient}
    run = methods.get(method, search_module._optuna)
    with pytest.raises(search_module._Ended):
        run(search.file, builder, bowl, 2)
    value, (r, t) = min(seen)
    assert value < close**2
    assert np.log10(r) == pytest.approx(-6.5, abs=4 * close)
    assert t == pytest.approx(2.2e-6, abs=2e-6 * close)


def test_the_front_of_two_objectives(write):
    scores = [[1.0, 3.0], [2.0, 2.0], [3.0, 3.0], None, [2.0, 2.0], [0.5, 4.0]]
    better = [[search_module._better(other, score) for other in scores] for score in scores]
    assert [any(row) for row in better] == [False, False, True, True, False, False]


def test_a_search_within_a_constraint(write, tmp_path):
    # The copper cools towards 50 mK the faster the smaller R_A is; it must stay above 60 mK.
    text = """evaluations = 6
seed = 1
minimise = ["T_cold"]
[vary]
"interface.sink|load.resistance_area" = { log = ["1e-6 ohm m^2", "1e-4 ohm m^2"] }
[constraint]
T_cold = { above = "60 mK" }
"""
    path = write(text)
    optimise(tmp_path, path.name)
    first = cs.Study.load(tmp_path / "out").dataset
    path.write_text(path.read_text().replace("evaluations = 6", "evaluations = 8"))
    optimise(tmp_path, path.name)
    data = cs.Study.load(tmp_path / "out").dataset
    np.testing.assert_array_equal(first["T_cold"].values, data["T_cold"].values[:6])
    assert data.sizes["member"] == 8
    inside = data["T_cold"].values >= 0.06
    np.testing.assert_array_equal(data["feasible"].values == 1, inside)
    best = data["T_cold"].values[data["best"].values == 1]
    assert set(best) == {data["T_cold"].values[inside].min()}
    case = load_case(tmp_path / "out" / "best.toml")
    at = int(np.argmax(data["best"].values))
    assert case.interface[0].resistance_area == data["resistance_area"].values[at]
    assert (tmp_path / "out" / "figures" / "convergence.png").is_file()


def test_gradients_find_where_a_constraint_binds(write, tmp_path):
    # In u = T^2 all is linear: the load of energy gamma u V / 2 gives L0 (u - u_bath) / (2 R_A) per area to the sink,
    # so that it comes to 60 mK in 0.1 s at the R_A that is exact here. Smaller ones cool it below.
    text = """method = "gradient"
evaluations = 12
minimise = ["T_cold"]
[set]
"solver.rtol" = 1e-6
[vary]
"interface.sink|load.resistance_area" = { log = ["2e-6 ohm m^2", "2e-4 ohm m^2"] }
[constraint]
T_cold = { above = "60 mK" }
"""
    path = write(text)
    optimise(tmp_path, path.name)
    data = cs.Study.load(tmp_path / "out").dataset
    gamma = cs.get_material("Cu").gamma
    exact = LORENZ * 0.1 / (gamma * 1e-6 * np.log((0.1**2 - 0.05**2) / (0.06**2 - 0.05**2)))
    best = data.isel(member=int(np.argmax(data["best"].values)))
    assert float(best["resistance_area"]) == pytest.approx(exact, rel=1e-3)
    assert float(best["T_cold"]) == pytest.approx(0.06, rel=3e-5)
    # With more evaluations it finds the others on disk, and goes on to the same points as if it had not stopped.
    path.write_text(path.read_text().replace("evaluations = 12", "evaluations = 13"))
    records = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "members").glob("*/record.json")}
    optimise(tmp_path, path.name)
    again = cs.Study.load(tmp_path / "out").dataset
    np.testing.assert_array_equal(again["case_sha256"].values[:12], data["case_sha256"].values)
    assert len(records) == 12
    assert records == {p: p.stat().st_mtime_ns for p in records}


class _Shares:
    """A builder of two variables whose values are their shares of the ranges."""

    variables = (0, 0)

    def point(self, shares):
        return list(shares)


def descend(objective, limits, evaluations):
    """Members of a search by gradients: value, violations and point of each."""
    seen = []
    batches = []

    def evaluate(points):
        if len(seen) >= evaluations:
            raise search_module._Ended
        batches.append(len(points))
        rows = [(objective(*p), limits(*p), p) for p in points]
        seen.extend(rows)
        return [Outcome(None if np.isnan(value) else [value], violations) for value, violations, _ in rows]

    class File:
        seed = 3

    with pytest.raises(search_module._Ended):
        search_module.gradient(File(), _Shares(), evaluate, 2)  # type: ignore[arg-type]
    assert 4 in batches  # all of one derivative at once
    return seen


def test_gradients_on_a_limit():
    # x^2 + 2 y^2 on x + y >= 0.9: the smallest value is at (0.6, 0.3).
    seen = descend(lambda x, y: x**2 + 2 * y**2, lambda x, y: [0.9 - x - y], 20)
    value, _, point = min(row for row in seen if row[1][0] <= 0)
    assert value == pytest.approx(0.54, rel=1e-4)
    assert point == pytest.approx([0.6, 0.3], abs=3e-3)


def test_gradients_at_a_bound_and_past_failures():
    # The smallest value is in the corner (1, 0); a part of the range has no value.
    seen = descend(lambda x, y: np.nan if 0.6 < x < 0.7 and y > 0.3 else np.exp(y - x) + 0.1 * y, lambda x, y: [], 40)
    value, _, point = min(row for row in seen if not np.isnan(row[0]))
    assert point == [1.0, 0.0]
    assert value == np.exp(-1.0)


def test_gradients_where_sqp_gives_up():
    # In the middle the limit has no slope and cannot be reached by its linearisation: trust-constr goes on.
    seen = descend(
        lambda x, y: x + y, lambda x, y: [0.04 - (x - 0.5) ** 2 - (y - 0.5) ** 2, (x - 0.5) ** 2 - 0.09], 150
    )
    assert min(row[0] for row in seen if max(row[1]) <= 0) < 0.25


def test_a_search_within_a_total_thickness(write, tmp_path):
    # The thicker the copper, the slower it cools: the least that the sum of both films allows is the best.
    text = """evaluations = 8
seed = 1
maximise = ["T_cold"]
[vary]
"layer.load.thickness" = { linear = ["1 um", "4 um"] }
"layer.sink.thickness" = { linear = ["1 um", "4 um"] }
[constraint]
"layer.load.thickness + layer.sink.thickness" = { below = "5 um", above = "2.5 um" }
"""
    optimise(tmp_path, write(text).name)
    data = cs.Study.load(tmp_path / "out").dataset
    total = data["load.thickness"].values + data["sink.thickness"].values
    inside = (total <= 5e-6) & (total >= 2.5e-6)
    assert 0 < inside.sum() < 8
    np.testing.assert_array_equal(data["feasible"].values == 1, inside)
    best = data["T_cold"].values[data["best"].values == 1]
    assert set(best) == {data["T_cold"].values[inside].max()}


def optimise(folder, file):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_COMM_", "PMIX_", "PMI_"))}
    done = subprocess.run(
        [sys.executable, "-m", "solvers.command.main", "optimise", file, "--output", "out"],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (f"minimise = ['T_cold']\n[vary]\n{R_A}", "study.toml: evaluations", "is missing"),
        (f"evaluations = 4\n[vary]\n{R_A}", "study.toml: minimise", "one or two"),
        (f"evaluations = 4\nminimise = ['T_cool']\n[vary]\n{R_A}", "study.toml:3: minimise", 'did you mean "T_cold"?'),
        ("evaluations = 4\nminimise = ['T_cold']", "study.toml: vary", "nothing varies"),
        ("evaluations = 4\nminimise = ['T_cold']\n[vary]\nstart = ['1 K']", "study.toml:5: vary.start", "two choices"),
        (
            f"method = 'nelder-mead'\nevaluations = 4\nminimise = ['T_cold']\n[vary]\n{R_A}\nstart = ['1 K', '2 K']",
            "study.toml:2: method",
            "ranges only",
        ),
        (
            f"method = 'gradient'\nevaluations = 4\nminimise = ['T_cold']\n[vary]\n{R_A}\n"
            "'cycle.repeat' = { linear = [1, 3] }",
            "study.toml:2: method",
            "whole number",
        ),
        (
            f"evaluations = 4\nminimise = ['T_cold']\n[vary]\n{R_A}\n[constraint]\nT_cold = {{ below = '3 m' }}",
            "study.toml:7: constraint.T_cold",
            "is a length",
        ),
        *(
            (
                f"evaluations = 4\nminimise = ['T_cold']\n[vary]\n{THICKNESS}\n[constraint]\n"
                f"\"{total}\" = {{ below = '5 um' }}",
                f"study.toml:7: constraint.{total}",
                words,
            )
            for total, words in (
                ("layer.load.thickness + layer.top.thickness", 'no entry "top"'),
                ("layer.load.thickness + layer.load.thicknes", 'did you mean "thickness"?'),
                ("layer.load.thickness +", "write keys"),
                ("layer.load.thickness + start", "adds m (layer.load.thickness) and K (start)"),
                ("layer.load.thickness + layer.load.material", "layer.load.material is no number"),
                ("layer.load.thickness + mesh.largest_cell", "mesh.largest_cell is left out in the case"),
                ("cycle.repeat.x", 'repeat is a value and has no "x"'),
                ("__import__('os').getcwd()", "the case has no"),
                ("start + start", "is a length"),
            )
        ),
    ],
)
def test_wrong_files(write, text, place, words):
    path = write(text)
    with pytest.raises(InputError) as caught:
        read_search(path)
    [line] = caught.value.lines
    assert line.removeprefix(f"{path.parent}/").startswith(place)
    assert words in line
