import math

import pytest

from solvers.case.quantities import CURRENT, FIELD, Count, Quantity, unit_factor

LENGTH = Quantity("a length", "m", '"50 nm"', maximum=0.1)
AREA_RESISTANCE = Quantity("a resistance times area", "ohm m^2", '"2e-6 ohm m^2"')
NUMBER = Quantity("a number", "", "1.5", sign="any")


@pytest.mark.parametrize(
    ("quantity", "text", "value"),
    [
        (LENGTH, "50 nm", 50e-9),
        (LENGTH, "0.4 um", 4e-7),  # exactly the float a user would type
        (LENGTH, "0.4um", 4e-7),
        (LENGTH, "1 µm", 1e-6),
        (LENGTH, "1 μm", 1e-6),  # the Greek letter, another character than the micro sign
        (LENGTH, "+1.5e-3 mm", 1.5e-6),
        (LENGTH, 5e-8, 5e-8),
        (AREA_RESISTANCE, "2e-6 ohm m^2", 2e-6),
        (AREA_RESISTANCE, "2 ohm*um^2", 2e-12),
        (AREA_RESISTANCE, "2 Ω·µm²", 2e-12),
        (CURRENT, "2.2 A", 2.2),
        (CURRENT, "350 mA", 0.35),
        (Quantity("a temperature", "K", ""), "20 mK", 0.02),
        (Quantity("a memory size", "byte", ""), "4 GB", 4e9),
        (Quantity("a memory size", "byte", ""), "1 GiB", 2**30),
        (Quantity("a molar volume", "m^3/mol", ""), "7.1 cm^3/mol", 7.1e-6),
        (NUMBER, -2, -2.0),
        (NUMBER, "5 %", 0.05),
    ],
)
def test_value_in_si(quantity, text, value):
    assert quantity.parse(text) == value


def test_field_in_tesla_or_ampere_per_metre():
    # B = mu0 H with mu0 = 4 pi 1e-7 (1 + 5e-10): 83 mT / mu0 = 66049.3 A/m
    assert FIELD.parse("83 mT") == pytest.approx(0.083 / (4e-7 * math.pi), rel=1e-8)
    assert FIELD.parse("1 kA/m") == 1000.0
    assert FIELD.parse(66e3) == 66e3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3 mT", '"3 mT" is a magnetic field; it needs a length such as "50 nm"'),
        ("3 K", "is a temperature"),
        ("2 A/m^3", "has the wrong unit"),
        ("50", 'has no unit; needs a length such as "50 nm"'),
        ("50 NM", 'did you mean "nm"?'),
        ("50 nmm", 'did you mean "nm"?'),
        ("2,5 um", 'cannot read "2,5 um"'),
        ("um", 'not "um"'),
        ("", "needs a length"),
        ("5 (m", "is not a unit"),
        ("5 m^a", "is not a unit"),
        ("5 m +", "is not a unit"),
        ("nan m", "needs a length"),
        ("1e999 m", "must be finite"),
        (math.nan, "must be finite"),
        (math.inf, "must be finite"),
        (True, "not true"),
        (None, "needs a length"),
        ([1.0], "not a list"),
        ({}, "not a table"),
        (0, "must be greater than zero"),
        ("-1 um", 'must be greater than zero, not "-1 um"'),
        (50, "at most 0.1 m, not 50 m (a bare number is in m)"),
        ("50 m", 'at most 0.1 m, not "50 m"'),
    ],
)
def test_what_is_no_length(text, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared below
        LENGTH.parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_degrees_celsius_are_refused():
    with pytest.raises(ValueError, match="use kelvin"):
        Quantity("a temperature", "K", '"100 mK"').parse("5 degC")


def test_limits():
    ratio = Quantity("a ratio", "", "1.5", minimum=1.0, maximum=3.0)
    assert (ratio.parse(1), ratio.parse(3)) == (1.0, 3.0)
    with pytest.raises(ValueError, match=r"at least 1, not 0\.5"):
        ratio.parse(0.5)
    with pytest.raises(ValueError, match=r"at most 3, not 3\.5"):
        ratio.parse(3.5)
    start = Quantity("a time", "s", '"1 ms"', sign="nonnegative")
    assert start.parse(0) == 0.0
    with pytest.raises(ValueError, match="must not be negative"):
        start.parse("-1 ms")


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None])
def test_what_is_no_count(value):
    assert Count().parse(1) == 1
    with pytest.raises(ValueError, match="whole number from 1 on"):
        Count().parse(value)


def test_factor_between_different_kinds_is_none():
    assert unit_factor("mm", "m") == pytest.approx(1e-3, rel=1e-15)
    assert unit_factor("mm", "s") is None
