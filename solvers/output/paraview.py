"""Fields of a run for ParaView: VTX files (ADIOS2 BP4) with the temperature of the solids and the magnetic field.

Open a .bp folder in ParaView with its ADIOS2VTXReader. Coordinates are those of the mesh: micrometres for a stack,
since ParaView's cameras, planes and pickers do not work well on objects of 1e-5; all values are in SI units. A
quarter model gives its quarter only. Every array has its own value at each corner of each cell (discontinuous
Lagrange of degree 1), so that the jumps at interfaces are in the file as they are in the computation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import overload

import dolfinx.fem
import dolfinx.io
import dolfinx.mesh
import numpy as np
from mpi4py import MPI

from fem.constants import MU0
from fem.materials.two_temperatures import layer_of
from fem.spaces.layerwise import LayerwiseSpace
from meshes import compat
from meshes.arrays import Bools, Floats, Ints
from solvers.errors import ComputationError, on_first_rank
from solvers.field.solution import FieldSolution
from solvers.heat.problem import HeatProblem
from solvers.simulation.simulation import Simulation
from solvers.switching.switching import Switching


def write_fields(sim: Simulation, folder: Path, name: str) -> list[Path]:
    """Write the present fields (collective); the time step in the files is the time since the run began, in s.

    NAME-temperature.bp, on the cells of the layers and their barriers: `temperature_K`, `lattice_temperature_K` (only
    where some layer has two temperatures; then `temperature_K` is that of the electrons), `normal_fraction` (1 outside
    superconductors) and `material_number`: the number of the layer whose material it is, 1 for the lowest;
    `names.json` in the folder of each file says which is which.

    NAME-field.bp, on all cells, only for a case with a drive: `B_T`, `H_A_per_m` = B / mu0, `J_A_per_m2` (the
    supercurrent), and `normal_fraction` and `material_number` again (of the columns, as the field problem has them;
    vacuum: 1 and 0).

    Args:
        sim: the run.
        folder: where to write; it is made if need be.
        name: first part of the file names. Files of that name are replaced.

    Returns:
        The files (they are folders).

    Raises:
        ComputationError: the folder cannot be made; raised on all ranks.
    """
    on_first_rank(sim.comm, lambda: folder.mkdir(parents=True, exist_ok=True))
    materials = _materials(sim.heat.space)
    paths = [folder / f"{name}-temperature.bp"]
    _write(paths[0], temperature_functions(sim.heat.space, sim.u, sim.f), sim.clock.time, materials)
    if sim.switching is not None:
        paths.append(folder / f"{name}-field.bp")
        _write(paths[1], field_functions(sim, sim.switching), sim.clock.time, materials)
    return paths


@overload
def to_paraview(path: Path | str, what: FieldSolution, *, time: float = 0.0) -> Path: ...
@overload
def to_paraview(path: Path | str, what: HeatProblem, u: Floats, f: Floats, *, time: float = 0.0) -> Path: ...
def to_paraview(
    path: Path | str,
    what: FieldSolution | HeatProblem,
    u: Floats | None = None,
    f: Floats | None = None,
    *,
    time: float = 0.0,
) -> Path:
    """Write a magnetic field, or a state of a heat problem, for ParaView (collective), as those of a run are written.

    Of a field: `B_T`, `H_A_per_m`, `J_A_per_m2`, `screening_per_m2` = (1 - f) / lambda^2 and `group_number`.

    Of a heat problem: `temperature_K` with its jumps between layers, `lattice_temperature_K` (only where some layer
    has two temperatures), `normal_fraction`, and `material_number`: 1 for the first layer of the problem, and so on.

    `names.json` in the folder says which group or layer a number means. Coordinates are those of the mesh.

    Args:
        path: what to open in ParaView, ending in .bp (a folder); replaced if it is there.
        what: the field, as `solution * amplitude` for that of a drive other than the unit; or the heat problem.
        u: T^2 at the nodes of the heat problem, K^2, (n_local,).
        f: normal fraction at its nodes, (n_local,).
        time: time of the state, s.

    Returns:
        The path.

    Raises:
        ValueError: the path does not end in .bp, or u or f are not of this problem; raised on all ranks.
        ComputationError: the folder around it cannot be made; raised on all ranks.
    """
    path = Path(path)
    if path.suffix != ".bp":
        raise ValueError(f"{path}: a file for ParaView's ADIOS2VTXReader ends in .bp")
    if isinstance(what, FieldSolution):
        on_first_rank(what.tagged.mesh.comm, lambda: path.parent.mkdir(parents=True, exist_ok=True))
        _write(path, solution_functions(what), time, {"group_number": dict(what.tagged.cell_names)})
        return path
    space, wanted = what.space, (what.space.n_local,)
    wrong = u is None or f is None or u.shape != wanted or f.shape != wanted
    if space.comm.allreduce(wrong, op=MPI.LOR) or u is None or f is None:
        raise ValueError(f"u and f must have the shape {wanted} on this rank, as HeatProblem.state gives them")
    on_first_rank(space.comm, lambda: path.parent.mkdir(parents=True, exist_ok=True))
    _write(path, temperature_functions(space, u, f), time, _materials(space))
    return path


def _materials(space: LayerwiseSpace) -> dict[str, dict[str, int]]:
    """What the numbers of `material_number` mean."""
    numbers = {name: k + 1 for k, name in enumerate(space.names) if layer_of(name) == name}
    return {"material_number": numbers}


def _write(path: Path, functions: list[dolfinx.fem.Function], time: float, names: dict[str, dict[str, int]]) -> None:
    """Write functions on one mesh and, beside them, what numbers in them mean (collective).

    Raises:
        ComputationError: the disk refuses; on all ranks.
    """
    comm = functions[0].function_space.mesh.comm
    trouble = ""
    try:
        with dolfinx.io.VTXWriter(comm, path, functions, engine="BP4") as writer:
            writer.write(time)
        if comm.rank == 0:
            (path / "names.json").write_text(json.dumps(names, indent=2) + "\n", encoding="utf-8")
    except (OSError, RuntimeError) as error:
        trouble = " ".join(str(error).split())
    told = next(filter(None, comm.allgather(trouble)), "")
    if told:
        raise ComputationError(f"{path}: cannot be written: {told}")


def temperature_functions(space: LayerwiseSpace, u: Floats, f: Floats) -> list[dolfinx.fem.Function]:
    """Temperature (K), normal fraction and material number on a mesh of the solid cells only (collective)."""
    solid = _without_ghosts(space.tagged.mesh, space.cells)
    main = _main_cells(space)
    nodes = np.empty((space.cells.max(initial=-1) + 1, space.cell_nodes.shape[1]), dtype=np.int32)
    nodes[space.cells[main]] = space.cell_nodes[main]
    both = nodes.copy()
    both[space.cells[~main]] = space.cell_nodes[~main]
    nodes, both = nodes[solid.cell_map], both[solid.cell_map]
    temperature: Floats = np.sqrt(np.maximum(u, 0.0))
    lattice = [_scalar(solid.mesh, "lattice_temperature_K", temperature[both])]
    return [
        _scalar(solid.mesh, "temperature_K", temperature[nodes]),
        *(lattice if any(layer_of(name) != name for name in space.names) else []),
        _scalar(solid.mesh, "normal_fraction", f[nodes]),
        _scalar(solid.mesh, "material_number", np.asarray(space.layer[nodes] + 1.0)),
    ]


def field_functions(sim: Simulation, switching: Switching) -> list[dolfinx.fem.Function]:
    """B (T), H (A/m), J (A/m^2), normal fraction and material number on the whole mesh (collective).

    curl A and A of first-order Nedelec elements on boxes are in the space the files use: nothing is smoothed.
    """
    pattern, mesh = switching.pattern, sim.tagged.mesh
    drive = sim.drive_value()
    if pattern is None:
        assert drive == 0.0, "the field has not been solved for this drive"
    fraction = switching.cell_fraction()
    everything = _without_ghosts(mesh, np.arange(len(fraction), dtype=np.int32))
    cells = everything.cell_map
    flux: Floats = np.zeros((len(cells), mesh.geometry.dofmap.shape[1], 3))
    current = np.zeros_like(flux)
    if pattern is not None:
        field = pattern.solution * pattern.amplitude(drive)
        flux, current = field.flux_density_at_corners(cells), field.current_density_at_corners(cells)
    space = sim.heat.space
    layer = np.zeros(len(fraction))
    main = _main_cells(space)
    layer[space.cells[main]] = space.layer[space.cell_nodes[main, 0]] + 1.0
    by_cell = {"normal_fraction": fraction[cells], "material_number": layer[cells]}
    return _field(everything.mesh, flux, current, by_cell)


def solution_functions(solution: FieldSolution) -> list[dolfinx.fem.Function]:
    """B (T), H (A/m), J (A/m^2), screening (1/m^2) and number of the group on the whole mesh (collective)."""
    tagged = solution.tagged
    everything = _without_ghosts(tagged.mesh, np.arange(len(solution.screening), dtype=np.int32))
    cells = everything.cell_map
    group = np.zeros(len(solution.screening))
    group[tagged.cell_tags.indices] = tagged.cell_tags.values
    flux, current = solution.flux_density_at_corners(cells), solution.current_density_at_corners(cells)
    by_cell = {"screening_per_m2": solution.screening[cells], "group_number": group[cells]}
    return _field(everything.mesh, flux, current, by_cell)


def _field(
    mesh: dolfinx.mesh.Mesh, flux: Floats, current: Floats, by_cell: dict[str, Floats]
) -> list[dolfinx.fem.Function]:
    """B, H and J from their values at corners, and scalars from their values in cells, (n_cells,)."""
    corners = np.ones(flux.shape[1])
    return [
        _vector(mesh, "B_T", flux),
        _vector(mesh, "H_A_per_m", np.asarray(flux / MU0)),
        _vector(mesh, "J_A_per_m2", current),
        *(_scalar(mesh, name, values[:, None] * corners) for name, values in by_cell.items()),
    ]


def _main_cells(space: LayerwiseSpace) -> Bools:
    """Which cells of the heat space are those of the layers, not of a lattice on the same cells."""
    main = np.array([layer_of(name) == name for name in space.names])
    return np.asarray(main[space.layer[space.cell_nodes[:, 0]]])


def _without_ghosts(mesh: dolfinx.mesh.Mesh, cells: Ints) -> compat.Submesh:
    """Submesh of those of some cells that this rank owns (collective).

    VTXWriter writes ghost cells too: ParaView would count them twice in its integrals.
    """
    return compat.create_submesh(mesh, 3, np.unique(cells[cells < mesh.topology.index_map(3).size_local]))


def _scalar(mesh: dolfinx.mesh.Mesh, name: str, values: Floats) -> dolfinx.fem.Function:
    """Function with a value at each corner of each local cell, (n_cells, corners)."""
    function = dolfinx.fem.Function(dolfinx.fem.functionspace(mesh, ("DG", 1)), name=name)
    function.x.array[function.function_space.dofmap.list] = values
    return function


def _vector(mesh: dolfinx.mesh.Mesh, name: str, values: Floats) -> dolfinx.fem.Function:
    """Function with a vector at each corner of each local cell, (n_cells, corners, 3)."""
    function = dolfinx.fem.Function(dolfinx.fem.functionspace(mesh, ("DG", 1, (3,))), name=name)
    function.x.array.reshape(-1, 3)[function.function_space.dofmap.list] = values
    return function
