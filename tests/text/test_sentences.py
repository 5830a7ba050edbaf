"""Sentences and paragraphs: examples of several languages, and that nothing is ever lost."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loquent.text.sentences import Span, grouped, paragraphs, sentences, shorter

# Each text with | where a sentence ends and the next begins.
MARKED = [
    "He came.| She left!| Why?| Nobody knows…| So be it.",
    "Mr. Smith met Dr. Jones at 3.15 p.m. in St. Louis.| They talked.",
    "It costs $3.50, i.e. too much.| Buy No. 5 instead.| It is better, e.g. Fig. 2 shows it.",
    "J. R. R. Tolkien wrote it.| George W. Bush did not.",
    "Was it plan A or plan B?| It was plan B.| The rest is known.",
    "The U.S. Government paid.| He lives in the U.S.| He works at Acme Inc.| The firm is old.",
    '"Stop!" he said.| "Why?" she asked.| "I like it."| He left.',
    "He paused... and went on.| He stopped...| Then he left.",
    "(It rained.)| We stayed in (see p. ix).| Good.",
    "Version 1.2.3 of example.com is out.| Get it.",
    "Am 3. Mai 1999 kam Hr. Müller, d.h. der Chef, z.B. mit dem Zug.| Er ging bald.",
    "Im 2. Weltkrieg und im 19. Jahrhundert.| Das war so.| Es waren 23.| Danach kamen mehr.",
    "»Komm!«, rief er.| „Ja.“| Dann ging sie bzw. lief.",
    "1. Erstens geht es los.| 2.50 € kostet es usw. und so fort.| Nr. 7 lebt.",
    "Il a dit : « Non ! »| Mme Dupont est partie.| M. Martin aussi.",
    "¿Qué hora es?| ¡Son las tres!| El Sr. García duerme.",
    "今天天气很好。|我们去公园吧！|好吗？|“走吧。”|他说……然后走了。",
    "他说：“你好！”|“再见。”|我们走了。",
    "これはペンです。|それは「本です。」|はい！",
    "중국은 큽니다. |한국은 작습니다.",
    "Привет, мир.| Как дела?| Хорошо!",
    "Mixed 中文。|Then English.| 再中文！",
    "# Heading\n|A line of text.| Another one.\n|- item one\n|- item two",
    "A long line that was broken by an editor at some column\nand goes on here.| Then it ends.",
    "Short line\n|Another short line",
    "Hello world.\n\n|Next paragraph",
    "What?!| Really!!!| Yes.",
    "See https://example.org/a.b?c=d. |It works.",
]


def bare(marked: str) -> tuple[str, list[str]]:
    return marked.replace("|", ""), [each.strip() for each in marked.split("|")]


@pytest.mark.parametrize("marked", MARKED)
def test_sentences_end_where_a_reader_would_end_them(marked: str) -> None:
    text, expected = bare(marked)
    assert [span.of(text) for span in sentences(text)] == expected


def test_paragraphs_are_divided_by_empty_lines() -> None:
    text = "\n\n One.\nTwo. \n \t\nThree.\n\n\n"
    assert [span.of(text) for span in paragraphs(text)] == ["One.\nTwo.", "Three."]
    assert paragraphs(" \n\n ") == sentences("") == []


def nothing_is_lost(text: str, spans: list[Span]) -> None:
    """Spans are in order, begin and end with something, and leave only white space out."""
    at = 0
    for start, end in spans:
        assert at <= start < end
        assert not text[at:start].strip()
        assert not text[start].isspace() and not text[end - 1].isspace()
        at = end
    assert not text[at:].strip()


PIECES = st.sampled_from(
    [
        "Dr",
        "z.B",
        "...",
        "\n\n",
        "12",
        "- ",
        "# ",
        "The",
        *"aB.…!? \n\t。！”“\"')(3中文äI|`\u3000\r\x85",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=40).map("".join)))
def test_no_character_is_ever_lost(text: str) -> None:
    nothing_is_lost(text, sentences(text))
    nothing_is_lost(text, paragraphs(text))
    inside = [each for each in sentences(text) for outer in paragraphs(text) if each[0] >= outer[0]
              and each[1] <= outer[1]]  # fmt: skip
    assert inside == sentences(text)  # no sentence goes over an empty line
    for span in sentences(text):
        parts = shorter(text, span)
        assert (parts is None) == (span.end - span.start < 2)
        if parts is not None:
            assert span.start == parts[0].start < parts[0].end <= parts[1].start
            assert parts[1].start < parts[1].end == span.end
            assert not text[parts[0].end : parts[1].start].strip()


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 60))
def test_groups_hold_all_and_as_much_as_fits(sizes: list[int], limit: int) -> None:
    groups = list(grouped(sizes, limit))
    assert [place for group in groups for place in group] == list(range(len(sizes)))
    for group in groups:
        assert len(group) == 1 or sum(sizes[each] for each in group) <= limit
    for one, other in pairwise(groups):
        assert sum(sizes[each] for each in one) + sizes[other[0]] > limit


def test_a_long_sentence_is_divided_between_clauses_then_words_then_characters() -> None:
    def halves(text: str) -> list[str]:
        parts = shorter(text, Span(0, len(text)))
        assert parts is not None
        return [each.of(text) for each in parts]

    assert halves("the cat sat, the dog ran off") == ["the cat sat,", "the dog ran off"]
    assert halves("one two three four") == ["one two", "three four"]
    assert halves("abcd") == ["ab", "cd"]
    assert halves("我们走了，他们没有来") == ["我们走了，", "他们没有来"]


@pytest.mark.parametrize("piece", ["a. ", "x", ".", "A.B.", "\n \n", "“", "a\n", ". »", ".“ "])
def test_a_megabyte_takes_a_moment(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    started = time.process_time()
    nothing_is_lost(text, sentences(text))
    assert time.process_time() - started < 5


@pytest.mark.data
@pytest.mark.parametrize("language", ["de", "en", "fr", "zh"])
def test_sentences_of_real_texts_are_found_again(data, language: str) -> None:
    """Of FLORES, whose rows are a sentence each, but for one in eight that the translators cut."""
    column = 0 if language == "en" else 1
    pair = "de" if language == "en" else language
    rows = (data / "wmt_flores" / f"flores-dev.en-{pair}.tsv").read_text("utf-8").splitlines()
    lines = [row.split("\t")[column].strip() for row in rows]
    gap = "" if language == "zh" else " "
    ends, at = set(), 0
    for line in lines:
        at += len(line)
        ends.add(at)
        at += len(gap)
    found = {span.end for span in sentences(gap.join(lines))}
    assert len(found & ends) >= 0.975 * len(ends)  # the rest has no mark at its end
    assert len(found) <= 1.16 * len(ends)
