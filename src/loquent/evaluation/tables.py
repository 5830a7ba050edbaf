"""A report as tables of words, which all pages share."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from loquent.evaluation.comparison import Against, Comparison, Flip
from loquent.evaluation.report import Report
from loquent.metrics import METRICS, Score

_SHOWN_GROUPS = 50
_SHOWN_CLASSES = 20
_SHOWN_TEXT = 160  # characters of an example


@dataclass(frozen=True)
class Table:
    """Cells under a head; all but the first `left` columns are figures."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


def number(value: float) -> str:
    """A figure with four digits; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def facts(report: Report) -> list[tuple[str, str]]:
    """What a report is of, and how it came about."""
    model, data = report.model, report.data
    made = [
        ("task", report.task),
        ("model", ", ".join(e for e in (model.name, model.weights, model.executor) if e)),
        ("data", f"{data.name}, {data.examples:,} examples, sha256 {data.sha256[:16]}"),
        ("counted", f"{report.examples:,}"),
        ("unanswered, counted as wrong", _share(report.unanswered, report.examples)),
        ("truncated", _truncated(report)),
    ]
    if report.asked:
        rate = report.asked / report.seconds if report.seconds else 0.0
        made.append(("time", f"{report.seconds:.1f} s, {rate:,.1f} examples/s"))
    made += [("set", f"{name} {value}") for name, value in report.settings.items()]
    made += [("note", each) for each in report.notes]
    made.append(("loquent", report.version))
    return made


def _share(count: int, of: int) -> str:
    return f"{count:,} ({count / of:.2%})" if of else str(count)


def _truncated(report: Report) -> str:
    told = _share(report.truncated, report.examples)
    return f"{told}, {report.dropped_tokens:,} tokens" if report.truncated else told


def tables(report: Report) -> Iterator[Table]:
    """All figures of a report."""
    yield scores(report.scores)
    for title, parts in (("groups", report.groups), ("length", report.lengths)):
        if parts:
            yield _parts(f"{report.main.name} by {title}", parts)
    if report.confusion:
        yield _confusion(report)
    if report.calibration:
        yield Table(
            "calibration: of the likeliest class",
            ("probability", "right", "examples"),
            [
                (number(each.confidence), number(each.accuracy), f"{each.examples:,}")
                for each in report.calibration
            ],
        )


def scores(found: Sequence[Score]) -> Table:
    """Scores with their intervals and signatures."""
    rows = [
        (
            f"{each.name}{'' if METRICS[each.name].higher_is_better else ' (less is better)'}",
            number(each.value),
            f"{number(each.low)} to {number(each.high)}",
            f"{each.examples:,}",
            each.signature,
        )
        for each in found
    ]
    return Table("scores", ("metric", "value", "95 %", "examples", "signature"), rows)


def _parts(title: str, parts: Mapping[str, Score]) -> Table:
    rows = [
        (
            name,
            number(each.value),
            f"{number(each.low)} to {number(each.high)}",
            f"{each.examples:,}",
        )
        for name, each in list(parts.items())[:_SHOWN_GROUPS]
    ]
    more = len(parts) - len(rows)
    title = f"{title} (the {_SHOWN_GROUPS} largest; {more} more in the JSON)" if more else title
    return Table(title, ("", "value", "95 %", "examples"), rows)


def _confusion(report: Report) -> Table:
    names = list(report.classes)
    if len(names) > _SHOWN_CLASSES:
        return _mistaken(report)
    told = [*names, *([""] if any("" in row for row in report.confusion.values()) else [])]
    rows = [
        (name, *(f"{report.confusion.get(name, {}).get(each, 0):,}" for each in told))
        for name in names
    ]
    head = ("meant \\ told", *(each or "(none)" for each in told))
    return Table("confusion", head, rows)


def _mistaken(report: Report) -> Table:
    """The most frequent mistakes, where there are too many classes for a table of all."""
    found = sorted(
        (
            (count, meant, said)
            for meant, row in report.confusion.items()
            for said, count in row.items()
            if said != meant
        ),
        reverse=True,
    )
    rows = [(meant, said or "(none)", f"{count:,}") for count, meant, said in found[:_SHOWN_GROUPS]]
    return Table("confusion: the most frequent mistakes", ("meant", "told", "times"), rows, left=2)


def worst(report: Report) -> Table:
    """The worst examples."""
    rows = [
        (each.where, short(each.asked), short(each.target), short(each.told), number(each.goodness))
        for each in report.worst
    ]
    return Table("worst examples", ("where", "asked", "right", "told", "goodness"), rows, left=4)


def short(text: str) -> str:
    """A text in one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_TEXT else f"{line[: _SHOWN_TEXT - 1]}…"


def differences(each: Against, first: str) -> Table:
    """How far a model is from the first one."""
    rows = [
        (
            found.name,
            f"{found.value:+.4g}",
            f"{found.low:+.4g} to {found.high:+.4g}",
            f"{found.p:.3g}",
            f"{each.holm[found.name]:.3g}",
            f"{found.won:.1%}",
            number(found.detectable),
            f"{found.differing:,} of {found.examples:,}",
        )
        for found in each.differences
    ]
    head = ("metric", "difference", "95 %", "p", "p (Holm)", "resamples won",
            "smallest that shows", "examples that differ")  # fmt: skip
    return Table(f"{each.name} less {first}", head, rows)


def flips(found: Sequence[Flip], title: str) -> Table:
    """Examples at which one model is much better."""
    rows = [
        (each.where, short(each.asked), short(each.target), short(each.first), short(each.second))
        for each in found
    ]
    return Table(title, ("where", "asked", "right", "first", "second"), rows, left=5)


def overview(found: Comparison) -> Table:
    """The scores of all models side by side."""
    names = [each.name for each in found.reports[0].scores]
    rows = [
        (
            report.model.name,
            *(
                f"{number(each.value)} [{number(each.low)}, {number(each.high)}]"
                for each in report.scores
            ),
        )
        for report in found.reports
    ]
    return Table("scores, with 95 % intervals", ("model", *names), rows)
