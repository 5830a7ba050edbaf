"""`loquent embed`: texts as vectors that are near to each other where they mean much the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from loquent.commands import batches, rows, terminal, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loquent.lm.lm import LM
    from loquent.tasks.embedding import Embedded

_NAMES = ("text", "sentence", "content", "title", "source")
_OPTIONS = ("normalize", "prompt", "truncate")


@click.command()
@click.argument("text", required=False)
@texts.text_options
@click.option("--normalize/--no-normalize", default=True, help="To unit length; so by default.")
@click.option("--prompt", default="", metavar="NAME", help="A prompt of the model, such as query.")
@texts.truncate_option
def command(text: str | None, **given: Any) -> int | None:
    """Write the embedding of TEXT as a line of JSON: a text, a file's name, or - .

    Rows of files are embedded with --in and --out; an --out of .npy holds a matrix of all rows.
    """
    batch = batches.is_batch(given, text)
    asked = "" if batch else texts.given_text(text, given["quiet"])
    lm = texts.open_for(given, "embed", text=asked)
    if batch:
        return batches.run(
            batches.Job[str](
                command="embed",
                source=given["source"],
                target=given["target"],
                settings=texts.settings_of(given, lm, _OPTIONS),
                read=lambda record: rows.text_of(record, given["column"], _NAMES, "text"),
                ask=lambda some: _made(lm, some, given),
                main="embedding",
                size=128,
                overwrite=given["overwrite"],
                quiet=given["quiet"],
            )
        )
    (made,) = _made(lm, [asked], given)
    plain = made.plain()
    terminal.emit_json(plain if given["as_json"] else plain["embedding"])
    texts.note(given, [f"{len(made.vector)} values"])
    return None


def _made(lm: LM, some: Sequence[str], given: dict[str, Any]) -> list[Embedded]:
    from loquent.tasks.embedding import embed

    return embed(lm, some, **{name: given[name] for name in _OPTIONS})
