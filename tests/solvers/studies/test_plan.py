from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from solvers.errors import InputError
from solvers.studies.run import checked_plan
from solvers.studies.search_file import read_search

Write = Callable[[str], Path]
R_A = '"interface.sink|load.resistance_area"'
BOTH = f'{R_A} = {{ log = ["1e-8 ohm m^2", "1e-6 ohm m^2"] }}\n"layer.load.thickness" = {{ linear = ["1 um", "3 um"] }}'


def test_all_values_are_combined(write):
    text = f"""[vary]
{R_A} = {{ log = ["1e-8 ohm m^2", "1e-6 ohm m^2"], points = 3 }}
"layer.sink.thickness" = ["0.5 um", 1e-6]
"layer.load.thickness" = {{ linear = ["1 um", "3 um"], points = 2 }}
"""
    plan = checked_plan(write(text))
    assert plan.shape == (3, 2, 2)
    assert [(v.name, v.unit) for v in plan.variables] == [
        ("resistance_area", "ohm m^2"),
        ("sink.thickness", "m"),
        ("load.thickness", "m"),
    ]
    expected = [(r, s, t) for r in (1e-8, 1e-7, 1e-6) for s in (5e-7, 1e-6) for t in (1e-6, 3e-6)]
    np.testing.assert_allclose([member.values for member in plan.members], expected, rtol=1e-14)
    last = plan.members[-1].case
    assert (last.layer[0].thickness, last.layer[1].thickness) == (1e-6, 3e-6)
    assert last.interface[0].resistance_area == pytest.approx(1e-6, rel=1e-14)


def test_together_is_one_dimension_and_whole_numbers_stay_whole(write):
    text = """set = { start = "80 mK" }
[vary]
"cycle.repeat" = { linear = [1, 5], points = 3 }
[[together]]
"layer.sink.thickness" = ["1 um", "2 um"]
"layer.load.thickness" = { linear = ["3 um", "4 um"], points = 2 }
"""
    plan = checked_plan(write(text))
    assert plan.shape == (3, 2)
    assert [m.values for m in plan.members[:3]] == [(1, 1e-6, 3e-6), (1, 2e-6, 4e-6), (3, 1e-6, 3e-6)]
    assert all(member.case.start == 0.08 for member in plan.members)


@pytest.mark.parametrize(("sample", "count"), [("latin-hypercube", 8), ("sobol", 8), ("saltelli", 8 * 4)])
def test_samples(write, sample, count):
    plan = checked_plan(write(f"sample = {{ {sample} = 8, seed = 3 }}\n[vary]\n{BOTH}"))
    points = np.array([member.values for member in plan.members])
    assert points.shape == (count, 2)
    assert plan.shape == (count,)
    share = np.stack([np.log10(points[:, 0] / 1e-8) / 2, (points[:, 1] - 1e-6) / 2e-6], axis=1)
    if sample == "latin-hypercube":  # one point in each eighth, whatever the seed
        np.testing.assert_array_equal(np.sort(np.floor(8 * share), axis=0), np.arange(8)[:, None] * [1, 1])
    assert share.min() >= 0
    assert share.max() <= 1
    again = checked_plan(write(f"sample = {{ {sample} = 8, seed = 3 }}\n[vary]\n{BOTH}"))
    assert again.identity == plan.identity


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "study.toml: vary", "nothing varies"),
        ("[vary]\n'layer.load.thicknes' = ['1 um']", "study.toml:3: layer[1].thicknes", 'mean "thickness"?'),
        (
            "[vary]\n'layer.loud.thickness' = ['1 um']",
            "study.toml:3: layer.loud",
            'no entry "loud"; did you mean "load"?',
        ),
        ("[vary]\n'layr.load.thickness' = ['1 um']", "study.toml:3: layr", 'did you mean "layer"?'),
        ("[vary]\n'layer.load.thickness' = ['1 mK']", "study.toml:3: layer[1].thickness", "is a temperature"),
        ("[vary]\n'layer.load.thickness' = []", "study.toml:3: vary.layer.load.thickness", "the list is empty"),
        ("[vary]\n'start' = '1 K'", "study.toml:3: vary.start", "needs a list of values"),
        ("[vary]\n'start' = { linear = ['1 K', '1 K'], points = 2 }", "study.toml:3: start", "the range is empty"),
        ("[vary]\n'start' = { linear = ['2 K', '1 K'], points = 2 }", "study.toml:3: start", "reversed: 2 K to 1 K"),
        ("[vary]\n'start' = { linear = ['1 K', '2 K'] }", "study.toml:3: vary.start", "number of points"),
        (
            "[vary]\n'start' = { linear = ['1 K', '2 K'], point = 3 }",
            "study.toml:3: vary.start",
            'did you mean "points"?',
        ),
        ("[vary]\n'start' = { linear = ['1 K', '2 K'], points = 1 }", "study.toml:3: vary.start", "from 2 on"),
        ("[vary]\n'start' = ['1 K', '2 mT']", "study.toml:3: start", "is a magnetic field"),
        ("rank = 2\n[vary]\n'start' = ['1 K']", "study.toml:2: rank", 'did you mean "ranks"?'),
        ("ranks = 999\n[vary]\n'start' = ['1 K']", "study.toml:2: ranks", "999 cores, and there are"),
        ("sample = { sobol = 4 }\n[vary]\n'start' = ['1 K']", "study.toml:4: vary.start", "range without points"),
        ("sample = { lhs = 4 }\n[vary]\n'start' = ['1 K']", "study.toml:2: sample", 'unknown key "lhs"'),
        ("[[together]]\n'start' = ['1 K']", "study.toml:2: together[0]", "two keys"),
        ("[vary]\n'start' = ['1 K']\n[collect]\nT = 'results.T_cold_K'", "study.toml:5: collect.T", "T_cold_final_K"),
        ("[vary]\n'start' = ['1 K']\n[collect]\nT = 'result.T'", "study.toml:5: collect.T", 'did you mean "results"?'),
        ("[vary]\n'start' = ['1 K']\n[collect]\nQ = 'results.cycles.-1.Q_cold'", "study.toml:5", '"Q_cold_J"?'),
        ("[vary]\n'start' = ['1 K']\n[collect]\nstatus = 'ranks'", "study.toml:5: collect.status", "taken"),
    ],
)
def test_wrong_studies(write, text, place, words):
    path = write(text)
    with pytest.raises(InputError) as caught:
        checked_plan(path)
    [line] = caught.value.lines
    assert line.removeprefix(f"{path.parent}/").startswith(place)
    assert words in line


def test_case_that_is_not_there(write):
    path = write("[vary]\n'start' = ['1 K']")
    path.write_text(path.read_text().replace("case.toml", "cas.toml"))
    with pytest.raises(InputError, match=r"study\.toml:1: case: .*no such case file; did you mean"):
        checked_plan(path)


ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", sorted((ROOT / "cases" / "studies").glob("*.toml")), ids=lambda path: path.stem)
def test_studies_that_come_along(path):
    if "evaluations" in path.read_text(encoding="utf-8"):
        assert read_search(path)[1].variables
    else:
        assert len(checked_plan(path).members) > 4


def test_the_study_of_the_docs(tmp_path):
    text = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "first.toml").write_text(text.replace("cases/", f"{ROOT}/cases/"), encoding="utf-8")
    assert checked_plan(tmp_path / "first.toml").shape == (3, 4)
