"""The case that an output folder holds gives the same run again."""

import tomllib
from pathlib import Path

import pytest

from solvers.case.model import case_sha256, load_case
from solvers.output.case_file import write_case

CASES = Path(__file__).parents[3] / "cases"


@pytest.mark.parametrize(
    "path", sorted(p for p in CASES.rglob("*.toml") if p.parent.name != "studies"), ids=lambda path: path.stem
)
def test_same_case_with_all_defaults(path, tmp_path):
    case = load_case(path, ["physics.transition_width=2e-3"])
    write_case(case, tmp_path / "case.toml")
    again = load_case(tmp_path / "case.toml")
    assert again == case
    assert case_sha256(again) == case_sha256(case)
    written = tomllib.loads((tmp_path / "case.toml").read_text(encoding="utf-8"))
    assert written["solver"]["rtol"] == case.solver.rtol  # given by none of them
    assert written["physics"]["transition_width"] == 2e-3
