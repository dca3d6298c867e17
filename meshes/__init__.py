"""Layer stacks as graded hexahedral meshes with named groups, and meshes made elsewhere.

The names come when they are first used: a stack is described without DOLFINx.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshes.export import export_mesh as export_mesh
    from meshes.gmsh_file import read_gmsh as read_gmsh
    from meshes.measure import MeshInfo as MeshInfo
    from meshes.stack import LayerGeometry as LayerGeometry
    from meshes.stack import StackGeometry as StackGeometry
    from meshes.stack_mesh import StackMesh as StackMesh
    from meshes.stack_mesh import build_stack_mesh as build_stack_mesh
    from meshes.tagged import TaggedMesh as TaggedMesh
    from meshes.tagged import tag_mesh as tag_mesh

_HOMES = {
    "LayerGeometry": "stack",
    "MeshInfo": "measure",
    "StackGeometry": "stack",
    "StackMesh": "stack_mesh",
    "TaggedMesh": "tagged",
    "build_stack_mesh": "stack_mesh",
    "export_mesh": "export",
    "read_gmsh": "gmsh_file",
    "tag_mesh": "tagged",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'meshes' has no attribute {name!r}")
    return getattr(import_module(f"meshes.{_HOMES[name]}"), name)
