import pytest

# Two copper films that exchange heat, without a field: about a second.
CASE = """
start = "100 mK"
layer = [
  { name = "sink", material = "Cu", thickness = "1 um", size = ["10 um", "10 um"] },
  { name = "load", material = "Cu", thickness = "1 um", size = ["10 um", "10 um"] },
]
interface = [ { between = ["sink", "load"], resistance_area = "1e-6 ohm m^2" } ]
bath = [ { layer = "sink", face = "all", temperature = "50 mK" } ]
mesh = { surface_cell = 1, growth = 3, edge_cell = "5 um", interior_cell = "5 um", lateral_growth = 3 }
output = { fields = "none", figures = false }
[cycle]
repeat = 1
phases = [ { name = "cool", hold = 0, duration = "0.1 s" } ]
"""


@pytest.fixture
def write(tmp_path):
    """Write the case and a study of it; the text is what the study says besides the case."""
    (tmp_path / "case.toml").write_text(CASE, encoding="utf-8")

    def write_study(text):
        path = tmp_path / "study.toml"
        path.write_text(f'case = "case.toml"\n{text}', encoding="utf-8")
        return path

    return write_study
