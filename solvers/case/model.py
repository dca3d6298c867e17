"""The case: all that a computation needs, read from a TOML file or built in Python.

    case = load_case(Path("cases/refrigerator.toml"), ["cycle.repeat=1"])

After checking, every number in a case is a plain SI float.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from solvers.case.base import Block, Name, at_most, not_empty
from solvers.case.blocks import (
    BathBlock,
    CycleBlock,
    DriveBlock,
    InterfaceBlock,
    LayerBlock,
    LoadBlock,
    PhaseBlock,
)
from solvers.case.checks import case_problems
from solvers.case.drive_checks import drive_jumps
from solvers.case.extends import read_case_file
from solvers.case.geometry import symmetry_obstacles
from solvers.case.messages import Places, describe, problems_of
from solvers.case.overrides import apply_override
from solvers.case.parts import CaseParts
from solvers.case.quantities import Temperature
from solvers.case.settings import (
    MaterialBlock,
    MeshSettings,
    OutputSettings,
    PhysicsBlock,
    SolverSettings,
)
from solvers.errors import CaseProblems, InputError, Problem

MOST_LAYERS = 1000


class Case(Block):
    """A stack of layers, what drives it, and the cycle it goes through."""

    title: str = Field(default="untitled", description="Title for tables and figures (no unit)")
    start: Temperature = Field(description='Temperature of all layers at the start (K), such as "100 mK"')
    layer: Annotated[
        list[LayerBlock], not_empty("a stack needs at least one [[layer]]"), at_most(MOST_LAYERS, "layers")
    ] = Field(description="Layers of the stack, from bottom to top, each resting on the one before")
    interface: list[InterfaceBlock] = Field(
        default=[], description="What heat meets between touching layers; one block for each pair"
    )
    drive: DriveBlock | None = Field(default=None, description="What makes the magnetic field; left out: no field")
    cycle: CycleBlock = Field(description="Phases in time, and how often they are repeated")
    bath: list[BathBlock] = Field(default=[], description="Bodies of fixed temperature")
    load: list[LoadBlock] = Field(default=[], description="Sources of heat")
    material: dict[Name, MaterialBlock] = Field(
        default={}, description="Materials of one's own, by name: [material.NAME]"
    )
    physics: PhysicsBlock = Field(default=PhysicsBlock(), description="Which laws are used")
    mesh: MeshSettings = Field(default=MeshSettings(), description="Cell sizes")
    solver: SolverSettings = Field(default=SolverSettings(), description="Accuracy and limits of the computation")
    output: OutputSettings = Field(default=OutputSettings(), description="What is written besides summary and history")

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = case_problems(
            CaseParts(
                layers=self.layer,
                layer_names=[layer.name for layer in self.layer],
                interfaces=self.interface,
                drive=self.drive,
                drive_given=self.drive is not None,
                phases=self.cycle.phases,
                phase_names=[phase.name for phase in self.cycle.phases],
                baths=self.bath,
                loads=self.load,
                materials=self.material,
                mesh=self.mesh,
                physics=self.physics,
            )
        )
        if self.physics.eddy and self.drive is None:
            problems.append(Problem(("physics", "eddy"), "there is no [drive], so that no field changes"))
        if problems:
            raise CaseProblems(problems)
        return self

    def interface_above(self, index: int) -> InterfaceBlock:
        """The interface between layer `index` (from 0 at the bottom) and the one above it."""
        pair = {self.layer[index].name, self.layer[index + 1].name}
        return next(block for block in self.interface if set(block.between) == pair)

    def warnings(self) -> list[str]:
        """What is allowed in the case and may not be meant; one line each."""
        if self.drive is None:
            return []
        return drive_jumps(self.cycle.phases, repeated=self.cycle.repeat > 1)

    def symmetry_obstacles(self) -> list[str]:
        """Why the case cannot be computed on a quarter of the stack; empty if it can."""
        return symmetry_obstacles(self.layer, self.load, self.drive)

    def to_toml(self) -> str:
        """The case as a TOML text with all defaults filled in, in SI numbers."""
        return _toml_table(self.model_dump(mode="json", exclude_none=True), "")


def load_case(path: Path | str, overrides: Iterable[str] = ()) -> Case:
    """Read and check a case file, with the files it `extends`.

    Args:
        path: TOML file.
        overrides: changes "key=value" with dotted keys, such as "cycle.repeat=1" or
            "layer.working.thickness=2um".

    Raises:
        InputError: with one line for each mistake found.
    """
    path = Path(path)
    data, places = read_case_file(path, Case)
    for override in overrides:
        keys = apply_override(data, override)
        places[keys] = f"--set {override}"
    return check_case(data, places, str(path))


def check_case(data: Mapping[str, Any], places: Places, source: str) -> Case:
    """The case that raw values describe.

    Args:
        data: raw values, as in a case file.
        places: where each key was written, such as "case.toml:12", for the messages.
        source: name of the file, for what is nowhere in it.

    Raises:
        InputError: with one line for each mistake found.
    """
    try:
        return Case.model_validate(data)
    except ValidationError as error:
        problems = problems_of(error, Case)
        if all(details["loc"] for details in error.errors()):
            # Some block is wrong in itself, so the comparison of blocks has not been made yet.
            problems += case_problems(_parts_of(data, error))
        raise InputError(describe(problems, data, places, source)) from None


def case_sha256(case: Case) -> str:
    """Hash of all values of a case, defaults included; the same for "50 nm" and 5e-8."""
    values = case.model_dump(mode="json")
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


_Model = TypeVar("_Model", bound=BaseModel)


def _parts_of(data: Mapping[str, Any], error: ValidationError) -> CaseParts:
    """Those blocks of a wrong case that are right in themselves, unknown keys apart."""
    unknown = {tuple(e["loc"]) for e in error.errors() if e["type"] == "extra_forbidden"}

    def read(model: type[_Model], value: object, *path: str | int) -> _Model | None:
        try:
            return model.model_validate(_without(value, path, unknown))
        except ValidationError:
            return None

    def read_all(model: type[_Model], key: str) -> list[_Model | None]:
        return [read(model, value, key, i) for i, value in enumerate(_list(data.get(key)))]

    cycle = data.get("cycle")
    phases = _list(cycle.get("phases")) if isinstance(cycle, dict) else []
    names = [_name(phase) for phase in phases]
    materials = data.get("material")
    return CaseParts(
        layers=read_all(LayerBlock, "layer"),
        layer_names=[_name(layer) for layer in _list(data.get("layer"))],
        interfaces=read_all(InterfaceBlock, "interface"),
        drive=read(DriveBlock, data.get("drive"), "drive"),
        # An unknown block may be a misspelled [drive].
        drive_given="drive" in data or any(len(path) == 1 for path in unknown),
        phases=[read(PhaseBlock, value, "cycle", "phases", i) for i, value in enumerate(phases)],
        phase_names=None if None in names or not names else [str(name) for name in names],
        baths=read_all(BathBlock, "bath"),
        loads=read_all(LoadBlock, "load"),
        materials={
            name: read(MaterialBlock, value, "material", name)
            for name, value in (materials.items() if isinstance(materials, dict) else ())
        },
        mesh=read(MeshSettings, data.get("mesh"), "mesh"),
        physics=read(PhysicsBlock, data.get("physics", {}), "physics"),
    )


def _without(value: object, path: tuple[str | int, ...], unknown: set[Any]) -> object:
    """A copy of a raw value without the unknown keys in it."""
    if isinstance(value, dict):
        return {
            key: _without(inner, (*path, key), unknown) for key, inner in value.items() if (*path, key) not in unknown
        }
    return value


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _name(block: object) -> str | None:
    name = block.get("name") if isinstance(block, dict) else None
    return name if isinstance(name, str) else None


def _toml_table(table: Mapping[str, Any], prefix: str) -> str:
    """TOML text of a table: its values first, then the tables and arrays of tables inside."""
    lines, blocks = [], []
    for key, value in table.items():
        if isinstance(value, dict):
            blocks.append(f"\n[{prefix}{key}]\n{_toml_table(value, f'{prefix}{key}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            blocks += [f"\n[[{prefix}{key}]]\n{_toml_table(entry, f'{prefix}{key}.')}" for entry in value]
        else:
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}\n")
    return "".join([*lines, *blocks])
