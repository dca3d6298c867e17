"""The laws' rows, and how rows are judged and written."""

import json

import numpy as np
import pytest

from fem.materials.library import get_material
from fem.materials.material import Material
from solvers.verification.book import as_json, write_book
from solvers.verification.cycles.rows import cycle_rows
from solvers.verification.laws import materials
from solvers.verification.laws.junctions import LAWS
from solvers.verification.laws.rows import NAMES, law_rows
from solvers.verification.report import Row


def test_laws_agree_with_quadrature():
    rows = law_rows()
    assert [row for row in rows if not row.passed] == []
    told = {name: {row.quantity for row in rows if row.case == f"laws of {name}"} - {"mu0 Hc(0), mT"} for name in NAMES}
    assert told["Ta"] == told["Nb"] == told["Al"]
    assert {quantity.split(" ")[0].split("/")[0] for quantity in told["Ta"]} == {
        *("s_S", "places", "gap", "lambda", "k_s", "mu0", "Hc", "Maxwell:", "s,"),
    }
    assert {row.case.removeprefix("law of a contact, ") for row in rows if "a contact" in row.case} == set(LAWS)


@pytest.mark.parametrize(
    ("law", "rows_of"),
    [
        ("entropy", materials._entropy_rows),
        ("gap", materials._state_rows),
        ("penetration_depth", materials._state_rows),
        ("conductivity", materials._state_rows),
        ("critical_field", materials._field_rows),
    ],
)
def test_a_law_that_is_wrong_by_1e_4_fails(law, rows_of, monkeypatch):
    right = getattr(Material, law)

    def wrong(material, T, *fraction):
        # The superconductor only, so that ratios of the two states show it.
        factor = np.where(np.equal(fraction[0], 1.0), 1.0, 1.0001) if fraction else 1.0001
        return right(material, T, *fraction) * factor

    monkeypatch.setattr(Material, law, wrong)
    assert not all(row.passed for row in rows_of(get_material("Al")))


def test_switching_and_whole_cycles(comm):
    rows = cycle_rows(comm)
    said = [f"{row.case} {row.quantity}" for row in rows]
    for part in ("ramp:", "rtol 1e-3 against 1e-5", "f at"):
        assert any(part in text for text in said), part
    assert [row for row in rows if not row.passed] == []


def test_rows_can_fail(tmp_path):
    good = Row("a", "x", 2.0, 2.001, 1e-3)
    wrong = Row("a", "x", 2.0, 2.1, 1e-3)
    slow = Row("a", "x", 2.0, 2.0, 1e-3, order=1.0, expected_order=2.0)
    assert [row.passed for row in (good, wrong, slow)] == [True, False, False]
    data, page, picture = write_book([good, wrong, slow], tmp_path / "book")
    assert json.loads(data.read_text()) == as_json([good, wrong, slow])
    assert page.read_text().count("**no**") == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
