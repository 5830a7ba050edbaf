"""Data of sounds for bench/quality.py: recordings and what is said in them, as records."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import loquent
from loquent.audio.rates import resampled
from loquent.audio.sound import Samples, Sound
from loquent.audio.writing import write_sound
from loquent.voices.opening import open_voice
from pairs import write

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
VOICES = {"hibari": 40, "joe": 15}  # and how often each says a digit
RATE = 8000  # of FSDD
_QUIET = 0.03  # of the loudest 10 ms, below which an end is cut off
_TEST, _VALIDATION = range(5), range(5, 7)  # takes; the first are the test of the data's makers


def fsdd(data: Path, folder: Path) -> None:
    """Spoken digits: takes 0 to 4 are the test, 5 and 6 to judge by while training.

    And for each speaker the same with all of that speaker as the test, and nothing of it learned.
    """
    _divided(folder, data, lambda _speaker, take: take in _TEST)
    for held in SPEAKERS:
        _divided(folder / held, data, lambda speaker, _take, held=held: speaker == held)


def _divided(folder: Path, data: Path, tests: Callable[[str, int], bool]) -> None:
    folder.mkdir(exist_ok=True)
    parts: dict[str, list[dict[str, str]]] = {"train": [], "validation": [], "test": []}
    for row, speaker, take in _clips(data):
        learned = "validation" if take in _VALIDATION else "train"
        parts["test" if tests(speaker, take) else learned].append(row)
    for part, rows in parts.items():
        write(folder / f"{part}.jsonl", rows)


def _clips(data: Path) -> Iterator[tuple[dict[str, str], str, int]]:
    for path in sorted((data / "recordings").glob("*.wav")):
        digit, speaker, take = path.stem.split("_")
        word = DIGITS[int(digit)]
        yield {"audio": str(path.resolve()), "text": word, "label": word}, speaker, int(take)


def spoken_digits(_data: Path, folder: Path) -> None:
    """The digits as our voices say them, at speeds, pitches and levels drawn by chance."""
    random = np.random.default_rng(0)
    rows = []
    for name, times in VOICES.items():
        voice = open_voice(name)
        for place, word in enumerate(DIGITS * times):
            speed = random.uniform(0.75, 1.4)
            pitch = np.exp(random.uniform(-0.5, 0.35)) if name == "hibari" else 1.0
            text = word.capitalize() + ".?!,"[place % 4]
            said = loquent.speak(text, voice=voice, speed=speed, pitch=float(pitch), seed=place)
            samples = cut(resampled(said.sound, RATE).samples)
            samples *= random.uniform(0.2, 0.8) / np.abs(samples).max()
            path = folder / f"{name}_{place}.wav"
            write_sound(path, Sound(samples, RATE))
            rows.append({"audio": path.name, "text": word, "label": word})
    write(folder / "train.jsonl", rows)


def cut(samples: Samples) -> Samples:
    """Without the quiet at both ends but for 10 ms, as FSDD is cut."""
    size = RATE // 100
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    loud = np.sqrt(np.square(frames).mean(axis=1))
    (heard,) = np.nonzero(loud > _QUIET * loud.max())
    return samples[max(heard[0] - 1, 0) * size : (heard[-1] + 2) * size].copy()
