"""Coarse cells that the tests of whole runs share, as changes of a case file."""

# A chip of some 10 um: films are resolved by the depth of the field, the rest hardly.
CHIP_CELLS = [
    "mesh.surface_cell=1",
    "mesh.growth=3",
    "mesh.edge_cell=2 um",
    "mesh.interior_cell=5 um",
    "mesh.padding=30 um",
    "mesh.lateral_growth=3",
]
# A square centimetre in four columns of cells: conduction inside the layers does not matter (Biot number 1e-7).
SQUARE_CELLS = [
    "mesh.surface_cell=1",
    "mesh.growth=3",
    "mesh.edge_cell=5 mm",
    "mesh.interior_cell=5 mm",
    "mesh.lateral_growth=3",
]
NO_PICTURES = ["output.fields=none", "output.figures=false"]
