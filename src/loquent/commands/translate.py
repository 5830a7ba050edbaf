"""`loquent translate`: a text in another language."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import batches, interpreting, rows, terminal, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loquent.lm.lm import LM
    from loquent.tasks.asking import Progress
    from loquent.tasks.translating import Translation

_NAMES = ("text", "source", "src", "sentence", "content")


@click.command()
@click.argument("text", required=False)
@texts.text_options
@click.option("--from", "origin", default="", metavar="LANGUAGE", help="Such as de; or found.")
@click.option("--to", "goal", required=True, metavar="LANGUAGE", help="Such as en.")
@click.option(
    "--markdown/--no-markdown",
    default=None,
    help="Keep code, links and the like as they are; without it for files called .md.",
)
@click.option(
    "--term",
    "terms",
    multiple=True,
    metavar="WORD=MEANING",
    help="A fixed translation; repeatable.",
)
@click.option(
    "--glossary",
    type=click.Path(path_type=Path),
    help="A table (.csv, .tsv) of two columns: words and what they become.",
)
@click.option("--prefix", help="What stands before a sentence, for a model with an encoder.")
@click.option(
    "--most-sentences", type=int, default=1000, show_default=True, help="Of one text, at most."
)
@click.option("--beams", type=int, default=0, help="Width of beam search; 0: as fits the model.")
@click.option("--speech", metavar="SOUND", help="Translate what is said in this recording, or -.")
@click.option("--recognizer", help="With --speech: the model that hears; else the catalogue's.")
@click.option("--speak", metavar="FILE", help="With --speech: say it in the other language, too.")
@click.option("--voice", help="With --speak: who says it; else the catalogue's of the language.")
def command(text: str | None, **given: Any) -> int | None:
    """Translate TEXT: a text, a file's name, or - for standard input.

    It is translated sentence by sentence; paragraphs, addresses, placeholders such as {name} and
    tags stay as they are. Rows of files are translated with --in and --out, and what is said in a
    recording with --speech.
    """
    if interpreting.is_speech(text, given):
        given["terms"] = _terms(given["terms"], given["glossary"])
        interpreting.run(given)
        return None
    batch = batches.is_batch(given, text)
    asked = "" if batch else texts.given_text(text, given["quiet"])
    if given["markdown"] is None:
        given["markdown"] = (text or "").lower().endswith((".md", ".markdown"))
    given["terms"] = _terms(given["terms"], given["glossary"])
    sample = (
        rows.first_text(given["source"], lambda record: _read(record, given)) if batch else asked
    )
    lm = texts.open_for(given, "translate", _languages(given, sample))
    if batch:
        names = ("origin", "goal", "markdown", "terms", "prefix", "beams")
        return batches.run(
            batches.Job[str](
                command="translate",
                source=given["source"],
                target=given["target"],
                settings=texts.settings_of(given, lm, names),
                read=lambda record: _read(record, given),
                ask=lambda some: _made(lm, some, given),
                main="translation",
                size=16,
                overwrite=given["overwrite"],
                quiet=given["quiet"],
            )
        )
    with terminal.Progress("translate", unit="sentences") as progress:
        (made,) = _made(lm, [asked], given, texts.several(progress, given["quiet"]))
    if given["as_json"]:
        terminal.emit_json(made.plain())
        return None
    click.echo(made.text, nl=not made.text.endswith("\n"))
    found = ", which was found by looking" if made.detected else ""
    texts.note(
        given,
        [
            f"{texts.counted(made.sentences, 'sentence')} from {made.source}{found}, to "
            f"{made.target}",
            f"the text looks like {made.doubt}" if made.doubt else "",
            f"{made.kept} parts kept" if made.kept else "",
            f"{made.cut} stopped at the longest length" if made.cut else "",
        ],
    )
    return None


def _languages(given: dict[str, Any], text: str) -> list[str]:
    """From which language to which, as far as that is known before the model is opened."""
    from loquent.tasks.translating import code_of
    from loquent.text.languages import identify

    given["goal"] = code_of(given["goal"])
    if given["origin"]:
        given["origin"] = code_of(given["origin"])
    first = given["origin"] or identify(text).code
    return [each for each in (first, given["goal"]) if each]


def _terms(pairs: Sequence[str], glossary: Path | None) -> dict[str, str]:
    made = {}
    if glossary is not None:
        from loquent.data.records import records

        for record in records(glossary, header=False, columns=("word", "meaning")):
            made[record.values["word"].strip()] = record.values["meaning"].strip()
    for each in pairs:
        word, separator, meaning = each.partition("=")
        if not separator or not word.strip() or not meaning.strip():
            problem = f"{each!r} is not WORD=MEANING."
            raise click.BadParameter(problem, param_hint="--term")
        made[word.strip()] = meaning.strip()
    return made


def _read(record: Any, given: dict[str, Any]) -> str:
    """The text of a row; a column may be named by the language that it is in."""
    names = (*_NAMES, given["origin"]) if given["origin"] else _NAMES
    return rows.text_of(record, given["column"], names, "text")


def _made(
    lm: LM, some: Sequence[str], given: dict[str, Any], progress: Progress | None = None
) -> list[Translation]:
    from loquent.tasks.translating import translate

    return translate(
        lm,
        some,
        source=given["origin"],
        target=given["goal"],
        markdown=given["markdown"],
        terms=given["terms"],
        prefix=given["prefix"],
        beams=given["beams"],
        most_sentences=given["most_sentences"],
        progress=progress,
    )
