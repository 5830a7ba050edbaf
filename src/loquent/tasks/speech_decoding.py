"""From windows of a sound to tokens: each decoded anew, more by chance, where it came out badly."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from loquent.audio.mel import log_mel
from loquent.audio.reading import RATE
from loquent.engine.network import Values
from loquent.engine.request import Alignment, Request, Sampling
from loquent.engine.timestamps import TimestampRule
from loquent.errors import RequestError
from loquent.lm.gathering import Gathered, Written
from loquent.lm.lm import LM
from loquent.tasks.speech_settings import Decoded, Hearing, compression, silent
from loquent.tasks.speech_tokens import STEP_SECONDS, speech_tokens
from loquent.tasks.speech_windows import WINDOW_SECONDS, Window

__all__ = ["Decoder", "Hearing", "compression", "silent"]

_SURE = 0.5  # chance of a language from which on it counts for all that follows
_LEFT_SECONDS = 0.9  # of speech and the silence around it that are worth a window of their own
_HASTY_SECONDS = 2.0  # of silence behind a window in haste
AHEAD = 8  # windows that are decoded at a time


@dataclass
class _Job:
    """A window under way."""

    window: Window
    features: Values
    language: str  # code; "" where it is still to be found, or the network knows one only
    given: Gathered
    attempts: list[Decoded] = field(default_factory=list)


class Decoder:
    """Decodes windows, several at a time, in their order."""

    def __init__(self, lm: LM, hearing: Hearing, *, hasty: bool = False) -> None:
        """Raises RequestError for a model that does not hear, and for what it cannot do.

        In haste it hears little silence behind a window, which is faster and less sure.
        """
        self._lm, self._hearing, self._hasty = lm, hearing, hasty
        if hearing.fusion is not None:
            raise RequestError(
                "a recognizer that writes token by token has a language model of its own.",
                fix="--lm is for networks of letters (CTC).",
            )
        self.tokens = speech_tokens(lm.checkpoint)
        encoder, decoder = lm.network.config.encoder, lm.network.config.decoder
        assert encoder is not None
        assert encoder.front is not None
        assert decoder is not None
        self._bins, self._context = encoder.front.features, decoder.length
        self._frames = encoder.length * encoder.front.stride
        self._heads = self.tokens.advice.alignment_heads or tuple(
            (layer, head)
            for layer in range(decoder.layers // 2, decoder.layers)
            for head in range(decoder.heads)
        )
        if (hearing.language or hearing.translate) and not self.tokens.languages:
            known = hearing.language.lower() in ("", "en", "english")
            if hearing.translate or not known:
                raise RequestError(
                    "this model knows English only.", fix="Choose one of many: whisper-base."
                )
        self._asked = ""  # the language that was asked for
        if hearing.language and self.tokens.languages:
            self._asked = self._code(self.tokens.language(hearing.language))
        self._found: dict[int, str] = {}  # the language of each sound, once that is sure
        self._prompt = self._read_prompt()
        self._waiting: deque[_Job] = deque()
        self._next: Window | None = None

    def decode(self, windows: Iterator[Window]) -> Iterator[Decoded]:
        """What was written of each window, in order; the next are asked for when there is room.

        What comes behind the last time of a window that had no room for its end is decoded again.
        """
        try:
            while True:
                self._fill(windows)
                if not self._waiting:
                    return
                made = self._finished(self._waiting[0])
                if made is None:
                    continue
                self._waiting.popleft()
                rest = self._rest(made)
                if rest is not None:
                    self._waiting.appendleft(self._begin(rest))
                yield made
        finally:
            for job in self._waiting:
                job.given.cancel()

    def _fill(self, windows: Iterator[Window]) -> None:
        """Begin with windows; while a sound's language is not sure, with one of it at a time."""
        while len(self._waiting) < AHEAD:
            window = self._next or next(windows, None)
            self._next = window
            if window is None or (
                self._unsure(window)
                and any(job.window.sound == window.sound for job in self._waiting)
            ):
                return
            self._next = None
            self._waiting.append(self._begin(window))

    def _begin(self, window: Window) -> _Job:
        features = self._features(window)
        language = self._asked or self._found.get(window.sound, "")
        return _Job(window, features, language, self._ask(features, language, 0))

    def _unsure(self, window: Window) -> bool:
        return bool(self.tokens.languages) and not (self._asked or window.sound in self._found)

    def _features(self, window: Window) -> Values:
        """Of the window and silence behind it, as long as the network was trained with."""
        seconds = min(window.seconds + _HASTY_SECONDS, WINDOW_SECONDS)
        size = round((seconds if self._hasty else WINDOW_SECONDS) * RATE)
        samples = np.zeros(size, np.float32)
        samples[: len(window.samples)] = window.samples[:size]
        return log_mel(samples, self._bins)[:, : self._frames]

    def _ask(self, features: Values, language: str, attempt: int) -> Gathered:
        hearing, tokens = self._hearing, self.tokens
        temperature = hearing.temperatures[attempt]
        begins = self._begins(language)
        sampling = Sampling(
            max_tokens=self._context // 2 + len(begins),
            temperature=temperature,
            top_p=1.0,
            seed=hearing.seed + attempt,
            n=hearing.best_of if temperature else 1,
            beams=1 if temperature else hearing.beams,
            logprobs=0,
            renormalize=True,
        )
        alignment = Alignment(
            self._heads, (tokens.start,), len(begins) - (not hearing.times), (tokens.plain,),
            tokens.end, tokens.end,
        )  # fmt: skip
        request = Request(
            [*self._prompt, tokens.start],
            sampling,
            frozenset([tokens.end]),
            features,
            self._rule(begins),
            (tokens.silence, *tokens.languages.values()),
            alignment if hearing.words else None,
        )
        given = Gathered(self._lm, request)
        self._lm.follow(given)
        return given

    def _begins(self, language: str) -> tuple[tuple[int, ...], ...]:
        """The signs between the start and the text, each with those it may be."""
        tokens, begins = self.tokens, list[tuple[int, ...]]()
        if tokens.languages:
            every = tuple(tokens.languages.values())
            begins.append((tokens.languages[language],) if language else every)
            begins.append((tokens.translate if self._hearing.translate else tokens.transcribe,))
        return (*begins, *(() if self._hearing.times else ((tokens.plain,),)))

    def _rule(self, begins: tuple[tuple[int, ...], ...]) -> TimestampRule:
        tokens, advice = self.tokens, self.tokens.advice
        signs = range(tokens.end + 1, tokens.first_time)  # all but times and the end
        return TimestampRule(
            begins=begins,
            suppressed=np.array(sorted({*advice.suppressed, *signs}), np.intp),
            suppressed_first=np.array([*advice.suppressed_first, tokens.end], np.intp)
            if advice.suppressed_first
            else np.array([tokens.end], np.intp),
            end=tokens.end,
            first_time=tokens.first_time,
            times=self._hearing.times,
        )

    def _finished(self, job: _Job) -> Decoded | None:
        """What was written of a job's window; None where there is another attempt to wait for."""
        given = job.given.finished()
        number = len(job.attempts)
        made = [self._read(job, each, number + 1) for each in given.answers]
        best = max(made, key=lambda each: each.mean_logprob)
        job.attempts.append(best)
        if not self._well(best) and number + 1 < len(self._hearing.temperatures):
            job.given = self._ask(job.features, job.language, number + 1)
            return None
        chosen = best if self._well(best) else self._least_bad(job.attempts)
        if job.window.again and not self._well(chosen):
            chosen = replace(chosen, ids=[], logprobs=[])  # it was left out for a reason
        sure = chosen.language_chance >= _SURE and not silent(chosen, self._hearing)
        if sure and self._unsure(job.window):
            self._found[job.window.sound] = chosen.language
        return chosen

    def _read(self, job: _Job, answer: Written, attempt: int) -> Decoded:
        tokens, first = self.tokens, job.given.request.rule
        assert isinstance(first, TimestampRule)
        skipped = len(first.begins)
        choices = answer.choices[skipped:]
        logprobs = [each.logprob or 0.0 for each in choices]
        ended = bool(choices) and choices[-1].id == tokens.end
        ids = [each.id for each in choices[: len(choices) - ended]]
        silence, *rest = np.exp(answer.watched) if answer.watched else (0.0,)
        language, chance = job.language, 1.0
        if tokens.languages and not language:
            language = self._code(answer.choices[0].id)
            place = list(tokens.languages).index(language)
            chance = float(rest[place] / max(sum(rest), 1e-30))
        text = self._lm.tokenizer.decode([each for each in ids if each < tokens.end])
        made = Decoded(
            window=job.window,
            ids=ids,
            logprobs=logprobs[: len(ids)],
            language=language,
            language_chance=chance,
            silence=float(silence),
            mean_logprob=sum(logprobs) / max(len(logprobs), 1),
            compression=compression(text),
            attempts=attempt,
            whole=answer.finish == "stop",
            attention=answer.attention,
            before=1 + skipped + self._hearing.times,
        )
        return made

    def _code(self, id: int) -> str:
        return next(code for code, each in self.tokens.languages.items() if each == id)

    def _well(self, made: Decoded) -> bool:
        hearing = self._hearing
        likely = made.mean_logprob >= hearing.least_logprob
        return silent(made, hearing) or (likely and made.compression <= hearing.most_compression)

    def _least_bad(self, attempts: list[Decoded]) -> Decoded:
        """The likeliest text of those that repeat themselves the least."""
        most = self._hearing.most_compression
        return min(attempts, key=lambda each: (each.compression > most, -each.mean_logprob))

    def _rest(self, made: Decoded) -> Window | None:
        """What of a window is still to be decoded: the text had no room for it, or left it out.

        Recognizers leave out the beginning of a sentence whose end they do not hear.
        """
        times = [each for each in made.ids if each >= self.tokens.first_time]
        if not times:
            return None
        if made.whole and made.ids[-1] < self.tokens.first_time:
            return None  # the last part has no end, so it goes up to that of the window
        ended = made.window.start_seconds + (max(times) - self.tokens.first_time) * STEP_SECONDS
        left = made.window.speech_seconds(ended)
        if ended <= made.window.start_seconds or left < _LEFT_SECONDS:
            return None
        return made.window.rest(ended)

    def _read_prompt(self) -> list[int]:
        """What stands before the start: earlier text and words that are likely to be said."""
        parts = [self._hearing.prompt.strip(), ", ".join(self._hearing.hotwords)]
        text = " ".join(each for each in parts if each)
        if not text:
            return []
        encode = self._lm.tokenizer.encode
        ids = encode(f" {text}", special=False, parse_special=False)
        room = self._context // 2 - 1
        if len(ids) > room:
            raise RequestError(
                f"the prompt and hotwords have {len(ids)} tokens, but {room} fit.",
                fix="Shorten them.",
            )
        return [self.tokens.before, *ids]
