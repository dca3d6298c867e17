"""Layer stacks as graded hexahedral meshes with named groups."""
