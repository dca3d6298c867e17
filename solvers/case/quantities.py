"""Quantities with units at the border: strings such as "50 nm" become plain SI floats.

Inside the program every number is a float in SI units. Here, and only here, a string with a unit is
read (with pint, imported when the first such string appears because its import is slow).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from fem.constants import MU0
from solvers.errors import nearest

# pint spells the same things in other ways; these are what a reader of the messages expects.
_NOUNS = {
    "m": "a length",
    "K": "a temperature",
    "s": "a time",
    "A": "a current",
    "V": "a voltage",
    "T": "a magnetic field",
    "A/m": "a magnetic field",
    "W": "a power",
    "J": "an energy",
    "kg": "a mass",
    "ohm": "a resistance",
    "ohm m": "a resistivity",
    "ohm m^2": "a resistance times area",
    "W/m^2/K": "a conductance per area",
    "m/s": "a speed",
    "kg/m^3": "a density",
    "m^2": "an area",
    "": "a number without unit",
}
_COMMON = (
    "m mm um nm K mK uK nK s ms us ns min hour A mA uA kA T mT uT A/m kA/m W mW uW nW pW fW aW J "
    "ohm m/s km/s kg/m^3 g/cm^3 byte MB GB MiB GiB"
).split()
LONGEST_UNIT = 60  # characters
# What may keep pint busy for ever: powers of powers and of brackets, and large numbers.
_ENDLESS = re.compile(r"(\*\*|\^)\s*[+-]?\s*[\d.]+\s*(\*\*|\^)|\)\s*(\*\*|\^)|(\*\*|\^)\s*[+-]?\s*\(|\d{4}|\d[eE]")
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*", re.DOTALL)


@lru_cache(maxsize=1)
def _registry() -> Any:
    import pint

    return pint.UnitRegistry()


@lru_cache(maxsize=256)
def unit_factor(unit: str, target: str) -> float | None:
    """How many `target` units one `unit` is.

    Args:
        unit: unit as written, such as "nm" or "ohm m^2".
        target: SI unit wanted, such as "m".

    Returns: the factor; None if the two measure different things.

    Raises:
        ValueError: `unit` is not a unit, or has an offset (degrees Celsius).
    """
    if _ENDLESS.search(unit) or len(unit) > LONGEST_UNIT:
        raise ValueError(f"{show(unit)} is not a unit")
    registry = _registry()
    try:
        parsed = registry.parse_units(unit)
    except Exception as error:  # pint lets errors of its tokenizer through, of many types
        hint = nearest(unit, _COMMON)
        end = f'; did you mean "{hint}"?' if hint else ""
        raise ValueError(f'"{unit}" is not a unit{end}') from error
    wanted = registry.parse_units(target)
    if parsed.dimensionality != wanted.dimensionality:
        return None
    try:
        if registry.Quantity(0, parsed).to(wanted).magnitude != 0:
            raise ValueError(f'"{unit}" does not start at zero; use kelvin')
        return float(registry.Quantity(1.0, parsed).to(wanted).magnitude)
    except (AttributeError, TypeError, ArithmeticError) as error:
        raise ValueError(f'"{unit}" is not a unit') from error


def _noun_of(unit: str) -> str | None:
    """What a valid unit measures, in words, if it is one of the kinds met here."""
    return next((noun for known, noun in _NOUNS.items() if unit_factor(unit, known)), None)


@dataclass(frozen=True)
class Quantity:
    """Annotation of a float field that may be written with a unit.

    Attributes:
        noun: what it is, with article ("a length").
        unit: SI unit of the value kept, and of a bare number.
        example: how to write one.
        sign: which values are allowed.
        minimum: smallest value allowed (SI), if any.
        maximum: largest value allowed (SI), if any; catches the forgotten unit.
        other: further units accepted, with the factor that turns their SI value into `unit`
            (tesla for a field kept in A/m).
    """

    noun: str
    unit: str
    example: str
    sign: Literal["positive", "nonnegative", "any"] = "positive"
    minimum: float | None = None
    maximum: float | None = None
    other: tuple[tuple[str, float], ...] = ()

    @property
    def wanted(self) -> str:
        """What is needed here, with an example."""
        return f"needs {self.noun} such as {self.example}"

    def parse(self, value: object) -> float:
        """The value in SI units.

        Args:
            value: a number (already SI) or a string with number and unit.

        Raises:
            ValueError: not a finite number, wrong unit, or out of range; one line, complete.
        """
        if isinstance(value, str):
            number = self._parse_text(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:  # a whole number beyond a double
                number = math.inf
        else:
            raise ValueError(f"{self.wanted}, not {show(value)}")
        if not math.isfinite(number):
            raise ValueError(f"{self.wanted}, not {show(value)}: it must be finite")
        if self.sign == "positive" and number <= 0:
            raise ValueError(f"must be greater than zero, not {show(value)}")
        if self.sign == "nonnegative" and number < 0:
            raise ValueError(f"must not be negative, not {show(value)}")
        if self.minimum is not None and number < self.minimum:
            raise ValueError(f"{self.wanted}, at least {f'{self.minimum:g} {self.unit}'.strip()}, not {show(value)}")
        if self.maximum is not None and number > self.maximum:
            bare = "" if isinstance(value, str) or not self.unit else f" {self.unit}"
            hint = f" (a bare number is in {self.unit})" if bare else ""
            raise ValueError(
                f"{self.wanted}, at most {f'{self.maximum:g} {self.unit}'.strip()}, not {show(value)}{bare}{hint}"
            )
        return number

    def _parse_text(self, text: str) -> float:
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ValueError(f"{self.wanted}, not {show(text)}")
        unit = match[2]
        if not unit and self.unit:
            raise ValueError(f"{show(text)} has no unit; {self.wanted}")
        for accepted, scale in ((self.unit, 1.0), *self.other):
            try:
                factor = unit_factor(unit, accepted)
            except ValueError as error:
                raise ValueError(f"cannot read {show(text)}: {error}; {self.wanted}") from error
            if factor is not None:
                # In decimal, so that "0.4 um" is the same float as 4e-7.
                try:
                    return float(Decimal(match[1]) * Decimal(f"{factor:.15g}")) * scale
                except (ArithmeticError, ValueError):  # an exponent of a million and more
                    raise ValueError(f"{self.wanted}, not {show(text)}: its exponent is too large") from None
        noun = _noun_of(unit)
        what = f"is {noun}" if noun else "has the wrong unit"
        raise ValueError(f'"{text}" {what}; it {self.wanted}')

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks the value."""
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(float)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What `coldstack schema` says about the value."""
        example = self.example.strip('"')
        examples: list[object] = [example] if self.example.startswith('"') else [float(example)]
        return {"type": ["number", "string"], "x-unit": self.unit or "1", "examples": examples}


@dataclass(frozen=True)
class Count:
    """Annotation of a whole number from `minimum` to `maximum`."""

    minimum: int = 1
    maximum: int = 1_000_000_000

    def parse(self, value: object) -> int:
        """The value itself.

        Raises:
            ValueError: not a whole number, or too small.
        """
        if isinstance(value, bool) or not isinstance(value, int) or value < self.minimum:
            raise ValueError(f"needs a whole number from {self.minimum} on, not {show(value)}")
        if value > self.maximum:
            raise ValueError(f"needs a whole number up to {self.maximum}, not {show(value)}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks the value."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What `coldstack schema` says about the value."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


def show(value: object) -> str:
    """A value as it may be written in TOML, shortened."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, dict):
        text = "a table"
    elif isinstance(value, list):
        text = "a list"
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        try:
            text = str(value)
        except ValueError:  # thousands of digits
            text = "a number with thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


