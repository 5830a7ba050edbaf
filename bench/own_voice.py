"""A voice of one's own recordings: trained on LJ001 but for its last 20 clips, and understood?

    python bench/own_voice.py train [--out RUN]   # bench/recipes/lj001-voice.toml
    python bench/own_voice.py judge [--out RUN]   # WER of what it says, beside that of recordings

The 20 clips are neither learned nor looked at while it learns. Whisper tiny.en (8 bits, Silero's
detector) writes down the recordings, the recordings through the vocoder alone (their mel bands and
pitch, `analysed`), the sentences as the voice says them, and as `hibari` does. Figures go to
bench/results/own_voice.json and own_voice.md.
"""

import argparse
import json
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import loquent
import speech
from loquent.audio.pitch import pitch
from loquent.audio.rates import resampled
from loquent.audio.reading import RATE, read_sound
from loquent.audio.sound import Sound
from loquent.audio.voicing import FLOOR, LEVEL, SPREAD, mel_map, pitch_values, pitches
from loquent.lm import open as open_lm
from loquent.runs import execute
from loquent.runs.plan import planned
from loquent.runs.values import merged, read_values
from loquent.voices.opening import open_voice
from loquent.voices.own import OwnVoice, voiced
from loquent.voices.speaking import speak
from loquent.voices.voice import Manner
from loquent.voices.waves import Frames

HERE = Path(__file__).parent
RECIPE = HERE / "recipes" / "lj001-voice.toml"
RESULTS = HERE / "results" / "own_voice.json"
PAGE = HERE / "results" / "own_voice.md"
HELD_OUT = 20  # of the last clips


def divided(data: Path, folder: Path) -> tuple[Path, Path]:
    """Folders with a table of the clips that are learned, and of those that are held out."""
    lines = (data / "metadata.csv").read_text(encoding="utf-8").splitlines()
    made = []
    for name, part in (("learned", lines[:-HELD_OUT]), ("held-out", lines[-HELD_OUT:])):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "metadata.csv").write_text("\n".join(part) + "\n", encoding="utf-8")
        for line in part:
            link = place / f"{line.partition('|')[0]}.flac"
            if not link.exists():
                link.symlink_to((data / link.name).resolve())
        made.append(place)
    return made[0], made[1]


def train(out: Path, data: Path) -> dict[str, Any]:
    """The recipe, in one process; its core seconds are those of the whole command."""
    learned, _ = divided(data, out.with_name(f"{out.name}-clips"))
    values = merged(read_values(RECIPE), {"data": {"train": str(learned)}, "out": str(out)})
    before = _core_seconds()
    result = execute.run(planned(values), on_note=_tell)
    return {
        "recipe": read_values(RECIPE),
        "steps": result.steps,
        "core_minutes": round((_core_seconds() - before) / 60, 1),
        "clips": len((learned / "metadata.csv").read_text().splitlines()),
    }


def analysed(voice: OwnVoice, path: Path) -> Sound:
    """A recording's own mel bands and pitch through the vocoder."""
    config = voice.config.speech
    assert config is not None
    samples = read_sound(path, config.rate).samples
    count = len(samples) // config.hop
    frames = Frames(config.size, config.hop, config.rate)
    sizes = np.abs(frames.spectrum(samples, count))
    mel = np.log(np.maximum(sizes @ mel_map(config.bins, config.rate, config.size).T, FLOOR))
    values, heard = pitch_values(pitches(samples, config.rate, config.hop)[:count])
    features = np.column_stack([(mel - LEVEL) / SPREAD, values, heard]).astype(np.float32)
    return Sound(voiced(features, config, voice.weights, Manner()), config.rate)


def judge(out: Path, data: Path, model: str) -> dict[str, Any]:
    """Word error rates of the held-out sentences."""
    pairs = speech.clips(data)[-HELD_OUT:]
    texts = [text for _, text in pairs]
    voice = open_voice(str(out))
    assert isinstance(voice, OwnVoice)
    recordings = [read_sound(path) for path, _ in pairs]
    started = time.process_time()
    said = [speak(text, voice=voice).sound for text in texts]
    taken = time.process_time() - started
    sounds = {
        "recordings": recordings,
        "vocoder alone": [analysed(voice, path) for path, _ in pairs],
        "own voice": said,
        "hibari": [speak(text).sound for text in texts],
    }
    found: dict[str, Any] = {}
    with open_lm(model, bits=8, rows=32, draft=None) as lm:
        for name, each in sounds.items():
            told = speech.told(lm, [resampled(sound, RATE) for sound in each])
            found[name] = speech.error_rate(told, texts)
            found[name]["texts"] = told
            _tell(f"{name}: {found[name]['wer']:.2%}")
    seconds = sum(sound.seconds for sound in said)
    return {
        "recognizer": model,
        "clips": len(pairs),
        "seconds_of_speech": round(seconds, 1),
        "work_for_a_second": round(taken / seconds, 4),
        "recordings_seconds": round(sum(each.seconds for each in recordings), 1),
        "median_hertz": {
            "recordings": _median_hertz(recordings),
            "own voice": _median_hertz(said),
        },
        "meant": texts,
        "found": found,
    }


def _median_hertz(sounds: list[Sound]) -> float:
    every = np.concatenate([pitch(each.samples, each.rate) for each in sounds])
    return round(float(np.median(every[every > 0])), 1)


def _core_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def page(kept: dict[str, Any]) -> str:
    """The figures for people."""
    trained, judged = kept["train"], kept["judge"]
    rows = [
        f"| {name} | {each['wer']:.1%} | {each['edits']} of {each['words']} |"
        for name, each in judged["found"].items()
    ]
    examples = zip(judged["meant"], judged["found"]["own voice"]["texts"], strict=True)
    return "\n".join(
        [
            "# A voice of one's own recordings",
            "",
            f"Made by `python bench/own_voice.py train` and `judge` ({RECIPE.name}): "
            f"{trained['clips']} clips of LJ001, {trained['steps']} steps, "
            f"{trained['core_minutes']} core minutes ({kept['machine']}, one run, seed 0, beside "
            f"other work). The last {judged['clips']} clips are held out.",
            "",
            f"What {judged['recognizer']} writes down of their sentences:",
            "",
            "| said by | WER | edits |",
            "|---|---|---|",
            *rows,
            "",
            "`vocoder alone` are the recordings' own mel bands and pitch, made a wave again.",
            f"A second of speech takes {judged['work_for_a_second']} core seconds. The median "
            f"pitch of the recordings is {judged['median_hertz']['recordings']} Hz, that of the "
            f"voice {judged['median_hertz']['own voice']} Hz; the sentences last "
            f"{judged['recordings_seconds']} s there and {judged['seconds_of_speech']} s here.",
            "",
            "| meant | understood of the own voice |",
            "|---|---|",
            *(f"| {meant} | {told} |" for meant, told in examples),
            "",
        ]
    )


def main() -> None:
    """Train or judge, note the figures, and write the page when both are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=("train", "judge"))
    parser.add_argument("--out", type=Path, default=HERE.parent / "runs" / "lj001-voice")
    data = HERE.parent.parent / "shared" / "data" / "ljspeech_lj001"
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--model", default="whisper-tiny.en")
    given = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if "train" in given.what:
        kept["train"] = train(given.out, given.data)
    if "judge" in given.what:
        speech_data = given.data.parent
        kept["judge"] = judge(given.out, speech_data, given.model)
    kept["machine"] = f"{platform.machine()}, Python {platform.python_version()}"
    kept["version"] = loquent.__version__
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    if {"train", "judge"} <= set(kept):
        PAGE.write_text(page(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
