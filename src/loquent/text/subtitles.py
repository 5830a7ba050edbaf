"""Transcripts as files: text, JSON, and the formats that players and spreadsheets read."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from loquent.errors import UsageError, nearest
from loquent.text.segments import Segment, Word

_ARROW = "-->"  # stands between times and in no text of subtitles
_LINES = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+\s*")


def subtitles(segments: Iterable[Segment], format: str) -> Iterator[str]:
    """Pieces of a file in a format of FORMATS, one after the other as segments come.

    Raises UsageError with the nearest format.
    """
    if format not in FORMATS:
        raise UsageError(f"{format!r} is no format of transcripts.", fix=nearest(format, FORMATS))
    return FORMATS[format](segments)


def _text(segments: Iterable[Segment]) -> Iterator[str]:
    """A line a segment."""
    for each in segments:
        yield f"{_line(each.text)}\n"


def _json(segments: Iterable[Segment]) -> Iterator[str]:
    """One object with all segments; times in seconds."""
    yield '{"segments": ['
    for place, each in enumerate(segments):
        record = {
            "start": round(each.start_seconds, 3),
            "end": round(each.end_seconds, 3),
            "text": each.text.strip(),
        } | ({"words": [_word(word) for word in each.words]} if each.words else {})
        yield (",\n " if place else "\n ") + json.dumps(record, ensure_ascii=False)
    yield "\n]}\n"


def _word(word: Word) -> dict[str, object]:
    times = {"start": round(word.start_seconds, 3), "end": round(word.end_seconds, 3)}
    chance = {} if word.chance is None else {"chance": round(word.chance, 4)}
    return {**times, "text": word.text, **chance}


def _srt(segments: Iterable[Segment]) -> Iterator[str]:
    """SubRip: numbered parts, hours always told, a comma before milliseconds."""
    for number, each in enumerate(segments, 1):
        start, end = (_clock(at, ",", hours=True) for at in _times(each))
        yield f"{number}\n{start} {_ARROW} {end}\n{_shown(each.text)}\n\n"


def _vtt(segments: Iterable[Segment]) -> Iterator[str]:
    """WebVTT (W3C 2019): hours only where there are any, markup escaped."""
    yield "WEBVTT\n\n"
    for each in segments:
        start, end = (_clock(at, ".", hours=False) for at in _times(each))
        text = _line(each.text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield f"{start} {_ARROW} {end}\n{text}\n\n"


def _tsv(segments: Iterable[Segment]) -> Iterator[str]:
    """A table with a header; times in milliseconds."""
    yield "start\tend\ttext\n"
    for each in segments:
        start, end = _times(each)
        yield f"{start}\t{end}\t{_line(each.text).replace(chr(9), ' ')}\n"


def _times(segment: Segment) -> tuple[int, int]:
    """Milliseconds; what ends before it begins would stop a player."""
    start = max(round(segment.start_seconds * 1000), 0)
    return start, max(round(segment.end_seconds * 1000), start)


def _clock(milliseconds: int, point: str, *, hours: bool) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    whole, minutes = divmod(minutes, 60)
    told = f"{minutes:02d}:{seconds:02d}{point}{rest:03d}"
    return f"{whole:02d}:{told}" if hours or whole else told


def _line(text: str) -> str:
    """In one line: an empty one would end a part of subtitles."""
    return _LINES.sub(" ", text.strip())


def _shown(text: str) -> str:
    return _line(text).replace(_ARROW, "->")


FORMATS: Mapping[str, Callable[[Iterable[Segment]], Iterator[str]]] = {
    "text": _text,
    "json": _json,
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
}
