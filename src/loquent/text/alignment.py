"""Texts of chances at every moment, with a blank between (CTC, Graves et al. 2006)."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

BLANK = 0
Logs = NDArray[np.float64]  # (T, V) log p of each piece at each moment


def collapsed(ids: Sequence[int]) -> list[int]:
    """The pieces that the likeliest ones of all moments say: repeats and blanks left out."""
    return [each for each, _ in groupby(ids) if each != BLANK]


def likeliest(logs: Logs) -> list[int]:
    """The pieces of the likeliest path."""
    return collapsed(logs.argmax(axis=1).tolist())


def likelihood(logs: Logs, ids: Sequence[int]) -> float:
    """log p of pieces over all paths that say them (Graves et al. 2006, §4.1); -inf for none."""
    line = np.full(2 * len(ids) + 1, BLANK)  # a blank before, between and behind the pieces
    line[1::2] = ids
    jumps = np.zeros(len(line), bool)  # over the blank between two pieces that differ
    jumps[3::2] = line[3::2] != line[1:-2:2]
    paths = np.full(len(line), -np.inf)
    paths[:2] = logs[0, line[:2]]
    for now in logs[1:]:
        stay = paths
        step = np.concatenate([[-np.inf], paths[:-1]])
        jump = np.where(
            jumps, np.concatenate([[-np.inf, -np.inf], paths[:-2]])[: len(line)], -np.inf
        )
        paths = np.logaddexp(np.logaddexp(stay, step), jump) + now[line]
    return float(np.logaddexp.reduce(paths[-2:]))


def places(logs: Logs, ids: Sequence[int]) -> list[tuple[int, int]]:
    """The first and the last moment of each piece on the likeliest path that says them (Viterbi).

    Raises ValueError where no path does.
    """
    line = np.full(2 * len(ids) + 1, BLANK)
    line[1::2] = ids
    jumps = np.zeros(len(line), bool)
    jumps[3::2] = line[3::2] != line[1:-2:2]
    chances = np.full(len(line), -np.inf)
    chances[:2] = logs[0, line[:2]]
    steps = np.zeros((len(logs), len(line)), np.int64)  # how far back each came from
    for moment, now in enumerate(logs[1:], 1):
        from_one = np.concatenate([[-np.inf], chances])[: len(line)]
        from_two = np.where(
            jumps, np.concatenate([[-np.inf, -np.inf], chances])[: len(line)], -np.inf
        )
        ways = np.stack([chances, from_one, from_two])
        steps[moment] = ways.argmax(axis=0)
        chances = ways.max(axis=0) + now[line]
    at = len(line) - 1 - int(len(ids) > 0 and chances[-2] > chances[-1])
    if not np.isfinite(chances[at]):
        raise ValueError("no path says these pieces.")
    spans: dict[int, tuple[int, int]] = {}
    for moment in range(len(logs) - 1, -1, -1):
        if at % 2:
            spans[at // 2] = (moment, spans.get(at // 2, (moment, moment))[1])
        at -= int(steps[moment, at])
    return [spans[place] for place in range(len(ids))]


def best(logs: Logs, beams: int) -> list[tuple[list[int], float]]:
    """The likeliest pieces with their log p, best first, by a search of so many beams.

    Paths that say the same are added up (Hannun et al. 2014, algorithm 1), so that one beam may
    find more than `likeliest`. Pieces that no beam could keep are not looked at.
    """
    held: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
    for now in logs:
        order = np.argsort(-now)[: beams + 1].tolist()  # a beam goes on with the likeliest alone
        grown: dict[tuple[int, ...], tuple[float, float]] = {}
        for said, (blank, piece) in held.items():
            both = np.logaddexp(blank, piece)
            _add(grown, said, both + now[BLANK], -np.inf)
            if said:
                _add(grown, said, -np.inf, piece + now[said[-1]])
            for each in order:
                if each != BLANK:
                    before = blank if said and each == said[-1] else both
                    _add(grown, (*said, each), -np.inf, before + now[each])
        ranked = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]))
        held = dict(ranked[:beams])
    chances = ((list(said), float(np.logaddexp(*ends))) for said, ends in held.items())
    return [(said, chance) for said, chance in chances if np.isfinite(chance)]


def _add(
    grown: dict[tuple[int, ...], tuple[float, float]],
    said: tuple[int, ...],
    blank: float,
    piece: float,
) -> None:
    """Add log p of paths that end in a blank and of those that end in the last piece."""
    before = grown.get(said, (-np.inf, -np.inf))
    grown[said] = float(np.logaddexp(before[0], blank)), float(np.logaddexp(before[1], piece))
