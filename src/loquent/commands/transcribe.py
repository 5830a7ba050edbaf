"""`loquent transcribe`: what was said in a recording."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import recordings, resuming, sounds, terminal, texts
from loquent.commands.options import executor_options
from loquent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loquent.audio.activity import Detector
    from loquent.lm.lm import LM
    from loquent.tasks.fusion import Fusion
    from loquent.tasks.speech_decoding import Hearing
    from loquent.text.segments import Segment

FORMATS = ("text", "json", "srt", "vtt", "tsv")


@click.command()
@click.argument("sound", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How it is written: lines, JSON, subtitles or a table; without it as --out is named.",
)
@click.option("--language", default="", metavar="LANGUAGE", help="Such as de; or found.")
@click.option("--translate", is_flag=True, help="Write it in English.")
@click.option("--words", is_flag=True, help="With the times of words (in JSON).")
@click.option("--prompt", default="", help="Text of the same kind, as if it had come before.")
@click.option("--hotword", "hotwords", multiple=True, help="A name or word to expect; repeatable.")
@click.option("--beams", type=click.IntRange(1, 128), default=1, show_default=True,
              help="Width of beam search.")  # fmt: skip
@click.option("--lm", "language_model", metavar="MODEL", help="A model that continues texts has "
              "its say (networks of letters only).")  # fmt: skip
@click.option("--lm-weight", type=click.FloatRange(0), default=0.5, show_default=True,
              help="How much its opinion counts.")  # fmt: skip
@click.option("--lm-bonus", type=float, default=1.5, show_default=True,
              help="What each word is worth, as such a model prefers few.")  # fmt: skip
@click.option("--all-sound", is_flag=True, help="Hear all of it, not only where somebody speaks.")
@click.option(
    "--live",
    is_flag=True,
    help="Write while it comes: from - (a pipe) or, without SOUND, the microphone.",
)
@click.option(
    "--raw-rate",
    type=int,
    default=16_000,
    show_default=True,
    help="With --live: samples a second of a pipe without a header.",
)
@click.option(
    "--out",
    "target",
    type=click.Path(path_type=Path),
    help="Write to this file; for a folder of recordings to this folder.",
)
@click.option("--overwrite", is_flag=True, help="With --out: begin anew where it is there.")
@click.option(
    "-m",
    "--model",
    help="A name from `loquent models`, a folder, hf:ORG/NAME or "
    "package:…; without it the catalogue's for this.",
)
@executor_options
@click.option("--json", "as_json", is_flag=True, help="Write the whole answer as one line of JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No notes and progress on stderr.")
def command(sound: str | None, **given: Any) -> int | None:
    """Write down what is said in SOUND: a file, a folder of files, or - for standard input.

    Silence and noise are left out. A folder needs --out. With --out it goes on where it was
    stopped.
    """
    _check(sound, given)
    lm = texts.open_for(given, "transcribe", _languages(given))
    hearing, detector = _hearing(given), _detector(given)
    if given["live"]:
        from loquent.commands.hearing import write_live

        return write_live(lm, hearing, detector, sound, given)
    assert sound is not None
    path = Path(sound)
    if sound != "-" and path.is_dir():
        return recordings.run(
            recordings.Job(path, given["target"], _settings(given, lm), given["form"] or "text",
                           overwrite=given["overwrite"], quiet=given["quiet"]),
            lm, hearing, detector,
        )  # fmt: skip
    if sound != "-" and given["target"] is not None:
        resuming.run(
            resuming.Job(
                source=path, target=given["target"],
                settings=_settings(given, lm) | {"as_json": given["as_json"]},
                form=given["form"] or "text", as_json=given["as_json"],
                overwrite=given["overwrite"], quiet=given["quiet"],
            ),
            lm, hearing, detector,
        )  # fmt: skip
        return None
    _write_one(lm, hearing, detector, path if sound != "-" else None, given)
    return None


def _check(sound: str | None, given: dict[str, Any]) -> None:
    """Refuse what makes no sense before a model is opened; raises UsageError and DataError."""
    if given["live"]:
        if sound not in (None, "-"):
            raise UsageError("--live hears a pipe (-) or the microphone, not a file.")
        if given["target"] or given["as_json"] or given["form"] not in (None, "text"):
            raise UsageError("--live writes lines of text to standard output, nothing else.")
        return
    if sound is None:
        raise UsageError("name a recording, - for standard input, or --live for the microphone.")
    path, target = Path(sound), given["target"]
    sounds.check_there(sound)
    if sound != "-" and path.is_dir():
        if target is None or given["as_json"]:
            raise UsageError(
                "a folder of recordings is written to a folder.", fix="Name it: --out."
            )
        return
    if target is None:
        return
    if target.exists() and not given["overwrite"]:
        raise UsageError(f"{target} is there already.", fix="Name another, or say --overwrite.")
    ending = target.suffix.removeprefix(".").lower()
    if given["form"] is None:
        given["form"] = {"txt": "text"}.get(ending, ending)
        if given["form"] not in FORMATS:
            raise UsageError(f"{target} does not tell a format.", fix="Name one: --format.")


def _languages(given: dict[str, Any]) -> list[str]:
    """In which languages the model must be at home."""
    from loquent.text.languages import NAMES

    codes = {name.lower(): code for code, name in NAMES.items()}
    language = given["language"].lower()
    found = [codes.get(language, language)] if language else []
    # a model that translates knows other languages than English
    return found if not given["translate"] or found not in ([], ["en"]) else ["de"]


def _hearing(given: dict[str, Any]) -> Hearing:
    from loquent.tasks.speech_decoding import Hearing

    return Hearing(
        language=given["language"],
        translate=given["translate"],
        words=given["words"],
        prompt=given["prompt"],
        hotwords=tuple(given["hotwords"]),
        beams=given["beams"],
        fusion=_fusion(given),
    )


def _fusion(given: dict[str, Any]) -> Fusion | None:
    if given["language_model"] is None:
        return None
    from loquent.lm.opening import open
    from loquent.tasks.fusion import Fusion

    lm = open(given["language_model"], offline=given["offline"])
    return Fusion(lm=lm, weight=given["lm_weight"], bonus=given["lm_bonus"])


def _detector(given: dict[str, Any]) -> Detector | None:
    """What tells speech from everything else; None where all of it is to be heard."""
    return None if given["all_sound"] else sounds.fetched_detector(given)


def _settings(given: dict[str, Any], lm: LM) -> dict[str, Any]:
    names = ["language", "translate", "words", "prompt", "hotwords", "beams", "all_sound", "form"]
    if given["language_model"] is not None:
        names += ["language_model", "lm_weight", "lm_bonus"]
    return texts.settings_of({**given, "column": ""}, lm, names)


def _write_one(
    lm: LM, hearing: Hearing, detector: Detector | None, path: Path | None, given: dict[str, Any]
) -> None:
    """One recording, to standard output or a file."""
    from loquent.audio.reading import blocks
    from loquent.tasks.transcribing import transcribe
    from loquent.text.subtitles import subtitles

    source = path if path is not None else sys.stdin.buffer
    with recordings.seconds_of(path, given["quiet"]) as progress:
        if given["as_json"]:
            made = transcribe(lm, blocks(source), hearing, detector=detector, progress=progress)
            recordings.put(given["target"], [f"{_json(made.plain())}\n"])
            return
        segments = _segments(lm, hearing, detector, blocks(source), progress)
        recordings.put(given["target"], subtitles(segments, given["form"] or "text"))


def _segments(
    lm: LM, hearing: Hearing, detector: Detector | None, blocks: Any, progress: Any
) -> Iterator[Segment]:
    """Segments as they are done."""
    from loquent.tasks.transcribing import heard

    for part in heard(lm, blocks, hearing, detector=detector):
        yield from part.segments
        progress(part.window.end_seconds)


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


__all__ = ["FORMATS", "command", "terminal"]
