"""Input that no honest user writes: one line each, at once, and nothing of it reaches the terminal."""

import os
import time
from pathlib import Path

import pytest

from solvers.case.model import load_case
from solvers.errors import InputError

TEXT = (Path(__file__).parents[3] / "cases" / "refrigerator.toml").read_text(encoding="utf-8")
LIMIT = 5.0  # s of the processor


def refusal(path, *changes):
    """Lines of the error of a case file, which must come in time."""
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        load_case(path, changes)
    assert time.process_time() - start < LIMIT
    lines = caught.value.lines
    assert all(line.isprintable() and 0 < len(line) < 500 for line in lines)
    return lines


def with_value(old, new):
    assert TEXT.count(old) == 1, old
    return lambda: TEXT.replace(old, new)


FILES = {
    "whole number beyond a double": (with_value('start = "100 mK"', f"start = {10**400}"), "must be finite"),
    "whole number of 5000 digits": (with_value('start = "100 mK"', f"start = {'9' * 5000}"), "thousands of digits"),
    "hexadecimal of 5000 digits": (with_value('start = "100 mK"', f"start = 0x{'f' * 5000}"), "must be finite"),
    "as many cycles": (with_value("repeat = 3", f"repeat = {10**30}"), "up to 1000000000"),
    "huge exponent": (with_value('"1 um"', '"1e99999999 um"'), "exponent is too large"),
    "tiny exponent": (with_value('"1 um"', '"1e-99999999 um"'), "thickness"),
    "number of a million digits": (with_value('"1 um"', f'"{"1" * 900_000} um"'), "thickness"),
    "tower of powers": (with_value('"1 um"', '"1 m**9**9**9"'), "is not a unit"),
    "tower of powers in brackets": (with_value('"1 um"', '"1 m**(9**(9**9))"'), "is not a unit"),
    "power of a power": (with_value('"1 um"', '"1 (m**99)**99"'), "is not a unit"),
    "huge power": (with_value('"1 um"', '"1 m*9**99999999"'), "is not a unit"),
    "long unit": (with_value('"1 um"', f'"1 {"m " * 10_000}"'), "is not a unit"),
    "NUL in a title": (with_value('material = "Ta"', 'material = "T\\u0000a"'), "control characters"),
    "escape codes in a key": (with_value('start = "100 mK"', '"\\u001b[2J" = 1\nstart = 1'), "control characters"),
    "escape codes in the text": (with_value('start = "100 mK"', 'start = "\x1b[2J"'), "not valid TOML"),
    "nested beyond recursion": (lambda: f"title = {'[' * 100_000}{']' * 100_000}", "more than 12 deep"),
    "nested within recursion": (lambda: f"title = {'[' * 100}{']' * 100}", "more than 12 deep"),
    "dotted key of 3000 parts": (lambda: f"{'a.' * 3000}a = 1", "more than 12 deep"),
    "20000 unknown keys": (lambda: "".join(f"key{i} = {i}\n" for i in range(20_000)), "only the first 20 mistakes"),
    "3000 layers": (lambda: TEXT + 3000 * '[[layer]]\nname = "x"\n', "only the first 20 mistakes"),
    "100 MB": (lambda: "# " + 100_000_000 * "x", "100.0 MB"),
    "no text": (lambda: "", "is missing"),
    "itself": (lambda: 'extends = "case.toml"', "circle"),
    "a device": (lambda: 'extends = "/dev/zero"', "a pipe or a device"),
    "a name with NUL": (lambda: 'extends = "a\\u0000"', "control characters"),
    "a long name": (lambda: f'extends = "{"a" * 100_000}"', "cannot be read"),
}


@pytest.mark.parametrize("name", FILES)
def test_hostile_file(name, tmp_path):
    make, words = FILES[name]
    (tmp_path / "case.toml").write_text(make(), encoding="utf-8")
    assert any(words in line for line in refusal(tmp_path / "case.toml"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("title=a\0b", "control characters"),
        ("title=a\udcffb", "control characters"),
        (f"start={'9' * 5000}", "start"),
        (f"title={'[' * 50_000}", "more than 12 deep"),
        (f"{'a.' * 5000}a=1", "write key=value"),
        (f"layer.{'9' * 5000}.name=a", "choose from: sink, working, load"),
        ("start=1 K**9**9**9", "is not a unit"),
    ],
    ids=["NUL", "surrogate", "digits", "brackets", "dots", "number of a layer", "powers"],
)
def test_hostile_change(change, words, tmp_path):
    (tmp_path / "case.toml").write_text(TEXT, encoding="utf-8")
    assert words in refusal(tmp_path / "case.toml", change)[0]


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    assert refusal(tmp_path / "pipe.toml") == [f"{tmp_path}/pipe.toml: is a pipe or a device, not a case file"]
    assert "a pipe or a device" in refusal(Path("/dev/zero"))[0]
    assert "is a folder" in refusal(tmp_path)[0]
    assert "no name of a file" in refusal(tmp_path / "a\0b.toml")[0]
    assert "no name of a file" in refusal(tmp_path / "a\ud800.toml")[0]
    (tmp_path / "bytes.toml").write_bytes(b"title = '\xff\xfe'")
    assert "UTF-8" in refusal(tmp_path / "bytes.toml")[0]


def test_long_chains(tmp_path):
    for k in range(1500):
        (tmp_path / f"{k}.toml").write_text(f'extends = "{k + 1}.toml"', encoding="utf-8")
    (tmp_path / "1500.toml").write_text(TEXT, encoding="utf-8")
    assert "more than 20 files extend each other" in refusal(tmp_path / "0.toml")[0]
    load_case(tmp_path / "1490.toml")
