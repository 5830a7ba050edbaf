"""Reports as one page of HTML that loads nothing."""

from collections.abc import Iterable, Sequence
from html import escape

from loquent.evaluation.comparison import Comparison
from loquent.evaluation.report import Report
from loquent.evaluation.tables import (
    Table,
    differences,
    facts,
    flips,
    overview,
    tables,
    worst,
)
from loquent.metrics.chances import Calibration

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --mark: #2f7fd6; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; display: block; overflow-x: auto; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; }
th.text, td.text { text-align: left; }
td.signature { font-size: 11px; opacity: .75; text-align: left; overflow-wrap: anywhere;
  min-width: 18rem; }
dl { display: grid; grid-template-columns: max-content auto; gap: .1rem 1rem; }
dt { opacity: .7; } dd { margin: 0; }
.bar { stroke: var(--mark); stroke-width: 3; } .dot { fill: var(--mark); }
svg { max-width: 100%; height: auto; } svg text { fill: currentColor; font-size: 12px; }
.axis { stroke: currentColor; opacity: .4; fill: none; }
"""
_WIDTH, _ROW, _LEFT, _RIGHT = 640.0, 24.0, 180.0, 70.0
_SIDE, _EDGE = 280.0, 40.0


def to_html(found: Report | Comparison) -> str:
    """A report or a comparison as one page that needs nothing else."""
    return _report(found) if isinstance(found, Report) else _comparison(found)


def _report(report: Report) -> str:
    title = f"{report.model.name}: {report.task} on {report.data.name}"
    body = [f"<h1>{escape(title)}</h1>", _facts(report)]
    for table in tables(report):
        body.append(_table(table, heat=table.title == "confusion"))
        if table.title.startswith("calibration"):
            body.append(_calibration(report.calibration))
    if report.worst:
        body.append(_table(worst(report)))
    return _page(title, body)


def _comparison(found: Comparison) -> str:
    first = found.reports[0]
    title = f"{first.task} on {first.data.name}: {len(found.reports)} models"
    body = [f"<h1>{escape(title)}</h1>", _table(overview(found)), _bars(found)]
    for each in found.against:
        body.append(_table(differences(each, first.model.name)))
        if each.gained:
            body.append(_table(flips(each.gained, f"better in {each.name}")))
        if each.lost:
            body.append(_table(flips(each.lost, f"worse in {each.name}")))
    for report in found.reports:
        body += [f"<h2>{escape(report.model.name)}</h2>", _facts(report)]
        body += [_table(table) for table in tables(report)]
    return _page(title, body)


def _page(title: str, body: Iterable[str]) -> str:
    # nothing is loaded and nothing runs, whatever stands in the texts
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _facts(report: Report) -> str:
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(report))
    return f"<dl>{''.join(rows)}</dl>"


def _table(table: Table, heat: bool = False) -> str:
    head = "".join(_cell("th", each, place, table) for place, each in enumerate(table.head))
    rows = "\n".join(
        "<tr>"
        + "".join(
            _cell("td", each, place, table, _shade(row, place, heat))
            for place, each in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    return (
        f"<h2>{escape(table.title)}</h2>\n<table><thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _cell(tag: str, text: str, place: int, table: Table, style: str = "") -> str:
    kind = "signature" if table.head[place] == "signature" else "text" if place < table.left else ""
    name = f' class="{kind}"' if kind else ""
    return f"<{tag}{name}{style}>{escape(text)}</{tag}>"


def _shade(row: Sequence[str], place: int, heat: bool) -> str:
    """The share that a count has in its row, as a shade."""
    if not heat or not place:
        return ""
    counts = [int(each.replace(",", "")) for each in row[1:]]
    share = counts[place - 1] / max(sum(counts), 1)
    return f' style="background: rgb(47 127 214 / {0.75 * share:.2f})"'


def _calibration(found: Sequence[Calibration]) -> str:
    """How often the model was right, by how sure it was; on the line it is as sure as it may be."""
    size = _SIDE + 2 * _EDGE

    def place(x: float, y: float) -> str:
        return f"{_EDGE + x * _SIDE:.1f},{_EDGE + (1 - y) * _SIDE:.1f}"

    ticks = "".join(
        f'<text x="{_EDGE + tick * _SIDE:.0f}" y="{size - _EDGE + 16:.0f}" '
        f'text-anchor="middle">{tick:g}</text>'
        f'<text x="{_EDGE - 6:.0f}" y="{_EDGE + (1 - tick) * _SIDE + 4:.0f}" '
        f'text-anchor="end">{tick:g}</text>'
        for tick in (0.0, 0.5, 1.0)
    )
    most = max(each.examples for each in found)
    dots = "".join(
        f'<circle class="dot" cx="{_EDGE + each.confidence * _SIDE:.1f}" '
        f'cy="{_EDGE + (1 - each.accuracy) * _SIDE:.1f}" '
        f'r="{3 + 7 * (each.examples / most) ** 0.5:.1f}">'
        f"<title>{each.confidence:.3f}: right {each.accuracy:.3f} of {each.examples:,}</title>"
        "</circle>"
        for each in found
    )
    return (
        f'<svg viewBox="0 0 {size:.0f} {size:.0f}" width="{size:.0f}" role="img" '
        'aria-label="calibration curve">'
        f'<path class="axis" d="M{place(0, 1)} L{place(0, 0)} L{place(1, 0)}"/>'
        f'<path class="axis" stroke-dasharray="4" d="M{place(0, 0)} L{place(1, 1)}"/>{ticks}{dots}'
        f'<text x="{size / 2:.0f}" y="{size - 8:.0f}" text-anchor="middle">probability</text>'
        f'<text x="12" y="{size / 2:.0f}" transform="rotate(-90 12 {size / 2:.0f})" '
        'text-anchor="middle">share right</text></svg>'
    )


def _bars(found: Comparison) -> str:
    """The main score of each model with its interval."""
    mains = [report.main for report in found.reports]
    low, high = min(each.low for each in mains), max(each.high for each in mains)
    span = high - low or 1.0
    height = _ROW * (len(mains) + 1)

    def across(value: float) -> float:
        return _LEFT + (value - low) / span * (_WIDTH - _LEFT - _RIGHT)

    rows = []
    for place, (report, main) in enumerate(zip(found.reports, mains, strict=True)):
        y = _ROW * (place + 0.7)
        rows.append(
            f'<text x="0" y="{y + 4:.0f}">{escape(report.model.name[-24:])}</text>'
            f'<line class="bar" x1="{across(main.low):.1f}" x2="{across(main.high):.1f}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<circle class="dot" cx="{across(main.value):.1f}" cy="{y:.1f}" r="5"/>'
            f'<text x="{_WIDTH - _RIGHT + 10:.0f}" y="{y + 4:.0f}">{main.value:.4g}</text>'
        )
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" width="{_WIDTH:.0f}" role="img" '
        f'aria-label="{escape(mains[0].name)}">{"".join(rows)}</svg>'
    )
