import math
import pickle
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from fem.materials.library import get_material
from solvers.case.blocks import InterfaceBlock
from solvers.case.materials import layer_material
from solvers.case.model import Case, case_sha256, load_case
from solvers.case.schema import case_schema
from solvers.case.toml_lines import key_lines
from solvers.errors import InputError

CASES = sorted(p for p in (Path(__file__).parents[3] / "cases").rglob("*.toml") if p.parent.name != "studies")
DEFAULT = next(path for path in CASES if path.name == "refrigerator.toml")
TEXT = DEFAULT.read_text(encoding="utf-8")


def errors(folder, text, *overrides):
    """Lines of the error that a case text gives, without the folder."""
    file = folder / "case.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_case(file, overrides)
    return [line.replace(f"{folder}/", "") for line in caught.value.lines]


# ---- good cases ----------------------------------------------------------------------------------


def test_default_case():
    case = load_case(DEFAULT)
    assert [layer.name for layer in case.layer] == ["sink", "working", "load"]
    assert [layer.material for layer in case.layer] == ["Nb", "Ta", "Cu"]
    assert [layer.thickness for layer in case.layer] == [0.4e-6, 1e-6, 3e-6]
    assert [layer.size for layer in case.layer] == [(60e-6, 20e-6), (14e-6, 14e-6), (14e-6, 14e-6)]
    assert case.start == 0.1
    assert case.interface_above(0).contact == "perfect"
    assert case.interface_above(0).conducts_in == ["reject"]
    assert case.interface_above(1).resistance_area == 2e-6
    assert case.interface_above(1).conducts_in == ["cool", "reject"]
    assert case.drive is not None
    assert (case.drive.current_through, case.drive.return_plane) == ("sink", 0.6e-6)
    assert case.drive.amplitude == pytest.approx(2.4)
    assert case.cycle.repeat >= 3
    assert [phase.duration for phase in case.cycle.phases] == [1e-3, 0.3, 1e-3, 0.1]
    assert [phase.ramp for phase in case.cycle.phases] == [(0.0, 1.0), None, (1.0, 0.0), None]
    assert [phase.hold for phase in case.cycle.phases] == [None, 1.0, None, 0.0]
    assert (case.bath[0].layer, case.bath[0].face) == ("sink", "all")
    assert (case.bath[0].temperature, case.bath[0].contact) == (0.1, "perfect")
    assert case.symmetry_obstacles() == []


@pytest.mark.parametrize("override", ["bath.0.face=bottom", 'bath.0.conducts_in=["cool"]', "bath.0.layer=load"])
def test_an_ideal_contact_needs_a_layer_that_is_held(tmp_path, override):
    text = TEXT.replace('contact = "perfect"', 'contact = "ideal"')
    found = errors(tmp_path, text, override)
    assert any("interface[0].contact" in line and '"ideal" needs a [[bath]]' in line for line in found), found
    (tmp_path / "good.toml").write_text(text, encoding="utf-8")
    assert load_case(tmp_path / "good.toml").interface_above(0).contact == "ideal"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_case_loads_and_its_echo_is_the_same_case(path):
    case = load_case(path)
    assert Case.model_validate(tomllib.loads(case.to_toml())) == case
    assert Case.model_validate(case.model_dump()) == case
    assert Case.model_validate_json(case.model_dump_json()) == case
    assert pickle.loads(pickle.dumps(case)) == case


