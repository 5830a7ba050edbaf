"""`loquent classify`: the class of a text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import batches, rows, terminal, texts
from loquent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loquent.data.reading import Record
    from loquent.lm.lm import LM
    from loquent.tasks.classifying import Classified

_NAMES = ("text", "sentence", "content", "review", "title", "message", "comment", "source")
_SHOWN = 5  # classes


@click.command()
@click.argument("text", required=False)
@texts.text_options
@click.option(
    "--labels", default="", metavar="A,B,…", help="Choose among these; needs no trained classes."
)
@click.option("--several", is_flag=True, help="With --labels: any number of them may hold.")
@click.option("--template", default="", help='What labels are put into, such as "It is about {}."')
@click.option("--temperature", type=float, default=1.0, show_default=True, help="Of the logits.")
@click.option(
    "--threshold", type=float, default=0.5, show_default=True, help="From which several hold."
)
@click.option(
    "--calibrate",
    type=click.Path(path_type=Path),
    help="Find the temperature by labeled rows, and tell the calibration error.",
)
@click.option("--precision", type=float, help="With --calibrate: find thresholds that give it.")
@click.option("--recall", type=float, help="The same for a recall.")
@texts.truncate_option
def command(text: str | None, **given: Any) -> int | None:
    """Tell the class of TEXT: a text, a file's name, or - for standard input.

    A model with trained classes tells those; with --labels others do without training. Rows of
    files are classified with --in and --out.
    """
    batch = batches.is_batch(given, text)
    given["labels"] = given["labels"].split(",") if given["labels"] else []
    alone = given["calibrate"] is not None and text is None and not batch
    asked = "" if batch or alone else texts.given_text(text, given["quiet"])
    sample = rows.first_text(given["source"], _reader(given)) if batch else asked
    lm = texts.open_for(given, "label" if given["labels"] else "classify", _language(sample))
    if given["calibrate"] is not None:
        _calibrate(lm, given, alone=alone)
    elif given["precision"] is not None or given["recall"] is not None:
        raise UsageError("a wanted precision or recall needs labeled rows: --calibrate FILE.")
    if alone:
        return None
    if batch:
        return _batch(lm, given)
    (made,) = _made(lm, [asked], given)
    if given["as_json"]:
        terminal.emit_json(made.plain())
        return None
    click.echo(", ".join(made.labels) or "(none)")
    ordered = sorted(made.probabilities.items(), key=lambda each: -each[1])
    shown = ", ".join(f"{name} {each:.3f}" for name, each in ordered[:_SHOWN])
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    texts.note(given, [shown + more, f"by {made.how}", texts.dropped(made.dropped_tokens)])
    return None


def _language(text: str) -> list[str]:
    from loquent.text.languages import identify

    code = identify(text).code
    return [code] if code else []


def _reader(given: dict[str, Any]) -> Callable[[Record], str]:
    return lambda record: rows.text_of(record, given["column"], _NAMES, "text")


def _batch(lm: LM, given: dict[str, Any]) -> int:
    names = ("labels", "several", "template", "temperature", "threshold", "truncate")
    return batches.run(
        batches.Job[str](
            command="classify",
            source=given["source"],
            target=given["target"],
            settings=texts.settings_of(given, lm, names),
            read=_reader(given),
            ask=lambda some: _made(lm, some, given),
            main="label",
            size=32,
            overwrite=given["overwrite"],
            quiet=given["quiet"],
        )
    )


def _made(lm: LM, some: Sequence[str], given: dict[str, Any]) -> list[Classified]:
    from loquent.tasks.classifying import classify

    return classify(
        lm,
        some,
        labels=given["labels"],
        several=given["several"],
        template=given["template"],
        temperature=given["temperature"],
        threshold=given["threshold"],
        truncate=given["truncate"],
    )


@dataclass(frozen=True)
class _Labeled:
    """Texts with the classes that they are of."""

    texts: list[str]
    labels: list[str]


def _labeled(path: Path, column: str) -> _Labeled:
    from loquent.data.records import records
    from loquent.data.shapes import Columns, normal
    from loquent.errors import DataError

    made = _Labeled([], [])

    def read(record: Record) -> None:
        values = normal(record, Columns(text=column)).values
        if not isinstance(values.get("label"), str) or not isinstance(values.get("text"), str):
            raise DataError("needs a text and one label.", where=record.where)
        made.texts.append(values["text"])
        made.labels.append(values["label"])

    for record in records(path):
        read(record)
    return made


def _calibrate(lm: LM, given: dict[str, Any], *, alone: bool) -> None:
    """Find the temperature and thresholds; told on stdout where nothing else is asked."""
    from loquent.tasks.calibrating import calibrate, threshold
    from loquent.tasks.classifying import tell

    labeled = _labeled(given["calibrate"], given["column"])
    told = tell(
        lm,
        labeled.texts,
        labels=given["labels"],
        template=given["template"],
        truncate=given["truncate"],
    )
    found = calibrate(told, labeled.labels)
    given["temperature"] = found.temperature
    thresholds = []
    if given["precision"] is not None or given["recall"] is not None:
        thresholds = [
            threshold(
                told, labeled.labels, name, precision=given["precision"], recall=given["recall"],
                temperature=found.temperature,
            )
            for name in told.names
        ]  # fmt: skip
    plain = {**found.plain(), "thresholds": [vars(each) for each in thresholds]}
    lines = [
        f"temperature {found.temperature:.4f}: calibration error {found.before:.4f} before, "
        f"{found.after:.4f} after, accuracy {found.accuracy:.4f}, {found.examples} examples",
        *(
            f"{each.label}: from {each.value:.4f} on, precision {each.precision:.4f}, "
            f"recall {each.recall:.4f}"
            for each in thresholds
        ),
    ]
    if not alone:
        for line in lines:
            texts.note(given, [line])
    elif given["as_json"]:
        terminal.emit_json(plain)
    else:
        click.echo("\n".join(lines))
