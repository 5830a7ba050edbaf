"""What must come through a translation, and which parts of a Markdown document are prose."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loquent.text.markdown import prose
from loquent.text.protect import between, kept, literal, survive

PLAIN = [
    ("Hello {name}, you have %d mails.", ["{name}", "%d"]),
    ("{0:.2f} of ${TOTAL} and {{ user.name }}", ["{0:.2f}", "${TOTAL}", "{{ user.name }}"]),
    ("%(count)s files, %1$s of 100 % done", ["%(count)s", "%1$s"]),
    (
        "<b>Bold</b> &amp; <a href='x'>link</a><br/>",
        ["<b>", "</b>", "&amp;", "<a href='x'>", "</a>", "<br/>"],
    ),
    (
        "See https://example.org/a?b=c. Or (http://x.y/z).",
        ["https://example.org/a?b=c", "http://x.y/z"],
    ),
    ("Write to me.you+x@example.co.uk!", ["me.you+x@example.co.uk"]),
    ("访问https://example.org/路径。", ["https://example.org/路径"]),
    ("1 < 2 and 3 > 2; 50 % more, a & b", []),
    ("Plain text.", []),
]
MARKED = [
    ("Run `loquent --help` or ``a ` b``.", ["`loquent --help`", "``a ` b``"]),
    ("See [the docs](http://x.y) and ![alt](a.png).", ["[", "](http://x.y)", "![alt](a.png)"]),
    ("**Very** *nice*, a * b, snake_case, __x__", ["**", "**", "*", "*", "__", "__"]),
    ("A formula $x^2$ for $5 and $6.", ["$x^2$"]),
    ("A note[^1] and \\* a star", ["[^1]", "\\*"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PLAIN)
def test_placeholders_tags_and_addresses_are_kept(text: str, expected: list[str]) -> None:
    assert [part.text for part in kept(text)] == expected


@pytest.mark.parametrize(("text", "expected"), MARKED)
def test_markup_is_kept_where_a_text_is_markdown(text: str, expected: list[str]) -> None:
    assert [part.text for part in kept(text, markdown=True)] == expected


def test_terms_become_what_the_glossary_says() -> None:
    terms = {"machine learning": "Maschinenlernen", "machine": "Maschine", "猫": "cat"}
    text = "Machine learning by a machine, machines, {machine} 黑猫"
    parts = kept(text, terms=terms)
    assert literal(text, parts) == "Maschinenlernen by a Maschine, machines, {machine} 黑cat"


def test_what_survives() -> None:
    parts = kept("Hi {a} and {b} of {a}")
    assert survive("{a} hallo {b} x {a}", parts)
    assert not survive("{a} hallo {b}", parts)
    assert not survive("{b} {a} {a}", parts)
    assert not survive("{a} {b} {a} {a}", parts)
    assert survive("anything", [])


def test_what_stands_between() -> None:
    text = "Hi {a}, see  <b> it </b>. {b}"
    assert [span.of(text) for span in between(text, kept(text))] == ["Hi", ", see", "it"]


PIECES = st.sampled_from([*"`*_[](){}<>%$&|#\n ab\\!~", "http://a.b", "%s", "x@y.z", "```\n", "- "])


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join)))
def test_parts_are_in_order_and_nothing_is_lost(text: str) -> None:
    for parts in (kept(text), kept(text, markdown=True, terms={"a": "Z", "ab": "Y"})):
        at = 0
        for part in parts:
            assert at <= part.start < part.end <= len(text)
            at = part.end
        assert (
            literal(text, [part._replace(text=text[part.start : part.end]) for part in parts])
            == text
        )
        for span in between(text, parts):
            assert all(span.end <= part.start or span.start >= part.end for part in parts)
    at = 0
    for span in prose(text):
        assert at <= span.start < span.end <= len(text)
        assert span.of(text) == span.of(text).strip()
        at = span.end


DOCUMENT = """---
title: x
---
# A heading

A paragraph that goes
on in a second line.
A break\x20\x20
here.

> Quoted text

- an item
  that goes on
- [ ] a task

1. First

```python
code = "no prose"
```

    indented code

Setext
======

| Head | Other |
|------|:-----:|
| cell | `a|b` |

<div>
<!-- a comment -->
[ref]: https://example.org
***
Last line"""


def test_prose_of_a_document() -> None:
    assert [span.of(DOCUMENT) for span in prose(DOCUMENT)] == [
        "A heading",
        "A paragraph that goes\non in a second line.\nA break",
        "here.",
        "Quoted text",
        "an item\n  that goes on",
        "a task",
        "First",
        "Setext",
        "Head",
        "Other",
        "cell",
        "`a|b`",
        "Last line",
    ]
