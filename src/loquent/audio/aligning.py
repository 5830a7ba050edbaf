"""Which stretch of a recording belongs to which of its phonemes: a model of each, found by itself.

Each phoneme is two states in a row with a Gaussian of its own, the pauses share one; states are
guessed at evenly, then found again along the likeliest path until that settles (Rabiner 1989,
§IV.B; what recognizers call a flat start). Nothing but the recordings and their phonemes is needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loquent.audio.mel import filter_banks
from loquent.audio.sound import Samples

HOP_SECONDS = 0.01
STRESS = frozenset("ˈˌ")  # marks that have no sound of their own
_BANKS, _CEPSTRA = 40, 13
_ROUNDS = 14
_MOST_PLACES = 10_000_000  # of frames and states that are looked at side by side
_STAY, _LEAVE = np.log(0.6), np.log(0.4)
_SKIPPED = np.log(0.7)  # a pause that is not made
_QUIET = 0.25  # of the span between the quietest and the loudest, below which an end is a pause
_PAUSE_LENGTH = 3.0  # phonemes that a mark between words lasts as long as, at first
_LEAST_VARIANCE = 0.05
_UNLIKELY = -1e9

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class _Path:
    """The states of a text in their order."""

    models: Whole  # (S,) number of the Gaussian
    tokens: Whole  # (S,) place of the phoneme
    pause: NDArray[np.bool_]  # (S,) whether it may be left out


class Aligner:
    """Gaussians of phonemes, learned from recordings with their phonemes."""

    def __init__(self, recordings: Sequence[tuple[str, Samples]], rate: int) -> None:
        """Learn from phonemes and samples (N,) at `rate`."""
        symbols = sorted({each for text, _ in recordings for each in text if each.isalnum()})
        self._rate = rate
        self._numbers = {each: 1 + 2 * place for place, each in enumerate(symbols)}
        self._means = np.zeros((1 + 2 * len(symbols), 3 * _CEPSTRA))
        self._variances = np.ones_like(self._means)
        heard = [cepstra(samples, rate) for _, samples in recordings]
        paths = [self._path(text) for text, _ in recordings]
        found = [_evenly(path, each) for path, each in zip(paths, heard, strict=True)]
        for _ in range(_ROUNDS):
            self._learn(paths, heard, found)
            found = self._found(paths, heard)

    def ends(self, phonemes: str, samples: Samples) -> Array:
        """Seconds (T,) at which each phoneme of a recording ends; some last for no time.

        A mark of stress never lasts; neither does a pause that is not made, nor a phoneme that the
        aligner has not met.
        """
        path = self._path(phonemes)
        heard = cepstra(samples, self._rate)
        made = np.zeros(len(phonemes))
        if len(path.models) and len(heard) >= np.count_nonzero(~path.pause):
            (states,) = self._found([path], [heard])
            np.add.at(made, path.tokens[states], HOP_SECONDS)
            made[path.tokens[states[-1]]] += len(samples) / self._rate - made.sum()
        return np.cumsum(made)

    def _path(self, phonemes: str) -> _Path:
        models, tokens, pause = list[int](), list[int](), list[bool]()
        for place, each in enumerate(phonemes):
            if each in STRESS or (each.isalnum() and each not in self._numbers):
                continue
            if each.isalnum():
                models += [self._numbers[each], self._numbers[each] + 1]
                tokens += [place, place]
                pause += [False, False]
            elif not (pause and pause[-1]):
                models, tokens, pause = [*models, 0], [*tokens, place], [*pause, True]
        return _Path(np.array(models, int), np.array(tokens, int), np.array(pause, bool))

    def _learn(
        self, paths: Sequence[_Path], heard: Sequence[Array], found: Sequence[Whole]
    ) -> None:
        """Means and variances of the frames that each state has; one without any keeps its own."""
        models = np.concatenate(
            [path.models[states] for path, states in zip(paths, found, strict=True)]
        )
        frames = np.concatenate(heard)
        counts = np.bincount(models, minlength=len(self._means))[:, None].astype(np.float64)
        sums, squares = np.zeros_like(self._means), np.zeros_like(self._means)
        np.add.at(sums, models, frames)
        np.add.at(squares, models, frames * frames)
        met = counts[:, 0] > 0
        overall = frames.var(0)
        counts = counts[met]
        self._means[met] = sums[met] / counts
        spread = squares[met] / counts - self._means[met] ** 2
        spread = (counts * spread + 10 * overall) / (counts + 10)  # few frames say little
        self._variances[met] = np.maximum(spread, _LEAST_VARIANCE * overall)

    def _found(self, paths: Sequence[_Path], heard: Sequence[Array]) -> list[Whole]:
        """The state of each frame along the likeliest path of each recording."""
        order = np.argsort([len(each) for each in heard], kind="stable")
        made: list[Whole] = [np.zeros(0, int)] * len(paths)
        for group in _groups(order.tolist(), paths, heard):
            scores = [self._scores(heard[each])[:, paths[each].models] for each in group]
            likeliest = _likeliest(scores, [paths[each].pause for each in group])
            for each, states in zip(group, likeliest, strict=True):
                made[each] = states
        return made

    def _scores(self, frames: Array) -> Array:
        """Log-density (F, models) of each frame."""
        weights = 1 / self._variances
        constant = np.log(self._variances).sum(1) + (self._means**2 * weights).sum(1)
        cross = frames @ (self._means * weights).T
        return np.asarray(-0.5 * (constant + (frames * frames) @ weights.T - 2 * cross))


def _groups(
    order: Sequence[int], paths: Sequence[_Path], heard: Sequence[Array]
) -> Iterator[list[int]]:
    """Recordings that are sought side by side: like lengths, as many as the memory is for."""
    group: list[int] = []
    for each in order:
        widest = max(len(paths[one].models) for one in [*group, each])
        if group and (len(group) + 1) * len(heard[each]) * widest > _MOST_PLACES:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def cepstra(samples: Samples, rate: int) -> Array:
    """Cepstra of mel bands with their changes, (F, 39), of mean 0 over the recording."""
    banks = filter_banks(samples, _BANKS, rate).T.astype(np.float64)
    places = np.pi * (np.arange(_BANKS) + 0.5) / _BANKS
    basis = np.cos(places[:, None] * np.arange(_CEPSTRA))
    made = banks @ basis
    made -= made.mean(0)
    first = _change(made)
    return np.concatenate([made, first, _change(first)], axis=1)


def _change(x: Array) -> Array:
    """The slope over five frames (Furui 1986): (F, C) → (F, C)."""
    wide = np.pad(x, ((2, 2), (0, 0)), mode="edge")
    return (2 * (wide[4:] - wide[:-4]) + wide[3:-1] - wide[1:-3]) / 10


def _evenly(path: _Path, frames: Array) -> Whole:
    """A first guess: ends that are quiet are pauses, the rest is divided evenly."""
    loud = frames[:, 0]
    limit = np.quantile(loud, 0.02) + _QUIET * np.ptp(np.quantile(loud, [0.02, 0.98]))
    sounding = np.nonzero(loud > limit)[0]
    first, last = int(sounding[0]), int(sounding[-1]) + 1
    before, behind = bool(path.pause[0]), bool(path.pause[-1])
    inner = np.arange(len(path.models))[before : len(path.models) - behind]
    if last - first < len(inner):
        first, last = 0, len(frames)
    shares = np.where(path.pause[inner], 0.0, 0.5)
    gaps = np.append(np.diff(path.tokens), 1)[inner] > 1  # a mark with a space behind it
    shares[path.pause[inner] & gaps] = _PAUSE_LENGTH
    ends = np.cumsum(shares) / shares.sum()
    places = np.searchsorted(ends, (np.arange(last - first) + 0.5) / (last - first))
    middle = inner[np.minimum(places, len(inner) - 1)]
    made = np.concatenate([np.zeros(first, int), middle, np.full(len(frames) - last, inner[-1])])
    made[:first] = 0 if before else inner[0]
    made[last:] = len(path.models) - 1 if behind else inner[-1]
    return made


def _likeliest(scores: Sequence[Array], pauses: Sequence[NDArray[np.bool_]]) -> list[Whole]:
    """Viterbi's path (1967) through each (F, S): each state stays, goes on, or skips a pause."""
    rows, frames = len(scores), max(len(each) for each in scores)
    width = max(each.shape[1] for each in scores)
    padded = np.full((frames, rows, width), _UNLIKELY)
    skips = np.full((rows, width), _UNLIKELY)
    for row, (each, pause) in enumerate(zip(scores, pauses, strict=True)):
        padded[: len(each), row, : each.shape[1]] = each
        skips[row, 1 : each.shape[1]] = np.where(pause[:-1], _LEAVE + _SKIPPED, _UNLIKELY)
    best = np.full((rows, width), _UNLIKELY)
    best[:, 0] = padded[0, :, 0]
    best[:, 1] = padded[0, :, 1] + skips[:, 1]
    steps = np.zeros((frames, rows, width), np.int8)
    lasts = [best.copy()] * rows
    for frame in range(1, frames):
        ways = np.full((3, rows, width), 3 * _UNLIKELY)
        ways[0] = best + _STAY
        ways[1, :, 1:] = best[:, :-1] + _LEAVE
        ways[2, :, 2:] = best[:, :-2] + skips[:, 2:]
        steps[frame] = ways.argmax(0)
        best = ways.max(0) + padded[frame]
        for row, each in enumerate(scores):
            if frame == len(each) - 1:
                lasts[row] = best.copy()
    return [
        _back(steps[: len(each), row], lasts[row][row], pause)
        for row, (each, pause) in enumerate(zip(scores, pauses, strict=True))
    ]


def _back(steps: NDArray[np.int8], last: Array, pause: NDArray[np.bool_]) -> Whole:
    """The states (F,) of the path that ends best, in the last state or before a last pause."""
    state = len(pause) - 1
    if pause[-1] and state and last[state - 1] > last[state]:
        state -= 1
    made = np.zeros(len(steps), int)
    for frame in range(len(steps) - 1, -1, -1):
        made[frame] = state
        state -= int(steps[frame, state])
    return made
