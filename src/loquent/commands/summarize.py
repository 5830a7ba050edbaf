"""`loquent summarize`: a short text that says what a long one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from loquent.commands import batches, rows, terminal, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loquent.lm.lm import LM
    from loquent.tasks.asking import Progress
    from loquent.tasks.summarizing import Summary

_NAMES = ("text", "article", "document", "content", "source", "dialogue", "body", "email")
_OPTIONS = ("how", "words", "sentences", "prefix", "piece_tokens", "most_pieces", "beams")


@click.command()
@click.argument("text", required=False)
@texts.text_options
@click.option(
    "--how",
    type=click.Choice(["model", "lead", "central"]),
    default="model",
    show_default=True,
    help="A model's words; or, without a model, the first or the most central sentences.",
)
@click.option("--words", type=int, default=60, show_default=True, help="About this long (model).")
@click.option(
    "--sentences", type=int, default=3, show_default=True, help="This many (lead, central)."
)
@click.option("--prefix", help="What stands before a text, for a model with an encoder.")
@click.option("--piece-tokens", type=int, default=0, help="Longest piece; 0: as fits the model.")
@click.option(
    "--most-pieces", type=int, default=64, show_default=True, help="Of one text, at most."
)
@click.option("--beams", type=int, default=0, help="Width of beam search; 0: as fits the model.")
@texts.truncate_option
def command(text: str | None, **given: Any) -> int | None:
    """Summarize TEXT: a text, a file's name, or - for standard input.

    A long text is divided at sentences, and the summaries of its pieces are summarized. Whole files
    of rows are summarized with --in and --out.
    """
    batch = batches.is_batch(given, text)
    asked = "" if batch else texts.given_text(text, given["quiet"])
    lm = texts.open_for(given, "summarize", text=asked) if given["how"] == "model" else None
    if batch:
        return batches.run(
            batches.Job[str](
                command="summarize",
                source=given["source"],
                target=given["target"],
                settings=texts.settings_of(given, lm, (*_OPTIONS, "truncate")),
                read=lambda record: rows.text_of(record, given["column"], _NAMES, "text"),
                ask=lambda some: _made(lm, some, given),
                main="summary",
                size=1 if lm is not None else 64,
                overwrite=given["overwrite"],
                quiet=given["quiet"],
            )
        )
    with terminal.Progress("summarize", unit="pieces") as progress:
        (made,) = _made(lm, [asked], given, texts.several(progress, given["quiet"]))
    if given["as_json"]:
        terminal.emit_json(made.plain())
        return None
    click.echo(made.text)
    parts = f"{made.pieces} pieces in {made.steps} steps" if made.pieces > 1 else ""
    cut = "stopped at the longest length" if made.cut else ""
    texts.note(
        given, [texts.counted(made.words, "word"), parts, cut, texts.dropped(made.dropped_tokens)]
    )
    return None


def _made(
    lm: LM | None, some: Sequence[str], given: dict[str, Any], progress: Progress | None = None
) -> list[Summary]:
    from loquent.tasks.summarizing import summarize

    options = {name: given[name] for name in _OPTIONS}
    return summarize(lm, some, truncate=given["truncate"], progress=progress, **options)
