"""The blocks of a case file as pydantic models; every value kept is a plain SI number.

Checks that need one block only are here; those that compare blocks are in `solvers.case.checks`.
Every field has a description with its unit: `coldstack schema` prints them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    StrictBool,
    ValidationInfo,
    field_validator,
    model_validator,
)

from solvers.case.base import Block, Name, exactly_one, list_of, not_empty, raise_problems
from solvers.case.quantities import (
    CURRENT,
    FIELD,
    AreaConductance,
    Duration,
    Fraction,
    Instant,
    Length,
    Number,
    Position,
    PositiveNumber,
    Power,
    Quantity,
    ResistanceArea,
    Resistivity,
    Temperature,
    WholeNumber,
)

Size = Annotated[tuple[Length, Length], list_of(2, 'two lengths [x, y], such as ["60 um", "20 um"]')]
Center = Annotated[tuple[Position, Position], list_of(2, 'two lengths [x, y], such as ["0 um", "5 um"]')]
Patch = Annotated[
    tuple[Position, Position, Position, Position],
    list_of(4, 'four lengths [x0, x1, y0, y1], such as ["-1 um", "1 um", "-1 um", "1 um"]'),
]
PhaseNames = Annotated[list[str] | None, not_empty("name at least one phase, or leave the key out for all phases")]


# Electrons meet the Sharvin resistance of (4/3) rho l even where nothing lies between two metals, 9e-16 ohm m^2 in
# copper (rho l = 6.6e-16 ohm m^2: Gall, J. Appl. Phys. 119, 085101, 2016); by Wiedemann and Franz that lets 1e9 W/m^2/K
# pass at 30 K.
SMALLEST_RESISTANCE_AREA, LARGEST_CONDUCTANCE = 1e-16, 1e11


def too_conducting(conductance: float | None) -> list[tuple[str, str]]:
    """Problem, as (key, message), of a conductance (W/m^2/K) that no contact has."""
    if conductance is None or conductance <= LARGEST_CONDUCTANCE:
        return []
    words = f'more than {LARGEST_CONDUCTANCE:g} W/m^2/K, which no contact has: give contact = "perfect"'
    return [("conductance", words)]


class LayerBlock(Block):
    """One layer of the stack; the list goes from bottom to top."""

    alternatives = (("rrr",), ("resistivity",))

    name: Name = Field(description="Name of the layer, used by all other blocks (no unit)")
    material: str = Field(description="Material: one of `coldstack materials` or a [material.NAME] block (no unit)")
    thickness: Length = Field(description='Thickness (m), such as "0.4 um"')
    size: Size = Field(description='Size along x, the direction of the current, and y (m): ["60 um", "20 um"]')
    center: Center = Field(default=(0.0, 0.0), description="Centre of the footprint in x and y (m)")
    rrr: PositiveNumber | None = Field(
        default=None, description="Residual resistance ratio (-), instead of the library's"
    )
    resistivity: Resistivity | None = Field(
        default=None,
        description='Residual resistivity (ohm m), such as "1.5e-8 ohm m", instead of rrr',
    )
    penetration_depth: Length | None = Field(
        default=None,
        description="London penetration depth at zero temperature (m), for superconductors",
    )
    mean_free_path: Length | None = Field(default=None, description="Mean free path of the phonons (m)")
    electron_phonon: StrictBool = Field(
        default=False,
        description="Electrons and lattice of this normal metal have a temperature each, coupled by the material's "
        "electron_phonon (true or false)",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.rrr is not None and self.resistivity is not None:
            raise_problems(("resistivity", "rrr and resistivity exclude each other; give one"))
        return self


class InterfaceBlock(Block):
    """What heat meets between two touching layers; mechanisms given together add up."""

    alternatives = (("contact",), ("resistance_area", "dynes", "conductance", "phonons"))

    between: Annotated[tuple[str, str], list_of(2, 'two layer names, such as ["sink", "working"]')] = Field(
        description="Names of the two touching layers (no unit)"
    )
    resistance_area: ResistanceArea | None = Field(
        default=None,
        description='Tunnel junction: normal resistance times area (ohm m^2), "2e-6 ohm m^2"',
    )
    dynes: Fraction | None = Field(
        default=None,
        description="Dynes broadening of the junction's superconductors, as a fraction of the gap "
        "(-, 0 to 1); only with resistance_area",
    )
    conductance: AreaConductance | None = Field(
        default=None, description="Fixed conductance per area (W/m^2/K); 0: insulated"
    )
    phonons: Fraction | None = Field(
        default=None,
        description="Phonons across the interface: transmission as a fraction of the diffuse "
        "mismatch bound (-, 0 to 1)",
    )
    contact: Literal["perfect", "ideal"] | None = Field(
        default=None,
        description='"perfect": no jump of temperature; "ideal": the whole layer has the temperature of its neighbour, '
        'which a bath holds (face = "all"), as if it conducted without limit (no unit); excludes the others',
    )
    conducts_in: PhaseNames = Field(
        default=None,
        description="Names of the phases in which heat passes, an ideal heat switch (no unit); left out: always",
    )
    phonons_in: PhaseNames = Field(
        default=None,
        description="Names of the phases in which phonons pass, where no switch stops them (no unit); left out: as "
        "conducts_in; only with phonons",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.phonons_in is not None and self.phonons is None:
            problems.append(("phonons_in", "is about phonons: give their transmission, phonons = 1 for instance"))
        if self.between[0] == self.between[1]:
            problems.append(("between", f'names the layer "{self.between[0]}" twice'))
        mechanisms = ("resistance_area", "conductance", "phonons")
        given = [key for key in mechanisms if getattr(self, key) is not None]
        if self.contact is None and not given:
            problems.append(("", f'says not how: give contact = "perfect" or {_or(mechanisms)}'))
        if self.contact is not None and given:
            problems.append(("contact", f'"{self.contact}" leaves no place for {given[0]}; give one'))
        problems += too_conducting(self.conductance)
        if self.resistance_area is not None and self.resistance_area < SMALLEST_RESISTANCE_AREA:
            problems.append(
                (
                    "resistance_area",
                    f"less than {SMALLEST_RESISTANCE_AREA:g} ohm m^2, which metals have where nothing lies between "
                    'them: give contact = "perfect"',
                )
            )
        if self.dynes is not None and self.resistance_area is None:
            problems.append(("dynes", "belongs to a tunnel junction: give resistance_area too"))
        raise_problems(*problems)
        return self


class DriveBlock(Block):
    """What makes the magnetic field."""

    alternatives = (("current_through", "return_plane"), ("applied_field",))

    current_through: str | None = Field(
        default=None,
        description="Superconducting layer that carries a current along x (no unit)",
    )
    applied_field: Literal["x", "y", "z"] | None = Field(
        default=None, description="Direction of a uniform applied field (no unit)"
    )
    amplitude: float = Field(
        description='Amplitude: a current (A), "2.2 A", or a field (A/m), "83 mT" or "66 kA/m"',
        json_schema_extra={"type": ["number", "string"], "x-unit": "A or A/m"},
    )
    return_plane: Length | None = Field(
        default=None,
        description="Height above the top layer of a superconducting plane that carries the "
        "current back (m); only with current_through",
    )

    @field_validator("amplitude", mode="before")
    @classmethod
    def _read_amplitude(cls, value: object, info: ValidationInfo) -> float:
        if "applied_field" not in info.data:
            return 0.0  # the direction is wrong and told so; whether a current is meant is unknown
        field = info.data["applied_field"] is not None
        return (FIELD if field else CURRENT).parse(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.current_through is None and self.applied_field is None:
            words = 'give current_through = "LAYER" or applied_field = "x", "y" or "z"'
            raise_problems(("", f"has no conductor and no field: {words}"))
        problems = exactly_one(self, ("current_through", "applied_field"))
        if self.applied_field is not None and self.return_plane is not None:
            problems.append(("return_plane", "belongs to a drive by current_through"))
        raise_problems(*problems)
        return self


class PhaseBlock(Block):
    """One part of the cycle; the drive follows a ramp, stands still, or follows a table."""

    alternatives = (("ramp",), ("hold",), ("table",))

    name: Name = Field(description="Name of the phase, used by conducts_in and during (no unit)")
    duration: Duration = Field(description='Duration (s), such as "0.3 s"')
    ramp: Annotated[
        tuple[Number, Number] | None,
        list_of(2, "two numbers [from, to] in units of the amplitude, such as [0, 1]"),
    ] = Field(default=None, description="Drive at start and end, in units of the amplitude (-)")
    hold: Number | None = Field(default=None, description="Drive, constant, in units of the amplitude (-)")
    table: Annotated[
        list[
            Annotated[
                tuple[Instant, Number],
                list_of(2, 'a time in the phase and a drive, such as ["1 ms", 0.5]'),
            ]
        ]
        | None,
        not_empty('give at least two points such as [["0 s", 0], ["1 ms", 1]]'),
    ] = Field(
        default=None,
        description="Points [time in the phase (s), drive in units of the amplitude (-)], "
        "joined by straight lines, from 0 to the duration",
    )

    @property
    def drive_ends(self) -> tuple[float, float]:
        """Drive at start and end, in units of the amplitude."""
        if self.hold is not None:
            return self.hold, self.hold
        if self.ramp is not None:
            return self.ramp
        assert self.table is not None  # one of the three is given
        return self.table[0][1], self.table[-1][1]

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = exactly_one(self, ("ramp", "hold", "table"))
        if self.table is not None:
            times = [time for time, _ in self.table]
            if any(b <= a for a, b in pairwise(times)):
                problems.append(("table", "the times must increase from point to point"))
            elif times[0] != 0 or abs(times[-1] - self.duration) > 1e-9 * self.duration:
                problems.append(("table", f"the times must go from 0 to the duration, {self.duration:g} s"))
        raise_problems(*problems)
        return self


_Tolerance = Annotated[float, Quantity("a relative tolerance", "", "1e-3", sign="positive", maximum=0.1)]


class CycleBlock(Block):
    """The phases, in order, and how often they are repeated."""

    repeat: WholeNumber = Field(
        default=1, description="Number of cycles (-), the largest number with steady or stop_at"
    )
    steady: _Tolerance | None = Field(
        default=None,
        description="Stop when the temperatures of all layers at the end of a cycle are closer than this to "
        "those that they settle at, as a fraction of them (-), such as 1e-4; left out: all cycles",
    )
    stop_at: Temperature | None = Field(
        default=None,
        description='Stop after the first cycle at whose end the cold layer is not above this (K), such as "20 mK"',
    )
    jump: _Tolerance | None = Field(
        default=None,
        description="Pass over cycles that change slowly; largest relative error of a temperature that one jump "
        "may make (-), such as 1e-3; left out: every cycle is computed",
    )
    phases: Annotated[list[PhaseBlock], not_empty("a cycle needs at least one phase")] = Field(
        description="Phases in order"
    )


class BathBlock(Block):
    """A body of fixed temperature that touches a layer."""

    alternatives = (("contact",), ("conductance",), ("phonons",))

    layer: str = Field(description="Name of the layer (no unit)")
    face: Literal["bottom", "top", "all"] = Field(
        description='"bottom", "top", or "all": the whole layer is held at once (no unit)'
    )
    temperature: Temperature = Field(description='Temperature of the bath (K), such as "100 mK"')
    contact: Literal["perfect"] | None = Field(
        default=None, description='"perfect" (the default if nothing else is given; no unit)'
    )
    conductance: AreaConductance | None = Field(
        default=None, description="Fixed conductance per area to the bath (W/m^2/K)"
    )
    phonons: Fraction | None = Field(
        default=None,
        description="Phonon contact: transmission into a bath of the layer's own material, as a "
        "fraction of the diffuse mismatch bound (-, 0 to 1)",
    )
    conducts_in: PhaseNames = Field(
        default=None,
        description="Names of the phases in which the bath is connected (no unit); left out: always",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_contact(cls, data: object) -> object:
        if isinstance(data, dict) and all(data.get(key) is None for key in ("contact", "conductance", "phonons")):
            return {**data, "contact": "perfect"}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = exactly_one(self, ("contact", "conductance", "phonons")) + too_conducting(self.conductance)
        if self.face == "all" and self.contact is None:
            problems.append(("face", '"all" holds the whole layer at the bath: only with contact = "perfect"'))
        raise_problems(*problems)
        return self


class LoadBlock(Block):
    """A source of heat in a layer or on a patch of its top face."""

    layer: str = Field(description="Name of the layer (no unit)")
    power: Power = Field(description='Total power (W), such as "1 pW"')
    face: Literal["top", "volume"] = Field(
        default="top", description='"top": on the top face; "volume": in the whole layer (no unit)'
    )
    patch: Patch | None = Field(
        default=None,
        description="Rectangle [x0, x1, y0, y1] on the top face, in the coordinates of the stack "
        "(m); left out: the whole face",
    )
    into: Literal["electrons", "lattice"] | None = Field(
        default=None,
        description="What is heated in a layer with electron_phonon = true (no unit); left out: the electrons",
    )
    during: PhaseNames = Field(
        default=None,
        description="Names of the phases in which the source is on (no unit); left out: always",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.patch is not None:
            x0, x1, y0, y1 = self.patch
            if x0 >= x1 or y0 >= y1:
                problems.append(("patch", "needs [x0, x1, y0, y1] with x0 < x1 and y0 < y1"))
            if self.face == "volume":
                problems.append(("patch", 'a patch lies on a face: face = "top"'))
        raise_problems(*problems)
        return self


def _or(words: tuple[str, ...]) -> str:
    return ", ".join(words[:-1]) + " or " + words[-1]
