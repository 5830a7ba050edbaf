"""What the commands over texts share: the text, the model that fits, and how answers are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal
from loquent.commands.batches import batch_options
from loquent.commands.options import executor_options, read_text
from loquent.errors import DataError

if TYPE_CHECKING:
    from loquent.lm.lm import LM

Function = Callable[..., Any]

_ENDINGS = (".txt", ".text", ".md", ".rst", ".html")  # a single word with one of these is a file


def text_options(function: Function) -> Function:
    """Add the options of every command over texts."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="No notes and progress on stderr."),
        click.option("--json", "as_json", is_flag=True, help="Write the whole answer as JSON."),
        executor_options,
        batch_options,
        click.option(
            "-m",
            "--model",
            help="A name from `loquent models`, a folder, hf:ORG/NAME or package:…; without it the "
            "catalogue's for this.",
        ),
    ):
        function = option(function)
    return function


def truncate_option(function: Function) -> Function:
    """Add the option that says which end of too long a text is dropped."""
    return click.option(
        "--truncate",
        type=click.Choice(["left", "right"]),
        help="Where a text is too long, drop its start or its end (and say how much).",
    )(function)


def given_text(argument: str | None, quiet: bool) -> str:
    """The text of TEXT|FILE|-: what a file of that name holds, standard input, or the text itself.

    Raises DataError for a file that cannot be read, and for an empty text.
    """
    text = _file(argument, quiet) if argument not in (None, "-") else None
    if text is None:
        text = read_text(argument)
    if not text.strip():
        raise DataError("the text is empty.", fix="Give some words.")
    return text


def _file(argument: str | None, quiet: bool) -> str | None:
    """What the file of this name holds; None where the argument is a text."""
    assert argument is not None
    named = len(argument) < 1000 and "\n" not in argument
    path = Path(argument)
    # os.path tells of a text that is too long for a name what it is: no file
    if not named or not (os.path.isfile(argument) or _looks_like_a_file(argument)):  # noqa: PTH113
        return None
    text = read_file(path)
    if not quiet:
        click.echo(f"[read from {path}]", err=True)
    return text


def _looks_like_a_file(argument: str) -> bool:
    return argument.lower().endswith(_ENDINGS) and len(argument.split()) == 1


def read_file(path: Path) -> str:
    """The text of a file; raises DataError where it cannot be read or is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as fault:
        raise DataError(f"cannot be read: {fault.strerror}.", where=str(path)) from fault
    except UnicodeDecodeError as fault:
        raise DataError(
            f"is not UTF-8: byte {fault.start}.",
            where=str(path),
            fix="Convert it first, for example with iconv.",
        ) from fault


def open_for(
    given: Mapping[str, Any],
    application: str,
    languages: Sequence[str] = (),
    *,
    text: str = "",
    option: str = "model",
) -> LM:
    """The model that `option` names, or the catalogue's for an application, which is then told.

    So is where it was not made for the language of the `text`.
    """
    from loquent.tasks.defaults import chosen, unsuited

    model = given[option]
    if model is None:
        model, others = chosen(application, languages)
        if not given["quiet"]:
            better = f"; others for this: {', '.join(others)}" if others else ""
            click.echo(f"[{option}: {model}{better}; --{option} takes any other]", err=True)
    note(given, [unsuited(model, text, application)])
    return terminal.open_model({**given, "model": model, "draft": "lookup"})


def settings_of(given: Mapping[str, Any], lm: LM | None, names: Sequence[str]) -> dict[str, Any]:
    """All that decides the answers of a batch: some options and the model."""
    made = {name: given[name] for name in (*names, "column")}
    if lm is not None:
        how = lm.executor
        made |= {
            "model": lm.checkpoint.card.name,
            "weights": lm.checkpoint.fingerprint[:16],
            "executor": f"{how.runtime} {how.precision}",
        }
    return made


def note(given: Mapping[str, Any], parts: Sequence[str]) -> None:
    """Tell on stderr how an answer came about."""
    told = [each for each in parts if each]
    if told and not given["quiet"]:
        click.echo(f"[{', '.join(told)}]", err=True)


def several(progress: terminal.Progress, quiet: bool) -> Callable[[int, int], None] | None:
    """Who is told of parts: nobody where all is done at once, or where it is to be quiet."""

    def told(done: int, total: int) -> None:
        if total > 1:
            progress(done, total)

    return None if quiet else told


def dropped(tokens: int) -> str:
    """How much of a text was not read, in words; nothing where all was."""
    return f"{tokens} tokens of the text dropped" if tokens else ""


def counted(number: int, what: str) -> str:
    """A number with its thing, in the plural but for one."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