# No layer or cell is thinner than an atom; nothing on a chip is longer than 10 cm.
Length = Annotated[float, Quantity("a length", "m", '"50 nm"', minimum=1e-10, maximum=0.1)]
Position = Annotated[float, Quantity("a length", "m", '"5 um"', sign="any", maximum=0.1)]
# The laws of heat capacity (Debye T^3) end far below 30 K.
Temperature = Annotated[float, Quantity("a temperature", "K", '"100 mK"', maximum=30.0)]
Duration = Annotated[float, Quantity("a time", "s", '"0.3 s"')]
Instant = Annotated[float, Quantity("a time", "s", '"1 ms"', sign="nonnegative")]
Power = Annotated[float, Quantity("a power", "W", '"1 nW"')]
AreaConductance = Annotated[float, Quantity("a conductance per area", "W/m^2/K", '"1e4 W/m^2/K"', sign="nonnegative")]
ResistanceArea = Annotated[float, Quantity("a resistance times area", "ohm m^2", '"2e-6 ohm m^2"', maximum=1.0)]
Resistivity = Annotated[float, Quantity("a resistivity", "ohm m", '"1.5e-8 ohm m"')]
Bytes = Annotated[float, Quantity("a memory size", "byte", '"4 GB"')]
Number = Annotated[float, Quantity("a number", "", "1.5", sign="any")]
PositiveNumber = Annotated[float, Quantity("a number", "", "1.5")]
Fraction = Annotated[float, Quantity("a fraction", "", "0.01", sign="nonnegative", maximum=1.0)]
WholeNumber = Annotated[int, Count()]

CURRENT = Quantity("a current", "A", '"2.2 A"')
FIELD = Quantity("a magnetic field", "A/m", '"83 mT"', other=(("T", 1 / MU0),))
