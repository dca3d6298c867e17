"""Layer stacks as graded hexahedral meshes with named groups, and meshes made elsewhere.

The names come when they are first used: a stack is described without DOLFINx.
"""

from typing import TYPE_CHECKING

from meshes.lazy import lazy_names

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

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "meshes.export": ["export_mesh"],
        "meshes.gmsh_file": ["read_gmsh"],
        "meshes.measure": ["MeshInfo"],
        "meshes.stack": ["LayerGeometry", "StackGeometry"],
        "meshes.stack_mesh": ["StackMesh", "build_stack_mesh"],
        "meshes.tagged": ["TaggedMesh", "tag_mesh"],
    },
)
