"""Curves of runs: panels with axes, ticks and a legend, as SVG or PNG."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from loquent.errors import UsageError
from loquent.training.canvas import Canvas, Point, Vector
from loquent.training.folders import writing
from loquent.training.log import Line
from loquent.training.raster import Raster

# Seen on white and on black, and told apart by color-blind eyes (after Okabe and Ito 2008).
COLORS = ("#2f7fd6", "#d9602b", "#1f9a6c", "#b065c9", "#b8860b", "#2a9fb5", "#c94f7c", "#7a8a99")

WIDTH = 760.0  # of a panel, in CSS pixels as all that follows
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 20.0, 34.0, 40.0
_AREA = 220.0  # height between the axes
_ROW = 18.0  # of the legend
_DOTTED = 40  # a curve of no more points shows each as a dot

_TRAIN = ("loss", "gradient_norm", "rate")  # the figures of steps that are worth a panel
_COUNTS = {"examples", "tokens", "seconds", "epoch"}  # figures of evaluations that are not


@dataclass(frozen=True)
class Curve:
    """A line through points of ascending x; a y that is not finite leaves a gap."""

    name: str
    points: Sequence[Point]
    color: int = 0  # counted round COLORS
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """A pair of axes with curves."""

    title: str
    curves: Sequence[Curve]
    across: str = "step"  # what x counts


def panels(logs: Mapping[str, Sequence[Line]]) -> list[Panel]:
    """The panels of runs by name: loss, each metric of their evaluations, gradient norm, rate.

    Steps are full lines, evaluations and tests dashed ones. Of several runs, each has one color.
    """
    curves: dict[str, list[Curve]] = {}
    for number, (run, lines) in enumerate(logs.items()):
        for (name, kind), points in _figures(lines).items():
            drawn = curves.setdefault(name, [])
            color = number if len(logs) > 1 else len(drawn)
            label = f"{run} {kind}" if len(logs) > 1 else kind
            drawn.append(Curve(label, points, color, kind != "train"))
    others = [name for name in curves if name not in _TRAIN]
    order = [_TRAIN[0], *others, *_TRAIN[1:]]
    return [Panel(name.replace("_", " "), curves[name]) for name in order if name in curves]


def _figures(lines: Sequence[Line]) -> dict[tuple[str, str], list[Point]]:
    """The points of each figure worth a panel, by its name and kind."""
    found: dict[tuple[str, str], list[Point]] = {}
    for line in lines:
        for name, value in line.values.items():
            shown = name in _TRAIN if line.kind == "train" else name not in _COUNTS
            if shown and isinstance(value, int | float) and not isinstance(value, bool):
                found.setdefault((name, line.kind), []).append((line.step, value))
    return found


def svg(drawn: Sequence[Panel]) -> str:
    """The panels as SVG, which follows a light or dark page."""
    canvas = Vector()
    _draw(drawn, canvas)
    return canvas.document(WIDTH, _total(drawn), ", ".join(panel.title for panel in drawn))


def png(drawn: Sequence[Panel]) -> bytes:
    """The panels as PNG on white, at twice the size of the SVG."""
    canvas = Raster(WIDTH, _total(drawn))
    _draw(drawn, canvas)
    return canvas.png()


def save(path: Path, drawn: Sequence[Panel]) -> None:
    """Write the panels to an .svg or .png; the file is there wholly or as it was.

    Raises UsageError for another ending, and CheckpointError where it cannot be written.
    """
    if path.suffix not in (".svg", ".png"):
        raise UsageError("must end in .svg or .png.", where=str(path))
    content = svg(drawn).encode() if path.suffix == ".svg" else png(drawn)
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}")
    with writing(path):
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from low to high: 1, 2 or 5 times a power of ten apart (Heckbert 1990)."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [count * step for count in range(first, last + 1)]


def told(value: float) -> str:
    """A tick's label: 12k for 12000, 2.5M for 2500000."""
    for limit, unit, scale in ((1e9, "B", 1e9), (1e6, "M", 1e6), (1e4, "k", 1e3)):
        if abs(value) >= limit:
            return f"{value / scale:.6g}{unit}"
    return f"{value:.6g}"


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float  # where `low` is on the canvas
    end: float

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def _axis(values: Sequence[float], start: float, end: float, margin: float) -> _Axis:
    """An axis on which all finite values have room; one value alone gets some around it."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    room = (high - low) * margin
    if high - low <= max(abs(low), abs(high)) * 1e-9:
        room = abs(high) * 0.1 or 1.0
    return _Axis(low - room, high + room, start, end)


def _total(drawn: Sequence[Panel]) -> float:
    return sum(map(_height, drawn)) or _TOP


def _height(panel: Panel) -> float:
    return _TOP + _AREA + _BOTTOM + _ROW * len(_legend(panel))


def _draw(drawn: Sequence[Panel], canvas: Canvas) -> None:
    top = 0.0
    for panel in drawn:
        _panel(panel, canvas, top)
        top += _height(panel)


def _panel(panel: Panel, canvas: Canvas, top: float) -> None:
    points = [point for curve in panel.curves for point in curve.points]
    right, foot = WIDTH - _RIGHT, top + _TOP + _AREA
    across = _axis([x for x, _ in points], _LEFT, right, 0.0)
    up = _axis([y for _, y in points], foot, top + _TOP, 0.05)
    canvas.text(_LEFT, top + 22, panel.title, "start", True)
    for value in ticks(up.low, up.high):
        y = up.place(value)
        canvas.line([(_LEFT, y), (right, y)], "grid", 1, False)
        canvas.text(_LEFT - 8, y + 4, told(value), "end", False)
    for value in ticks(across.low, across.high, 8):
        x = across.place(value)
        canvas.line([(x, foot), (x, foot + 5)], "axis", 1, False)
        canvas.text(x, foot + 18, told(value), "middle", False)
    canvas.line([(_LEFT, top + _TOP), (_LEFT, foot), (right, foot)], "axis", 1, False)
    canvas.text(right, foot + 32, panel.across, "end", False)
    for curve in panel.curves:
        _curve(curve, canvas, across, up)
    for row, entries in enumerate(_legend(panel)):
        y = foot + _BOTTOM + _ROW * row + 8
        for x, curve in entries:
            canvas.line([(x, y - 4), (x + 22, y - 4)], _color(curve), 2, curve.dashed)
            canvas.text(x + 28, y, curve.name, "start", False)


def _curve(curve: Curve, canvas: Canvas, across: _Axis, up: _Axis) -> None:
    whole: list[Point] = []  # the points since the last gap
    for x, y in [*_thinned(curve.points, across), (0.0, math.nan)]:
        if math.isfinite(y):
            whole.append((across.place(x), up.place(y)))
            continue
        if len(whole) > 1:
            canvas.line(whole, _color(curve), 1.6, curve.dashed)
        if len(whole) == 1 or (whole and len(curve.points) <= _DOTTED):
            canvas.dots(whole, _color(curve))
        whole = []


def _color(curve: Curve) -> str:
    return COLORS[curve.color % len(COLORS)]


def _thinned(points: Sequence[Point], across: _Axis) -> Sequence[Point]:
    """Of very many points the least and the greatest of each half pixel: no peak is lost."""
    if len(points) <= 4 * WIDTH:
        return points
    columns: dict[int, list[Point]] = {}
    for x, y in points:
        if math.isfinite(y):
            columns.setdefault(int(2 * across.place(x)), []).append((x, y))
    kept: list[Point] = []
    for column in columns.values():
        ends = {pick(column, key=lambda point: point[1]) for pick in (min, max)}
        kept += sorted(ends)
    return kept


def _legend(panel: Panel) -> list[list[tuple[float, Curve]]]:
    """Rows of entries, each with its place from the left."""
    rows: list[list[tuple[float, Curve]]] = []
    x = WIDTH
    for curve in panel.curves:
        letters = sum(1 + (unicodedata.east_asian_width(each) in "WF") for each in curve.name)
        if x + 46 + 7 * letters > WIDTH - _RIGHT:
            rows.append([])
            x = _LEFT
        rows[-1].append((x, curve))
        x += 46 + 7 * letters
    return rows
