"""`loquent fill`: hidden words of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from loquent.commands import batches, rows, terminal, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loquent.lm.lm import LM
    from loquent.tasks.filling import Filled

_NAMES = ("text", "sentence", "content", "source")


@click.command()
@click.argument("text", required=False)
@texts.text_options
@click.option("--top", type=int, default=5, show_default=True, help="Words for each place.")
@texts.truncate_option
def command(text: str | None, **given: Any) -> int | None:
    """Fill in the hidden words of TEXT, marked <mask> or [MASK]; - is standard input.

    Rows of files are filled in with --in and --out.
    """
    batch = batches.is_batch(given, text)
    asked = "" if batch else texts.given_text(text, given["quiet"])
    lm = texts.open_for(given, "fill", text=asked)
    if batch:
        return batches.run(
            batches.Job[str](
                command="fill",
                source=given["source"],
                target=given["target"],
                settings=texts.settings_of(given, lm, ("top", "truncate")),
                read=lambda record: rows.text_of(record, given["column"], _NAMES, "text"),
                ask=lambda some: _made(lm, some, given),
                main="text",
                size=32,
                overwrite=given["overwrite"],
                quiet=given["quiet"],
            )
        )
    (made,) = _made(lm, [asked], given)
    if given["as_json"]:
        terminal.emit_json(made.plain())
        return None
    click.echo(made.text)
    for place in made.candidates:
        words = ", ".join(f"{each.word} {each.probability:.3f}" for each in place)
        texts.note(given, [words])
    texts.note(given, [texts.dropped(made.dropped_tokens)])
    return None


def _made(lm: LM, some: Sequence[str], given: dict[str, Any]) -> list[Filled]:
    from loquent.tasks.filling import fill

    return fill(lm, some, top=given["top"], truncate=given["truncate"])
