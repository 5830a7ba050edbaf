"""How well speech is written down, on real weights and recordings.

    python bench/speech.py NAME … [--data ../shared/data] [--model whisper-tiny.en …] [--bits 8 32]

NAME is one of QUESTIONS. Figures go to bench/results/speech.json, by question, model and bits, and
into the page speech.md. The recordings are those of LJSpeech (the first chapter) and one of 1961;
words are compared by Whisper's own normalizer. Nothing here is a measurement of speed.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from loquent.audio.reading import read_sound
from loquent.checkpoints import hub
from loquent.checkpoints.detectors import SILERO, open_silero
from loquent.lm import LM
from loquent.lm import open as open_lm
from loquent.metrics.alignment import edits
from loquent.metrics.normalizing import english
from loquent.tasks.transcribing import transcribe, transcribe_all

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "speech.json"
PAGE = HERE / "results" / "speech.md"
JFK = (
    "And so my fellow Americans ask not what your country can do for you "
    "ask what you can do for your country."
)


def detector() -> Any:
    """Silero's network."""
    return open_silero(hub.resolve(SILERO))


def clips(data: Path) -> Iterator[tuple[Path, str]]:
    """The recordings of LJ001 and what is said in them."""
    folder = data / "ljspeech_lj001"
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        for name, _, text in csv.reader(file, delimiter="|", quoting=csv.QUOTE_NONE):
            yield folder / f"{name}.flac", text


def error_rate(told: list[str], meant: list[str]) -> dict[str, float]:
    """Edits by words, of all texts together."""
    pairs = [(english(a).split(), english(b).split()) for a, b in zip(told, meant, strict=True)]
    wrong = sum(edits(b, a) for a, b in pairs)
    words = sum(len(b) for _, b in pairs)
    return {"edits": wrong, "words": words, "wer": round(wrong / words, 5)}


def jfk(lm: LM, data: Path) -> dict[str, Any]:
    """Is the one recording of another speaker exact?"""
    made = transcribe(lm, read_sound(data / "jfk" / "jfk.flac"), detector=detector())
    return {**error_rate([made.text], [JFK]), "text": made.text, "language": made.language}


def lj001(lm: LM, data: Path) -> dict[str, Any]:
    """The word error rate on 186 clips of one reader."""
    pairs = list(clips(data))
    sounds = (read_sound(path) for path, _ in pairs)
    told = [each.text for each in transcribe_all(lm, sounds, detector=detector())]
    return error_rate(told, [text for _, text in pairs]) | {"clips": len(pairs)}


QUESTIONS: dict[str, Callable[[LM, Path], dict[str, Any]]] = {"jfk": jfk, "lj001": lj001}


def main() -> None:
    """Ask, note, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=QUESTIONS)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--model", nargs="+", default=["whisper-tiny.en"])
    parser.add_argument("--bits", nargs="+", type=int, default=[8])
    given = parser.parse_args()
    for model in given.model:
        for bits in given.bits:
            with open_lm(model, bits=bits, rows=8) as lm:
                for name in given.names:
                    found = QUESTIONS[name](lm, given.data)
                    sys.stdout.write(f"{name} {model} {bits}: {found}\n")
                    sys.stdout.flush()
                    note(name, f"{model}, {bits} bits", found)


def note(name: str, case: str, found: dict[str, Any]) -> None:
    """Keep a figure; what was there of the same case is replaced."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept.setdefault(name, {})[case] = found
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
