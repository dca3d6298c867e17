"""The magnetic field: London equation with a normal fraction, eddy currents."""

from typing import TYPE_CHECKING

from meshes.lazy import lazy_names

if TYPE_CHECKING:
    from solvers.field.drives import AppliedField as AppliedField
    from solvers.field.drives import Drive as Drive
    from solvers.field.drives import Imposed as Imposed
    from solvers.field.drives import TransportCurrent as TransportCurrent
    from solvers.field.eddy import EddyProblem as EddyProblem
    from solvers.field.problem import FieldProblem as FieldProblem
    from solvers.field.solution import FieldSolution as FieldSolution

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "solvers.field.drives": ["AppliedField", "Drive", "Imposed", "TransportCurrent"],
        "solvers.field.eddy": ["EddyProblem"],
        "solvers.field.problem": ["FieldProblem"],
        "solvers.field.solution": ["FieldSolution"],
    },
)
