"""Translated speech: what is said in a recording, in another language, written and spoken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import recordings, sounds, speak, terminal, texts
from loquent.errors import UsageError

if TYPE_CHECKING:
    from loquent.lm.lm import LM
    from loquent.tasks.interpreting import Interpreted, Translator
    from loquent.voices.voice import Voice

_ONLY = ("recognizer", "speak", "voice")  # options that a recording alone has
_NOT = ("source", "target", "column", "overwrite", "markdown")  # those that only texts have
_CALLED = {"source": "in", "target": "out", "goal": "to", "origin": "from"}


def is_speech(text: str | None, given: Mapping[str, Any]) -> bool:
    """Whether a recording is translated; raises UsageError where that is said by half."""
    if given["speech"] is None:
        wrong = next((name for name in _ONLY if given[name] is not None), None)
        if wrong is not None:
            raise UsageError(f"--{wrong} belongs to --speech.", fix="Name the recording there.")
        return False
    if text is not None:
        raise UsageError("give a text, or a recording with --speech, not both.")
    wrong = next((name for name in _NOT if given[name]), None)
    if wrong is not None:
        raise UsageError(f"--{_CALLED.get(wrong, wrong)} is for texts, not for --speech.")
    if given["voice"] is not None and given["speak"] is None:
        raise UsageError("--voice belongs to --speak.", fix="Say --speak out.wav.")
    return True


def run(given: dict[str, Any]) -> None:
    """Hear, translate and write; speak it where that is wanted. What is missing is told first."""
    from loquent.tasks.translating import code_of

    given["goal"] = code_of(given["goal"])
    given["origin"] = code_of(given["origin"]) if given["origin"] else ""
    if given["origin"] == given["goal"]:
        raise UsageError("--from and --to are the same language.")
    sounds.check_there(given["speech"])
    path = None if given["speech"] == "-" else Path(given["speech"])
    if path is not None and path.is_dir():
        raise UsageError(f"{path} is a folder; one recording is translated at a time.")
    voice = _voice(given) if given["speak"] else None
    ear = _recognizer(given)
    _tell(_interpreted(given, ear, path), ear, voice, given)


def _interpreted(given: dict[str, Any], ear: LM, path: Path | None) -> Interpreted:
    from loquent.audio.reading import blocks
    from loquent.tasks.interpreting import Interpreter

    interpreter = Interpreter(
        ear,
        given["goal"],
        given["origin"],
        translator=_translator(given, ear),
        terms=given["terms"],
        prefix=given["prefix"],
        beams=given["beams"],
        most_sentences=given["most_sentences"],
    )
    detector = sounds.fetched_detector(given)
    with recordings.seconds_of(path, given["quiet"]) as seconds:
        sound = blocks(sounds.recording(given["speech"]))
        heard = interpreter.hear(sound, detector=detector, progress=seconds)
    with terminal.Progress("translate", unit="sentences") as progress:
        return interpreter.translated(heard, texts.several(progress, given["quiet"]))


def _recognizer(given: dict[str, Any]) -> LM:
    """Who hears; without a name one of many languages, unless what is spoken is English."""
    from loquent.tasks.interpreting import ENGLISH, heard_as

    languages = [heard_as(given["origin"] or given["goal"])]
    if not given["origin"] and given["goal"] == ENGLISH:
        languages = ["de"]  # any that one of English alone does not know
    return texts.open_for({**given, "draft": None}, "transcribe", languages, option="recognizer")


def _translator(given: dict[str, Any], ear: LM) -> Translator | None:
    """Who translates the text: None where the recognizer does it, and nobody else is named."""
    from loquent.tasks.interpreting import translates_itself

    if given["model"] is None and translates_itself(ear, given["goal"]):
        return None

    def opened(source: str) -> LM:
        languages = [each for each in (source, given["goal"]) if each]
        return texts.open_for(given, "translate", languages)

    if given["model"] is not None or given["origin"]:
        lm = opened(given["origin"])  # what is wrong with it is told before anything is heard
        return lambda _: lm
    return opened


def _voice(given: dict[str, Any]) -> Voice:
    """Who speaks; raises UsageError with what to do where there is nobody for the language."""
    from loquent.tasks.defaults import chosen
    from loquent.text.languages import NAMES

    sounds.check_writable(Path(given["speak"]))
    language = NAMES[given["goal"]]
    name = given["voice"]
    if name is None:
        try:
            name = chosen("speak", [given["goal"]]).name
        except UsageError as fault:
            raise UsageError(
                f"there is no voice for {language} in the catalogue.",
                fix="Leave out --speak, or name a folder (--voice): a voice of Piper (*.onnx with "
                "*.onnx.json, and pip install 'loquent[espeak]'), or a VitsModel such as those of "
                "MMS.",
            ) from fault
    voice = speak.opened({**given, "voice": name})
    if voice.language and voice.language != given["goal"]:
        other = NAMES.get(voice.language, voice.language)
        raise UsageError(f"the voice {voice.name} speaks {other}, not {language}.")
    return voice


def _tell(made: Interpreted, ear: LM, voice: Voice | None, given: dict[str, Any]) -> None:
    """The text to standard output, its sound to a file, and how it came about."""
    if not given["as_json"]:
        click.echo(made.text)
    found = ", which was found by listening" if made.detected else ""
    written = made.translation
    texts.note(
        given,
        [
            f"{made.heard.seconds:.1f} s heard",
            f"from {made.source}{found}, to {made.target}",
            "translated by the recognizer itself" if written is None else
            texts.counted(written.sentences, "sentence"),
            f"the text looks like {written.doubt}" if written and written.doubt else "",
            f"{written.cut} stopped at the longest length" if written and written.cut else "",
        ],
    )  # fmt: skip
    spoken = None
    if voice is not None:
        how = {**given, **speak.USUAL, "output": given["speak"]}
        spoken = speak.spoken(voice, made.text, how)
        speak.note(given, spoken)
    if given["as_json"]:
        said = {} if spoken is None else {"spoken": {**spoken, "file": given["speak"]}}
        hearing = {"recognizer": ear.checkpoint.card.name}
        terminal.emit_json({**made.plain(), **hearing, **said})
