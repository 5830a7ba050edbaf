"""Sentences and paragraphs of a text by rules, with their places; no character is lost.

The rules know European and East Asian scripts: abbreviations, initials, ordinals, decimals,
quotes, ellipses and list items. Between two sentences stands white space or nothing.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from loquent.text.abbreviations import COUNTING, LEADING, ORDINAL_NOUNS, STARTERS, TRAILING

_FULL_LINE = 40  # columns; a line as long as this may go on in the next

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_ITEM = re.compile(r"(?:[-*+•‣◦–—]|#{1,6}|>|\(?\d{1,3}[.)]|\(?[a-z]\)|\|)(?=\s)|[|`~=]{3,}")
_CLOSERS = "\"'”’»›“‘)]}）］｝」』】〉》〕*_"
_EAST_CLOSERS = "”’）］」』】〉》〕"
# Ends of sentences: with the marks that may follow them.
_END = re.compile(
    rf"(?P<east>[。！？｡‼⁇⁈⁉]+(?:[{re.escape(_EAST_CLOSERS)}]|[\"'](?!\w))*)"
    rf"|(?P<mark>[.!?…։؟۔।॥]+[{re.escape(_CLOSERS)}]*(?:[ \u00a0\u202f]»)?)"
    r"(?=\s|\Z|[\u3040-\u30ff\u4e00-\u9fff])"
)
_BEFORE = re.compile(r"[^\s(\[{\"'“‘„«‹¿¡/–—]+\Z")
_NEXT = re.compile(r"\s*[\"'“‘„«‹»(\[¿¡*_]*(\w+(?:['’]\w+)?)?")
_LOOK_BACK = 24  # characters; no abbreviation is longer


class Span(NamedTuple):
    """A part of a text, from `start` up to `end`, in characters."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The part itself."""
        return text[self.start : self.end]


def paragraphs(text: str) -> list[Span]:
    """The parts between empty lines, without white space around them."""
    found = []
    start = 0
    for gap in _PARAGRAPH.finditer(text):
        found += _trimmed(text, start, gap.start())
        start = gap.end()
    return found + _trimmed(text, start, len(text))


def sentences(text: str) -> list[Span]:
    """The sentences, in order, without white space around them.

    A sentence does not go over an empty line, into a list item or heading, or past the end of a
    short line; a long line may be one that was broken, and goes on.
    """
    made: list[Span] = []
    for paragraph in paragraphs(text):
        for line in _lines(text, paragraph):
            made += _sentences(text, line)
    return made


def grouped(sizes: Sequence[int], limit: int) -> Iterator[range]:
    """Neighbors together, as many as fit into `limit`; one that is larger stands alone."""
    start = total = 0
    for place, size in enumerate(sizes):
        if place > start and total + size > limit:
            yield range(start, place)
            start, total = place, 0
        total += size
    if start < len(sizes):
        yield range(start, len(sizes))


def shorter(text: str, span: Span) -> tuple[Span, Span] | None:
    """A span in two, where it is best divided near its middle; None for a single character.

    Between clauses, else between words, else between characters.
    """
    if span.end - span.start < 2:
        return None
    middle, quarter = (span.start + span.end) // 2, (span.end - span.start) // 4
    for pattern in (r"[,;:，；：、](?=\s|[^\x00-\x7f])|[–—]", r"\s+"):
        inside = re.compile(pattern).finditer(text, span.start + quarter, span.end - quarter)
        places = [each.end() for each in inside if span.start < each.end() < span.end]
        for place in sorted(places, key=lambda each: abs(each - middle)):
            parts = _trimmed(text, span.start, place) + _trimmed(text, place, span.end)
            if len(parts) == 2:
                return parts[0], parts[1]
    return Span(span.start, middle), Span(middle, span.end)


def _lines(text: str, paragraph: Span) -> Iterator[Span]:
    """The lines of a paragraph, those together that were one before they were broken."""
    start = at = paragraph.start
    while (end := text.find("\n", at, paragraph.end)) >= 0:
        line, following = text[at:end].strip(), text[end + 1 : end + 16].lstrip()
        broken = _columns(line) >= _FULL_LINE and not _is_heading(line)
        if not broken or _ITEM.match(following):
            yield from _trimmed(text, start, end)
            start = end + 1
        at = end + 1
    yield from _trimmed(text, start, paragraph.end)


def _columns(line: str) -> int:
    """How wide a line is: characters of East Asia are twice as wide."""
    if len(line) >= _FULL_LINE:
        return len(line)
    return len(line) + sum("\u2e80" <= each <= "\uffef" for each in line)


def _is_heading(line: str) -> bool:
    return line.startswith(("#", "|"))


def _sentences(text: str, line: Span) -> Iterator[Span]:
    start = line.start
    for found in _END.finditer(text, line.start, line.end):
        if found.end() < line.end and (found["east"] or _ends(text, start, found)):
            yield from _trimmed(text, start, found.end())
            start = found.end()
    yield from _trimmed(text, start, line.end)


def _ends(text: str, start: int, found: re.Match[str]) -> bool:
    """Whether a sentence ends with this mark, by what stands before and after it."""
    mark = found["mark"]
    following = _NEXT.match(text, found.end(), found.end() + 80)
    word = following[1] or "" if following else ""
    if word[:1].islower() or (mark.startswith("…") and not text[found.end()].isspace()):
        return False
    if not mark.startswith(".") or mark.startswith(("..", ".)")):
        return True
    before = _BEFORE.search(text, max(start, found.start() - _LOOK_BACK), found.start())
    token = before[0] if before else ""
    first = before is not None and before.start() == start
    return _period_ends(token, word, first=first)


def _period_ends(token: str, word: str, *, first: bool) -> bool:
    """Whether the period after `token` ends a sentence, where `word` comes next."""
    lowered = token.lower()
    starts = word.lower() in STARTERS
    if lowered in COUNTING and (word[:1].isdigit() or _is_roman(word)):
        return False
    if lowered in LEADING:
        return False
    if lowered in TRAILING or re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", token):
        return starts or not word
    if len(token) == 1 and token.isalpha() and token.isupper():
        return starts and token != word  # an initial, or "plan B."
    if token.isdecimal() and len(token) <= 3:
        return not first and word.lower() not in ORDINAL_NOUNS
    return True


def _is_roman(word: str) -> bool:
    return bool(word) and re.fullmatch(r"[ivxlcIVXLC]+", word) is not None


def _trimmed(text: str, start: int, end: int) -> list[Span]:
    """The span without white space around it; none where there is nothing else."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return [Span(start, end)] if start < end else []
