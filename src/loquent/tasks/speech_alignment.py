"""When each word was said: the path on which a decoder's attention runs through a sound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loquent.text.segments import Word
from loquent.text.tokenizer import Tokenizer

STATE_SECONDS = 0.02  # of one state of the encoder
_SMOOTHED_STATES = 7
_UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}  # languages that put no spaces between words
_OPENING = "\"'“¿([{-"
_CLOSING = "\"'.。,，!！?？:：”)]}、"
_STOPS = ".。!！?？"
_LONG_TIMES, _MOST_SECONDS = 2.0, 0.7  # how much longer than usual a word beside a stop may be

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spelled:
    """A word and which of the text's tokens it is written in."""

    text: str
    first: int
    count: int


def aligned_words(
    tokenizer: Tokenizer,
    ids: Sequence[int],
    logprobs: Sequence[float],
    attention: NDArray[np.float32],
    *,
    before: int,
    seconds: float,
    language: str,
) -> list[tuple[Word, int]]:
    """Each word of a text (T ids) with its times, and the place of its first token.

    `attention` (heads, before + T + 1, M) is what chosen heads look at: of the tokens before the
    text, of its own and of its end. Dynamic time warping over its mean, as in the code of Whisper's
    authors.
    """
    if not ids:
        return []
    looks = normalized(attention, max(round(seconds / STATE_SECONDS), 1))
    # each row looks at what the next token says; the last at where the text has ended
    starts = token_starts(looks[before - 1 : before + len(ids)])
    made = []
    for word in spelled(tokenizer, ids, language):
        behind = word.first + word.count
        chance = float(np.exp(np.mean(logprobs[word.first : behind])))
        start, end = float(starts[word.first]), float(starts[behind])
        made.append((Word(start, end, word.text, min(chance, 1.0)), word.first))
    return joined(shortened(made))


def normalized(attention: NDArray[np.float32], states: int) -> Floats:
    """The mean (T, M') of heads over the states that hold sound, each token beside the others."""
    looks = attention[:, :, :states].astype(np.float64)
    looks /= np.maximum(looks.sum(-1, keepdims=True), 1e-30)
    spread = looks.std(axis=1, keepdims=True)
    looks = (looks - looks.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-30)
    made: Floats = smoothed(looks).mean(axis=0)
    return made


def smoothed(looks: Floats) -> Floats:
    """The median of seven neighbors along the last axis, mirrored at its ends."""
    around = _SMOOTHED_STATES // 2
    if looks.shape[-1] <= around:
        return looks
    padded = np.pad(looks, ((0, 0), (0, 0), (around, around)), mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED_STATES, axis=-1)
    made: Floats = np.sort(views, axis=-1)[..., around]
    return made


def token_starts(looks: Floats) -> Floats:
    """When each token begins, in seconds, by the cheapest path through -looks (T, M)."""
    tokens, states = path(-looks)
    first = np.concatenate([[True], np.diff(tokens) > 0])
    made: Floats = states[first] * STATE_SECONDS
    return made


def path(costs: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the cheapest way through costs (N, M) (Sakoe and Chiba 1978).

    A step goes one row on, one column on, or both; of equally cheap ones it goes both.
    """
    rows, columns = costs.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    came = np.zeros((rows + 1, columns + 1), np.int8)
    for diagonal in range(rows + columns - 1):  # none of its cells depends on another of them
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        ways = np.stack([total[i, j], total[i, j + 1], total[i + 1, j]])
        best = _cheapest(ways)
        came[i + 1, j + 1] = best
        total[i + 1, j + 1] = costs[i, j] + np.take_along_axis(ways, best[None], 0)[0]
    came[0, :], came[:, 0] = 2, 1
    i, j = rows, columns
    found = []
    while i > 0 or j > 0:
        found.append((i - 1, j - 1))
        way = came[i, j]
        i, j = (i - (way != 2), j - (way != 1)) if i and j else (i, j - 1) if j else (i - 1, j)
    both = np.array([each for each in reversed(found) if min(each) >= 0], np.intp)
    return both[:, 0], both[:, 1]


def _cheapest(ways: Floats) -> NDArray[np.intp]:
    """Which of both, the row before and the column before is cheapest, the last where equal."""
    both, up, left = ways
    best = np.full(both.shape, 2)
    best[(up < both) & (up < left)] = 1
    best[(both < up) & (both < left)] = 0
    return best


def spelled(tokenizer: Tokenizer, ids: Sequence[int], language: str) -> Iterator[Spelled]:
    """The words of a text in its tokens: at spaces, or each sign where a language has none."""
    parts = list(_whole_signs(tokenizer, ids))
    if language in _UNSPACED:
        yield from parts
        return
    word: Spelled | None = None
    for part in parts:
        bare = part.text.strip()
        begins = part.text.startswith(" ") or (bare != "" and all(_is_sign(each) for each in bare))
        if word is None or begins:
            if word is not None:
                yield word
            word = part
        else:
            word = Spelled(word.text + part.text, word.first, word.count + part.count)
    if word is not None:
        yield word


def _whole_signs(tokenizer: Tokenizer, ids: Sequence[int]) -> Iterator[Spelled]:
    """The fewest tokens in a row that spell whole characters."""
    first = 0
    for end in range(1, len(ids) + 1):
        text = tokenizer.decode(list(ids[first:end]))
        if "\ufffd" not in text or end == len(ids) or end - first >= 4:
            yield Spelled(text, first, end - first)
            first = end


def _is_sign(character: str) -> bool:
    return (not character.isalnum() and character.isascii()) or character in _CLOSING


def shortened(words: list[tuple[Word, int]]) -> list[tuple[Word, int]]:
    """Words beside the end of a sentence that would last over twice as long as usual, cut."""
    lengths = [word.end_seconds - word.start_seconds for word, _ in words]
    usual = [each for each in lengths if each > 0]
    most = _LONG_TIMES * min(_MOST_SECONDS, float(np.median(usual))) if usual else 0.0
    made = list(words)
    for place, (word, at) in enumerate(words):
        if word.end_seconds - word.start_seconds <= most or place == 0:
            continue
        if word.text.strip() in _STOPS:
            made[place] = replace(word, end_seconds=word.start_seconds + most), at
        elif words[place - 1][0].text.strip() in _STOPS:
            made[place] = replace(word, start_seconds=word.end_seconds - most), at
    return made


def joined(words: list[tuple[Word, int]]) -> list[tuple[Word, int]]:
    """Signs become part of the word that they stand at."""
    made: list[tuple[Word, int]] = []
    for word, at in words:
        bare = word.text.strip()
        behind = (
            made and bare and not word.text.startswith(" ") and all(c in _CLOSING for c in bare)
        )
        opened = made and made[-1][0].text.strip() in _OPENING and made[-1][0].text.strip()
        if behind or (opened and made[-1][0].text.startswith(" ")):
            last, first = made[-1]
            text = last.text + word.text
            end = last.end_seconds if behind else word.end_seconds
            start = last.start_seconds if behind else word.start_seconds
            chance = last.chance if behind else word.chance
            made[-1] = Word(start, end, text, chance), first
        else:
            made.append((word, at))
    return made
