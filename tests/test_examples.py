"""The examples of the documentation run and print what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        *[("film_in_parallel_field", 2e-3), ("sphere_in_a_field", 1e-2), ("heat_through_a_contact", 1e-7)],
        ("derivatives_of_a_cooling_film", 1e-4),
    ],
)
def test_example(name, tolerance):
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "examples" / f"{name}.py")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    computed, exact = (float(n) for n in re.findall(r"-?\d+\.\d+(?:e[-+]\d+)?", done.stdout)[:2])
    assert computed == pytest.approx(exact, rel=tolerance)
