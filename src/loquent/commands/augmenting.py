"""`loquent data augment`: records and variants of them, in a new file."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal
from loquent.errors import UsageError

if TYPE_CHECKING:
    from loquent.data.reading import Record
    from loquent.data.shapes import Columns

_OF_WORDS = ("operations", "share", "copies", "seed")


def run(path: str, out: str, given: Mapping[str, Any], columns: Columns) -> None:
    """Write all records and their variants; the file is there wholly or not at all."""
    from loquent.data import augment
    from loquent.data.records import records
    from loquent.data.shapes import normal

    target = Path(out)
    if target.suffix != ".jsonl":
        raise UsageError("the variants are written as .jsonl.", where=out)
    if target.exists():
        raise UsageError("is there already.", where=out, fix="Name another file, or remove it.")
    _check(given)

    def note(text: str) -> None:
        click.echo(f"[{text}]", err=True)

    made: Counter[str] = Counter()
    every = (normal(each, columns) for each in records(path, format=given["format"], on_note=note))
    if given["via"]:
        found = augment.rewritten(every, _there_and_back(given), made)
    else:
        settings = augment.Augmentation(
            operations=tuple(each.strip() for each in given["operations"].split(",")),
            share=given["share"],
            copies=given["copies"],
            seed=given["seed"],
        )
        found = augment.augmented(every, settings, made)
    count = _written(found, target, path)
    click.echo(f"{out}: {count} records. {augment.told(made)}")


def _check(given: Mapping[str, Any]) -> None:
    """Raise UsageError for options that would do nothing."""
    context = click.get_current_context()
    set_here = [
        name
        for name in _OF_WORDS
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    ]
    if given["via"] and set_here:
        names = ", ".join(f"--{name}" for name in set_here)
        raise UsageError(f"{names} would change nothing with --via.")
    if given["via"] and not given["language"]:
        raise UsageError("--via needs --language: what the texts are in.")
    if not given["via"] and (given["language"] or given["model"]):
        raise UsageError("--language and --model belong to --via.")


def _there_and_back(given: Mapping[str, Any]) -> Callable[[Sequence[str]], list[str]]:
    """What a translation to another language and back makes of texts (Sennrich et al. 2016)."""
    from loquent.tasks import calls

    def moved(texts: Sequence[str], source: str, target: str) -> list[str]:
        made = calls.translate(texts, source=source, target=target, model=given["model"] or None)
        return [each.text for each in made]

    language, via = given["language"], given["via"]
    return lambda texts: moved(moved(texts, language, via), via, language)


def _written(found: Iterator[Record], target: Path, path: str) -> int:
    """Write records as lines of JSON and give their number."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    count = 0
    try:
        with (
            unfinished.open("w", encoding="utf-8") as file,
            terminal.Progress(f"Varying {path}", unit="records") as progress,
        ):
            for record in found:
                file.write(json.dumps(dict(record.values), ensure_ascii=False, default=str) + "\n")
                count += 1
                progress(count, None)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return count
