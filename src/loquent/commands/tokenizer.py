"""`loquent tokenizer`: learn a tokenizer from data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal
from loquent.errors import DataError, UsageError, UserError, nearest, together

if TYPE_CHECKING:
    from loquent.data.records import Record
    from loquent.text.learning import KindName, LearnedReport

# A test holds them to those of loquent.text.kinds, which --help need not import.
KINDS = {
    "bpe": "pieces of bytes, which spell any text",
    "unigram": "likely pieces of characters",
    "wordpiece": "pieces of words; signs and Han characters alone",
    "byte": "the 256 bytes",
    "char": "each character seen",
}


@click.group()
def command() -> None:
    """Learn a tokenizer from data; `train --json` writes its report as JSON."""


@command.command()
@click.argument("data", nargs=-1, required=True)
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default="bpe",
    show_default=True,
    help="; ".join(f"{name}: {what}" for name, what in KINDS.items()) + ".",
)
@click.option("--size", default=8000, show_default=True, help="Pieces of the vocabulary.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Where the tokenizer's files go.",
)
@click.option("--lowercase", is_flag=True, help="Read every text in small letters.")
@click.option(
    "--special", multiple=True, metavar="TEXT", help="Add a special token; may be repeated."
)
@click.option(
    "--field", multiple=True, metavar="NAME", help="Read this field of records only; repeatable."
)
@click.option("--replace", is_flag=True, help="Write over a tokenizer that is in the folder.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON.")
def train(
    data: tuple[str, ...],
    *,
    kind: KindName,
    size: int,
    out: Path,
    lowercase: bool,
    special: tuple[str, ...],
    field: tuple[str, ...],
    replace: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Learn a tokenizer from DATA and tell how well it fits every 20th line, held out.

    DATA are text files or records: .jsonl, .json, .csv, .tsv and .parquet files (also .gz),
    folders of them, or hf:NAME. All strings of a record are texts.
    """
    from loquent.text.learning import learn

    if (out / "tokenizer.json").exists() and not replace:
        raise UsageError(
            "has a tokenizer already.",
            where=str(out),
            fix="Choose another folder, or write over it with --replace.",
        )
    check(data)
    with terminal.Progress("Learning", unit="lines") as progress:
        tokenizer, report = learn(
            Texts(data, field, quiet=quiet),
            kind,
            size,
            special=special,
            lowercase=lowercase,
            progress=None if quiet else progress,
        )
    tokenizer.save(out)
    if as_json:
        terminal.emit_json({"folder": str(out), **facts(report)})
    else:
        click.echo(told(out, report))


class Texts:
    """The texts of files, read anew each time; notes about the files go to stderr once."""

    def __init__(self, data: Sequence[str], fields: Sequence[str], *, quiet: bool) -> None:
        self._data = data
        self._fields = fields
        self._quiet = quiet
        self._told: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        """One text after the other."""
        from loquent.data.records import records

        for name in self._data:
            for record in records(name, format=format_of(name), on_note=self._note):
                yield from strings(self._chosen(record))

    def _chosen(self, record: Record) -> object:
        """The fields that are asked for."""
        missing = [field for field in self._fields if field not in record.values]
        if missing:
            raise DataError(
                f"has no field {missing[0]!r}.",
                where=record.where,
                fix=nearest(missing[0], map(str, record.values)),
            )
        return [record.values[field] for field in self._fields] or record.values

    def _note(self, note: str) -> None:
        if note not in self._told and not self._quiet:
            click.echo(f"[{note}]", err=True)
        self._told.add(note)


def format_of(name: str) -> str:
    """How data are read: as their name says; a file of any other name is a text."""
    from loquent.data.records import ENDINGS

    endings = [each.lower() for each in Path(name).suffixes if each.lower() != ".gz"]
    return "txt" if Path(name).is_file() and not {*endings[-1:]} & {*ENDINGS} else "auto"


def check(data: Sequence[str]) -> None:
    """Raise DataError for all files that are not there."""
    faults: list[UserError] = [
        DataError("is not there.", where=name)
        for name in data
        if not name.startswith("hf:") and "{" not in name and not Path(name).exists()
    ]
    if faults:
        raise together(DataError, faults)


def strings(value: object) -> Iterator[str]:
    """Every string in a record's value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from strings(each)


def facts(report: LearnedReport) -> dict[str, Any]:
    """A report as plain values, with the figures that are made of others."""
    found = report.coverage
    return {
        **dataclasses.asdict(report),
        "seconds": round(report.seconds, 2),
        "coverage": {
            **dataclasses.asdict(found),
            "bytes_per_token": round(found.bytes_per_token, 4),
            "characters_per_token": round(found.characters_per_token, 4),
            "known_characters": round(found.known_characters, 6),
            "known_tokens": round(found.known_tokens, 6),
        },
    }


def told(folder: Path, report: LearnedReport) -> str:
    """A report for people."""
    found = report.coverage
    fewer = f" of {report.size}" if report.vocabulary < report.size else ""
    where = f"{found.texts:,} lines held out" if report.held_out else "the lines themselves"
    rarest = ", ".join(f"{piece!r} {uses}" for piece, uses in report.rarest)
    new = report.unseen_characters / found.characters
    rows = [
        ("folder", str(folder)),
        ("vocabulary", f"{report.vocabulary}{fewer} pieces, {report.kind}"),
        ("learned from", f"{report.texts:,} lines of {report.characters:,} characters"),
        ("", f"{report.alphabet:,} different ones, in {report.seconds:.1f} s"),
        ("measured on", where),
        ("a token holds", f"{found.bytes_per_token:.2f} bytes"),
        ("", f"{found.characters_per_token:.2f} characters"),
        ("unknown", f"{1 - found.known_tokens:.3%} of the tokens"),
        ("", f"{1 - found.known_characters:.3%} of the characters"),
        ("new", f"{new:.3%} of the characters, in no other text"),
        ("rarest", f"{rarest}; {report.unused} never used"),
    ]
    return "\n".join(f"{name:<14} {value}" for name, value in rows)
