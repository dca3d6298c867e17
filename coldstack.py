"""The public names of coldstack: `import coldstack as cs`.

A name is imported when it is first used, so that the import itself takes no time and that materials work where
DOLFINx is not installed.

    Cases: load_case, Case, run, Result, Study, InputError, ComputationError
    Materials: Material, Nuclei, Spins, get_material, LIBRARY
    Interfaces: TunnelJunction, PhononContact, ElectronPhonon, Conductance, Sum, phonon_boundary_conductance, Perfect,
        Ideal
    Meshes: TaggedMesh, tag_mesh, read_gmsh, LayerGeometry, StackGeometry, build_stack_mesh
    Magnetic field: FieldProblem, FieldSolution, TransportCurrent, AppliedField, Imposed
    Heat: HeatProblem, HeatLayer, Contact, Bath, Source, HeatStepper
    Derivatives of heat problems: HeatTangent, Parameter, LawConstant, MaterialConstant, Thickness, Duration
    ParaView: to_paraview
    Constants: MU0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.lazy import lazy_names
from solvers import __version__ as __version__

if TYPE_CHECKING:  # the same names for type checkers and editors; tests/test_public_names.py compares the two
    from fem.constants import MU0 as MU0
    from fem.interfaces.laws import Conductance as Conductance
    from fem.interfaces.laws import ElectronPhonon as ElectronPhonon
    from fem.interfaces.laws import PhononContact as PhononContact
    from fem.interfaces.laws import Sum as Sum
    from fem.interfaces.laws import TunnelJunction as TunnelJunction
    from fem.interfaces.laws import phonon_boundary_conductance as phonon_boundary_conductance
    from fem.interfaces.markers import Ideal as Ideal
    from fem.interfaces.markers import Perfect as Perfect
    from fem.materials.library import LIBRARY as LIBRARY
    from fem.materials.library import get_material as get_material
    from fem.materials.material import Material as Material
    from fem.materials.nuclear_spins import Nuclei as Nuclei
    from fem.materials.nuclear_spins import Spins as Spins
    from meshes.gmsh_file import read_gmsh as read_gmsh
    from meshes.stack import LayerGeometry as LayerGeometry
    from meshes.stack import StackGeometry as StackGeometry
    from meshes.stack_mesh import build_stack_mesh as build_stack_mesh
    from meshes.tagged import TaggedMesh as TaggedMesh
    from meshes.tagged import tag_mesh as tag_mesh
    from solvers.case.model import Case as Case
    from solvers.case.model import load_case as load_case
    from solvers.cycles.run import run as run
    from solvers.errors import ComputationError as ComputationError
    from solvers.errors import InputError as InputError
    from solvers.field.drives import AppliedField as AppliedField
    from solvers.field.drives import Imposed as Imposed
    from solvers.field.drives import TransportCurrent as TransportCurrent
    from solvers.field.problem import FieldProblem as FieldProblem
    from solvers.field.solution import FieldSolution as FieldSolution
    from solvers.heat.parameters import Duration as Duration
    from solvers.heat.parameters import LawConstant as LawConstant
    from solvers.heat.parameters import MaterialConstant as MaterialConstant
    from solvers.heat.parameters import Parameter as Parameter
    from solvers.heat.parameters import Thickness as Thickness
    from solvers.heat.parts import Bath as Bath
    from solvers.heat.parts import Contact as Contact
    from solvers.heat.parts import HeatLayer as HeatLayer
    from solvers.heat.parts import Source as Source
    from solvers.heat.problem import HeatProblem as HeatProblem
    from solvers.heat.stepper import HeatStepper as HeatStepper
    from solvers.heat.tangent import HeatTangent as HeatTangent
    from solvers.output.paraview import to_paraview as to_paraview
    from solvers.output.result import Result as Result
    from solvers.studies.study import Study as Study

_HOMES = {
    "fem.constants": ["MU0"],
    "fem.interfaces.laws": [
        *["Conductance", "ElectronPhonon", "PhononContact", "Sum", "TunnelJunction", "phonon_boundary_conductance"],
    ],
    "fem.interfaces.markers": ["Ideal", "Perfect"],
    "fem.materials.library": ["LIBRARY", "get_material"],
    "fem.materials.material": ["Material"],
    "fem.materials.nuclear_spins": ["Nuclei", "Spins"],
    "meshes.gmsh_file": ["read_gmsh"],
    "meshes.stack": ["LayerGeometry", "StackGeometry"],
    "meshes.stack_mesh": ["build_stack_mesh"],
    "meshes.tagged": ["TaggedMesh", "tag_mesh"],
    "solvers.case.model": ["Case", "load_case"],
    "solvers.cycles.run": ["run"],
    "solvers.errors": ["ComputationError", "InputError"],
    "solvers.field.drives": ["AppliedField", "Imposed", "TransportCurrent"],
    "solvers.field.problem": ["FieldProblem"],
    "solvers.field.solution": ["FieldSolution"],
    "solvers.heat.parameters": ["Duration", "LawConstant", "MaterialConstant", "Parameter", "Thickness"],
    "solvers.heat.parts": ["Bath", "Contact", "HeatLayer", "Source"],
    "solvers.heat.problem": ["HeatProblem"],
    "solvers.heat.stepper": ["HeatStepper"],
    "solvers.heat.tangent": ["HeatTangent"],
    "solvers.output.paraview": ["to_paraview"],
    "solvers.output.result": ["Result"],
    "solvers.studies.study": ["Study"],
}
__getattr__, _NAMES = lazy_names(__name__, _HOMES)
__all__ = sorted([*_NAMES, "__version__"])


def __dir__() -> list[str]:
    return __all__
