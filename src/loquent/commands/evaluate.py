"""`loquent evaluate`: how good models are, with intervals, and what stands behind the scores."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal
from loquent.commands.options import executor_options
from loquent.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from loquent.evaluation.asking import Progress
    from loquent.evaluation.comparison import Comparison
    from loquent.evaluation.judging import Telling
    from loquent.evaluation.report import Report
    from loquent.evaluation.settings import Settings
    from loquent.evaluation.tables import Table

TASKS = ("classify", "translate", "summarize", "answer", "search", "fill", "transcribe",
         "command", "generate", "complete", "choose")  # fmt: skip
# Data of likelihood tasks by their usual names.
KNOWN = {
    "wikitext": "hf:Salesforce/wikitext:wikitext-2-raw-v1:test",
    "lambada": "hf:EleutherAI/lambada_openai:default:test",
}
_FLIPS, _WORST = 5, 3  # examples that are shown here; the pages have more
_CLASSES = 10

_SETTINGS = (
    click.option("--by", default="", metavar="COLUMN", help="Scores by the values of a column."),
    click.option(
        "--columns", default="", metavar="A=B,…",
        help="Which columns hold what, such as text=body,label=stars.",
    ),
    click.option("--batch", type=int, default=0, help="Examples asked together; changes no score."),
    click.option("--limit", type=int, default=0, help="Only the first examples."),
    click.option("--seed", type=int, default=0, show_default=True, help="Of the resamples."),
    click.option("--language", default="", help="Of the answers, by which texts are cut to words."),
    click.option("--truncate", type=click.Choice(["left", "right"]),
                 help="Where a text is too long, drop its start or end; the share is told."),
    click.option("--labels", default="", metavar="A,B,…", help="classify, command: among these."),
    click.option("--several", is_flag=True, help="classify: any number of labels may hold."),
    click.option("--template", default="", help="classify: what labels are put into."),
    click.option("--temperature", type=float, default=1.0, help="classify: of the logits."),
    click.option("--threshold", type=float, default=None,
                 help="classify: from which several hold (0.5); command: one is heard (0.6)."),
    click.option("--from", "source", default="", help="translate: from this language."),
    click.option("--to", "target", default="", help="translate: into this language."),
    click.option("--prefix", default=None, help="What stands before each text."),
    click.option("--beams", type=int, default=0, help="Width of beam search; 0: as advised."),
    click.option("--how", type=click.Choice(["model", "lead", "central"]), default="model",
                 help="summarize: by a model, or of the text's own sentences."),
    click.option("--words", type=int, default=60, help="summarize: of a summary."),
    click.option("--sentences", type=int, default=3, help="summarize: of its own sentences."),
    click.option("--context", type=int, default=0, help="Tokens of a window of a long text."),
    click.option("--stride", type=int, default=0, help="Tokens from one window to the next."),
)  # fmt: skip


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each field of `Settings`."""
    for option in reversed(_SETTINGS):
        function = option(function)
    return function


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]…")
@click.option("--task", type=click.Choice(TASKS), help="What is judged.")
@click.option("--data", help="Examples: a file, a folder, hf:NAME, or - for JSON lines.")
@click.option(
    "--tasks",
    default="",
    metavar="A,B,…",
    help="Instead: likelihood tasks, by files of texts, of prompts with completions, or of "
    f"questions with choices; or {' or '.join(KNOWN)}.",
)
@click.option("--metrics", default="", metavar="A,B,…", help="Instead of the task's own.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A folder for the report (JSON, Markdown, HTML) and all answers; goes on where it was.",
)
@click.option("--overwrite", is_flag=True, help="With --out: begin anew.")
@settings_options
@executor_options
@click.option("--json", "as_json", is_flag=True, help="Write the whole report as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No notes and progress on stderr.")
def command(models: tuple[str, ...], **given: Any) -> None:
    """Tell how good a model is on data, or compare several on the same examples.

    MODEL is a name from `loquent models`, a folder or hf:ORG/NAME; without one it is the
    catalogue's for the task.
    """
    if bool(given["tasks"]) == bool(given["data"]):
        raise UsageError("give --task and --data, or --tasks.")
    if given["data"] and not given["task"]:
        raise UsageError("say at what the model is judged: --task.", fix=nearest("", TASKS))
    if given["tasks"] and given["task"]:
        raise UsageError("--tasks tell the task by their records; leave out --task.")
    settings, out = _settings(given), given["out"]
    with _standard_input(given["data"]) as data:
        for name, each in _data({**given, "data": data}):
            _one(models, given, settings, each, out / name if out and given["tasks"] else out)


