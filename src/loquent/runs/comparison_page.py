"""A comparison as tables, as a page of Markdown and as drawings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loquent.metrics import METRICS
from loquent.runs.advice import advice, percent, shown
from loquent.runs.comparison import Comparison, Row
from loquent.training.plots import Curve, Panel

_NONE = "–"


@dataclass(frozen=True)
class Table:
    """Cells under a head; all but the first `left` columns are figures."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


def tables(found: Comparison) -> list[Table]:
    """Quality and cost, speed of writing, and recall; without those that nothing is known of."""
    made = [_main(found), _writing(found), _recall(found)]
    return [table for table in made if table.rows]


def _main(found: Comparison) -> Table:
    others = [name for name in found.rows[0].scores if name != found.metric]
    names = [found.metric, *others]
    return Table(
        f"Quality ({found.part}) and cost",
        (
            "network", "parameters", "seeds", *names,
            "steps", "tokens", "training tokens/s", "peak memory",
        ),
        [_cells(row, names) for row in found.rows],
    )  # fmt: skip


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    return [
        row.label,
        f"{row.parameters:,}",
        str(len(row.seeds)),
        *(shown(row.scores[name]) if name in row.scores else _NONE for name in names),
        f"{row.steps:,.0f}",
        f"{row.tokens:,.0f}",
        f"{row.tokens_per_second:,.0f}" if row.tokens_per_second else _NONE,
        f"{row.memory_bytes / 1e6:,.0f} MB" if row.memory_bytes else _NONE,
    ]


def _writing(found: Comparison) -> Table:
    """A line for each network and runtime, a column for each length."""
    lengths = sorted({each.tokens for row in found.rows for each in row.writing})
    rows = []
    for row in found.rows:
        for runtime, precision in dict.fromkeys((w.runtime, w.precision) for w in row.writing):
            speeds = {
                each.tokens: each.tokens_per_second
                for each in row.writing
                if each.runtime == runtime
            }
            told = [f"{speed:,.0f}" if (speed := speeds.get(n)) else _NONE for n in lengths]
            rows.append([row.label, f"{runtime}, {precision}", *told])
    head = ("network", "runtime", *(f"{length:,} tokens" for length in lengths))
    return Table("Tokens/s of one text that is written, by its length", head, rows, left=2)


def _recall(found: Comparison) -> Table:
    gaps = sorted({gap for row in found.rows for gap in row.recall})
    rows = [
        [row.label, *(percent(row.recall[gap]) if gap in row.recall else _NONE for gap in gaps)]
        for row in found.rows
        if row.recall
    ]
    head = ("network", *(f"{gap:,} ago" for gap in gaps))
    return Table("Recall of a token seen so many tokens ago", head, rows)


def page(found: Comparison) -> str:
    """The comparison as Markdown."""
    return "\n".join([*_page(found), ""])


def _page(found: Comparison) -> Iterator[str]:
    yield f"# {', '.join(row.label for row in found.rows)}: {found.task}"
    yield ""
    budget = ", ".join(f"{value:g} {name}" for name, value in found.budget.items())
    yield f"Budget of each run: {budget or 'none'}. Figures are means over seeds with 95 %"
    yield "intervals over seeds and examples, the best first."
    for table in tables(found):
        yield ""
        yield f"## {table.title}"
        yield ""
        yield f"| {' | '.join(table.head)} |"
        ends = ["---"] * table.left + ["---:"] * (len(table.head) - table.left)
        yield f"|{'|'.join(ends)}|"
        for row in table.rows:
            yield f"| {' | '.join(row)} |"
    yield ""
    yield "## What follows"
    for sentence in advice(found):
        yield ""
        yield sentence


def drawn(found: Comparison) -> list[Panel]:
    """Quality while it was learned and beside the parameters, speed by length, recall by gap."""
    colors = {row.label: number for number, row in enumerate(found.rows)}

    def panel(title: str, across: str, points: dict[str, list[tuple[float, float]]]) -> Panel:
        curves = [Curve(label, each, colors[label]) for label, each in points.items() if each]
        return Panel(title, curves, across)

    rows, metric = found.rows, METRICS[found.metric].name
    bars = {
        row.label: [
            (float(row.parameters), value) for value in (score.low, score.value, score.high)
        ]
        for row in rows
        for score in [row.scores[found.metric]]
    }
    made = [
        panel(f"{metric}, mean and 95 % interval", "parameters", bars),
        panel(f"{metric} while it was learned", "seconds", {r.label: [*r.curve] for r in rows}),
        panel(
            "tokens/s of one text, torch",
            "tokens written",
            {
                row.label: [
                    (float(each.tokens), each.tokens_per_second)
                    for each in row.writing
                    if each.runtime == "torch" and each.tokens_per_second
                ]
                for row in rows
            },
        ),
        panel(
            "share recalled",
            "tokens ago",
            {row.label: [(float(k), each.value) for k, each in row.recall.items()] for row in rows},
        ),
    ]
    return [each for each in made if each.curves]
