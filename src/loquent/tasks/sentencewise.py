"""A text on its way through a translation: its sentences, what must come through, and the rest.

What stands between sentences stays as it is. A sentence is translated with code, addresses,
placeholders, tags and given terms in it; where one of them is lost, what stands between them is
translated by itself instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from loquent.errors import RequestError
from loquent.lm.lm import LM
from loquent.tasks.asking import Manner, reader
from loquent.tasks.fitting import checked, count, readable
from loquent.text import markdown as documents
from loquent.text.languages import NAMES, identify
from loquent.text.protect import Kept, between, kept, literal, survive
from loquent.text.sentences import Span, sentences, shorter

SENTENCE_TOKENS = 200  # a longer one is divided
_SPACELESS = {"zh", "ja", "th"}  # written without spaces between sentences


@dataclass(frozen=True)
class Translation:
    """A translated text and how it came about."""

    text: str
    source: str  # ISO 639-1
    target: str
    detected: bool  # whether the source's language was found by looking at the text
    sentences: int
    kept: int  # parts that came through as they were
    apart: int  # sentences whose kept parts got lost, so that what is between was translated alone
    cut: int  # sentences whose translation was stopped at the longest length
    doubt: str = ""  # the language that the text looks like, where that is not the one given

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "translation": self.text,
            **{name: value for name, value in vars(self).items() if name != "text"},
        }


class Unit(NamedTuple):
    """A sentence with what must come through."""

    span: Span
    parts: list[Kept]  # their places are those in the whole text


class Job:
    """One text on its way."""

    def __init__(
        self,
        lm: LM,
        text: str,
        source: str,
        target: str,
        how: Manner,
        *,
        markdown: bool,
        terms: Mapping[str, str],
    ) -> None:
        readable(reader(lm), checked(text))
        self.text = text
        guess = identify(text)
        self.detected, self.source, self.target = not source, source or guess.code, target
        if not self.source:
            near = " or ".join(NAMES[each] for each in guess.nearest)
            raise RequestError(
                "the language of the text cannot be told" + (f": {near}?" if near else "."),
                fix="Say it: source (--from), such as 'de'.",
            )
        if self.source == target:
            raise RequestError(f"the text is in {NAMES.get(target, target)} already.")
        how.check_pair(self.source, target)
        other = guess.code if guess.code not in ("", self.source) else ""
        self.doubt = other
        self.parts = kept(text, markdown=markdown, terms=terms)
        self.units = list(self._sentences(lm, markdown))
        self.made: dict[Span, str] = {}  # translations of parts of the text
        self.apart = self.cut = 0

    def _sentences(self, lm: LM, markdown: bool) -> "list[Unit]":
        prose = documents.prose(self.text) if markdown else [Span(0, len(self.text))]
        spans: list[Span] = []
        for part in prose:
            inner = sentences(part.of(self.text))
            spans += [Span(part.start + each.start, part.start + each.end) for each in inner]
        made: list[Unit] = []
        for span in spans:
            for each in _short(lm, self.text, span):
                parts = [p for p in self.parts if p.start < each.end and each.start < p.end]
                if between(each.of(self.text), _shifted(parts, each)):
                    made.append(Unit(each, parts))
        return made

    def finished(self) -> Translation:
        """The text with every translated part in its place."""
        spaceless = (self.source in _SPACELESS, self.target in _SPACELESS)
        made, at = [], 0
        for span in sorted(self.made):
            gap = self.text[at : span.start]
            if at and spaceless == (False, True) and gap == " ":
                gap = ""
            elif at and spaceless == (True, False) and gap == "":
                gap = " "
            made += [gap, self.made[span]]
            at = span.end
        return Translation(
            "".join([*made, self.text[at:]]), self.source, self.target, self.detected,
            len(self.units), len(self.parts), self.apart, self.cut, self.doubt,
        )  # fmt: skip


# Gives the translation of each text, and whether it was stopped at the longest length.
Ask = Callable[[Sequence[tuple[Job, str]]], list[tuple[str, bool]]]


def carry_out(asked: Ask, jobs: Sequence[Job]) -> None:
    """Every sentence of some texts, first with what must come through in it."""
    units = [(job, unit) for job in jobs for unit in job.units]
    given = [
        (job, literal(unit.span.of(job.text), _shifted(unit.parts, unit.span)))
        for job, unit in units
    ]
    lost: list[tuple[Job, Span]] = []
    for (job, unit), (text, cut) in zip(units, asked(given), strict=True):
        if survive(text, unit.parts):
            job.made[unit.span] = text
            job.cut += cut
            continue
        job.apart += 1
        inside = between(unit.span.of(job.text), _shifted(unit.parts, unit.span))
        start = unit.span.start
        lost += [
            (job, _from_letter(job.text, Span(start + each.start, start + each.end)))
            for each in inside
        ]
        for part in unit.parts:  # a term becomes what it must
            job.made[Span(part.start, part.end)] = part.text
    again = asked([(job, span.of(job.text)) for job, span in lost])
    for (job, span), (text, cut) in zip(lost, again, strict=True):
        job.made[span] = text
        job.cut += cut


def _from_letter(text: str, span: Span) -> Span:
    """A part without the marks before its first letter or digit, which stay as they are."""
    start = next((at for at in range(span.start, span.end) if text[at].isalnum()), span.start)
    return Span(start, span.end)


def _short(lm: LM, text: str, span: Span) -> list[Span]:
    """A sentence in parts that the model was made for."""
    if count(reader(lm), [span.of(text)])[0] <= SENTENCE_TOKENS:
        return [span]
    halves = shorter(text, span)
    return (
        [span] if halves is None else [part for half in halves for part in _short(lm, text, half)]
    )


def _shifted(parts: Sequence[Kept], span: Span) -> list[Kept]:
    """Parts with their places within a span."""
    return [Kept(p.start - span.start, p.end - span.start, p.text) for p in parts]
