"""Text as it is said: what is written in figures and signs becomes words, by a table of rules.

A rule is a pattern and a function of its match; the first rule of a table that reads a part of the
text keeps it, and no other looks at it again. What a rule has read is told, so that a user can see
how "$4.50" was said.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """What is read, and how; a reading of None leaves the text to later rules."""

    kind: str
    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]


def rule(kind: str, say: Callable[[re.Match[str]], str | None], *pattern: str) -> Rule:
    """A rule whose pattern is put together of parts."""
    return Rule(kind, re.compile("".join(pattern)), say)


@dataclass(frozen=True)
class Reading:
    """One part of a text and the words that were made of it."""

    kind: str
    written: str
    said: str

    def plain(self) -> dict[str, str]:
        """Plain values for JSON."""
        return vars(self).copy()


@dataclass(frozen=True)
class Spoken:
    """A text in words, and what of it was written otherwise."""

    text: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class _Part:
    start: int
    end: int
    reading: Reading | None = None


def spoken(text: str, rules: Sequence[Rule], gap: str = " ") -> Spoken:
    """Apply the rules of a language; `gap` stands between words that would touch otherwise."""
    parts = [_Part(0, len(text))]
    for rule in rules:
        parts = [
            made
            for part in parts
            for made in (_read(text, part, rule) if part.reading is None else [part])
        ]
    pieces: list[str] = []
    read_before = False
    for part in parts:
        read = part.reading is not None
        piece = part.reading.said if part.reading else text[part.start : part.end]
        if pieces and (read or read_before) and _touch(pieces[-1], piece):
            piece = gap + piece
        pieces.append(piece)
        read_before = read
    readings = tuple(part.reading for part in parts if part.reading is not None)
    return Spoken("".join(pieces), readings)


def _touch(before: str, after: str) -> bool:
    return bool(before and after) and before[-1].isalnum() and after[0].isalnum()


def _read(text: str, part: _Part, rule: Rule) -> Iterator[_Part]:
    start = part.start
    for match in rule.pattern.finditer(text, part.start, part.end):
        said = rule.say(match)
        if said is None or match.start() < start or match.end() == match.start():
            continue
        if match.start() > start:
            yield _Part(start, match.start())
        yield _Part(match.start(), match.end(), Reading(rule.kind, match[0], said))
        start = match.end()
    if start < part.end:
        yield _Part(start, part.end)
