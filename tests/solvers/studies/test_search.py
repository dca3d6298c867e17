from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coldstack as cs
from solvers.case.model import load_case
from solvers.errors import InputError
from solvers.studies import search as search_module
from solvers.studies.search import Outcome
from solvers.studies.search_file import read_search

ROOT = Path(__file__).parents[3]
Write = Callable[[str], Path]
R_A = '"interface.sink|load.resistance_area" = { log = ["1e-8 ohm m^2", "1e-4 ohm m^2"] }'
THICKNESS = '"layer.load.thickness" = { linear = ["1 um", "3 um"] }'


@pytest.mark.parametrize(("method", "evaluations", "close"), [("tpe", 120, 0.1), ("nelder-mead", 80, 1e-3)])
def test_the_smallest_value_is_found(write: Write, method: str, evaluations: int, close: float) -> None:
    # A bowl around R_A = 1e-6.5, thickness 2.2 um, in place of members: the searches are told its values.
    text = (
        f'method = "{method}"\nevaluations = {evaluations}\nseed = 2\nminimise = ["T_cold"]\n[vary]\n{R_A}\n{THICKNESS}'
    )
    search, builder, _ = read_search(write(text))
    seen: list[tuple[float, list[Any]]] = []

    def bowl(points: list[list[Any]]) -> list[Outcome]:
        if len(seen) >= evaluations:
            raise search_module._Ended
        values = [((np.log10(r) + 6.5) / 4) ** 2 + ((t - 2.2e-6) / 2e-6) ** 2 for r, t in points]
        seen.extend(zip(values, points, strict=True))
        return [Outcome([value], []) for value in values]

    run = search_module._nelder_mead if method == "nelder-mead" else search_module._optuna
    with pytest.raises(search_module._Ended):
        run(search.file, builder, bowl, 2)
    value, (r, t) = min(seen)
    assert value < close**2
    assert np.log10(r) == pytest.approx(-6.5, abs=4 * close)
    assert t == pytest.approx(2.2e-6, abs=2e-6 * close)


def test_the_front_of_two_objectives(write: Write) -> None:
    scores = [[1.0, 3.0], [2.0, 2.0], [3.0, 3.0], None, [2.0, 2.0], [0.5, 4.0]]
    better = [[search_module._better(other, score) for other in scores] for score in scores]
    assert [any(row) for row in better] == [False, False, True, True, False, False]


def test_a_search_within_a_constraint(write: Write, tmp_path: Path) -> None:
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


def optimise(folder: Path, file: str) -> None:
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
            f"evaluations = 4\nminimise = ['T_cold']\n[vary]\n{R_A}\n[constraint]\nT_cold = {{ below = '3 m' }}",
            "study.toml:7: constraint.T_cold",
            "is a length",
        ),
    ],
)
def test_wrong_files(write: Write, text: str, place: str, words: str) -> None:
    path = write(text)
    with pytest.raises(InputError) as caught:
        read_search(path)
    [line] = caught.value.lines
    assert line.removeprefix(f"{path.parent}/").startswith(place)
    assert words in line
