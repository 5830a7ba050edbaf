"""How good the voices are: what our recognizer hears of them and of recordings of the same texts.

Run `python bench/voices.py FOLDER [--texts N] [--voice NAME]…` on a folder in the layout of
LJSpeech (metadata.csv and the sounds). It writes bench/results/voices.json. The recognizer is
whisper-tiny.en in 8 bits; gaps are medians over the texts.
"""

import argparse
import json
import platform
from collections.abc import Iterator
from pathlib import Path

import loquent
from loquent.audio.rates import resampled
from loquent.audio.reading import read_sound
from loquent.audio.sound import Sound
from loquent.evaluation.speaking import judged
from loquent.tasks.transcribing import transcribe
from loquent.voices.opening import open_voice

RESULTS = Path(__file__).parent / "results" / "voices.json"
RECOGNIZER = "whisper-tiny.en"


def recordings(folder: Path, count: int) -> Iterator[tuple[str, Sound]]:
    """The normalized text and the sound of the first rows."""
    lines = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()
    for line in lines[:count]:
        name, *texts = line.split("|")
        path = next(each for each in folder.rglob(f"{name}.*") if each.suffix in (".wav", ".flac"))
        yield texts[-1], read_sound(path)


def main() -> None:
    """Judge each voice and write what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--voice", action="append")
    given = parser.parse_args()
    lm = loquent.open(RECOGNIZER)

    def recognize(sound: Sound) -> str:
        return transcribe(lm, resampled(sound, 16_000)).text

    made = {}
    for name in given.voice or ["hibari", "joe"]:
        pairs = recordings(given.folder, given.texts)
        made[name] = judged(open_voice(name), pairs, recognize).plain()
        del made[name]["real_time_factor"]  # speeds are those of bench/peers.py
        print(name, json.dumps(made[name]))
    told = {
        "command": f"python bench/voices.py {given.folder.name} --texts {given.texts}",
        "version": loquent.__version__,
        "machine": f"{platform.machine()}, {platform.python_version()}",
        "recognizer": RECOGNIZER,
        "voices": made,
    }
    RESULTS.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
