"""Texts to learn from: a stream that is read twice and held out in part, never whole in memory."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from tempfile import TemporaryFile
from typing import TextIO

from loquent.errors import DataError

HELD_OUT = 20  # every 20th line is not learned from but measured on
SAMPLE_CHARACTERS = 2**21  # of the lines that are measured, so that much data takes no longer
_EVERY = 1000  # lines between two calls of `progress`

Progress = Callable[[int, int | None], None]


class Thinned:
    """Texts evenly spread over a stream, of about `limit` characters at most in all."""

    def __init__(self, limit: int) -> None:
        self.texts: list[str] = []
        self._limit = limit
        self._characters = 0
        self._step = 1  # every so many texts are kept
        self._seen = 0

    def offer(self, text: str) -> None:
        """Take the next text of the stream, or leave it out."""
        if self._seen % self._step == 0:
            self.texts.append(text[: self._limit])
            self._characters += len(self.texts[-1])
        self._seen += 1
        while self._characters > self._limit and len(self.texts) > 1:
            self.texts = self.texts[::2]
            self._step *= 2
            self._characters = sum(map(len, self.texts))


@dataclass(frozen=True)
class Corpus:
    """What a first reading tells of the texts."""

    texts: Iterable[str]  # as often as one likes
    count: int  # lines of all texts
    characters: int  # of all of them
    alphabet: frozenset[str]  # characters of all texts, as the tokenizer's normalizer leaves them
    held_out: list[str]
    unseen: int  # characters of `held_out` that none of the other texts has
    sample: list[str]  # of the others
    progress: Progress

    def training(self) -> Iterator[str]:
        """The lines to learn from, those that follow each other as one text."""
        joined: list[str] = []
        for number, line in enumerate(_lines(self.texts)):
            if number % _EVERY == 0:
                self.progress(number, self.count)
            if not is_held_out(number):
                joined.append(line)
                if line.endswith("\n"):
                    continue  # up to the next one that is held out
            if joined:
                yield "".join(joined)
                joined = []
        if joined:
            yield "".join(joined)
        self.progress(self.count, self.count)


def is_held_out(number: int) -> bool:
    """Whether a line, counted from 0, is measured on instead of learned from."""
    return number % HELD_OUT == HELD_OUT - 1


def survey(texts: Iterable[str], normalize: Callable[[str], str], progress: Progress) -> Corpus:
    """Read all texts once; raises DataError where there are none or one is no Unicode."""
    held_out, sample = Thinned(SAMPLE_CHARACTERS), Thinned(SAMPLE_CHARACTERS)
    measured: set[str] = set()
    learned: set[str] = set()
    characters = seen = 0
    for number, line in enumerate(_lines(texts)):
        if not line.isascii():
            _check(line, number)
        (measured if is_held_out(number) else learned).update(normalize(line))
        (held_out if is_held_out(number) else sample).offer(line)
        characters += len(line)
        seen = number + 1
        if number % _EVERY == 0:
            progress(number, None)
    if not seen:
        raise DataError("there is no text to learn from.")
    new = measured - learned
    return Corpus(
        texts=texts,
        count=seen,
        characters=characters,
        alphabet=frozenset(measured | learned),
        held_out=held_out.texts,
        unseen=sum(each in new for line in held_out.texts for each in normalize(line)),
        sample=sample.texts,
        progress=progress,
    )


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Each line of each text with its line break."""
    for text in texts:
        yield from StringIO(text, newline="\n")


def _check(line: str, number: int) -> None:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError as fault:
        raise DataError(
            f"half a surrogate pair at character {fault.start + 1}.",
            where=f"line {number + 1} of all texts",
            fix="Write it as UTF-8, or leave it out.",
        ) from None


@contextmanager
def repeatable(texts: Iterable[str]) -> Iterator[Iterable[str]]:
    """The same texts to be read as often as one likes; an iterator is kept in a temporary file."""
    if iter(texts) is not texts:
        yield texts
        return
    with TemporaryFile("w+", encoding="ascii") as file:
        for text in texts:
            file.write(f"{json.dumps(text)}\n")
        yield _Kept(file)


class _Kept:
    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[str]:
        self._file.seek(0)
        return map(json.loads, self._file)
