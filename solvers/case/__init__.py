"""Case files: what they may contain, read, checked and completed."""

from typing import TYPE_CHECKING

from meshes.lazy import lazy_names

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

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "solvers.case.blocks": [
            "BathBlock",
            "CycleBlock",
            "DriveBlock",
            "InterfaceBlock",
            "LayerBlock",
            "LoadBlock",
            "PhaseBlock",
        ],
        "solvers.case.materials": ["layer_material"],
        "solvers.case.model": ["Case", "case_sha256", "load_case"],
        "solvers.case.schema": ["case_schema"],
        "solvers.case.settings": ["MaterialBlock", "MeshSettings", "OutputSettings", "PhysicsBlock", "SolverSettings"],
    },
)
