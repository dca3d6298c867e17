"""From a case to the objects that compute it: contacts, baths, loads, films and the field; see also `geometry`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fem.interfaces.laws import Conductance, InterfaceLaw, PhononContact, TunnelJunction, phonon_boundary_conductance
from fem.interfaces.markers import Ideal, Perfect
from fem.materials.material import Material
from fem.materials.two_temperatures import electrons, lattice, lattice_name
from meshes.arrays import Floats
from meshes.stack import StackGeometry
from meshes.tagged import TaggedMesh
from solvers.case.blocks import BathBlock, InterfaceBlock, LoadBlock
from solvers.case.model import Case
from solvers.field.problem import AppliedField, FieldProblem, TransportCurrent
from solvers.heat.problem import Bath, Contact, HeatLayer, HeatProblem, Source
from solvers.heat.two_temperatures import coupling, reached, touching
from solvers.simulation.geometry import layer_groups, materials
from solvers.switching.columns import Film
from solvers.switching.eddy_currents import Conductor, EddyCurrents
from solvers.switching.spin_fields import SpinFields
from solvers.switching.switching import Switching

AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


def without_field(heat: HeatProblem) -> Floats:
    """Normal fraction at the nodes without a field, (n_local,): 0 in superconductors (above Tc it is alike)."""
    normal = np.array([0.0 if law.superconducting else 1.0 for law in heat.materials])
    return np.asarray(normal[heat.space.layer])


@dataclass(frozen=True)
class Gate:
    """When a contact, bath or load is on: phase names, or None for always."""

    name: str
    phases: tuple[str, ...] | None

    def open(self, phase: str) -> bool:
        """Whether it is on in a phase."""
        return self.phases is None or phase in self.phases


def interface_laws(
    block: InterfaceBlock, lower: Material, upper: Material
) -> dict[str, InterfaceLaw | Perfect | Ideal]:
    """Flux laws of an interface block by mechanism."""
    if block.contact is not None:
        return {block.contact: Perfect() if block.contact == "perfect" else Ideal()}
    laws: dict[str, InterfaceLaw | Perfect | Ideal] = {}
    if block.resistance_area is not None:
        laws["junction"] = TunnelJunction(lower, upper, block.resistance_area, block.dynes or 0.0)
    if block.conductance is not None:
        laws["conductance"] = Conductance(block.conductance)
    if block.phonons is not None:
        laws["phonons"] = PhononContact(phonon_boundary_conductance(lower, upper), block.phonons)
    return laws


def bath_law(block: BathBlock, material: Material) -> InterfaceLaw | Perfect:
    """Flux law of a bath block; perfect where the bath holds the temperature."""
    if block.conductance is not None:
        return Conductance(block.conductance)
    if block.phonons is not None:
        return PhononContact(phonon_boundary_conductance(material, material), block.phonons)
    return Perfect()


def heat_problem(case: Case, tagged: TaggedMesh, stack: StackGeometry) -> tuple[HeatProblem, list[Gate]]:
    """Heat problem of a case, and when its contacts, baths and loads are on."""
    laws, groups = materials(case), layer_groups(stack)
    names = [layer.name for layer in case.layer]
    law_of = dict(zip(names, laws, strict=True))
    divided = [layer.name for layer in case.layer if layer.electron_phonon]
    layers = {name: HeatLayer(electrons(law) if name in divided else law, groups[name]) for name, law in law_of.items()}
    layers |= {lattice_name(name): HeatLayer(lattice(law_of[name]), groups[name]) for name in divided}
    share = 0.25 if stack.quarter else 1.0
    contacts = [coupling(name, law_of[name]) for name in divided]
    gates = [Gate(contact.name, None) for contact in contacts]
    for k in range(len(names) - 1):
        block = case.interface_above(k)
        face = f"{names[k]}|{names[k + 1]}"
        between = interface_laws(block, laws[k], laws[k + 1])
        for mechanism, law in between.items():
            # Mechanisms side by side are contacts of their own, so that each has its own balance.
            name = face if len(between) == 1 else f"{face} {mechanism}"
            below = reached(mechanism, names[k], laws[k + 1], divided)
            above = reached(mechanism, names[k + 1], laws[k], divided)
            own = block.phonons_in if mechanism == "phonons" and block.phonons_in else block.conducts_in
            for (lower, upper), suffix in zip(touching(below, above), ("", " lattice"), strict=False):
                contacts.append(Contact(name + suffix, lower, upper, (face,), law))
                gates.append(_gate(name + suffix, own))
    baths = []
    for number, bath in enumerate(case.bath):
        facets = () if bath.face == "all" else (f"{bath.layer}.{bath.face}",)
        material = law_of[bath.layer]
        law = bath_law(bath, material)
        mechanism = "perfect" if isinstance(law, Perfect) else "phonons" if bath.phonons is not None else "conductance"
        for heat_layer in reached(mechanism, bath.layer, material, divided):
            name = f"bath {number + 1} ({heat_layer})"
            baths.append(Bath(name, heat_layer, bath.temperature, facets, law))
            gates.append(_gate(name, bath.conducts_in))
    sources = []
    for number, load in enumerate(case.load):
        name = f"load {number + 1} ({load.layer})"
        sources.append(_source(name, load, share))
        gates.append(_gate(name, load.during))
    return HeatProblem(tagged, layers, contacts, baths, sources), gates


def _source(name: str, load: LoadBlock, share: float) -> Source:
    facets = (f"{load.layer}.top",) if load.face == "top" else ()
    heated = lattice_name(load.layer) if load.into == "lattice" else load.layer
    return Source(name, heated, load.power * share, facets, load.patch)


def _gate(name: str, phases: list[str] | None) -> Gate:
    return Gate(name, None if phases is None else tuple(phases))


def films(case: Case, stack: StackGeometry) -> list[Film]:
    """The superconducting layers of a case."""
    groups = layer_groups(stack)
    out = []
    for layer, material in zip(case.layer, materials(case), strict=True):
        if material.superconducting:
            switches = layer.name != stack.conductor
            out.append(Film(layer.name, material, layer.name, groups[layer.name], layer.thickness, switches))
    return out


def field_problem(case: Case, tagged: TaggedMesh, stack: StackGeometry) -> FieldProblem:
    """Field problem of a case with a drive."""
    assert case.drive is not None
    drive: TransportCurrent | AppliedField
    if case.drive.current_through is not None:
        length = next(layer.size[0] for layer in stack.layers if layer.name == stack.conductor)
        # On a quarter model the phase difference is that of half the length.
        drive = TransportCurrent((case.drive.current_through,), length / 2 if stack.quarter else length)
    else:
        assert case.drive.applied_field is not None
        drive = AppliedField(AXES[case.drive.applied_field])
    walls = [name for name in tagged.facet_names if name.startswith("box.") or name.endswith((".end-", ".end+"))]
    if stack.quarter:
        walls.append("symmetry.x")
    layers = films(case, stack)
    groups = [film.group for film in layers]
    groups += [conductor.group for conductor in conductors(case, stack) if conductor.group not in groups]
    return FieldProblem(tagged, groups, drive, walls, films=[film.group for film in layers if film.switches])


def conductors(case: Case, stack: StackGeometry) -> list[Conductor]:
    """The layers that carry eddy currents where they are normal; none if they are left out."""
    if not case.physics.eddy:
        return []
    return [
        Conductor(layer.name, material.resistivity, layer.thickness)
        for layer, material in zip(case.layer, materials(case), strict=True)
        if material.resistivity is not None and layer.name != stack.conductor
    ]


def switching(case: Case, heat: HeatProblem, stack: StackGeometry, spins: SpinFields) -> Switching | None:
    """Films and field of a case, in which spins are; None without a drive."""
    if case.drive is None or case.drive.amplitude == 0:
        return None
    space, share = heat.space, 0.5 if stack.quarter else 1.0
    problem, conducting = field_problem(case, space.tagged, stack), conductors(case, stack)
    return Switching(
        problem,
        space,
        films(case, stack),
        share=share,
        transition_width=case.physics.transition_width,
        film_transition=case.physics.film_transition,
        hysteresis=case.physics.hysteresis,
        tolerance=case.solver.fraction_tolerance,
        eddy=EddyCurrents(problem, space, conducting, share) if conducting else None,
        observer=spins.observe,
        nothing=np.zeros(len(spins.layers)),
    )


def spin_layers(case: Case, heat: HeatProblem) -> list[str]:
    """Heat layers whose nuclear spins count."""
    if not case.physics.nuclear:
        return []
    pairs = zip(heat.space.names, heat.materials, strict=True)
    return [name for name, law in pairs if law.nuclei and law.constant_heat_capacity is None]
