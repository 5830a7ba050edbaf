"""Guesses at the next tokens, which one step then reads and checks all at once.

The answer is what it would be without: each token is drawn from the network's own logits with the
same random numbers, and a guess saves a step only where it is that very token. Guesses are made
without chance, and then this keeps as many as the rule of Leviathan et al. (2023, §2.3) does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np

from loquent.engine.network import Network, Tokens
from loquent.engine.prefixes import common
from loquent.engine.request import Event
from loquent.engine.scheduler import Part
from loquent.errors import RequestError

_SIZES = (4, 3, 2)  # of the last tokens that are looked up, the longest first
STEP_TOKENS = 8  # of all lines together, guesses included
_TOKEN_COST = 0.17  # of each more token in a step of up to 8, as a share of the first one's time
_HOPE = 0.5  # the share of right guesses that is expected before any was made
_LATEST = 0.15  # weight of the latest guess
_RECOVERY = 0.01  # how fast a row that guessed wrong is given another try
_UNLIMITED = 1 << 20  # tokens of a row, where neither network sets a limit
_CHUNK = 512  # tokens that a draft model reads of a row at a time


@dataclass(frozen=True)
class Asked:
    """Tokens that are to be guessed, behind all that a row has read and written so far."""

    row: int
    ids: list[int]
    count: int  # at most


class Drafter(Protocol):
    """Guesses tokens."""

    cost: float  # time of a guess, as a share of a step of one token

    def propose(self, asked: Sequence[Asked]) -> list[list[int]]:
        """For each of those asked up to `count` tokens, or none."""

    def forget(self, row: int) -> None:
        """Another sequence takes this row."""


class Pace:
    """How many tokens are guessed for each row: as many as pay, by how many were right before.

    With a share `a` of right guesses, k of them give 1 + a + … + a^k tokens for the time of a step
    of 1 + k tokens (Leviathan et al. 2023, §3).
    """

    def __init__(self, drafter: Drafter) -> None:
        self._drafter = drafter
        self._right: dict[int, float] = {}  # of each row's guesses, the latest weighing most

    def drafts(self, lines: Sequence[Asked]) -> dict[int, list[int]]:
        """Guesses for these rows; `count` of each is how many it has room for."""
        most = max(STEP_TOKENS - len(lines), 0) // max(len(lines), 1)
        asked = []
        for line in lines:
            right = self._right.get(line.row, _HOPE)
            right = self._right[line.row] = right + _RECOVERY * (_HOPE - right)
            count = max(range(most + 1), key=lambda k: _gain(right, k, self._drafter.cost))
            if (count := min(count, line.count)) > 0:
                asked.append(Asked(line.row, line.ids, count))
        made = self._drafter.propose(asked) if asked else []
        return {line.row: guess for line, guess in zip(asked, made, strict=True) if guess}

    def note(self, parts: Sequence[Part], events: Sequence[Event]) -> None:
        """Learn from what came of the guesses for these parts of one request."""
        for part, (_, made) in zip(parts, groupby(events, lambda event: event.index), strict=False):
            guessed = part.wanted - 1
            right = sum(event.accepted for event in made)
            for place in range(min(guessed, right + 1)):
                self._right[part.row] += _LATEST * ((place < right) - self._right[part.row])

    def forget(self, row: int) -> None:
        """Another sequence takes this row."""
        self._right.pop(row, None)
        self._drafter.forget(row)


def _gain(right: float, count: int, cost: float) -> float:
    """Tokens for the time of a step of one token, with this share of right guesses."""
    tokens = sum(right**k for k in range(count + 1))
    return tokens / (1 + count * (_TOKEN_COST + cost))


class Lookup:
    """What followed the last time that the last tokens stood in this text (Saxena 2023)."""

    cost = 0.0

    def __init__(self) -> None:
        self._rows: dict[int, _Index] = {}

    def propose(self, asked: Sequence[Asked]) -> list[list[int]]:
        """As the protocol says."""
        return [
            self._rows.setdefault(each.row, _Index()).propose(each.ids, each.count)
            for each in asked
        ]

    def forget(self, row: int) -> None:
        """As the protocol says."""
        self._rows.pop(row, None)


class _Index:
    def __init__(self) -> None:
        self.places: dict[tuple[int, ...], int] = {}  # where each run of tokens was followed last
        self.read = 0

    def propose(self, ids: list[int], count: int) -> list[int]:
        for end in range(self.read, len(ids)):
            for size in _SIZES:
                if size <= end:
                    self.places[tuple(ids[end - size : end])] = end
        self.read = len(ids)
        for size in _SIZES:
            place = self.places.get(tuple(ids[-size:])) if size <= len(ids) else None
            if place is not None:
                return ids[place : place + count]
        return []


class DraftNetwork:
    """A smaller network of the same tokens, which is asked for the likeliest ones."""

    def __init__(
        self, network: Network, rows: int, length: int, cost: float, vocabulary: int
    ) -> None:
        """To guess ids below `vocabulary` for `rows` rows of up to `length` tokens; 0: any number.

        Raises RequestError for a network whose rows cannot go back to an earlier token.
        """
        decoder = network.config.decoder
        if not network.position_bytes or decoder is None:
            raise RequestError("a draft model is a decoder in the native runtime.")
        limits = [each for each in (length, decoder.length) if each]
        self.cost = cost
        self._network = network
        self._vocabulary = vocabulary
        self._length = min(limits, default=_UNLIMITED)
        self._memory = network.new_memory(rows, self._length)
        self._read: dict[int, list[int]] = {}

    def propose(self, asked: Sequence[Asked]) -> list[list[int]]:
        """As the protocol says."""
        made: list[list[int]] = [[] for _ in asked]
        room = [min(each.count, self._length - len(each.ids)) for each in asked]
        while going := [i for i, each in enumerate(made) if len(each) < room[i]]:
            wholes = [asked[i].ids + made[i] for i in going]
            parts = [self._unread(asked[i].row, ids) for i, ids in zip(going, wholes, strict=True)]
            logits = self._network.step(self._memory, _last_wanted(parts))
            for i, whole, (row, start, ids), one in zip(going, wholes, parts, logits, strict=True):
                self._read[row][start:] = ids
                if start + len(ids) == len(whole):
                    made[i].append(int(np.argmax(one[: self._vocabulary])))
                else:
                    room[i] = 0  # a long prompt: more of it next time
        return made

    def forget(self, row: int) -> None:
        """As the protocol says."""
        self._memory.clear(row)
        self._read.pop(row, None)

    def _unread(self, row: int, ids: list[int]) -> tuple[int, int, list[int]]:
        """The row, where it goes on, and with what: its last guesses may have been wrong."""
        start = common(self._read.setdefault(row, []), ids[:-1])
        return row, start, ids[start : start + _CHUNK]


def _last_wanted(parts: Sequence[tuple[int, int, list[int]]]) -> Tokens:
    flat = [
        (id, row, start + i, i == len(ids) - 1)
        for row, start, ids in parts
        for i, id in enumerate(ids)
    ]
    ids, rows, positions, wanted = zip(*flat, strict=True)
    return Tokens(
        np.array(ids, np.int32),
        np.array(rows, np.int32),
        np.array(positions, np.int32),
        np.array(wanted, np.bool_),
    )