def test_hash_depends_on_values_and_not_on_their_spelling(tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(TEXT.replace('"0.4 um"', "4e-7").replace("# ", "#  "), encoding="utf-8")
    assert case_sha256(load_case(other)) == case_sha256(load_case(DEFAULT))
    assert case_sha256(load_case(DEFAULT, ["cycle.repeat=4"])) != case_sha256(load_case(DEFAULT))


def test_overrides():
    case = load_case(
        DEFAULT,
        [
            "cycle.repeat=1",
            "layer.working.thickness=2um",
            "layer.2.material=Al",
            "interface.working|load.dynes=1e-3",
            "cycle.phases.cool.duration=50 ms",
            "bath.sink.temperature=90 mK",
            "mesh.symmetry=full",
            "output.figures=false",
            "layer.load.size=['10 um', '12 um']",
            "title=A new title",
        ],
    )
    assert case.cycle.repeat == 1
    assert case.layer[1].thickness == 2e-6
    assert case.layer[2].material == "Al"
    assert case.interface[1].dynes == 1e-3
    assert case.cycle.phases[1].duration == 0.05
    assert case.bath[0].temperature == 0.09
    assert case.mesh.symmetry == "full"
    assert case.output.figures is False
    assert case.layer[2].size == (10e-6, 12e-6)
    assert case.title == "A new title"


def test_case_built_in_python_is_checked_too():
    values = load_case(DEFAULT).model_dump()
    values["interface"][0]["between"] = ("sink", "wrking")
    with pytest.raises(ValidationError, match='there is no layer "wrking"'):
        Case.model_validate(values)
    with pytest.raises(ValidationError, match="resistance_area"):
        InterfaceBlock(between=("a", "b"))


def test_applied_field_is_kept_in_ampere_per_metre(tmp_path):
    file = tmp_path / "case.toml"
    drive = TEXT[TEXT.index("current_through") : TEXT.index("# ---- What holds")]
    file.write_text(TEXT.replace(drive, 'applied_field = "y"\namplitude = "83 mT"\n\n'), "utf-8")
    case = load_case(file)
    assert case.drive is not None
    assert case.drive.amplitude == pytest.approx(0.083 / (4e-7 * math.pi), rel=1e-8)


def test_materials_of_layers(tmp_path):
    file = tmp_path / "case.toml"
    file.write_text(
        TEXT.replace('material = "Ta"', 'material = "mine"\npenetration_depth = "80 nm"')
        .replace('material = "Cu"', 'material = "block"\nmean_free_path = "2 um"')
        .replace('material = "Nb"', 'material = "niobium-film"\nresistivity = "3e-8 ohm m"')
        + '[material.mine]\nlike = "ta"\ncritical_temperature = "4.4 K"\n'
        '[material.block]\nconstant_conductivity = 10\nbeta = "3 J/m^3/K^4"\ngamma = 98\n'
        '[material.niobium-film]\nlike = "Nb"\ndebye_temperature = "277 K"\n'
        'molar_volume = "10.8 cm^3/mol"\n[physics]\npenetration = "two-fluid"\n',
        "utf-8",
    )
    case = load_case(file)
    film, mine, block = (layer_material(layer, case.material, case.physics) for layer in case.layer[:3])
    tantalum = get_material("Ta")
    assert mine.name == "mine"
    assert mine.critical_temperature == 4.4
    assert mine.penetration_depth0 == 80e-9
    assert (mine.gamma, mine.beta) == (tantalum.gamma, tantalum.beta)
    assert mine.penetration_law == "two-fluid"
    assert mine.sources["critical_temperature"] == "case file"
    assert film.resistivity == 3e-8
    # 12 pi^4 R / (5 theta^3 V) with R = 8.314463 J/(mol K)
    assert film.beta == pytest.approx(1943.77 / (277**3 * 10.8e-6), rel=1e-5)
    assert (block.gamma, block.beta, block.constant_conductivity) == (98.0, 3.0, 10.0)
    assert block.phonon_mean_free_path == 2e-6
    assert not block.superconducting


# ---- wrong cases: one line for each mistake ------------------------------------------------------

WRONG = [
    # old text, new text, what stands in the line that is named, path, words of the message
    ('"1 um"', '"3 mT"', '"3 mT"', "layer[1].thickness (working)", 'needs a length such as "50 nm"'),
    ('"1 um"', '"-1 um"', '"-1 um"', "layer[1].thickness (working)", "greater than zero"),
    ('"1 um"', "nan", "nan", "layer[1].thickness (working)", "finite"),
    ('"1 um"', "true", "= true", "layer[1].thickness (working)", "not true"),
    ('"1 um"', "1", "= 1", "layer[1].thickness (working)", "a bare number is in m"),
    ('thickness = "1 um"', "", "[[layer]]", "layer[1].thickness (working)", "is missing"),
    ('thickness = "1 um"', 'thicknes = "1 um"', "thicknes =", "layer[1].thicknes", '"thickness"?'),
    ('material = "Ta"', 'material = "Tantalum"', "Tantalum", "layer[1].material", 'mean "Ta"?'),
    ('material = "Ta"', "material = 3", "material = 3", "layer[1].material", "a text in quotes"),
    ('name = "working"', 'name = "sink"', "name =", "layer[1].name", "is taken already"),
    ('["14 um", "14 um"]', '["14 um"]', '["14 um"]', "layer[1].size", "a list of two lengths"),
    ('["14 um", "14 um"]', '["14 um", 0]', '["14 um", 0]', "layer[1].size[1]", "greater than zero"),
    (
        '["14 um", "14 um"]',
        '["14 um", "14 um"]\nrrr = 5\nresistivity = 1e-8',
        "resistivity",
        "layer[1].resistivity",
        "exclude",
    ),
    ('["14 um", "14 um"]', '["60 um", "14 um"]', "current_thr", "drive.current_through", "further in x"),
    (
        '"2e-6 ohm m^2"',
        '"1e-20 ohm m^2"',
        "1e-20",
        "interface[1].resistance_area (working|load)",
        'contact = "perfect"',
    ),
    (
        'resistance_area = "2e-6 ohm m^2"',
        "conductance = 1e15",
        "1e15",
        "interface[1].conductance",
        'contact = "perfect"',
    ),
    (
        'resistance_area = "2e-6 ohm m^2"',
        "conductance = 1e300",
        "1e300",
        "interface[1].conductance",
        'contact = "perfect"',
    ),
    ('contact = "perfect"', "conductance = 1e12", "1e12", "interface[0].conductance", 'contact = "perfect"'),
    ("repeat = 3", "repeat = 0", "repeat = 0", "cycle.repeat", "a whole number from 1 on"),
    ("repeat = 3", "repeat = 3.0", "repeat = 3.0", "cycle.repeat", "a whole number from 1 on"),
    ("repeat = 3", "repeats = 3", "repeats = 3", "cycle.repeats", 'did you mean "repeat"?'),
    ("repeat = 3", "figures = true", "figures", "cycle.figures", "belongs into the block [output]"),
    ("hold = 1, ", "", '"cool"', "cycle.phases[1] (cool)", "exactly one of ramp, hold, table"),
    ("hold = 1, ", "hold = 1, ramp = [0, 1], ", '"cool"', "cycle.phases[1].hold", "2 are given"),
    ("hold = 1, ", "hold = '1 A', ", '"cool"', "cycle.phases[1].hold", "is a current"),
    ("hold = 1, ", "table = [[0, 0], [0, 1]], ", '"cool"', "cycle.phases[1].table", "must increase"),
    ("hold = 1, ", "table = [[0, 0], [1, 1]], ", '"cool"', "cycle.phases[1].table", "to the duration"),
    ("hold = 1, ", "table = [], ", '"cool"', "cycle.phases[1].table", "the list is empty"),
    ('"0.3 s"', '"0.3 m"', '"0.3 m"', "cycle.phases[1].duration (cool)", "is a length; it needs a time"),
    ('name = "cool"', 'name = "magnetise"', "hold = 1,", "cycle.phases[1].name", "is taken already"),
    ('["reject"]', '["rejct"]', "rejct", "interface[0].conducts_in[0]", 'did you mean "reject"?'),
    ('["reject"]', "[]", "conducts_in", "interface[0].conducts_in (sink|working)", "empty"),
    ('["reject"]', '"reject"', "conducts_in", "interface[0].conducts_in", "needs a list"),
    ('"sink", "working"]', '"sunk", "working"]', "sunk", "interface[0].between[0]", 'mean "sink"?'),
    ('"sink", "working"]', '"sink", "load"]', '"sink", "load"]', "interface[0].between", "do not touch"),
    ('"sink", "working"]', '"sink", "sink"]', '"sink", "sink"]', "interface[0].between", "twice"),
    ('contact = "perfect" ', "", "[[interface]]", "interface[0] (sink|working)", "says not how"),
    ('contact = "perfect"', 'contact = "good"', '"good"', "interface[0].contact", "perfect"),
    ('contact = "perfect"', 'contact = "perfect"\nphonons = 1', "contact =", "interface[0].contact", "place"),
    ('contact = "perfect"', "conductance = 1\ndynes = 0.1", "dynes", "interface[0].dynes", "resistance_area"),
    ('"2e-6 ohm m^2"', '"2e-6 ohm"', '"2e-6 ohm"', "interface[1].resistance_area", "is a resistance;"),
    ('material = "Cu"', 'material = "sapphire"', "2e-6 ohm", "interface[1].resistance_area", "metals"),
    ("current_through", "curent_through", "curent", "drive.curent_through", '"current_through"?'),
    ('through = "sink"', 'through = "sunk"', '"sunk"', "drive.current_through", "no conductor"),
    ('through = "sink"', 'through = "load"', 'through = "load"', "drive.current_through", "no superconductor"),
    ('current_through = "sink"', "", "[drive]", "drive", "no conductor"),
    ('"2.4 A"', '"2.4 T"', '"2.4 T"', "drive.amplitude", 'needs a current such as "2.2 A"'),
    ("[drive]", "[driv]", "[driv]", "driv", 'did you mean "drive"?'),
    ("[drive]", "[[drive]]", "[[drive]]", "drive", "write [drive]"),
    ("[[bath]]", "[bath]", "[bath]", "bath", "write [[bath]]"),
    ('face = "all"', 'face = "al"', '"al"', "bath[0].face (sink)", 'did you mean "all"?'),
    ('face = "all"', 'face = "all"\nphonons = 1', "face =", "bath[0].face", 'contact = "perfect"'),
    ('layer = "sink"', 'layer = "snk"', '"snk"', "bath[0].layer (snk)", 'did you mean "sink"?'),
    ("[cycle]", '[[bath]]\nlayer = "sink"\nface = "top"\ntemperature = 1\n[cycle]', '"top"', "bath[1].face", "already"),
    (
        "[cycle]",
        '[[bath]]\nlayer = "load"\nface = "bottom"\ntemperature = 1\n[cycle]',
        "bottom",
        "bath[1].face",
        "cover",
    ),
    ("[cycle]", '[[load]]\nlayer = "working"\npower = 1e-9\n[cycle]', "[[load]]", "load[0].face", "is covered by"),
    ("[cycle]", '[[load]]\nlayer = "load"\npower = "1 J"\n[cycle]', "1 J", "load[0].power", "is an energy"),
    ("[cycle]", "[mesh]\ngrowth = 0.5\n[cycle]", "growth", "mesh.growth", "at least 1"),
    ("[cycle]", '[mesh]\nsymmetry = "half"\n[cycle]', "half", "mesh.symmetry", "auto, full, quarter"),
    ("[cycle]", '[solver]\nrtol = "0"\n[cycle]', "rtol", "solver.rtol", "greater than zero"),
    ("[cycle]", "[output]\nfigures = 1\n[cycle]", "figures", "output.figures", "true or false"),
    ("[cycle]", '[material.ta]\nlike = "Ta"\n[cycle]', "[material", "material.ta", "is in the library"),
    ("[cycle]", '[material.x]\nlike = "Tb"\n[cycle]', "Tb", "material.x.like", "choose from"),
    ("[cycle]", "[material.x]\ngamma = 1\n[cycle]", "[material", "material.x", "conducts no heat"),
    ("[cycle]", "[material.x]\nresistivity = 1e-8\n[cycle]", "[mater", "material.x", "no heat capacity"),
]


@pytest.mark.parametrize(("old", "new", "place", "path", "words"), WRONG)
def test_one_mistake_is_one_line(tmp_path, old, new, place, path, words):
    text = TEXT.replace(old, new, 1)
    assert text != TEXT
    lines = errors(tmp_path, text)
    assert len(lines) == 1
    assert words in lines[0]
    where, named, _ = lines[0].split(": ", 2)
    file, number = where.split(":")
    assert file == "case.toml"
    assert place in text.splitlines()[int(number) - 1]
    assert named.startswith(path)


def test_all_mistakes_are_told_at_once(tmp_path):
    text = TEXT.replace('thickness = "1 um"', 'thicknes = "1 um"').replace('"Cu"', '"Co"')
    text = text.replace("repeat = 3", "repeat = -3").replace('["sink", "w', '["sunk", "w')
    lines = errors(tmp_path, text)
    assert len(lines) == 4
    for words in ("unknown key", 'unknown material "Co"', "cycle.repeat", 'no layer "sunk"'):
        assert sum(words in line for line in lines) == 1


def test_layers_that_do_not_touch(tmp_path):
    text = TEXT.replace('thickness = "3 um"', 'thickness = "3 um"\ncenter = ["0 um", "14 um"]')
    [line] = errors(tmp_path, text)
    assert 'layer[2] (load): layers "working" and "load" do not touch' in line
    # one micrometre of overlap is enough
    file = tmp_path / "case.toml"
    file.write_text(text.replace('"0 um", "14 um"', '"0 um", "13 um"'), encoding="utf-8")
    assert load_case(file).symmetry_obstacles() == ['the centre of layer "load" is not [0, 0]']


def test_touching_layers_need_an_interface(tmp_path):
    block = TEXT[TEXT.index('[[interface]]\nbetween = ["working"') : TEXT.index("# ---- What makes")]
    [line] = errors(tmp_path, TEXT.replace(block, ""))
    assert 'layers "working" and "load" touch, but no [[interface]]' in line
    [line] = errors(tmp_path, TEXT.replace(block, block + block))
    assert "has an [[interface]] already" in line


def test_quarter_that_is_not_possible(tmp_path):
    block = '[[load]]\nlayer = "load"\npower = "1 pW"\npatch = ["-1 um", "2 um", "-1 um", "1 um"]\n'
    text = TEXT.replace("[cycle]", f'[mesh]\nsymmetry = "quarter"\n{block}[cycle]')
    [line] = errors(tmp_path, text)
    assert '"quarter" is not possible: the patch of the load on "load"' in line
    [line] = errors(tmp_path, text.replace('["-1 um", "2 um"', '["-8 um", "8 um"'))
    assert "reaches beyond the top face" in line
    [line] = errors(tmp_path, text.replace('["-1 um", "2 um"', '["1 um", "-1 um"'))
    assert "x0 < x1" in line


def test_case_without_drive_stays_at_zero(tmp_path):
    drive = TEXT[TEXT.index("[drive]") : TEXT.index("# ---- What holds")]
    lines = errors(tmp_path, TEXT.replace(drive, ""))
    assert len(lines) == 3  # each phase that is not at zero
    assert all("there is no [drive]" in line for line in lines)


@pytest.mark.parametrize("name", ["vacuum", "Box", "symmetry", "a.b", "a|b", "a b", "", "2nd", "-a", "ä"])
def test_names_that_are_not_allowed(tmp_path, name):
    [line] = errors(tmp_path, TEXT.replace('"load"', f'"{name}"'))
    assert line.split(": ")[1].startswith("layer[2].name")
    assert "reserved" in line or "is no name" in line


def test_empty_lists(tmp_path):
    lines = errors(tmp_path, "start = 1\nlayer = []\n[cycle]\nphases = []\n")
    assert [line.split(": ")[1] for line in lines] == ["layer", "cycle.phases"]
    assert all("empty" in line for line in lines)
    lines = errors(tmp_path, "")
    assert [line.split(": ")[1] for line in lines] == ["start", "layer", "cycle"]
    assert all("is missing" in line for line in lines)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("cycle.repeat", "write key=value"),
        ("=1", "write key=value"),
        ("cycle..repeat=1", "write key=value"),
        ("cycle.repeat=", "not valid TOML"),
        ("cycle.repeat=[1", "not valid TOML"),
        ("cycle.repeat=0", "cycle.repeat: needs a whole number"),
        ("cycle.repeats=1", 'did you mean "repeat"?'),
        ("layer.workin.thickness=2um", 'layer has no entry "workin"; did you mean "working"?'),
        ("layer.3.thickness=2um", 'layer has no entry "3"'),
        ("layer.-1.thickness=2um", 'layer has no entry "-1"'),
        ("layer.working.thickness=2mT", 'layer[1].thickness (working): "2mT" is a magnetic field'),
        ("start.value=1", 'start is a value and has no "value"'),
        ("layer=1", "layer: needs a list"),
        ("layer.working=1", "layer[1]: needs a block"),
        ("physics.hysteresis=[1.61, 1.007]", "would gain energy"),
        ("physics.hysteresis=1.61", "needs a list of two ratios [up, down]"),
        ("physics.overshoot='fast'", 'needs a number such as 5e-8 or "ramp", not "fast"'),
        ("physics.overshoot=-1", "must not be negative"),
    ],
)
def test_wrong_overrides(tmp_path, override, words):
    [line] = errors(tmp_path, TEXT, override)
    assert line.startswith(f"--set {override}: ")
    assert words in line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"1 um"', "1 um", 'a value with a unit stands in quotes, such as "50 nm"'),
        ("[drive]", "[drive", "not valid TOML"),
        ("[drive]", "[drive]\n[drive]", "not valid TOML"),
        ("hold = 1,", 'hold = "1,', "not valid TOML"),
    ],
)
def test_toml_errors_name_the_line(tmp_path, old, new, words):
    [line] = errors(tmp_path, TEXT.replace(old, new, 1))
    assert words in line
    number = TEXT[: TEXT.index(old)].count("\n") + 1 + new.count("\n")
    assert line.startswith(f"case.toml:{number}: ")


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "refrigerator.toml").write_bytes(b"\xff\xfe\x00")
    for name, words in [
        ("refrigerater.toml", 'refrigerator.toml"?'),
        ("other.toml", "no such case file"),
        ("refrigerator.toml", "UTF-8"),
        ("", "is a folder"),
    ]:
        with pytest.raises(InputError) as caught:
            load_case(tmp_path / name)
        assert len(caught.value.lines) == 1
        assert words in str(caught.value)
    # what some editors write: a byte-order mark and CRLF line ends
    (tmp_path / "windows.toml").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load_case(tmp_path / "windows.toml") == load_case(DEFAULT)


