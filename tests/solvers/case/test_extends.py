"""Case files that take all of another one and change or add a few keys."""

import tomllib
from pathlib import Path

import pytest

from solvers.case.model import Case, case_sha256, load_case
from solvers.case.schema import case_schema
from solvers.errors import InputError

DEFAULT = Path(__file__).parents[3] / "cases" / "refrigerator.toml"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "base.toml").write_text(DEFAULT.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def load(folder, text, *overrides, name="more.toml"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return load_case(file, overrides)


def errors(folder, text, *overrides, name="more.toml"):
    with pytest.raises(InputError) as caught:
        load(folder, text, *overrides, name=name)
    return [line.replace(f"{folder}/", "") for line in caught.value.lines]


def test_a_file_that_only_extends_is_the_same_case(folder):
    case = load(folder, 'extends = "base.toml"\n')
    assert case == load_case(DEFAULT)
    assert case_sha256(case) == case_sha256(load_case(DEFAULT))
    # The echo holds everything and extends nothing.
    assert Case.model_validate(tomllib.loads(case.to_toml())) == case
    assert "extends" not in case.model_dump()


def test_blocks_merge_key_by_key(folder):
    case = load(
        folder,
        """
        extends = "base.toml"
        title = "thick"
        [[layer]]
        name = "working"
        thickness = "2 um"
        [[interface]]
        between = ["load", "working"]           # the other way round means the same
        phonons = 0.5
        [[bath]]
        layer = "sink"
        face = "all"
        temperature = "50 mK"
        [drive]
        amplitude = "3 A"
        [cycle]
        repeat = 7
        phases = [{ name = "cool", duration = "1 s" }]
        [mesh]
        growth = 1.3
        """,
    )
    expected = load_case(DEFAULT).model_dump()
    expected["title"] = "thick"
    expected["layer"][1]["thickness"] = 2e-6
    expected["interface"][1] |= {"between": ("load", "working"), "phonons": 0.5}
    expected["bath"][0]["temperature"] = 0.05
    expected["drive"]["amplitude"] = 3.0
    expected["cycle"]["repeat"] = 7
    expected["cycle"]["phases"][1]["duration"] = 1.0
    expected["mesh"]["growth"] = 1.3
    assert case.model_dump() == expected


def test_new_entries_come_last_and_loads_add_up(folder):
    load(
        folder, 'extends = "base.toml"\n[[load]]\nlayer = "load"\npower = "1 pW"\nface = "volume"\n', name="middle.toml"
    )
    case = load(
        folder,
        """
        extends = "middle.toml"
        [[layer]]
        name = "cap"
        material = "Nb"
        thickness = "10 nm"
        size = ["14 um", "14 um"]
        [[interface]]
        between = ["load", "cap"]
        phonons = 1
        [[load]]
        layer = "load"
        power = "2 pW"
        face = "volume"
        [[bath]]
        layer = "cap"
        face = "top"
        temperature = "1 K"
        [cycle]
        phases = [{ name = "rest", hold = 0, duration = "1 s" }]
        """,
    )
    assert [layer.name for layer in case.layer] == ["sink", "working", "load", "cap"]
    assert case.interface_above(2).phonons == 1
    assert [source.power for source in case.load] == pytest.approx([1e-12, 2e-12])
    assert [bath.layer for bath in case.bath] == ["sink", "cap"]
    assert [phase.name for phase in case.cycle.phases] == ["magnetise", "cool", "demagnetise", "reject", "rest"]


def test_other_lists_are_replaced(folder):
    case = load(
        folder,
        'extends = "base.toml"\n[[interface]]\nbetween = ["working", "load"]\nconducts_in = ["cool"]\n',
    )
    assert case.interface_above(1).conducts_in == ["cool"]
    assert case.interface_above(1).resistance_area == 2e-6


def test_a_key_puts_aside_those_that_exclude_it(folder):
    case = load(
        folder,
        """
        extends = "base.toml"
        [[interface]]
        between = ["sink", "working"]            # there: contact = "perfect"
        resistance_area = "1e-12 ohm m^2"
        [[interface]]
        between = ["working", "load"]            # there: resistance_area
        contact = "perfect"
        [[bath]]
        layer = "sink"
        face = "all"
        contact = "perfect"
        [drive]
        applied_field = "y"                      # there: current_through and return_plane
        amplitude = "100 mT"
        [cycle]
        phases = [{ name = "magnetise", table = [["0 s", 0], ["1 ms", 1]] }, { name = "cool", ramp = [1, 1] }]
        """,
    )
    dump, other = case.interface_above(0), case.interface_above(1)
    assert (dump.contact, dump.resistance_area, dump.conducts_in) == (None, 1e-12, ["reject"])
    assert (other.contact, other.resistance_area) == ("perfect", None)
    assert case.drive is not None
    assert (case.drive.current_through, case.drive.return_plane, case.drive.applied_field) == (None, None, "y")
    first, second = case.cycle.phases[:2]
    assert (first.ramp, first.table) == (None, [(0.0, 0.0), (1e-3, 1.0)])
    assert (second.hold, second.ramp) == (None, (1.0, 1.0))
    # Mechanisms that add up stay.
    both = load(folder, 'extends = "base.toml"\n[[interface]]\nbetween = ["working", "load"]\nconductance = 1e-9\n')
    assert both.interface_above(1).resistance_area == 2e-6

    material = '[[layer]]\nname = "working"\nresistivity = "5e-9 ohm m"\n[material.my]\nlike = "Ta"\n'
    load(folder, 'extends = "base.toml"\n' + material + "beta = 3\n", name="middle.toml")
    rrr = '[[layer]]\nname = "working"\nrrr = 20\n[material.my]\ndebye_temperature = 250\nmolar_volume = 1.1e-5\n'
    case = load(folder, 'extends = "middle.toml"\n' + rrr)
    assert (case.layer[1].rrr, case.layer[1].resistivity) == (20.0, None)
    assert (case.material["my"].beta, case.material["my"].debye_temperature) == (None, 250.0)


def test_remove(folder):
    load(folder, 'extends = "base.toml"\n[[load]]\nlayer = "load"\npower = 1e-12\n', name="middle.toml")
    case = load(
        folder,
        """
        extends = "middle.toml"
        remove = ["interface.working|load.conducts_in", "drive.return_plane", "load", "cycle.phases",
                  "layer.load.material"]
        [[layer]]
        name = "load"
        material = "Al"
        [[load]]
        layer = "load"
        power = 3e-12
        [cycle]
        phases = [{ name = "reject", hold = 0, duration = "1 s" }]
        """,
    )
    assert case.interface_above(1).conducts_in is None
    assert case.drive is not None
    assert case.drive.return_plane is None
    assert [source.power for source in case.load] == [3e-12]
    assert [phase.name for phase in case.cycle.phases] == ["reject"]
    assert case.layer[2].material == "Al"
    gone = 'extends = "base.toml"\nremove = ["layer.load", "interface.working|load", "interface.0.conducts_in"]\n'
    case = load(folder, gone + "[cycle]\nrepeat = 1\n")
    assert [layer.name for layer in case.layer] == ["sink", "working"]
    assert case.interface_above(0).conducts_in is None


def test_overrides_work_on_the_merged_case(folder):
    text = 'extends = "base.toml"\n[[layer]]\nname = "working"\nthickness = "2 um"\n'
    case = load(folder, text, "layer.working.thickness=3um", "layer.load.thickness=4um", "cycle.repeat=1")
    assert [layer.thickness for layer in case.layer] == pytest.approx([0.4e-6, 3e-6, 4e-6])
    assert errors(folder, text, "layer.working.thickness=3 A")[0].startswith("--set layer.working.thickness=3 A: ")


def test_paths_are_relative_to_the_file(folder):
    (folder / "below").mkdir()
    load(folder, 'extends = "../base.toml"\ntitle = "a"\n', name="below/a.toml")
    assert load(folder, 'extends = "below/a.toml"\n').title == "a"
    assert load(folder, f'extends = "{folder / "base.toml"}"\n').title == load_case(DEFAULT).title


def line_of(file, text):
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_messages_name_the_file_and_line(folder):
    base = folder / "base.toml"
    base.write_text(base.read_text(encoding="utf-8").replace('"3 um"', '"3 ohm"'), encoding="utf-8")
    found = errors(
        folder,
        'extends = "base.toml"\n[[layer]]\nname = "working"\nthickness = "2 K"\nmaterail = "Nb"\n'
        '[[layer]]\nname = "cap"\nmaterial = "Nb"\n[[interface]]\nbetween = ["sink", "lod"]\nphonons = 1\n',
    )
    places = [line.split(": ")[:2] for line in found]
    number = line_of(base, '"3 ohm"')
    assert places == [
        ["more.toml:4", "layer[1].thickness (working)"],
        ["more.toml:5", "layer[1].materail (working)"],
        [f"base.toml:{number}", "layer[2].thickness (load)"],
        ["more.toml:6", "layer[3].thickness (cap)"],
        ["more.toml:6", "layer[3].size (cap)"],
        ["more.toml:10", "interface[2].between[1] (sink|lod)"],
    ]


def test_a_mistake_between_the_files_is_told_at_the_extension(folder):
    text = 'extends = "base.toml"\n[cycle]\nphases = [\n  { name = "cool", ramp = [0, 1], hold = 1 },\n]\n'
    assert errors(folder, text)[0].startswith("more.toml:4: cycle.phases[1].hold (cool): needs exactly one of")
    twice = 'extends = "base.toml"\n' + '[[layer]]\nname = "working"\nthickness = "2 um"\n' * 2
    assert errors(folder, twice)[0].startswith("more.toml:5: ")
    # What only the base says is told there: the phase it names is gone.
    base_line = line_of(folder / "base.toml", 'conducts_in = ["cool", "reject"]')
    lost = errors(folder, 'extends = "base.toml"\nremove = ["cycle.phases.cool"]\n')
    assert [line.split(": ")[:2] for line in lost] == [
        [f"base.toml:{base_line}", "interface[1].conducts_in[0] (working|load)"]
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "bse.toml"', 'more.toml:1: extends: bse.toml: no such case file; did you mean "base.toml"?'),
        ('extends = "nowhere/base.toml"', "more.toml:1: extends: nowhere/base.toml: no such case file"),
        ('\nextends = ""', "more.toml:2: extends: "),
        ("extends = 3", "more.toml:1: extends: needs the name of a case file in quotes"),
        ('extends = "more.toml"', "more.toml:1: extends: the files extend each other in a circle: more.toml -> more"),
        (
            'extends = "round.toml"',
            "round.toml:1: extends: the files extend each other in a circle: more.toml -> round",
        ),
        ('extends = "broken.toml"', "broken.toml:2: not valid TOML"),
        ('extend = "base.toml"', 'more.toml:1: extend: unknown key; did you mean "extends"?'),
        ('remove = ["load"]', "more.toml:1: remove: only with extends"),
        ('extends = "base.toml"\nremove = "load"', "more.toml:2: remove: needs a list of keys"),
        ('extends = "base.toml"\nremove = [\n3]', "more.toml:3: remove: needs a list of keys"),
        (
            'extends = "base.toml"\nremove = ["dirve"]',
            'more.toml:2: remove: dirve: base.toml has no "dirve" there; did',
        ),
        (
            'extends = "base.toml"\nremove = ["layer.lod"]',
            'more.toml:2: remove: layer.lod: layer has no entry "lod"; did you mean "load"?',
        ),
        (
            'extends = "base.toml"\nremove = ["start.x"]',
            'more.toml:2: remove: start.x: base.toml has no "x" there; start is a value',
        ),
    ],
)
def test_one_message_for_a_wrong_extension(folder, text, message):
    (folder / "round.toml").write_text('extends = "more.toml"\n', encoding="utf-8")
    (folder / "broken.toml").write_text('title = "x"\nstart = \n', encoding="utf-8")
    found = errors(folder, text)
    assert any(line.startswith(message) for line in found), found
    assert len(found) == 1 or "unknown key" in message


def test_schema_explains_extends_and_asks_nothing_of_an_extension():
    schema = case_schema()
    assert schema["properties"]["extends"]["type"] == "string"
    assert "loads" not in schema["properties"]
    for block in schema["$defs"].values():
        assert "required" not in block
    assert schema["else"]["required"] == ["start", "layer", "cycle"]
    assert "required" not in schema
    assert set(schema["$defs"]["LayerBlock"]["x-required"]) == {"name", "material", "thickness", "size"}


def test_remove_counts_in_the_other_file(folder):
    loads = [{"layer": "load", "power": f"{k} pW"} for k in (1, 2, 3)]
    text = "".join(f'[[load]]\nlayer = "{load["layer"]}"\npower = "{load["power"]}"\n' for load in loads)
    (folder / "three.toml").write_text('extends = "base.toml"\n' + text, encoding="utf-8")
    for removed, left in (
        (("load.0", "load.1"), [3e-12]),
        (("load.2", "load.0"), [2e-12]),
        (("load.1",), [1e-12, 3e-12]),
    ):
        case = load(folder, f'extends = "three.toml"\nremove = {list(removed)}')
        assert [load.power for load in case.load] == pytest.approx(left)


def test_layers_of_an_interface_in_either_order(folder):
    for key in ("load|working", "working|load"):
        case = load(folder, 'extends = "base.toml"', f"interface.{key}.resistance_area=1e-6")
        assert case.interface[1].resistance_area == 1e-6
        case = load(folder, f'extends = "base.toml"\nremove = ["interface.{key}.conducts_in"]')
        assert case.interface[1].conducts_in is None
