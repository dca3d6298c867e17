"""Draw a file of fields/ with ParaView, without a screen.

    F=results/refrigerator/fields/cycle-0003
    xvfb-run -a pvpython scripts/render_fields.py $F-cool-temperature.bp temperature.png
    xvfb-run -a pvpython scripts/render_fields.py $F-magnetise-field.bp field.png

*-temperature.bp: the layers, cut open at their middle, by temperature in mK. *-field.bp: the cross-section
through their middle by |B| in mT, with the outlines of the layers.

Needs a ParaView with the ADIOS2 VTX reader, such as Debian 13's (apt install paraview python3-paraview xvfb); Debian
12's has none. In the window: File, Open, the .bp folder, "ADIOS2VTXReader"; in a Slice, set the advanced property
"Point Merge Method" to "Not Merging Points": merging gives a point the value of one of its cells and hides jumps.
"""

import sys

from paraview import servermanager, simple

BLACK = [0.0, 0.0, 0.0]


def main(source: str, picture: str) -> None:
    """Read a .bp folder and write a picture."""
    reader = simple.ADIOS2VTXReader(FileName=source)
    reader.UpdatePipeline()
    arrays = set(reader.PointData.keys())
    if "material_number" not in arrays:
        sys.exit(f"{source} is no file of coldstack's fields; it has {sorted(arrays) or 'nothing'}")
    view = simple.CreateView("RenderView")
    view.ViewSize = [1500, 900]
    view.UseColorPaletteForBackground = 0
    view.Background = [1.0, 1.0, 1.0]
    view.OrientationAxesLabelColor = BLACK
    if "B_T" in arrays:
        draw_cross_section(reader, view)
    else:
        draw_layers(reader, view)
    simple.SaveScreenshot(picture, view)
    print(picture)


def draw_layers(reader: servermanager.Proxy, view: servermanager.Proxy) -> None:
    """The quarter of the stack beyond its middle, by temperature, from the inside."""
    quarter = reader
    low, high = bounds(reader)
    for k, normal in enumerate(([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])):
        middle = 0.5 * (low[k] + high[k])
        if low[k] < -1e-6 * high[k]:  # not a quarter model
            quarter = simple.Clip(Input=quarter, Invert=0)
            quarter.ClipType.Normal = normal
            quarter.ClipType.Origin = [middle * n for n in normal]
    scaled = simple.Calculator(Input=quarter, ResultArrayName="T", Function="temperature_K * 1000")
    paint(scaled, view, "T", "T (mK)", "Viridis (matplotlib)", 0.06)
    size = high[1]  # half of the widest layer
    view.CameraFocalPoint = [0.7 * size, 0.3 * size, 0.2 * size]
    view.CameraPosition = [-1.0 * size, -2.6 * size, 1.5 * size]
    view.CameraViewUp = [0.0, 0.0, 1.0]


def draw_cross_section(reader: servermanager.Proxy, view: servermanager.Proxy) -> None:
    """|B| in the plane across the middle of the layers, seen along the current."""
    solid = above(reader, 0.5)
    low, high = bounds(solid)
    # A little off the middle: there is a plane of mesh nodes, where a cell on either side could be meant.
    x = 0.5 * (low[0] + high[0]) if low[0] < -1e-6 * high[0] else low[0]
    x += 1e-4 * (high[0] - low[0])
    scaled = simple.Calculator(Input=reader, ResultArrayName="B", Function="mag(B_T) * 1000")
    paint(cut(scaled, x), view, "B", "Magnitude of B (mT)", "Inferno (matplotlib)", 0.88)
    for number in range(1, 1 + int(reader.PointData["material_number"].GetRange(0)[1])):
        # Cells share no points in the files: without merging them every cell would have its outline.
        merged = simple.Clean(Input=cut(above(reader, number - 0.5, number + 0.5), x), Tolerance=1e-6)
        outline = simple.Show(merged, view)
        outline.Representation = "Feature Edges"
        outline.AmbientColor = outline.DiffuseColor = [1.0, 1.0, 1.0]
        outline.LineWidth = 2.0
        outline.ColorArrayName = ["POINTS", ""]
    middle = [0.5 * (a + b) for a, b in zip(low, high, strict=True)]
    view.CameraParallelProjection = 1
    view.CameraParallelScale = 0.42 * (high[1] - low[1])
    view.CameraFocalPoint = [x, middle[1], middle[2]]
    view.CameraPosition = [x - 10 * high[1], middle[1], middle[2]]
    view.CameraViewUp = [0.0, 0.0, 1.0]


def bounds(source: servermanager.Proxy) -> tuple[list[float], list[float]]:
    """Lowest and highest coordinates (um)."""
    source.UpdatePipeline()
    box = source.GetDataInformation().GetBounds()
    return list(box[::2]), list(box[1::2])


def above(source: servermanager.Proxy, low: float, high: float = 1e9) -> servermanager.Proxy:
    """Cells with a material number between two values."""
    return simple.Threshold(
        Input=source, Scalars=["POINTS", "material_number"], LowerThreshold=low, UpperThreshold=high
    )


def cut(source: servermanager.Proxy, x: float) -> servermanager.Proxy:
    """Plane across the current."""
    plane = simple.Slice(Input=source)
    # Merged points would have the value of one of the cells around them: no jumps, and streaks where cells are flat.
    plane.PointMergeMethod = "Not Merging Points"
    plane.SliceType.Origin = [x, 0.0, 0.0]
    plane.SliceType.Normal = [1.0, 0.0, 0.0]
    return plane


def paint(
    source: servermanager.Proxy, view: servermanager.Proxy, array: str, title: str, colours: str, place: float
) -> None:
    """Show something coloured by an array, with a colour bar at a part of the view's width."""
    shown = simple.Show(source, view)
    shown.Representation = "Surface"
    shown.Ambient, shown.Diffuse = 0.7, 0.3  # the colours count, not the light
    simple.ColorBy(shown, ("POINTS", array))
    table = simple.GetColorTransferFunction(array)
    table.ApplyPreset(colours, True)
    shown.RescaleTransferFunctionToDataRange(False, True)
    bar = simple.GetScalarBar(table, view)
    bar.Title, bar.ComponentTitle = title, ""
    bar.TitleColor = bar.LabelColor = BLACK
    bar.TitleFontSize = bar.LabelFontSize = 22
    bar.AutomaticLabelFormat, bar.LabelFormat, bar.RangeLabelFormat = 0, "%.0f", "%.0f"
    bar.WindowLocation, bar.Position, bar.ScalarBarLength = "Any Location", [place, 0.42], 0.5
    shown.SetScalarBarVisibility(view, True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
