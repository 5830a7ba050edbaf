"""Translations, sentence by sentence: what stands between sentences stays as it is.

Code, addresses, placeholders, tags and given terms must come through. A sentence is translated
with them in it; where one is lost, what stands between them is translated by itself instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from loquent.errors import RequestError, UsageError, nearest
from loquent.lm.lm import LM
from loquent.lm.options import Options
from loquent.tasks.asking import Manner, Progress, manner, reader, replies, written
from loquent.tasks.directions import direction
from loquent.tasks.fitting import checked, count, readable
from loquent.text import markdown as documents
from loquent.text.languages import NAMES, identify
from loquent.text.protect import Kept, between, kept, literal, survive
from loquent.text.sentences import Span, sentences, shorter

SENTENCE_TOKENS = 200  # a longer one is divided
_SPACELESS = {"zh", "ja", "th"}  # written without spaces between sentences
_AT_ONCE = 64  # sentences that are asked for together
_LONGEST_ANSWER = 512  # tokens

INSTRUCTION = (
    "Translate from {source} to {target}. Write the translation and nothing else.\n\n{text}"
)
CONTINUED = "{source}: {text}\n{target}:"


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


def translate(
    lm: LM,
    texts: Sequence[str],
    *,
    target: str,
    source: str = "",
    markdown: bool = False,
    terms: Mapping[str, str] | None = None,
    prefix: str | None = None,
    beams: int = 0,
    progress: Progress | None = None,
) -> list[Translation]:
    """The translation of each text into the language `target`, by its ISO 639-1 code.

    Without `source` the language is found by looking at each text. With `markdown` code, links and
    the like stay as they are. `terms` are words with what they must become. `prefix` stands before
    a sentence for a model with an encoder; None: what its makers say. `beams` of 0 means what they
    advise, else 4. Raises RequestError for an empty text, a language that cannot be told, and
    languages that the model does not know. `progress` is told of sentences.
    """
    config = lm.network.config
    if config.output != "token" or config.decoder is None:
        raise RequestError("this model does not write translations.", fix="Choose one that does.")
    target = code_of(target)
    how = manner(lm)
    jobs = [
        Job(
            lm,
            text,
            code_of(source) if source else "",
            target,
            how,
            markdown=markdown,
            terms=terms or {},
        )
        for text in texts
    ]
    asked = Asked(lm, how, prefix, beams, progress)
    carry_out(asked, jobs)
    return [job.finished() for job in jobs]


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


class Asked:
    """A model with all that is the same for every sentence."""

    def __init__(
        self, lm: LM, how: Manner, prefix: str | None, beams: int, progress: Progress | None
    ) -> None:
        self._lm, self._how, self._prefix, self._beams = lm, how, prefix, beams
        self._progress = progress

    def __call__(self, asked: Sequence[tuple[Job, str]]) -> list[tuple[str, bool]]:
        """The translation of each text, and whether it was stopped at the longest length."""
        made: list[tuple[str, bool]] = []
        for start in range(0, len(asked), _AT_ONCE):
            made += self._some(asked[start : start + _AT_ONCE])
            if self._progress is not None:
                self._progress(len(made), len(asked))
        return made

    def _some(self, asked: Sequence[tuple[Job, str]]) -> list[tuple[str, bool]]:
        longest = max(count(reader(self._lm), [text for _, text in asked]))
        most = min(2 * longest + 32, _LONGEST_ANSWER)
        options = written(self._how.form, self._lm, max_tokens=most, beams=self._beams)
        if self._how.form == "chat":
            answers = replies(
                self._lm, [self._worded(INSTRUCTION, *each) for each in asked], options
            )
        elif self._how.form == "continue":
            prompts = [self._worded(CONTINUED, *each) for each in asked]
            answers = self._lm.generate(prompts, stop=["\n"], **options)
        else:
            return self._by_direction(asked, options)
        return [(each.text.strip(), each.finish == "length") for each in answers]

    def _by_direction(
        self, asked: Sequence[tuple[Job, str]], options: Options
    ) -> list[tuple[str, bool]]:
        """Texts of each pair of languages together, since their answers may begin differently."""
        made: dict[int, tuple[str, bool]] = {}
        for pair in dict.fromkeys((job.source, job.target) for job, _ in asked):
            told = direction(self._lm, self._how, *pair)
            prefix = told.prefix if self._prefix is None else self._prefix
            chosen: Options = {**options, "forced_first": told.first}
            places = [
                place for place, (job, _) in enumerate(asked) if (job.source, job.target) == pair
            ]
            answers = self._lm.generate([prefix + asked[each][1] for each in places], **chosen)
            for place, each in zip(places, answers, strict=True):
                made[place] = each.text.strip(), each.finish == "length"
        return [made[place] for place in range(len(asked))]

    @staticmethod
    def _worded(template: str, job: Job, text: str) -> str:
        names = {"source": NAMES.get(job.source, job.source), "target": NAMES.get(job.target)}
        return template.format(**names, text=text)


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
        lost += [(job, Span(start + each.start, start + each.end)) for each in inside]
        for part in unit.parts:  # a term becomes what it must
            job.made[Span(part.start, part.end)] = part.text
    again = asked([(job, span.of(job.text)) for job, span in lost])
    for (job, span), (text, cut) in zip(lost, again, strict=True):
        job.made[span] = text
        job.cut += cut


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


def code_of(language: str) -> str:
    """An ISO 639-1 code of a code or an English name; raises UsageError with the nearest."""
    given = language.strip().lower().replace("_", "-").partition("-")[0]
    by_name = {name.lower(): code for code, name in NAMES.items()}
    code = by_name.get(given, given)
    if code not in NAMES:
        raise UsageError(
            f"there is no language {language!r} here.", fix=nearest(given, [*NAMES, *by_name])
        )
    return code