def test_errors_go_through_pickle():
    error = pickle.loads(pickle.dumps(InputError("one\ntwo")))
    assert isinstance(error, InputError)
    assert error.lines == ["one", "two"]


# ---- lines of keys -------------------------------------------------------------------------------

ALL_OF_TOML = r'''a = 1  # [x]
"b c" = 'it"s'
d.e = [1,
  2, # 2]
  {f = "}", g = [
    3]}]

[[t]]
h = """x
[no] = \"""" # one quote belongs to the text
y = 1
[t.u]
i = 2024-01-01 00:00:00
[[t.v]]
[[t]]
[[t.v]]
[p.q.r]
[t.w]
j = "\\\"" # \
k = 5'''


def test_lines_of_all_kinds_of_toml():
    def keys(value, path=()):
        if not isinstance(value, dict | list):
            return {path}
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {path}.union(*(keys(inner, (*path, key)) for key, inner in items))

    lines = key_lines(ALL_OF_TOML)
    assert set(lines) == keys(tomllib.loads(ALL_OF_TOML)) - {()}
    assert (lines["a",], lines["b c",]) == (1, 2)
    assert (lines["d", "e", 0], lines["d", "e", 1]) == (3, 4)
    assert (lines["d", "e", 2, "f"], lines["d", "e", 2, "g", 0]) == (5, 6)
    assert (lines["t",], lines["t", 0], lines["t", 0, "h"], lines["t", 0, "y"]) == (8, 8, 9, 11)
    assert (lines["t", 0, "u", "i"], lines["t", 0, "v", 0]) == (13, 14)
    assert (lines["t", 1], lines["t", 1, "v", 0]) == (15, 16)
    assert (lines["p",], lines["p", "q"]) == (17, 17)
    assert (lines["t", 1, "w", "j"], lines["t", 1, "w", "k"]) == (19, 20)


