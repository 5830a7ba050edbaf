"""What of a text must come through a translation as it is: code, addresses, placeholders, terms."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from loquent.text.sentences import Span

_ALWAYS = (
    r"\{\{.*?\}\}|\$?\{[\w.:!\[\]-]*\}",  # {{ template }}, {name}, ${name}, {0:.2f}
    r"%\(\w+\)[#0 +-]*\d*(?:\.\d+)?[a-zA-Z]",  # %(name)s
    r"%(?:\d+\$)?[-+#0]*\d*(?:\.\d+)?[sdifgxXuce@](?!\w)",  # %s, %1$d
    r"</?[a-zA-Z][^<>\n]{0,400}>|<!--.*?-->|&(?:\w{2,10}|#\d{1,6});",  # tags and entities
    r"(?:https?|ftp|file|mailto)://?[^\s<>\"'）】」]*[^\s<>\"'.,;:!?)\]}）】」。，]|www\.[\w./-]*\w",
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
)
_MARKDOWN = (
    r"(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)",  # code
    r"!\[[^\]\n]*\]\([^()\s]*(?:\s\"[^\"]*\")?\)",  # an image
    r"\]\([^()\s]*(?:\s\"[^\"]*\")?\)|\]\[[^\]\n]*\]|\[\^[^\]\s]+\]",  # the end of a link; a note
    r"\[(?=[^\]\n]+\][\[(])",  # its beginning
    r"\$\$[^$]+\$\$|\$(?![\s\d])[^$\n]+(?<!\s)\$(?!\d)",  # a formula
    r"\*\*\*|\*\*|__|~~|(?<![\w*])[*_](?=[^\s*_])|(?<=[^\s*_])[*_](?![\w*])",  # emphasis
    r"\\[\\`*_{}\[\]()#+.!|~-]",
)


class Kept(NamedTuple):
    """A part of a text, and what must stand for it afterwards."""

    start: int
    end: int
    text: str


def kept(
    text: str, *, markdown: bool = False, terms: Mapping[str, str] | None = None
) -> list[Kept]:
    """All parts that must be kept, in order and without overlap.

    `terms` are words with what they must become, whole words in any case; the longest goes first.
    """
    made = []
    pattern = re.compile("|".join([*(_MARKDOWN if markdown else ()), *_ALWAYS]), re.DOTALL)
    for found in pattern.finditer(text):
        made.append(Kept(found.start(), found.end(), found[0]))
    if terms:
        lowered = {term.lower(): wanted for term, wanted in terms.items()}
        longest = sorted(filter(None, terms), key=len, reverse=True)
        words = re.compile("|".join(map(_whole, longest)), re.IGNORECASE)
        for found in words.finditer(text):
            if not any(each.start < found.end() and found.start() < each.end for each in made):
                made.append(Kept(found.start(), found.end(), lowered[found[0].lower()]))
    return sorted(made)


def literal(text: str, parts: Sequence[Kept]) -> str:
    """The text with each part as it must stand afterwards: what a model is given to translate."""
    made, at = [], 0
    for part in parts:
        made += [text[at : part.start], part.text]
        at = part.end
    return "".join([*made, text[at:]])


def survive(answer: str, parts: Sequence[Kept]) -> bool:
    """Whether each part stands in a translation, in order and as often as it should."""
    at = 0
    for part in parts:
        at = answer.find(part.text, at)
        if at < 0:
            return False
        at += len(part.text)
    return all(
        answer.count(text) == sum(each.text.count(text) for each in parts)
        for text in {each.text for each in parts}
        if not text[:1].isalpha()
    )


def between(text: str, parts: Sequence[Kept]) -> list[Span]:
    """What stands between the parts, without white space around it, where it holds a letter."""
    made = []
    edges = [0, *(edge for part in parts for edge in (part.start, part.end)), len(text)]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        inner = text[start:end]
        if any(each.isalpha() for each in inner):
            first = start + len(inner) - len(inner.lstrip())
            made.append(Span(first, first + len(inner.strip())))
    return made


def _whole(term: str) -> str:
    """A pattern of a term as a whole word; East Asian ones have no white space around them."""
    before = r"(?<!\w)" if re.match(r"[^\W\u2e80-\uffef]", term) else ""
    after = r"(?!\w)" if re.match(r"[^\W\u2e80-\uffef]", term[-1]) else ""
    return before + re.escape(term) + after
