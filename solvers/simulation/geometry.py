"""From a case to the geometry of its stack: materials, cell sizes, groups of cells. Needs no DOLFINx."""

from __future__ import annotations

import numpy as np

from fem.materials.material import Material
from meshes.plan import plan_stack
from meshes.stack import CellCounts, LayerGeometry, StackGeometry
from solvers.case.blocks import InterfaceBlock
from solvers.case.materials import layer_material
from solvers.case.model import Case

# Automatic cell sizes: fractions of the narrowest footprint laterally, of the thickness vertically, and the distance
# of the walls in widths of the widest footprint (design trials: 0.3 % of the surface field).
EDGE_FRACTION, INTERIOR_FRACTION, NORMAL_FRACTION, LARGEST_FRACTION = 1 / 28, 1 / 9, 1 / 8, 1 / 4
PADDING_WIDTHS = 10.0
# Thinnest barrier that eddy currents allow, over the thinner of its neighbours: the gauge of a block of metal that
# nothing but a thinner one connects drowns in round-off.
EDDY_BARRIER = 1e-3


def materials(case: Case) -> list[Material]:
    """Material of each layer, overrides applied."""
    return [layer_material(layer, case.material, case.physics) for layer in case.layer]


def design_depth(material: Material, temperature: float) -> float:
    """Penetration depth (m) for which cells are made: that at a temperature (K), or at T = 0 if that is normal."""
    depth = float(material.penetration_depth(temperature))
    return depth if np.isfinite(depth) else float(material.penetration_depth(0.0))


def is_quarter(case: Case) -> bool:
    """Whether the case is computed on a quarter of the stack."""
    return case.mesh.symmetry != "full" and not case.symmetry_obstacles()


def stack_geometry(case: Case) -> StackGeometry:
    """Geometry and cell sizes of a case's stack.

    Raises:
        ValueError: the parts do not fit together, or the numbers of cells do not fit the stack.
    """
    names = [layer.name for layer in case.layer]
    laws = materials(case)
    screened = [material.superconducting for material in laws]
    conducts = [material.resistivity is not None for material in laws]
    narrow = min(min(layer.size) for layer in case.layer)
    edge = case.mesh.edge_cell or narrow * EDGE_FRACTION
    interior = case.mesh.interior_cell or narrow * INTERIOR_FRACTION
    layers = []
    for layer, material, superconducting in zip(case.layer, laws, screened, strict=True):
        cell = layer.thickness * NORMAL_FRACTION
        if superconducting:
            cell = min(layer.thickness / 4, case.mesh.surface_cell * design_depth(material, case.start))
        layers.append(
            LayerGeometry(
                name=layer.name,
                thickness=layer.thickness,
                size=layer.size,
                center=layer.center,
                bottom_cell=cell,
                top_cell=cell,
                growth=case.mesh.growth,
                largest_cell=case.mesh.largest_cell or layer.thickness * LARGEST_FRACTION,
                edge_cell=edge,
                interior_cell=interior,
            )
        )
    # Between two superconductors one layer of cells without a London term stops the supercurrent. Eddy currents do not
    # pass a tunnel barrier either: 20 mOhm, say, against 0.1 uOhm around a block of copper.
    eddy = case.physics.eddy
    barriers = {
        k: max(case.mesh.barrier, EDDY_BARRIER * min(layers[k].thickness, layers[k + 1].thickness) if eddy else 0.0)
        for k in range(len(layers) - 1)
        if (screened[k] and screened[k + 1])
        or (eddy and conducts[k] and conducts[k + 1] and not _welded(case.interface_above(k)))
    }
    conductor = case.drive.current_through if case.drive else None
    wide = max(max(layer.size) if conductor != layer.name else layer.size[1] for layer in case.layer)
    counts = case.mesh.cells
    stack = StackGeometry(
        layers=tuple(layers),
        barriers=barriers,
        conductor=conductor if conductor in names else None,
        padding=case.mesh.padding or PADDING_WIDTHS * wide,
        return_plane=case.drive.return_plane if case.drive else None,
        quarter=is_quarter(case),
        lateral_growth=case.mesh.lateral_growth,
        cells=CellCounts(tuple(counts.x), tuple(counts.y), tuple(counts.z)) if counts else None,
    )
    if counts:
        try:
            plan_stack(stack)
        except ValueError as error:
            raise ValueError(f"mesh.cells: {error}") from None
    return stack


def _welded(block: InterfaceBlock) -> bool:
    """Whether two layers are one piece of metal, electrically too: an ideal heat switch conducts heat only."""
    return block.contact == "perfect" and block.conducts_in is None


def layer_groups(stack: StackGeometry) -> dict[str, list[str]]:
    """Cell groups of each layer in the heat problem: a barrier belongs to the layer above it."""
    groups = {layer.name: [layer.name] for layer in stack.layers}
    for k in stack.barriers:
        name = stack.layers[k + 1].name
        groups[name].append(f"{name}.barrier")
    return groups