@contextmanager
def _standard_input(data: str | None) -> Iterator[str | None]:
    """Rows of standard input as a file, since they are read more than once."""
    if data != "-":
        yield data
        return
    import shutil
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.jsonl"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield str(path)


def _data(given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The name of each set of data, and where it is."""
    if given["data"]:
        yield "", given["data"]
        return
    for name in given["tasks"].split(","):
        if name not in KNOWN and not name.startswith("hf:") and not Path(name).exists():
            raise UsageError(f"{name!r} is no file.", fix=nearest(name, KNOWN))
    for name in given["tasks"].split(","):
        yield name.replace(":", "-").rpartition("/")[2], KNOWN.get(name, name)


def _one(
    models: Sequence[str], given: dict[str, Any], settings: Settings, data: str, out: Path | None
) -> None:
    from loquent.evaluation.evaluate import evaluate
    from loquent.evaluation.storing import finite

    found = evaluate(
        models if len(models) > 1 else (models[0] if models else None),
        given["task"] or "",
        data,
        settings=settings,
        metrics=[each for each in given["metrics"].split(",") if each],
        out=out,
        overwrite=given["overwrite"],
        telling=_telling(given),
    )
    if given["as_json"]:
        terminal.emit_json(finite(found.plain()))
        return
    _show(found)
    if out is not None and not given["quiet"]:
        kind = "comparison" if len(models) > 1 else "report"
        click.echo(f"[{out / kind}.html, .md and .json; answers beside them]", err=True)


def _telling(given: dict[str, Any]) -> Telling:
    from loquent.evaluation.judging import Telling

    def note(text: str) -> None:
        if not given["quiet"]:
            click.echo(f"[{text}]", err=True)

    def progress(name: str) -> Progress:
        bar = terminal.Progress(f"evaluate {name}", unit="examples")

        def told(done: int, total: int) -> None:
            bar(done, total)
            if done == total:
                bar.__exit__(None, None, None)

        return told

    return Telling(
        progress=None if given["quiet"] else progress,
        note=note,
        opened=lambda name: terminal.open_model({**given, "model": name, "draft": "lookup"}),
    )


def _settings(given: dict[str, Any]) -> Settings:
    from dataclasses import fields

    from loquent.data.shapes import Columns
    from loquent.evaluation.settings import Settings

    made = {each.name: given[each.name] for each in fields(Settings) if each.name in given}
    made["labels"] = tuple(each for each in given["labels"].split(",") if each)
    pairs = [each.partition("=") for each in given["columns"].split(",") if each]
    known = [each.name for each in fields(Columns)]
    for name, sign, column in pairs:
        if not sign or not column or name not in known:
            raise UsageError(f"--columns: {name!r} is not known.", fix=nearest(name, known))
    made["columns"] = {name: column for name, _, column in pairs}
    return Settings(**made)


def _show(found: Report | Comparison) -> None:
    from loquent.evaluation.report import Report

    if isinstance(found, Report):
        _show_report(found)
    else:
        _show_comparison(found)


def _show_report(report: Report) -> None:
    from loquent.evaluation import tables

    for name, value in tables.facts(report):
        click.echo(f"{name}: {value}")
    for table in tables.tables(report):
        if table.title == "confusion" and len(table.rows) > _CLASSES:
            continue  # the pages have it
        _print(table)
    worst = tables.worst(report)
    _print(tables.Table(worst.title, worst.head, worst.rows[:_WORST], worst.left))


def _show_comparison(found: Comparison) -> None:
    from loquent.evaluation import tables

    first = found.reports[0]
    click.echo(f"task: {first.task}\ndata: {first.data.name}, {first.data.examples:,} examples")
    _print(tables.overview(found))
    for report in found.reports:
        told = dict(tables.facts(report))
        click.echo(f"\n{told['model']}: unanswered {told['unanswered, counted as wrong']}, "
                   f"truncated {told['truncated']}")  # fmt: skip
    for each in found.against:
        _print(tables.differences(each, first.model.name))
        for difference in each.differences:
            click.echo(f"  {difference.name}: {difference.signature}")
        for flips, title in ((each.gained, "better"), (each.lost, "worse")):
            if flips:
                _print(tables.flips(flips[:_FLIPS], f"{title} in {each.name}"))


def _print(table: Table) -> None:
    """A table for a terminal; signatures stand below it, since they are long."""
    places = [place for place, name in enumerate(table.head) if name != "signature"]
    head = [table.head[place] for place in places]
    rows = [[row[place] for place in places] for row in table.rows]
    click.echo(f"\n{table.title}")
    click.echo(terminal.table(head, rows, right=head[table.left :]))
    if len(places) < len(table.head):
        at = list(table.head).index("signature")
        for row in table.rows:
            click.echo(f"  {row[0].partition(' ')[0]}: {row[at]}")
