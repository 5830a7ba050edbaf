"""`loquent data`: look data over before anything is learned of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal
from loquent.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loquent.data.report import Report
    from loquent.data.shapes import Columns

_MOST_LABELS = 20  # shown in the table

# Options that name columns: what each of them holds.
_COLUMNS = {
    "text": "the text",
    "label": "its label",
    "source": "what is translated or summarized",
    "target": "what comes of it",
    "prompt": "what is asked",
    "completion": "what is answered",
}


def column_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each kind of column that a user may have to name."""
    for name, what in reversed(_COLUMNS.items()):
        option = click.option(f"--{name}", default="", metavar="NAME", help=f"Column with {what}.")
        function = option(function)
    return click.option("--format", default="auto", show_default=True, help="Of the files.")(
        function
    )


@click.group()
def command() -> None:
    """Look at a file, a folder, `train.{de,en}` or hf:NAME."""


@command.command()
@click.argument("path")
@click.option("--test", metavar="PATH", help="A test set: what of it is in PATH, too?")
@column_options
@click.option("-m", "--model", default="", help="Measure lengths in this model's tokens.")
@click.option("--tokenizer", default="", metavar="FOLDER", help="Measure in its tokens.")
@click.option("--length", type=click.IntRange(min=0), default=0, help="What a model reads.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON.")
def check(path: str, test: str | None, as_json: bool, quiet: bool, **given: Any) -> None:
    """Find what is wrong with data: encodings, broken rows, duplicates, labels, lengths.

    Ends with status 1 where something could not be read.
    """
    from loquent.data.check import check as look

    with terminal.Progress(f"Checking {path}", unit="records") as progress:
        report = look(
            path,
            test=test,
            columns=_columns(given),
            encode=_encoder(given["model"], given["tokenizer"]),
            length=given["length"],
            format=given["format"],
            progress=None if quiet else lambda done: progress(done, None),
        )
    if as_json:
        terminal.emit_json({**dataclasses.asdict(report), "warnings": report.warnings()})
    else:
        click.echo("\n".join(lines(report)))
    if report.fault_count:
        raise DataError(f"{report.fault_count} faults; see above.", where=path)


@command.command()
@click.argument("path")
@click.option("-n", "count", type=click.IntRange(min=1), default=5, show_default=True)
@column_options
@click.option("--raw", is_flag=True, help="As they stand in the file.")
def show(path: str, count: int, raw: bool, **given: Any) -> None:
    """Show the first records as Loquent understands them, one JSON object a line."""
    from itertools import islice

    from loquent.data.records import records
    from loquent.data.shapes import understood

    def note(text: str) -> None:
        click.echo(f"[{text}]", err=True)

    for record in islice(records(path, format=given["format"], on_note=note), count):
        if raw:
            shown: dict[str, Any] = {"where": record.where, **record.values}
        else:
            kind, values = understood(record, _columns(given))
            shown = {"where": record.where, "kind": kind, **values}
        click.echo(_json(shown))


@command.command()
@click.argument("path")
@click.option("--out", required=True, metavar="FILE.jsonl", help="Where records and variants go.")
@click.option("--operations", default="swap,delete,insert", show_default=True, metavar="NAMES",
              help="Of swap, delete, insert, keyboard, transpose.")  # fmt: skip
@click.option("--share", type=float, default=0.1, show_default=True, help="Of the words.")
@click.option("--copies", type=int, default=1, show_default=True, help="Variants of each record.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--via", metavar="LANGUAGE", help="Translate there and back instead, such as de.")
@click.option("--language", metavar="LANGUAGE", help="With --via: what the texts are in.")
@click.option("-m", "--model", default="", help="With --via: the model that translates.")
@column_options
def augment(path: str, out: str, **given: Any) -> None:
    """Write records and variants of them, labels kept, for training only.

    `loquent train --set data.augment=swap` makes the same variants by itself, of nothing but what
    is learned: choose that where a share of the data is set aside to judge by.
    """
    from loquent.commands import augmenting

    augmenting.run(path, out, given, _columns(given))


def lines(report: Report) -> list[str]:
    """A report for people."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.kinds.items())
    told = [f"{report.path}: {report.records} records" + (f" ({kinds})" if kinds else "")]
    if report.test is not None:
        told.append(f"{report.test}: {report.test_records} records to test with")
    if report.columns:
        told.append(f"columns: {', '.join(map(str, report.columns))}")
    if report.labels:
        told += ["", *_labels(report)]
    if report.measured:
        lengths = report.lengths
        sampled = f" (of {report.measured} measured)" if report.measured < report.records else ""
        told += [
            "",
            f"lengths in {report.unit}{sampled}: mean {lengths['mean']}, median "
            f"{lengths['median']}, 95 % up to {lengths['p95']}, longest {lengths['longest']}",
        ]
        if report.length:
            told.append(
                f"longer than {report.length} {report.unit}: {report.truncated} "
                f"({report.truncated_share:.2%})"
            )
    told += _section("notes", report.notes)
    told += _section("warnings", report.warnings())
    hidden = report.fault_count - len(report.faults)
    more = [f"and {hidden} more."] if hidden else []
    told += _section(f"cannot be read ({report.fault_count})", [*report.faults, *more])
    if not report.warnings() and not report.faults:
        told += ["", "Nothing to complain of."]
    return told


def _labels(report: Report) -> Sequence[str]:
    total = sum(report.labels.values())
    shown = list(report.labels.items())[:_MOST_LABELS]
    rows = [(name, str(count), f"{count / total:.1%}") for name, count in shown]
    table = terminal.table(("label", "records", "share"), rows, right=("records", "share"))
    rest = len(report.labels) - len(shown)
    return [*table.split("\n"), *([f"and {rest} more labels"] if rest else [])]


def _section(title: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    return ["", f"{title}:", *(f"  {each}".replace("\n", "\n  ") for each in sentences)]


def _columns(given: dict[str, Any]) -> Columns:
    from loquent.data.shapes import Columns

    return Columns(**{name: given[name] for name in _COLUMNS})


def _encoder(model: str, tokenizer: str) -> Callable[[str], Sequence[int]] | None:
    """What turns a text into ids, if lengths are to be measured so."""
    if model and tokenizer:
        raise click.UsageError("give --model or --tokenizer, not both.")
    if tokenizer:
        from pathlib import Path

        from loquent.text.folder import open_tokenizer

        return open_tokenizer(Path(tokenizer)).encode
    if not model:
        return None
    from loquent.checkpoints import hub
    from loquent.checkpoints.checkpoint import Checkpoint
    from loquent.errors import CheckpointError

    found = Checkpoint.open(hub.resolve(model)).tokenizer
    if found is None:
        raise CheckpointError("has no tokenizer.", where=model)
    return found.encode


def _json(value: Any) -> str:
    """JSON also of what Parquet files hold, such as dates."""
    import json

    return json.dumps(value, ensure_ascii=False, default=str)