# ---- schema --------------------------------------------------------------------------------------


def test_every_key_of_the_schema_has_a_description():
    schema = case_schema()
    blocks = {"case": schema, **schema["$defs"]}
    assert {f"{name}Block" for name in ("Layer", "Interface", "Drive", "Cycle", "Phase", "Bath", "Load")} <= set(blocks)
    for name, block in blocks.items():
        assert block["additionalProperties"] is False, name
        assert block["description"], name
        for key, entry in block["properties"].items():
            assert len(entry["description"]) > 8, f"{name}.{key}"
            kinds = [entry, *entry.get("anyOf", [])]
            for unit in [kind["x-unit"] for kind in kinds if "x-unit" in kind]:
                shown = "(-" if unit == "1" else f"({unit}"
                assert shown in entry["description"] or unit == "A or A/m", f"{name}.{key}"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_key_of_the_cases_is_in_the_schema(path):
    schema = case_schema()
    types = {str: "string", bool: "boolean", int: "number|integer", float: "number"}

    def check(value, entry):
        kinds = [entry, *entry.get("anyOf", []), *entry.get("allOf", [])]
        kinds += [schema["$defs"][kind["$ref"].rsplit("/")[-1]] for kind in kinds if "$ref" in kind]
        if isinstance(value, dict):
            properties = next(kind["properties"] for kind in kinds if "properties" in kind)
            for key, inner in value.items():
                check(inner, properties[key])
        elif isinstance(value, list):
            array = next(kind for kind in kinds if kind.get("type") == "array")
            for i, inner in enumerate(value):
                check(inner, array["prefixItems"][i] if "prefixItems" in array else array["items"])
        else:
            allowed = "|".join(str(kind.get("type")) for kind in kinds)
            assert re.search(types[type(value)], allowed), (value, allowed)

    check(tomllib.loads(path.read_text(encoding="utf-8")), schema)


