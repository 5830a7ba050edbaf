"""Curves, as a reader of SVG and of PNG sees them."""

import math
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from loquent.errors import CheckpointError, UsageError
from loquent.training import glyphs, plots
from loquent.training.log import Line
from loquent.training.plots import Curve, Panel

NAMESPACE = "{http://www.w3.org/2000/svg}"


def log(loss: float = 4.0, steps: int = 50) -> list[Line]:
    made = []
    for step in range(1, steps + 1):
        values = {"loss": loss / step, "rate": 0.1, "tokens": step * 100, "gradient_norm": 1.0}
        made.append(Line("train", step, 0.0, values))
        if step % 10 == 0:
            values = {"loss": loss / step + 0.1, "accuracy": step / 100, "examples": 9, "ok": True}
            made.append(Line("eval", step, 0.0, values))
    return made


def parsed(drawn) -> ElementTree.Element:
    return ElementTree.fromstring(plots.svg(drawn))


def texts(root) -> list[str]:
    return ["".join(each.itertext()) for each in root.iter(f"{NAMESPACE}text")]


def pixels(png: bytes):
    """A PNG decoded by the letter of its standard: (height, width, 3), every checksum looked at."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        name, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size :][:4])[0] == zlib.crc32(name + content)
        chunks.append((name, content))
        at += 12 + size
    (head, header), (data, packed), end = chunks
    assert (head, data, end) == (b"IHDR", b"IDAT", (b"IEND", b""))
    width, height, *kind = struct.unpack(">IIBBBBB", header)
    assert kind == [8, 2, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def near(image, color: str) -> int:
    """How many points are of a color, by eye."""
    wanted = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)])
    return int((np.abs(image.astype(int) - wanted).max(axis=-1) < 12).sum())


def test_panels_are_the_figures_of_a_run_with_the_loss_first():
    drawn = plots.panels({"": log()})
    assert [panel.title for panel in drawn] == ["loss", "accuracy", "gradient norm", "rate"]
    train, evaluated = drawn[0].curves
    assert (train.name, evaluated.name) == ("train", "eval")
    assert (len(train.points), len(evaluated.points)) == (50, 5)
    assert (train.dashed, evaluated.dashed) == (False, True)
    assert train.color != evaluated.color
    assert drawn[1].curves[0].points[0] == (10, 0.1)


def test_of_several_runs_each_has_one_color():
    drawn = plots.panels({"small": log(), "large": log(3.0)})
    assert [(curve.name, curve.color) for curve in drawn[0].curves] == [
        ("small train", 0),
        ("small eval", 0),
        ("large train", 1),
        ("large eval", 1),
    ]


def test_no_log_is_an_empty_picture():
    assert plots.panels({"": []}) == []
    assert ElementTree.fromstring(plots.svg([])).tag == f"{NAMESPACE}svg"
    assert pixels(plots.png([])).min() == 255


def test_svg_has_axes_ticks_legend_and_both_themes():
    root = parsed(plots.panels({"": log()}))
    said = texts(root)
    assert "loss" in said
    assert "step" in said
    assert {"train", "eval"} <= set(said)
    assert {"10", "20", "30", "40", "50"} <= set(said)  # ticks of the steps
    assert {"1", "2", "3", "4"} <= set(said)  # of the loss
    style = "".join(root.find(f"{NAMESPACE}style").itertext())
    assert "prefers-color-scheme: dark" in style
    width, height = float(root.get("width")), float(root.get("height"))
    for line in root.iter(f"{NAMESPACE}polyline"):
        for point in line.get("points").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    for text in root.iter(f"{NAMESPACE}text"):
        assert 0 <= float(text.get("y")) <= height


def contrast(one: str, other: str) -> float:
    """The contrast of two colors (WCAG 2.1, 1.4.3)."""

    def luminance(color: str) -> float:
        shares = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return sum(part * each for part, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_curves_stand_out_on_light_and_dark():
    for color in plots.COLORS:  # 3 : 1 is what WCAG 2.1 asks of graphics
        assert contrast(color, "#ffffff") >= 3, color
        assert contrast(color, "#0d1117") >= 3, color
    assert contrast("#24292f", "#ffffff") >= 7
    assert contrast("#e6edf3", "#0d1117") >= 7


def test_points_are_where_their_values_are():
    panel = Panel("p", [Curve("c", [(0, 0.0), (50, 10.0), (100, 0.0)])])
    root = parsed([panel])
    (curve,) = [
        line
        for line in root.iter(f"{NAMESPACE}polyline")
        if line.get("stroke") == plots.COLORS[0] and len(line.get("points").split()) == 3
    ]
    (x0, y0), (x1, y1), (x2, y2) = [
        tuple(map(float, point.split(","))) for point in curve.get("points").split()
    ]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 == y2 > y1  # down is more
    labels = {
        "".join(text.itertext()): float(text.get("y")) - 4
        for text in root.iter(f"{NAMESPACE}text")
        if text.get("text-anchor") == "end"
    }
    assert labels["0"] == pytest.approx(y0, abs=0.2)
    assert labels["10"] == pytest.approx(y1, abs=0.2)


def test_what_is_not_finite_is_a_gap():
    points = [(1, 1.0), (2, 2.0), (3, math.nan), (4, 1.0), (5, math.inf), (6, 2.0), (7, 1.0)]
    root = parsed([Panel("p", [Curve("c", points)])])
    curves = [
        len(line.get("points").split())
        for line in root.iter(f"{NAMESPACE}polyline")
        if line.get("stroke") == plots.COLORS[0] and line.get("stroke-width") == "1.6"
    ]
    assert curves == [2, 2]
    assert len(list(root.iter(f"{NAMESPACE}circle"))) == 5
    assert "nan" not in plots.svg([Panel("p", [Curve("c", points)])])


@pytest.mark.parametrize("points", [[(1, 1.0)], [(1, 0.0), (2, 0.0)], [(5, -3.0), (6, -3.0)], []])
def test_one_value_alone_has_an_axis(points):
    root = parsed([Panel("p", [Curve("c", points)])])
    assert len(texts(root)) > 4


def test_names_are_escaped():
    root = parsed([Panel("<&>", [Curve('a"<b>', [(1, 1.0), (2, 2.0)])])])
    assert {"<&>", 'a"<b>'} <= set(texts(root))


def test_a_long_legend_has_several_rows():
    curves = [Curve(f"a run with a long name {n} 名字", [(0, n), (1, n)], n) for n in range(9)]
    root = parsed([Panel("p", curves)])
    rows = {text.get("y") for text in root.iter(f"{NAMESPACE}text") if "run" in (text.text or "")}
    assert len(rows) >= 3


def test_a_million_points_keep_their_peaks():
    points = [(step, 1.0) for step in range(200_000)]
    points[123_456] = (123_456, 50.0)
    points[123_457] = (123_457, math.nan)
    drawn = plots.svg([Panel("p", [Curve("c", points)])])
    assert len(drawn) < 100_000
    root = ElementTree.fromstring(drawn)
    heights = [
        float(point.split(",")[1])
        for line in root.iter(f"{NAMESPACE}polyline")
        if line.get("stroke-width") == "1.6"
        for point in line.get("points").split()
    ]
    assert max(heights) - min(heights) > 180


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.13, 0.61, [0.2, 0.3, 0.4, 0.5, 0.6]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (1e6, 3e6, [1e6, 1.5e6, 2e6, 2.5e6, 3e6]),
        (1e-9, 6e-9, [1e-9, 2e-9, 3e-9, 4e-9, 5e-9, 6e-9]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert plots.ticks(low, high) == pytest.approx(expected)


def test_labels_of_ticks_are_short():
    told = [plots.told(value) for value in (0.1 + 0.2, 5000, 12000, 2.5e6, 3e9, 1e-5, -20000, 0)]
    assert told == ["0.3", "5000", "12k", "2.5M", "3B", "1e-05", "-20k", "0"]


def test_png_shows_the_same_curves():
    panel = Panel("loss", [Curve("a", [(0, 0.0), (100, 10.0)]), Curve("b", [(0, 10), (100, 0)], 1)])
    image = pixels(plots.png([panel]))
    assert image.shape == (624, 1520, 3)
    for color in plots.COLORS[:2]:
        assert near(image, color) > 1500
    assert near(image, plots.COLORS[2]) == 0
    # curve a rises: below on the left, above on the right
    blue = np.abs(image.astype(int) - [0x2F, 0x7F, 0xD6]).max(axis=-1) < 12
    rows = np.argwhere(blue[:560])
    left = rows[rows[:, 1] < 300][:, 0].mean()
    right = rows[rows[:, 1] > 1300][:, 0].mean()
    assert left > 400
    assert right < 200


def test_a_dashed_line_has_gaps_and_a_dot_is_round():
    whole = near(pixels(plots.png([Panel("", [Curve("", [(0, 0), (9, 9)])])])), "#2f7fd6")
    dashed = Curve("", [(0, 0), (9, 9)], dashed=True)
    assert 0.4 * whole < near(pixels(plots.png([Panel("", [dashed])])), "#2f7fd6") < 0.8 * whole
    dot = pixels(plots.png([Panel("", [Curve("", [(0, 1.0)])])]))
    assert 50 < near(dot[:560], "#2f7fd6") < 120


def test_every_letter_can_be_told_from_every_other():
    shapes = {character: frozenset(glyphs.points(character)) for character in glyphs._ROWS}
    assert len(set(shapes.values())) == len(shapes)
    assert glyphs.points("a") == glyphs.points("A")
    assert glyphs.points("名") == glyphs.points("ß") != []
    for points in shapes.values():
        assert all(0 <= x < glyphs.WIDTH and 0 <= y < glyphs.HEIGHT for x, y in points)


def test_a_text_is_where_it_should_be():
    image = pixels(plots.png([Panel("TITLE", [Curve("", [(0, 0), (1, 1)])])]))
    title = image[26:46, 120:200]
    assert near(title, "#24292f") > 100
    long = Panel("", [Curve("x" * 400, [(0, 0), (1, 1)])])  # what has no room is left out
    assert near(pixels(plots.png([long])), "#24292f") > 1000


def test_a_picture_is_written_wholly_or_not_at_all(tmp_path):
    drawn = plots.panels({"": log()})
    plots.save(tmp_path / "curves.svg", drawn)
    plots.save(tmp_path / "curves.png", drawn)
    assert (tmp_path / "curves.svg").read_text(encoding="utf-8") == plots.svg(drawn)
    assert (tmp_path / "curves.png").read_bytes() == plots.png(drawn)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["curves.png", "curves.svg"]
    with pytest.raises(UsageError, match=r"curves\.gif: must end in"):
        plots.save(tmp_path / "curves.gif", drawn)
    with pytest.raises(CheckpointError, match=r"absent.*cannot be written"):
        plots.save(tmp_path / "absent" / "curves.svg", drawn)
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(CheckpointError, match=r"folder\.svg: cannot be written"):
        plots.save(tmp_path / "folder.svg", drawn)
    assert len(list(tmp_path.iterdir())) == 3
