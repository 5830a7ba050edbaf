"""Reports as Markdown."""

from collections.abc import Sequence

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


def to_markdown(found: Report | Comparison) -> str:
    """A report or a comparison as a page of Markdown."""
    return _report(found) if isinstance(found, Report) else _comparison(found)


def _report(report: Report) -> str:
    title = f"# {report.model.name}: {report.task} on {report.data.name}"
    told = "\n".join(f"- {name}: {_escaped(value)}" for name, value in facts(report))
    parts = [title, told, *map(_table, tables(report))]
    if report.worst:
        parts.append(_table(worst(report)))
    return "\n\n".join(parts) + "\n"


def _comparison(found: Comparison) -> str:
    first = found.reports[0]
    parts = [f"# {first.task} on {first.data.name}", _table(overview(found))]
    for each in found.against:
        parts.append(_table(differences(each, first.model.name)))
        signatures = "\n".join(f"- {d.name}: {d.signature}" for d in each.differences)
        parts.append(f"Signatures:\n\n{signatures}")
        if each.gained:
            parts.append(_table(flips(each.gained, f"better in {each.name}")))
        if each.lost:
            parts.append(_table(flips(each.lost, f"worse in {each.name}")))
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    rule = ["---" if place < table.left else "---:" for place in range(len(table.head))]
    lines = [_row(table.head), _row(rule), *(map(_row, table.rows))]
    return f"## {table.title}\n\n" + "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escaped, cells)) + " |"


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is, and that does not end its cell."""
    made = " ".join(text.split())
    for sign in ("\\", "|", "<", "`", "*", "_", "[", "]"):
        made = made.replace(sign, f"\\{sign}")
    return made
