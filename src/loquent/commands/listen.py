"""`loquent listen`: spoken commands, from a microphone, a pipe or a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal, texts
from loquent.commands.options import executor_options
from loquent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loquent.audio.activity import Detector
    from loquent.audio.sound import Sound
    from loquent.tasks.listening import Heard, Listener


@click.command()
@click.argument("source", required=False)
@click.option("-m", "--model", help="A model of `loquent train --task command` or transcribe.")
@click.option(
    "--commands", default="", metavar="A,B,…", help="Listen for these; without it for all it knows."
)
@click.option(
    "--threshold", type=float, default=0.6, show_default=True, help="Least chance of a command."
)
@click.option("--whole", is_flag=True, help="The file is one command: find no speech in it.")
@click.option("--all", "show_all", is_flag=True, help="Tell also what was heard and is no command.")
@click.option(
    "--activity",
    type=click.Choice(["auto", "silero", "energy"]),
    default="auto",
    show_default=True,
    help="What finds speech: a network (loquent models pull silero-vad), or loudness.",
)
@click.option(
    "--rate", type=int, default=16_000, show_default=True, help="Of a pipe without a header."
)
@click.option("--json", "as_json", is_flag=True, help="Write a line of JSON for each.")
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
@executor_options
def command(source: str | None, **given: Any) -> None:
    """Listen to SOURCE for commands and write each as soon as it is said.

    SOURCE is a file, - for a pipe (wav, or 16-bit samples), or nothing for the microphone.
    """
    from loquent.tasks.listening import Listener

    words = [each.strip() for each in given["commands"].split(",") if each.strip()]
    if given["model"] is None and not words:
        raise UsageError(
            "which commands?",
            fix="Name them (--commands yes,no), or a model that knows some: loquent train --task "
            "command --data FOLDER --out RUN; then -m RUN.",
        )
    if given["whole"] and source in (None, "-"):
        raise UsageError("--whole is for a file.")
    lm = texts.open_for(given, "transcribe")
    listener = Listener(lm, words, given["threshold"])
    texts.note(given, [f"listening for {', '.join(listener.commands)}"])
    found = _whole(source, listener) if given["whole"] else _spoken(source, listener, given)
    count = 0
    for heard in found:
        count += 1
        if heard.label or given["show_all"]:
            _tell(heard, given["as_json"])
    if not count:
        fix = "" if source in (None, "-") else "; with --whole the file is taken as it is"
        texts.note(given, [f"no speech was heard{fix}"])


def _whole(source: str | None, listener: Listener) -> Iterator[Heard]:
    from loquent.audio.reading import read_sound

    yield listener.hear(read_sound(Path(str(source)), listener.rate))


def _spoken(source: str | None, listener: Listener, given: dict[str, Any]) -> Iterator[Heard]:
    detector = _detector(given)
    return listener.listen(_blocks(source, detector.rate, given["rate"]), detector)


def _detector(given: dict[str, Any]) -> Detector:
    from loquent.audio.activity import ENERGY
    from loquent.checkpoints import hub
    from loquent.checkpoints.detectors import SILERO, open_silero, speech_detector

    if given["activity"] == "energy":
        return ENERGY
    if given["activity"] == "silero":
        return open_silero(hub.resolve(SILERO))
    chosen = speech_detector()
    better = f"; better: loquent models pull {SILERO}" if chosen is ENERGY else ""
    texts.note(given, [f"speech is found by {chosen.name}{better}"])
    return chosen


def _blocks(source: str | None, rate: int, raw_rate: int) -> Iterator[Sound]:
    from loquent.audio.live import microphone, piped
    from loquent.audio.reading import blocks

    if source is None:
        return microphone(rate)
    if source == "-":
        return piped(sys.stdin.buffer, rate, raw_rate=raw_rate)
    return blocks(Path(source), rate, 1.0)


def _tell(heard: Heard, as_json: bool) -> None:
    if as_json:
        terminal.emit_json(heard.plain())
    else:
        span = heard.span
        click.echo(
            f"{span.start_seconds:.2f}\t{span.end_seconds:.2f}\t{heard.label or '-'}\t"
            f"{heard.chance:.2f}"
        )
    sys.stdout.flush()
