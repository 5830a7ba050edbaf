"""Transcripts as files that players and programs read."""

import csv
import io
import json

import pytest

from loquent.errors import UsageError
from loquent.text.segments import Segment, Word
from loquent.text.subtitles import FORMATS, subtitles

SEGMENTS = [
    Segment(
        0.0, 1.2345, " Hello, <world> & all -->\n\nnext", (Word(0.0, 0.5, " Hello,", 0.98765),)
    ),
    Segment(3599.9996, 3661.5, "an hour\tlater "),
    Segment(5.0, 4.0, "turned"),
]


def written(format: str) -> str:
    return "".join(subtitles(iter(SEGMENTS), format))


def test_srt() -> None:
    assert written("srt").split("\n\n") == [
        "1\n00:00:00,000 --> 00:00:01,234\nHello, <world> & all -> next",
        "2\n01:00:00,000 --> 01:01:01,500\nan hour\tlater",
        "3\n00:00:05,000 --> 00:00:05,000\nturned",
        "",
    ]


def test_vtt() -> None:
    assert written("vtt").split("\n\n") == [
        "WEBVTT",
        "00:00.000 --> 00:01.234\nHello, &lt;world&gt; &amp; all --&gt; next",
        "01:00:00.000 --> 01:01:01.500\nan hour\tlater",
        "00:05.000 --> 00:05.000\nturned",
        "",
    ]


def test_tsv() -> None:
    rows = list(csv.reader(io.StringIO(written("tsv")), delimiter="\t"))
    assert rows[0] == ["start", "end", "text"]
    assert rows[2] == ["3600000", "3661500", "an hour later"]
    assert len(rows) == 4


def test_json_and_text() -> None:
    first, second, _ = json.loads(written("json"))["segments"]
    assert first["words"] == [{"start": 0.0, "end": 0.5, "text": " Hello,", "chance": 0.9877}]
    assert (second["start"], second["end"]) == (3600.0, 3661.5)
    assert "words" not in second
    assert json.loads("".join(subtitles([], "json"))) == {"segments": []}
    assert written("text").splitlines()[2] == "turned"


def test_they_come_as_segments_come() -> None:
    for format in FORMATS:
        taken = []

        def slow(taken: list[int] = taken):
            for place, each in enumerate(SEGMENTS):
                taken.append(place)
                yield each

        pieces = subtitles(slow(), format)
        while not taken:
            next(pieces)
        assert taken == [0]
    with pytest.raises(UsageError, match="Did you mean 'srt'"):
        subtitles([], "str")
