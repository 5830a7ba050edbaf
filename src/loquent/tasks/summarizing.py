"""Summaries: by a model, a long text in steps; or sentences of the text, which needs no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from loquent.errors import RequestError, UsageError, nearest
from loquent.lm.answer import Answer
from loquent.lm.lm import LM
from loquent.tasks.asking import Manner, Progress, manner, reader, replies, written
from loquent.tasks.extracting import central, lead, words
from loquent.tasks.fitting import checked, count, fitted, pieces, readable
from loquent.text.encoding import Truncate
from loquent.text.sentences import sentences

How = Literal["model", "lead", "central"]

WORDS = 60  # of a summary
SENTENCES = 3  # of one that is made of the text's own
PIECES = 64  # of one text at most
_PIECE_TOKENS = {"source": 480, "chat": 1200, "continue": 1200}
_TOKENS_PER_WORD = 2  # of an answer, so that it may end by itself
_STEPS = 6
_AT_ONCE = 8  # pieces that are asked for together
_LEAST_ROOM = 16  # tokens of a piece

INSTRUCTION = "Summarize the following text in at most {words} words.\n\n{text}"
CONTINUED = "{text}\n\nTL;DR:"  # Radford et al. 2019, §3.6


@dataclass(frozen=True)
class Summary:
    """A summary and how it came about."""

    text: str
    how: How
    pieces: int  # of the text that were summarized by themselves; 1: it was read whole
    steps: int  # of summarizing summaries; 0: no model was asked
    words: int
    dropped_tokens: int = 0
    cut: bool = False  # whether the model was stopped at the longest length

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"summary": self.text, **{k: v for k, v in vars(self).items() if k != "text"}}


def summarize(
    lm: LM | None,
    texts: Sequence[str],
    *,
    how: How = "model",
    words: int = WORDS,
    sentences: int = SENTENCES,
    prefix: str | None = None,
    piece_tokens: int = 0,
    most_pieces: int = PIECES,
    beams: int = 0,
    truncate: Truncate | None = None,
    progress: Progress | None = None,
) -> list[Summary]:
    """A summary of each text, of about `words` words or, of its own sentences, `sentences`.

    "lead" takes the first sentences, "central" those that most others are like; neither asks a
    model. A text of more than `piece_tokens` tokens (0: as fits the model) is divided at sentences,
    and the summaries of its pieces are summarized. `prefix` stands before a text for a model with
    an encoder; None: what its makers say. `beams` of 0 means what they advise, else 4.
    Raises RequestError for an empty text, and for one of over `most_pieces` pieces, unless
    `truncate` says which end to drop. `progress` is told of pieces, in each step anew.
    """
    if how not in get_args(How):
        raise UsageError(f"there is no way {how!r}.", fix=nearest(how, get_args(How)))
    if words < 1 or sentences < 1:
        raise UsageError("a summary needs at least 1 word and 1 sentence.")
    for text in texts:
        checked(text)
    if how != "model":
        return [_extracted(text, how, sentences) for text in texts]
    if lm is None:
        raise UsageError("a summary by a model needs a model.")
    config = lm.network.config
    if config.output != "token" or config.decoder is None:
        raise RequestError(
            "this model does not write summaries.",
            fix="Choose one that writes, or how 'lead' or 'central', which need none.",
        )
    for text in texts:
        readable(reader(lm), text)
    asked = _Asked(lm, words, prefix, piece_tokens=piece_tokens, beams=beams, progress=progress)
    return [asked.summary(text, most_pieces, truncate) for text in texts]


def _extracted(text: str, how: How, count: int) -> Summary:
    made = lead(text, count) if how == "lead" else central(text, count)
    return Summary(made, how, 1, 0, len(words(made)))


class _Asked:
    """A model with all that is the same for every text."""

    def __init__(
        self,
        lm: LM,
        words: int,
        prefix: str | None,
        *,
        piece_tokens: int,
        beams: int,
        progress: Progress | None,
    ) -> None:
        self._lm, self._words, self._progress = lm, words, progress
        self._reader = reader(lm)
        self._manner: Manner = manner(lm)
        self._prefix = self._manner.summary_prefix() if prefix is None else prefix
        form = self._manner.form
        self._most = _TOKENS_PER_WORD * words + 16
        self._options = written(form, lm, max_tokens=self._most, beams=beams)
        self._room = piece_tokens or _PIECE_TOKENS[form]
        limit = self._limit(form)
        if limit is not None:
            around = count(self._reader, [self._prefix + INSTRUCTION + CONTINUED])[0] + 32
            self._room = min(self._room, limit - around)
        if self._room < _LEAST_ROOM:
            raise RequestError(
                f"the model reads {lm.context} tokens, too few for a text and {words} words more.",
                fix="Ask for fewer words, or choose another model.",
            )

    def summary(self, text: str, most_pieces: int, truncate: Truncate | None) -> Summary:
        """Of one text, in as many steps as its length needs."""
        parts = pieces(self._reader, text, self._room)
        dropped = 0
        if len(parts) > most_pieces:
            total = sum(count(self._reader, [each.of(text) for each in parts]))
            if truncate is None:
                raise RequestError(
                    f"the text has {total} tokens, which are {len(parts)} pieces; "
                    f"{most_pieces} are summarized at most.",
                    fix="Allow more pieces, or drop its start or end with truncate.",
                )
            text, dropped = fitted(self._reader, text, most_pieces * self._room, truncate)
            parts = pieces(self._reader, text, self._room)
        answers = self._asked([each.of(text) for each in parts])
        steps = 1
        while len(answers) > 1 and steps < _STEPS:
            joined = "\n".join(each.text.strip() for each in answers)
            again = pieces(self._reader, joined, self._room)
            if len(again) >= len(answers):
                break  # they do not get shorter
            answers = self._asked([each.of(joined) for each in again])
            steps += 1
        made = "\n".join(each.text.strip() for each in answers)
        cut = any(each.finish == "length" for each in answers)
        if cut:
            made = _whole_sentences(made)
        made = _once(made)
        return Summary(made, "model", len(parts), steps, len(words(made)), dropped, cut)

    def _asked(self, texts: Sequence[str]) -> list[Answer]:
        made: list[Answer] = []
        for start in range(0, len(texts), _AT_ONCE):
            made += self._ask(texts[start : start + _AT_ONCE])
            if self._progress is not None:
                self._progress(len(made), len(texts))
        return made

    def _ask(self, texts: Sequence[str]) -> list[Answer]:
        form = self._manner.form
        if form == "source":
            return self._lm.generate([self._prefix + text for text in texts], **self._options)
        if form == "continue":
            prompts = [CONTINUED.format(text=text.strip()) for text in texts]
            return self._lm.generate(prompts, stop=["\n\n"], **self._options)
        asked = [INSTRUCTION.format(words=self._words, text=text.strip()) for text in texts]
        return replies(self._lm, asked, self._options)

    def _limit(self, form: str) -> int | None:
        """Tokens of a text at most, beside the summary where both stand in one row; None: any."""
        config = self._lm.network.config
        if form == "source":
            return (config.encoder.length or None) if config.encoder else None
        return self._lm.context - self._most if self._lm.context else None


def _once(text: str) -> str:
    """A text without the sentences that stand in it before, as small models write them."""
    made, at, seen = "", 0, set[str]()
    for span in sentences(text):
        sentence = span.of(text)
        if sentence not in seen:
            made += (text[at : span.start] if made else "") + sentence
        seen.add(sentence)
        at = span.end
    return made


def _whole_sentences(text: str) -> str:
    """A text that was stopped, up to its last whole sentence where it has one."""
    spans = sentences(text)
    ended = [each for each in spans if each.of(text).rstrip("\"'”’)")[-1:] in ".!?。！？"]
    return text[: ended[-1].end] if ended else text
