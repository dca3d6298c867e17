"""Case files: what they may contain, read, checked and completed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solvers.case.blocks import BathBlock as BathBlock
    from solvers.case.blocks import CycleBlock as CycleBlock
    from solvers.case.blocks import DriveBlock as DriveBlock
    from solvers.case.blocks import InterfaceBlock as InterfaceBlock
    from solvers.case.blocks import LayerBlock as LayerBlock
    from solvers.case.blocks import LoadBlock as LoadBlock
    from solvers.case.blocks import PhaseBlock as PhaseBlock
    from solvers.case.materials import layer_material as layer_material
    from solvers.case.model import Case as Case
    from solvers.case.model import case_sha256 as case_sha256
    from solvers.case.model import load_case as load_case
    from solvers.case.schema import case_schema as case_schema
    from solvers.case.settings import MaterialBlock as MaterialBlock
    from solvers.case.settings import MeshSettings as MeshSettings
    from solvers.case.settings import OutputSettings as OutputSettings
    from solvers.case.settings import PhysicsBlock as PhysicsBlock
    from solvers.case.settings import SolverSettings as SolverSettings

_NAMES = {
    "blocks": ("BathBlock", "CycleBlock", "DriveBlock", "InterfaceBlock", "LayerBlock", "LoadBlock", "PhaseBlock"),
    "materials": ("layer_material",),
    "model": ("Case", "case_sha256", "load_case"),
    "schema": ("case_schema",),
    "settings": ("MaterialBlock", "MeshSettings", "OutputSettings", "PhysicsBlock", "SolverSettings"),
}
_HOME_OF = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    """The public names, loaded when first used: pydantic takes a third of a second."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
