"""Figures and sensitivities of datasets made by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from solvers.studies.figures import plot_study
from solvers.studies.run import checked_plan
from solvers.studies.sensitivity import sensitivities
from solvers.studies.study import Study, make_dataset, write_study

Write = Callable[[str], Path]
R_A = '"interface.sink|load.resistance_area" = { log = ["1e-8 ohm m^2", "1e-6 ohm m^2"]'
THICKNESS = '"layer.load.thickness" = { linear = ["1 um", "3 um"]'


def results(plan, law):
    """What members would give if their cold layer obeyed a law of what is varied."""
    more = {"first_law_residual": 0.0, "entropy_lowest_step": 0.0, "warnings": 0.0, "run_time": 1.0, "memory": 1.0}
    return [
        {"T_cold": law(*member.values)} | more | {"status": "done", "error": "", "case_sha256": member.sha}
        for member in plan.members
    ]


def made(plan, law):
    return make_dataset(plan, results(plan, law))


@pytest.mark.parametrize("varied", [1, 2, 3])
def test_one_figure_of_each_result(write, tmp_path, varied):
    lines = [f"{R_A}, points = 4 }}", f"{THICKNESS}, points = 3 }}", '"layer.sink.material" = ["Cu", "Nb"]'][:varied]
    plan = checked_plan(write("[vary]\n" + "\n".join(lines)))
    dataset = made(plan, lambda r, t=1e-6, m="Cu": 0.12 + 0.01 * np.log10(r / 1e-8) - 1e4 * t if r > 2e-8 else np.nan)
    assert dataset["T_cold"].shape == (4, 3, 2)[:varied]
    [picture] = plot_study(dataset, tmp_path / "figures")
    assert picture.name == "T_cold.png"
    assert picture.stat().st_size > 10_000


def test_a_dataset_is_read_as_it_was_written(write, tmp_path):
    plan = checked_plan(write(f'[vary]\n{R_A}, points = 3 }}\n"layer.sink.material" = ["Cu", "Nb"]'))
    write_study(tmp_path, plan, results(plan, lambda r, m: r * (1 + len(m))))
    found = Study.load(tmp_path).dataset
    xr.testing.assert_identical(found.drop_attrs(), made(plan, lambda r, m: r * (1 + len(m))).drop_attrs())
    assert float(found["T_cold"].sel(material="Nb").isel(resistance_area=1)) == pytest.approx(3e-7)
    assert found["resistance_area"].attrs["units"] == "ohm m^2"


@pytest.mark.parametrize(("sample", "seen"), [("saltelli = 128", 2), ("latin-hypercube = 300", 1), ("sobol = 256", 1)])
def test_indices_of_a_sum(write, tmp_path, sample, seen):
    # y = 2 a + b of independent even a, b in 0..1: the variances are as 4 to 1.
    plan = checked_plan(write(f"sample = {{ {sample}, seed = 1 }}\n[vary]\n{R_A} }}\n{THICKNESS} }}"))
    dataset = made(plan, lambda r, t: 2 * np.log10(r / 1e-8) / 2 + (t - 1e-6) / 2e-6)
    indices = sensitivities(dataset, "T_cold")
    assert indices is not None
    assert len(indices) == seen
    error = 0.03 if seen == 2 else 0.1  # RBD-FAST is no better with some hundred members
    for shares in indices.values():
        assert shares["resistance_area"] == pytest.approx(0.8, abs=error)
        assert shares["thickness"] == pytest.approx(0.2, abs=error)
    names = {path.name for path in plot_study(dataset, tmp_path / "figures")}
    assert names == {"T_cold.png", "T_cold-sensitivity.png"}


def test_no_indices_where_they_would_mean_nothing(write):
    plan = checked_plan(write(f"sample = {{ sobol = 32 }}\n[vary]\n{R_A} }}\n{THICKNESS} }}"))
    assert sensitivities(made(plan, lambda r, t: 1.0), "T_cold") is None
    assert sensitivities(made(plan, lambda r, t: np.nan), "T_cold") is None
