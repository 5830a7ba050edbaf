"""`loquent talk`: a spoken dialog with a model, which can be interrupted."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import conversing, sounds, speak, terminal, texts
from loquent.commands.options import model_options, sampling_of, sampling_options
from loquent.errors import RequestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loquent.audio.listening import Turn
    from loquent.audio.sound import Sound
    from loquent.engine.request import Sampling
    from loquent.tasks.talking import Dialog, Mouth, News


@click.command()
@click.option("--input", "source", metavar="SOUND",
              help="A file, or - for a pipe; without it the microphone.")  # fmt: skip
@click.option("--raw-rate", type=int, default=16_000, show_default=True,
              help="Samples a second of a pipe without a header.")  # fmt: skip
@click.option("--recognizer", help="The model that hears; without it the catalogue's.")
@click.option("--language", default="", help="Spoken language, such as de; without it English.")
@click.option("--hotword", "hotwords", multiple=True, help="A name or word to expect; repeatable.")
@click.option("--pause", type=float, default=0.7, show_default=True,
              help="Seconds of silence behind which you are answered.")  # fmt: skip
@click.option("--interrupt/--no-interrupt", default=True, show_default=True,
              help="Whether an answer stops as soon as you speak; without, it is not heard then.",
              )  # fmt: skip
@model_options
@sampling_options
@click.option("--system", metavar="TEXT", help="What the model is told before; '' for nothing.")
@click.option("--stop", multiple=True, metavar="TEXT", help="End an answer before this text.")
@click.option("--truncate", type=click.Choice(["left", "right"]), default="left", show_default=True,
              help="Where the conversation gets too long, drop its start or end.")  # fmt: skip
@click.option("--voice", default="hibari", show_default=True, help="Who says the answers.")
@click.option("--speed", type=float, default=1.0, show_default=True, help="2: twice as fast.")
@click.option("--pitch", type=float, default=1.0, show_default=True, help="2: an octave higher.")
@click.option("--mute", is_flag=True, help="Write the answers only.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE|FOLDER",
              help="Write the answers as one sound, or each into a folder; not played then.",
              )  # fmt: skip
@click.option("--play", is_flag=True, help="With --output: play them, too.")
@click.option("--json", "as_json", is_flag=True, help="Write a line of JSON for all that happens.")
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
def command(**given: Any) -> None:
    """Talk with a model by voice: it hears, answers aloud, and is silent when you speak.

    Ctrl-C stops an answer; between answers it leaves. A file waits while it is answered, a pipe and
    the microphone do not.
    """
    sampling = _check(given)
    from loquent.audio.listening import turns
    from loquent.tasks.talking import manners

    activity = manners(given["pause"])
    with ExitStack() as stack:
        mouth = _mouth(given, stack)
        shown = conversing.Shown(given)
        dialog = _dialog(given, sampling, mouth, shown.tell)
        detector = sounds.fetched_detector(given)
        blocks = _blocks(given, detector.rate)
        try:
            if given["source"] not in (None, "-"):
                _converse(dialog, turns(blocks, detector, activity), given)
            else:
                _converse_live(dialog, blocks, detector, activity, given)
        except KeyboardInterrupt:
            texts.note(given, ["the end"])


def _check(given: dict[str, Any]) -> Sampling:
    """Refuse what makes no sense before a model is opened; raises UsageError and DataError."""
    sampling = sampling_of(given)
    if sampling.n > 1:
        raise UsageError("a dialog has one answer at a time.", fix="Leave out --n.")
    if not 0.1 <= given["pause"] <= 10:
        raise UsageError(f"a pause of {given['pause']:g} is not from 0.1 to 10 seconds.")
    if given["mute"] and (given["output"] is not None or given["play"]):
        raise UsageError("--mute makes no sound; --output and --play want one.")
    if given["source"] is not None:
        sounds.check_there(given["source"])
        if given["source"] != "-" and Path(given["source"]).is_dir():
            raise UsageError(f"{given['source']} is a folder, not a sound.")
    output = given["output"]
    if output is not None and output.suffix and not output.is_dir():
        sounds.check_writable(output)
    return sampling


def _mouth(given: dict[str, Any], stack: ExitStack) -> Mouth | None:
    """Who says the answers, and where to; raises UserError where nothing can be played."""
    from loquent.audio.loudspeaker import check_loudspeaker
    from loquent.tasks.talking import Mouth
    from loquent.voices.speaking import check
    from loquent.voices.voice import Manner

    if given["mute"]:
        return None
    plays = given["play"] or given["output"] is None
    if plays:
        check_loudspeaker(24_000)
    voice = speak.opened(given)
    outlets = conversing.Outlets(voice.rate, given["output"], plays=plays)
    stack.enter_context(outlets)
    manner = Manner(given["speed"], given["pitch"], 0)
    check(voice, manner)
    return Mouth(voice=voice, opened=outlets.opened, manner=manner, paced=plays)


def _dialog(
    given: dict[str, Any], sampling: Sampling, mouth: Mouth | None, tell: Callable[[News], None]
) -> Dialog:
    from loquent.tasks.interpreting import heard_as
    from loquent.tasks.speech_settings import Hearing
    from loquent.tasks.talking import SYSTEM, Dialog
    from loquent.tasks.translating import code_of

    language = heard_as(code_of(given["language"])) if given["language"] else ""
    ear = texts.open_for(
        {**given, "draft": None}, "transcribe", [language] if language else [], option="recognizer"
    )
    return Dialog(
        ear,
        terminal.open_model(given),
        tell=tell,
        mouth=mouth,
        hearing=Hearing(language=language, hotwords=tuple(given["hotwords"])),
        sampling=sampling,
        system=SYSTEM if given["system"] is None else given["system"],
        stop=given["stop"],
        truncate=given["truncate"],
    )


def _blocks(given: dict[str, Any], rate: int) -> Iterable[Sound]:
    from loquent.audio.live import microphone, piped
    from loquent.audio.reading import blocks

    if given["source"] is None:
        if given["interrupt"] and not given["mute"]:
            texts.note(given, ["speak; with loudspeakers it hears itself: take headphones, or "
                               "--no-interrupt; Ctrl-C ends"])  # fmt: skip
        return microphone(rate)
    if given["source"] == "-":
        # unbuffered: at the end a thread may still wait for it, and must not hold a buffer's lock
        pipe = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
        return piped(pipe, rate, raw_rate=given["raw_rate"])
    return blocks(Path(given["source"]), rate, 0.5)


def _converse_live(
    dialog: Dialog, blocks: Iterable[Sound], detector: Any, activity: Any, given: dict[str, Any]
) -> None:
    """With a sound that does not wait: who speaks while an answer is under way interrupts it."""
    from loquent.audio.listening import Listening

    interrupts = given["interrupt"]
    listening = Listening(
        blocks,
        detector,
        activity,
        begun=dialog.interrupt if interrupts else lambda: None,
        deaf=lambda: dialog.answering and not interrupts,
    )
    pressing = (lambda: listening.pressing) if interrupts else (lambda: False)
    _converse(dialog, listening, given, pressing)


def _converse(
    dialog: Dialog, turns: Iterable[Turn], given: dict[str, Any], pressing: Any = lambda: False
) -> None:
    """Answer each turn; a conversation that is too long is told, and the next turn is heard."""
    for turn in turns:
        with _stops(dialog):
            try:
                dialog.take(turn, pressing)
            except RequestError as fault:
                if given["as_json"]:
                    terminal.emit_json({"event": "error", "error": str(fault)})
                click.echo(f"loquent: {fault}", err=True)


@contextmanager
def _stops(dialog: Dialog) -> Iterator[None]:
    """Ctrl-C stops the answer instead of the program; a second one ends the program."""
    pressed = False

    def stop(*_: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        dialog.interrupt()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
