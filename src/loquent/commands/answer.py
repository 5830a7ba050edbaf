"""`loquent answer`: a question about a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import batches, rows, terminal, texts
from loquent.commands.options import read_text
from loquent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loquent.data.reading import Record
    from loquent.lm.lm import LM
    from loquent.tasks.answering import Answered

_QUESTIONS = ("question", "query", "prompt")
_TEXTS = ("context", "text", "passage", "document", "source")
_OPTIONS = ("overlap", "longest", "threshold", "max_tokens", "most_windows")


@click.command()
@click.argument("question", required=False)
@texts.text_options
@click.option("--text", "about", help="The text; - is standard input.")
@click.option("--file", type=click.Path(path_type=Path), help="The file that holds it.")
@click.option("--question-column", default="", metavar="NAME", help="With --in: the question's.")
@click.option(
    "--overlap", type=int, default=128, show_default=True, help="Tokens that two windows share."
)
@click.option("--longest", type=int, default=30, show_default=True, help="Tokens of a span.")
@click.option(
    "--threshold",
    type=float,
    default=0.0,
    show_default=True,
    help="By how many nats it must be likelier that there is no answer; lower: oftener none.",
)
@click.option("--max-tokens", type=int, default=48, show_default=True, help="Of written answers.")
@click.option("--most-windows", type=int, default=512, show_default=True, help="Of one text.")
@texts.truncate_option
def command(question: str | None, **given: Any) -> int | None:
    """Answer QUESTION from a text: with the span that holds the answer, or in a model's words.

    The answer is told with its place (characters from START up to STOP). Rows of files, with
    columns such as question and context, are answered with --in and --out.
    """
    batch = batches.is_batch(given, question)
    asked = ("", "") if batch else (_question(question), _text(given))
    lm = texts.open_for(given, "answer", text=asked[1])
    if batch:
        names = (*_OPTIONS, "truncate", "question_column")
        return batches.run(
            batches.Job[tuple[str, ...]](
                command="answer",
                source=given["source"],
                target=given["target"],
                settings=texts.settings_of(given, lm, names),
                read=lambda record: _read(record, given),
                ask=lambda some: _made(lm, [(each[0], each[1]) for each in some], given),
                main="answer",
                size=8,
                overwrite=given["overwrite"],
                quiet=given["quiet"],
            )
        )
    (made,) = _made(lm, [asked], given)
    if given["as_json"]:
        terminal.emit_json(made.plain())
        return None
    click.echo(made.text or "(the text has no answer)")
    place = f"characters {made.start} to {made.stop}" if made.start is not None else ""
    if made.text and made.start is None:
        place = "in the model's words, which do not stand in the text"
    texts.note(
        given,
        [
            place,
            f"probability {made.probability:.3f}" if made.probability is not None else "",
            f"{made.windows} windows that share {made.overlap} tokens" if made.windows > 1 else "",
            texts.dropped(made.dropped_tokens),
        ],
    )
    return None


def _question(question: str | None) -> str:
    if question is None or not question.strip():
        raise UsageError("there is no question.", fix='Such as: loquent answer "Who?" --file a.txt')
    return question


def _text(given: dict[str, Any]) -> str:
    if (given["about"] is None) == (given["file"] is None):
        raise UsageError("give the text: --text TEXT or --file FILE.", fix="- is standard input.")
    if given["file"] is not None and str(given["file"]) != "-":
        return texts.read_file(given["file"])
    return read_text(given["about"] if given["file"] is None else "-")


def _read(record: Record, given: dict[str, Any]) -> tuple[str, str]:
    return (
        rows.text_of(record, given["question_column"], _QUESTIONS, "question"),
        rows.text_of(record, given["column"], _TEXTS, "context"),
    )


def _made(lm: LM, some: Sequence[tuple[str, str]], given: dict[str, Any]) -> list[Answered]:
    from loquent.tasks.answering import answer

    return answer(lm, some, truncate=given["truncate"], **{name: given[name] for name in _OPTIONS})