# ---- what is allowed and told --------------------------------------------------------------------


def test_layers_too_thin_for_the_mesh(tmp_path):
    """0.1 nm beside 30 mm ended in a traceback of Gmsh."""
    wide = ["layer.sink.size=[0.03, 0.02]", "layer.sink.thickness=0.1 nm"]
    (line,) = errors(tmp_path, TEXT, *wide)
    assert line.startswith(
        "--set layer.sink.thickness=0.1 nm: layer[0].thickness (sink): 0.1 nm beside a layer of 30 mm"
    )
    assert "at least 0.3 nm" in line
    load_case(DEFAULT, [wide[0], "layer.sink.thickness=0.4 nm"])


@pytest.mark.parametrize(
    ("phases", "repeat", "jumps"),
    [
        ([{"ramp": [0, 1]}, {"hold": 1}, {"ramp": [1, 0]}, {"hold": 0}], 3, []),
        ([{"hold": 1}], 3, [("0 to 1", 'at the start of the run of phase "p0"')]),
        ([{"ramp": [0, 1]}], 1, []),
        ([{"ramp": [0, 1]}], 2, [("1 to 0", 'from the end of phase "p0" to the start of phase "p0"')]),
        ([{"ramp": [0, 1]}, {"hold": 0.5}, {"ramp": [0.5, 0]}], 2, [("1 to 0.5", 'from the end of phase "p0"')]),
        ([{"table": [[0, 0], [0.5, 1], [1, 0.2]]}, {"ramp": [0.2, 0]}], 2, []),
        ([{"table": [[0, 0.1], [1, 0]]}], 1, [("0 to 0.1", "at the start of the run")]),
    ],
)
def test_drive_that_jumps(phases, repeat, jumps):
    data = load_case(DEFAULT).model_dump(mode="json")
    data["cycle"] = {
        "repeat": repeat,
        "phases": [{"name": f"p{k}", "duration": 1.0, **phase} for k, phase in enumerate(phases)],
    }
    for block in data["interface"]:
        block["conducts_in"] = None
    data["interface"][0] |= {"contact": None, "conductance": 1.0}
    told = Case.model_validate(data).warnings()
    assert len(told) == len(jumps)
    for text, words in zip(told, jumps, strict=True):
        assert all(word in text for word in words), text


def test_no_warnings_of_the_shipped_cases():
    assert load_case(DEFAULT).warnings() == []
