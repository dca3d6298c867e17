"""The laws' rows, and how rows are judged and written."""

from __future__ import annotations

import json
from pathlib import Path

from mpi4py import MPI

from solvers.verification.book import as_json, write_book
from solvers.verification.cycles.rows import cycle_rows
from solvers.verification.laws.rows import law_rows
from solvers.verification.report import Row


def test_laws_agree_with_quadrature() -> None:
    rows = law_rows()
    assert len(rows) == 74
    assert [row for row in rows if not row.passed] == []


def test_split_step_and_cycle_in_time(comm: MPI.Intracomm) -> None:
    rows = cycle_rows(comm)
    assert len(rows) == 4
    assert [row for row in rows if not row.passed] == []


def test_rows_can_fail(tmp_path: Path) -> None:
    good = Row("a", "x", 2.0, 2.001, 1e-3)
    wrong = Row("a", "x", 2.0, 2.1, 1e-3)
    slow = Row("a", "x", 2.0, 2.0, 1e-3, order=1.0, expected_order=2.0)
    assert [row.passed for row in (good, wrong, slow)] == [True, False, False]
    data, page, picture = write_book([good, wrong, slow], tmp_path / "book")
    assert json.loads(data.read_text()) == as_json([good, wrong, slow])
    assert page.read_text().count("**no**") == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
