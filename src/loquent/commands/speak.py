"""`loquent speak`: a text as sound."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import batches, rows, terminal, texts
from loquent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loquent.audio.sound import Samples
    from loquent.voices.speaking import Piece, Speech
    from loquent.voices.voice import Voice

_NAMES = ("text", "sentence", "content")
_SHOWN = 8
# How what a model has written is said: what cannot be is left out, and named.
USUAL: Mapping[str, Any] = {
    "speed": 1.0, "pitch": 1.0, "pause": 0.35, "seed": 0, "skip_unknown": True, "play": False
}  # fmt: skip


@click.command()
@click.argument("text", required=False)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The sound: .wav, .flac, .ogg or .mp3; - writes wav to standard output.",
)
@click.option("--play", is_flag=True, help="Play it, from the first sentence on.")
@click.option(
    "-m",
    "--voice",
    "--model",
    "voice",
    default="hibari",
    show_default=True,
    help="A name from `loquent models`, a folder, or package:….",
)
@click.option("--speed", type=float, default=1.0, show_default=True, help="2: twice as fast.")
@click.option("--pitch", type=float, default=1.0, show_default=True, help="2: an octave higher.")
@click.option(
    "--pause", type=float, default=0.35, show_default=True, help="Seconds between sentences."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of what a voice draws.")
@click.option("--skip-unknown", is_flag=True, help="Leave out what cannot be said, and name it.")
@click.option("--offline", is_flag=True, help="Use only what is on this machine.")
@batches.batch_options
@click.option(
    "--sounds",
    type=click.Path(path_type=Path),
    help="With --out: the folder of the sounds; without it, one beside OUT.",
)
@click.option("--json", "as_json", is_flag=True, help="Write how it was said as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No notes and progress on stderr.")
def command(text: str | None, **given: Any) -> int | None:
    """Speak TEXT: a text, a file's name, or - for standard input.

    Figures, dates, money and the like are read out. Rows of files are spoken with --in and --out,
    each into a file of its own, whose name stands in OUT.
    """
    if batches.is_batch(given, text):
        return _rows(given)
    if given["output"] is None and not given["play"]:
        raise UsageError("where does the sound go?", fix="Say -o FILE, or --play.")
    if given["sounds"] is not None:
        raise UsageError("--sounds belongs to --in and --out.")
    if given["output"] == "-" and given["as_json"]:
        raise UsageError("-o - and --json both write to standard output.", fix="Name a file.")
    asked = texts.given_text(text, given["quiet"])
    voice = opened(given)
    made = spoken(voice, asked, given)
    if given["as_json"]:
        terminal.emit_json({**made, "file": given["output"]})
    elif given["output"] not in (None, "-"):
        click.echo(given["output"])
    note(given, made)
    return None


def opened(given: Mapping[str, Any]) -> Voice:
    """The voice that is named, fetched where it is missing."""
    from loquent.voices.opening import open_voice

    with terminal.Progress(f"Fetching {given['voice']}") as progress:
        shown = None if given["quiet"] else progress
        return open_voice(given["voice"], offline=given["offline"], progress=shown)


def _stream(voice: Voice, text: str, given: dict[str, Any], *, early: bool) -> Any:
    from loquent.voices.speaking import stream
    from loquent.voices.voice import Manner

    return stream(
        voice,
        text,
        manner=Manner(given["speed"], given["pitch"], given["seed"]),
        pause_seconds=given["pause"],
        skip_unknown=given["skip_unknown"],
        early=early,
    )


def spoken(voice: Voice, text: str, given: dict[str, Any]) -> dict[str, Any]:
    """Say it; each sentence is written and played as soon as it is there, and not kept."""
    from loquent.voices.speaking import account, ending

    pieces: list[Piece] = []
    samples = done = 0
    took = 0.0
    with ExitStack() as stack:
        progress = stack.enter_context(terminal.Progress("speak", unit="characters"))
        takers = _takers(voice.rate, given, stack)
        early = given["play"] or given["output"] == "-"
        started = time.perf_counter()
        for piece in _stream(voice, text, given, early=early):
            took += time.perf_counter() - started
            samples += _taken(takers, piece.samples)
            pieces.append(replace(piece, samples=piece.samples[:0].copy()))
            done += len(piece.text)
            if not given["quiet"] and len(text) > 1000:
                progress(min(done, len(text)), len(text))
            started = time.perf_counter()
        samples += _taken(takers, ending(voice))
    return account(pieces, samples / voice.rate, took, voice)


def _taken(takers: Sequence[Callable[[Samples], None]], samples: Samples) -> int:
    for take in takers:
        take(samples)
    return len(samples)


def _takers(rate: int, given: dict[str, Any], stack: ExitStack) -> list[Callable[[Samples], None]]:
    """Who gets the sound: a file, standard output, a player."""
    takers: list[Callable[[Samples], None]] = []
    output = given["output"]
    if output == "-":
        from loquent.audio.wav import WavStream

        takers.append(WavStream(sys.stdout.buffer, rate).write)
    elif output is not None:
        from loquent.audio.writing import writer

        file = writer(Path(output), rate)
        stack.enter_context(file)
        takers.append(file.write)
    if given["play"]:
        from loquent.audio.playing import Player

        takers.append(stack.enter_context(Player(rate)).write)
    return takers


def note(given: dict[str, Any], plain: dict[str, Any]) -> None:
    """Tell on stderr how it was said."""
    read = [f"{each['written']} → {each['said']}" for each in plain["readings"]]
    texts.note(
        given,
        [
            f"{plain['seconds']:.1f} s by {plain['voice']}, phonemes by {plain['phonemes_by']}, "
            f"{plain['real_time_factor']:.3f} s of work for a second",
            _listed("read out", read),
            _listed("guessed", plain["guessed"]),
            _listed("left out", plain["skipped"]),
        ],
    )


def _listed(what: str, words: Sequence[str]) -> str:
    if not words:
        return ""
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"{what}: {'; '.join(words[:_SHOWN])}{more}"


class _Row:
    """An answer of a batch: the sound is in its file."""

    def __init__(self, made: Speech, path: Path) -> None:
        self._made, self._path = made, path

    def plain(self) -> dict[str, Any]:
        return {"sound": str(self._path), **self._made.plain()}


def _rows(given: dict[str, Any]) -> int:
    if given["output"] is not None or given["play"]:
        raise UsageError("-o and --play are for one text; with --in sounds go to a folder.")
    target: Path = given["target"]
    folder: Path = given["sounds"] or target.with_name(f"{target.stem}-sounds")
    folder.mkdir(parents=True, exist_ok=True)
    voice = opened(given)

    def read(record: Any) -> tuple[str, str]:
        return f"{record.index + 1:06}", rows.text_of(record, given["column"], _NAMES, "text")

    def ask(some: Sequence[tuple[str, str]]) -> list[_Row]:
        from loquent.voices.speaking import gathered

        made = []
        for number, text in some:
            started = time.perf_counter()
            pieces = list(_stream(voice, text, given, early=False))
            whole = gathered(voice, pieces, time.perf_counter() - started)
            path = folder / f"{number}.wav"
            whole.save(path)
            made.append(_Row(whole, path))
        return made

    names = ("voice", "speed", "pitch", "pause", "seed", "skip_unknown")
    settings = {name: given[name] for name in (*names, "column")} | {"sounds": str(folder)}
    return batches.run(
        batches.Job[tuple[str, str]](
            command="speak",
            source=given["source"],
            target=target,
            settings=settings,
            read=read,
            ask=ask,
            main="sound",
            size=8,
            overwrite=given["overwrite"],
            quiet=given["quiet"],
        )
    )
