"""Spoken commands: which of a few words is said, or that it is none of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from loquent.audio.activity import Activity, Detector, Span
from loquent.audio.features import features
from loquent.audio.rates import Resampler, resampled
from loquent.audio.reading import RATE
from loquent.audio.sound import Sound
from loquent.audio.utterances import utterances
from loquent.engine.network import Reader, Text
from loquent.errors import RequestError, UsageError, nearest, together
from loquent.lm.lm import LM
from loquent.lm.reading import does
from loquent.metrics.normalizing import plain
from loquent.tasks.speech_decoding import Decoder, Hearing, silent
from loquent.tasks.speech_windows import Window
from loquent.text.alignment import likeliest, likelihood

# Names of classes for what is no command; what is told to be of them is refused.
REFUSED = frozenset({"_unknown_", "unknown", "_silence_", "silence", "_other_", "other", "_none_"})
COMMANDS = Activity(
    least_speech_seconds=0.1, least_silence_seconds=0.25, padding_seconds=0.15, longest_seconds=5.0
)
THRESHOLD = 0.6  # chance from which a command is heard
_PLAINLY = Hearing(times=False, temperatures=(0.0,))


@dataclass(frozen=True)
class Heard:
    """One thing that was said: which command, or "" where it is none of them."""

    span: Span
    label: str
    chance: float  # of the likeliest command
    chances: Mapping[str, float]  # of every command; what is left is something else

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "start": round(self.span.start_seconds, 3),
            "end": round(self.span.end_seconds, 3),
            "command": self.label,
            "chance": round(self.chance, 4),
            "chances": {name: round(each, 4) for name, each in self.chances.items()},
        }


class Listener:
    """A model that knows commands by a trained head, or any words by writing down what it hears.

    Letter by letter (CTC) each command has its likelihood; what another recognizer writes, such as
    Whisper, must be a command but for case and punctuation, and is as likely as its tokens are.
    """

    def __init__(self, lm: LM, commands: Sequence[str] = (), threshold: float = THRESHOLD) -> None:
        """Listen for `commands`, by default all that the model was trained for.

        Raises RequestError for a model that does not hear, and UsageError for commands that it
        cannot tell.
        """
        config = lm.network.config
        if config.encoder is None or config.encoder.front is None:
            raise RequestError(
                f"this model hears no commands: it {does(config)}.",
                fix="Train one: loquent train --task command --data FOLDER.",
            )
        if not 0 < threshold < 1:
            raise UsageError(f"threshold must be between 0 and 1, not {threshold}.")
        self._lm, self._front, self._threshold = lm, config.encoder.front, threshold
        self._spelled, self._decoder = config.output == "ctc", None
        known = tuple(name for name in config.labels if name.lower() not in REFUSED)
        self.commands = tuple(dict.fromkeys(commands)) or known
        self._check(known)
        if config.decoder is not None:
            self._decoder = Decoder(lm, replace(_PLAINLY, hotwords=self.commands))
        self._ids = [
            lm.tokenizer.encode(each, special=False, parse_special=False) if self._spelled else []
            for each in self.commands
        ]

    @property
    def rate(self) -> int:
        """Samples of a second that the network hears."""
        return self._front.rate

    def _check(self, known: Sequence[str]) -> None:
        if (self._spelled or self._lm.network.config.decoder) and not self.commands:
            raise UsageError("this model writes what it hears: name the commands.")
        if self._lm.network.config.decoder is not None:
            return
        if self._spelled:
            lost = [each for each in self.commands if self._unspelled(each)]
            if lost:
                raise UsageError(f"this model has not the letters of {', '.join(map(repr, lost))}.")
            return
        faults = [
            UsageError(f"the model does not know the command {each!r}.", fix=nearest(each, known))
            for each in self.commands
            if each not in known
        ]
        if faults:
            raise together(UsageError, faults)

    def _unspelled(self, command: str) -> bool:
        tokenizer = self._lm.tokenizer
        ids = tokenizer.encode(command, special=False, parse_special=False)
        return not ids or tokenizer.unknown in ids

    def hear(self, sound: Sound, span: Span | None = None) -> Heard:
        """Which command a sound is, as a whole."""
        if self._decoder is not None:
            return self._heard(self._by_writing(self._decoder, sound), sound, span)
        made = features(resampled(sound, self.rate).samples, self._front)
        (values,) = cast(Reader, self._lm.network).read([Text(features=made)])
        chances = self._by_letters(values) if self._spelled else self._by_head(values)
        return self._heard(chances, sound, span)

    def _heard(self, chances: Mapping[str, float], sound: Sound, span: Span | None) -> Heard:
        label = max(chances, key=lambda name: chances[name])
        return Heard(
            span or Span(0.0, sound.seconds),
            label if chances[label] >= self._threshold else "",
            chances[label],
            chances,
        )

    def listen(self, blocks: Iterable[Sound], detector: Detector) -> Iterator[Heard]:
        """Each thing that is said in a sound, as soon as it is over."""
        for span, sound in utterances(_at_rate(blocks, detector.rate), detector, COMMANDS):
            yield self.hear(sound, span)

    def _by_writing(self, decoder: Decoder, sound: Sound) -> dict[str, float]:
        """The chance of what is written, for the command that it is."""
        window = Window(0.0, resampled(sound, RATE).samples)
        (made,) = decoder.decode(iter([window]))
        words = plain(self._lm.tokenizer.decode(made.ids)).split()
        chance = 0.0 if silent(made, _PLAINLY) else float(np.exp(made.mean_logprob))
        return {
            name: chance if words and _says(words, plain(name).split()) else 0.0
            for name in self.commands
        }

    def _by_head(self, logits: NDArray[np.floating[Any]]) -> dict[str, float]:
        """The chances of the head, those of other classes left out, not divided among these."""
        wide = np.exp(logits.astype(np.float64) - logits.max())
        chances = dict(zip(self._lm.network.config.labels, wide / wide.sum(), strict=True))
        return {name: float(chances[name]) for name in self.commands}

    def _by_letters(self, logits: NDArray[np.floating[Any]]) -> dict[str, float]:
        """The likelihood of each command among all of them and of what was heard, if another."""
        wide = logits.astype(np.float64)
        logs = wide - wide.max(axis=1, keepdims=True)
        logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
        blank = self._lm.network.config.blank
        scores = [likelihood(logs, ids, blank) for ids in self._ids]
        heard = likeliest(logs, blank)
        others = [] if heard in self._ids else [likelihood(logs, heard, blank)]
        total = np.logaddexp.reduce([*scores, *others])
        return {
            name: float(np.exp(score - total)) if np.isfinite(total) else 0.0
            for name, score in zip(self.commands, scores, strict=True)
        }


def _says(words: Sequence[str], command: Sequence[str]) -> bool:
    """Whether words are a command, which a recognizer may write several times."""
    times, rest = divmod(len(words), max(len(command), 1))
    return not rest and list(words) == list(command) * times


def _at_rate(blocks: Iterable[Sound], rate: int) -> Iterator[Sound]:
    resampler = None
    for block in blocks:
        resampler = resampler or Resampler(block.rate, rate)
        made = resampler.next(block.samples)
        if len(made):
            yield Sound(made, rate)
