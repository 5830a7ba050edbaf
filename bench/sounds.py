"""Data of sounds for bench/quality.py: recordings and what is said in them, as records."""

from collections.abc import Callable, Iterator
from pathlib import Path

from pairs import write

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
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
