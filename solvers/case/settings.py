"""The blocks of a case file with own materials and settings; see also `solvers.case.blocks`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, GetCoreSchemaHandler, StrictBool, model_validator
from pydantic_core import CoreSchema, core_schema

from solvers.case.base import Block, at_most, list_of, raise_problems
from solvers.case.quantities import (
    Bytes,
    Count,
    Duration,
    Length,
    PositiveNumber,
    Quantity,
    Resistivity,
    WholeNumber,
)

_FluxDensity = Annotated[float, Quantity("a flux density", "T", '"83 mT"')]
_Speed = Annotated[float, Quantity("a speed", "m/s", '"2300 m/s"')]
_Gamma = Annotated[float, Quantity("an electronic coefficient", "J/m^3/K^2", '"98 J/m^3/K^2"', sign="nonnegative")]
_Beta = Annotated[float, Quantity("a phonon coefficient", "J/m^3/K^4", '"10 J/m^3/K^4"', sign="nonnegative")]
_Density = Annotated[float, Quantity("a density", "kg/m^3", '"8960 kg/m^3"')]
_MolarVolume = Annotated[float, Quantity("a molar volume", "m^3/mol", '"7.1 cm^3/mol"')]
_Coupling = Annotated[float, Quantity("an electron-phonon coupling", "W/m^3/K^5", '"2e9 W/m^3/K^5"')]
_Conductivity = Annotated[float, Quantity("a thermal conductivity", "W/m/K", '"10 W/m/K"')]
_HeatCapacity = Annotated[float, Quantity("a heat capacity", "J/m^3/K", '"100 J/m^3/K"')]
_CriticalTemperature = Annotated[float, Quantity("a temperature", "K", '"4.48 K"', maximum=300.0)]
_GapRatio = Annotated[float, Quantity("a number", "", "1.764", minimum=1.0, maximum=4.0)]
_DebyeTemperature = Annotated[float, Quantity("a temperature", "K", '"258 K"', maximum=3000.0)]
_Ratio = Annotated[float, Quantity("a ratio", "", "1.0", maximum=10.0)]
_Growth = Annotated[float, Quantity("a ratio", "", "1.5", minimum=1.01, maximum=3.0)]


class MaterialBlock(Block):
    """A material of one's own: a library material with changes, or one built from its constants."""

    alternatives = (("beta",), ("debye_temperature", "molar_volume"))

    like: str | None = Field(
        default=None,
        description="Library material to start from (no unit)",
    )
    gamma: _Gamma | None = Field(default=None, description="Electronic heat capacity over T, per volume (J/m^3/K^2)")
    beta: _Beta | None = Field(default=None, description="Phonon heat capacity over T^3, per volume (J/m^3/K^4)")
    debye_temperature: _DebyeTemperature | None = Field(
        default=None, description="Debye temperature (K); with molar_volume, instead of beta"
    )
    molar_volume: _MolarVolume | None = Field(
        default=None, description="Volume of one mole of atoms (m^3/mol), for debye_temperature"
    )
    critical_temperature: _CriticalTemperature | None = Field(
        default=None, description="Critical temperature (K); left out: no superconductor"
    )
    gap_ratio: _GapRatio | None = Field(default=None, description="Gap at zero temperature over k_B Tc (-); BCS: 1.764")
    penetration_depth0: Length | None = Field(
        default=None, description="London penetration depth at zero temperature (m)"
    )
    resistivity: Resistivity | None = Field(
        default=None, description="Residual resistivity (ohm m); left out: an insulator"
    )
    room_resistivity: Resistivity | None = Field(
        default=None, description="Resistivity at room temperature (ohm m), for a layer's rrr"
    )
    coherence_length: Length | None = Field(default=None, description="Coherence length (m)")
    kappa: PositiveNumber | None = Field(
        default=None,
        description="Ginzburg-Landau parameter of the clean metal (-); the resistivity adds to it; above 0.71: type II",
    )
    measured_critical_field: _FluxDensity | None = Field(
        default=None, description="Measured thermodynamic critical field (T), compared only"
    )
    lower_critical_field: _FluxDensity | None = Field(
        default=None, description="Lower critical field of a type-II superconductor (T)"
    )
    electron_phonon: _Coupling | None = Field(
        default=None, description="Electron-phonon coupling (W/m^3/K^5; with an exponent n in W/m^3/K^n)"
    )
    electron_phonon_exponent: PositiveNumber | None = Field(
        default=None, description="Exponent n of the electron-phonon coupling (-): 5, or 6 in thin disordered films"
    )
    sound_speeds: (
        Annotated[tuple[_Speed, _Speed], list_of(2, 'two speeds, such as ["4000 m/s", "2000 m/s"]')] | None
    ) = Field(default=None, description="Speeds of sound, longitudinal and transverse (m/s)")
    density: _Density | None = Field(default=None, description="Mass density (kg/m^3)")
    phonon_speed: _Speed | None = Field(
        default=None, description="Mean phonon speed for the thermal conductivity (m/s)"
    )
    phonon_mean_free_path: Length | None = Field(default=None, description="Mean free path of the phonons (m)")
    constant_conductivity: _Conductivity | None = Field(
        default=None, description="Constant thermal conductivity (W/m/K), replaces all laws"
    )
    constant_heat_capacity: _HeatCapacity | None = Field(
        default=None, description="Constant heat capacity (J/m^3/K), replaces all laws"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if (self.debye_temperature is None) != (self.molar_volume is None):
            problems.append(("", "debye_temperature and molar_volume go together; give both"))
        elif self.debye_temperature is not None and self.beta is not None:
            problems.append(("beta", "beta and debye_temperature exclude each other; give one"))
        if self.like is None:
            heat = (self.gamma, self.beta, self.debye_temperature, self.constant_heat_capacity)
            path = (self.resistivity, self.phonon_mean_free_path, self.constant_conductivity)
            if not any(heat):
                problems.append(
                    (
                        "",
                        "has no heat capacity: give gamma, beta, constant_heat_capacity or like",
                    )
                )
            if not any(path):
                problems.append(
                    (
                        "",
                        "conducts no heat: give resistivity, phonon_mean_free_path or constant_conductivity, or like",
                    )
                )
            if self.critical_temperature is not None and not self.gamma:
                problems.append(("critical_temperature", "a superconductor needs gamma above 0"))
        raise_problems(*problems)
        return self


@dataclass(frozen=True)
class _OvershootQuantity(Quantity):
    """A number, or "ramp": it follows from the ramp."""

    @property
    def wanted(self) -> str:
        """What is needed here, with an example."""
        return f'{super().wanted} or "ramp"'

    def parse(self, value: object) -> Any:
        """The number or "ramp"; see `Quantity.parse`."""
        return value if value == "ramp" else super().parse(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks the value."""
        return core_schema.no_info_plain_validator_function(self.parse)


_Overshoot = Annotated[
    float | Literal["ramp"], _OvershootQuantity("a number", "", "5e-8", sign="nonnegative", maximum=1.0)
]


class PhysicsBlock(Block):
    """Which laws are used."""

    penetration: Literal["dirty", "clean", "two-fluid"] = Field(
        default="dirty", description="Law of the penetration depth with temperature (no unit)"
    )
    transition_width: Annotated[float, Quantity("a fraction", "", "1e-3", sign="positive", maximum=0.1)] = Field(
        default=1e-3,
        description="Width of the transition of a cell to the normal state, as a fraction of the "
        "condensation energy scale mu0 Hc(0)^2 (-)",
    )
    nuclear: StrictBool = Field(
        default=False,
        description="Heat capacity of the nuclear spins of metals in the field, at the temperature of the electrons "
        "(true or false)",
    )
    film_transition: StrictBool = Field(
        default=True,
        description="Use the higher transition field of films that are not much thicker than the "
        "penetration depth (true or false)",
    )
    hysteresis: Annotated[tuple[_Ratio, _Ratio], list_of(2, "two ratios [up, down], such as [1.61, 1.0]")] | None = (
        Field(
            default=None,
            description="Fields over the critical field at which films become normal (1 or more) and superconducting "
            "again (1 or less) (-); the difference is dissipated; left out: no hysteresis",
        )
    )
    overshoot: _Overshoot | None = Field(
        default=None,
        description="Relative excess of the field over the critical field while the front between the states passes "
        'through a film (-), such as 5e-8, or "ramp": as follows from the rate of the drive and the thickness of the '
        "film; it makes Joule heat; left out: none",
    )
    eddy: StrictBool = Field(
        default=False,
        description="Eddy currents in normal metal while the field changes: they hold the field back and heat the "
        "layers they flow in (true or false)",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.eddy and self.overshoot == "ramp":
            words = (
                '"ramp" takes the field from the drive, which eddy currents hold back: give a number, or leave one out'
            )
            raise_problems(("overshoot", words))
        if self.hysteresis is not None and not self.hysteresis[1] <= 1.0 <= self.hysteresis[0]:
            up, down = self.hysteresis
            raise_problems(
                (
                    "hysteresis",
                    f"[{up:g}, {down:g}] would gain energy: the first must be 1 or more, the second 1 or less",
                )
            )
        return self


_Cells = Annotated[list[Annotated[int, Count(maximum=1000)]], at_most(1000, "numbers of cells")]


class CellsBlock(Block):
    """Numbers of cells, in place of those that the cell sizes ask for: lengths may change, and nodes move with them."""

    x: _Cells = Field(description="Cells along x of each segment between edges of layers, centre lines and walls (-)")
    y: _Cells = Field(description="The same along y (-)")
    z: _Cells = Field(
        description="Cells through each level from bottom to top: vacuum, layers with the barriers between, vacuum (-)"
    )


class MeshSettings(Block):
    """Cell sizes; the defaults resolve the penetration depth."""

    symmetry: Literal["auto", "full", "quarter"] = Field(
        default="auto",
        description='"quarter": only x >= 0, y >= 0; "full"; "auto": a quarter if the case is symmetric (no unit)',
    )
    surface_cell: Annotated[float, Quantity("a fraction", "", "0.2", sign="positive", maximum=1.0)] = Field(
        default=0.2,
        description="Thickness of the first cell at a superconductor's face, as a fraction of the "
        "penetration depth (-)",
    )
    growth: _Growth = Field(default=1.3, description="Largest ratio of neighbouring cells through the thickness (-)")
    largest_cell: Length | None = Field(
        default=None, description="Largest cell through the thickness (m); left out: automatic"
    )
    edge_cell: Length | None = Field(
        default=None, description="Lateral cell at the edges of a layer (m); left out: automatic"
    )
    interior_cell: Length | None = Field(
        default=None, description="Lateral cell inside a layer (m); left out: automatic"
    )
    lateral_growth: _Growth = Field(default=1.6, description="Largest ratio of neighbouring lateral cells (-)")
    barrier: Length = Field(
        default=2e-9,
        description="Thickness of the insulating cells between two layers (m), which stop the supercurrent",
    )
    padding: Length | None = Field(
        default=None,
        description="Vacuum around the stack up to the wall of the box (m); left out: automatic",
    )
    cells: CellsBlock | None = Field(
        default=None,
        description="Numbers of cells that stay while lengths change, written by `coldstack optimise`; left out: from "
        "the sizes",
    )


class SolverSettings(Block):
    """Accuracy and limits of the computation."""

    rtol: Annotated[float, Quantity("a relative tolerance", "", "1e-3", sign="positive", maximum=0.1)] = Field(
        default=1e-3, description="Relative error allowed in each time step (-)"
    )
    ramp_step: Annotated[float, Quantity("a fraction", "", "0.05", sign="positive", maximum=1.0)] = Field(
        default=0.05,
        description="Largest change of the drive in one step, in units of the amplitude (-); steps in which much of a "
        "film switches are halved, except for 1: a whole ramp at once",
    )
    fraction_tolerance: Annotated[float, Quantity("a fraction", "", "0.01", sign="positive", maximum=0.5)] = Field(
        default=0.01,
        description="Change of the normal fraction below which field and state agree (-)",
    )
    max_steps: WholeNumber = Field(
        default=100_000, description="Time steps after which the run stops with an error (-)"
    )
    memory_limit: Bytes | None = Field(
        default=None,
        description='Memory the direct field solver may use (byte), such as "4 GB"; left out: '
        "what the machine has free",
    )


class OutputSettings(Block):
    """What is written besides the summary and the history."""

    fields: Literal["end", "cycles", "none"] = Field(
        default="end",
        description='Fields for ParaView at the end of each phase: of the last cycle ("end"), of all '
        '"cycles", or "none" (no unit)',
    )
    figures: StrictBool = Field(default=True, description="Draw the figures (true or false)")
    checkpoint_every: Duration = Field(
        default=600.0,
        description='Wall time between two checkpoints at most (s), such as "10 min"; ends of phases are saved besides',
    )
