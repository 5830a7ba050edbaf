"""Texts of chances at every moment, with a blank between (CTC, Graves et al. 2006)."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

BLANK = 0
Logs = NDArray[np.float64]  # (T, V) log p of each piece at each moment
Said = tuple[int, ...]
Ends = tuple[float, float]  # log p of paths that end in a blank, and of those that do not
# What is added to log p of each of these pieces; True: nothing more will be said.
Fused = Callable[[Sequence[Said], bool], Sequence[float]]


def collapsed(ids: Sequence[int], blank: int = BLANK) -> list[int]:
    """The pieces that the likeliest ones of all moments say: repeats and blanks left out."""
    return [each for each, _ in groupby(ids) if each != blank]


def likeliest(logs: Logs, blank: int = BLANK) -> list[int]:
    """The pieces of the likeliest path."""
    return collapsed(logs.argmax(axis=1).tolist(), blank)


def likelihood(logs: Logs, ids: Sequence[int], blank: int = BLANK) -> float:
    """log p of pieces over all paths that say them (Graves et al. 2006, §4.1); -inf for none."""
    line = np.full(2 * len(ids) + 1, blank)  # a blank before, between and behind the pieces
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


def places(logs: Logs, ids: Sequence[int], blank: int = BLANK) -> list[tuple[int, int]]:
    """The first and the last moment of each piece on the likeliest path that says them (Viterbi).

    Raises ValueError where no path does.
    """
    line = np.full(2 * len(ids) + 1, blank)
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


def best(
    logs: Logs, beams: int, *, blank: int = BLANK, fused: Fused | None = None
) -> list[tuple[list[int], float]]:
    """The likeliest pieces with their log p, best first, by a search of so many beams.

    Paths that say the same are added up (Hannun et al. 2014, algorithm 1), so that one beam may
    find more than `likeliest`. Pieces that no beam could keep are not looked at. What `fused` says
    of pieces is added to their log p, of as many of them at each moment as there are beams, twice.
    """
    held: dict[Said, Ends] = {(): (0.0, -np.inf)}
    added: dict[Said, float] = {(): 0.0}
    for now in logs:
        order = np.argsort(-now)[: beams + 1].tolist()  # a beam goes on with the likeliest alone
        grown: dict[Said, Ends] = {}
        for said, (blanks, piece) in held.items():
            both = np.logaddexp(blanks, piece)
            _add(grown, said, both + now[blank], -np.inf)
            if said:
                _add(grown, said, -np.inf, piece + now[said[-1]])
            for each in order:
                if each != blank:
                    before = blanks if said and each == said[-1] else both
                    _add(grown, (*said, each), -np.inf, before + now[each])
        guessed = {said: added.get(said, added.get(said[:-1], 0.0)) for said in grown}
        if fused is not None:
            likely = _ranked(grown, guessed)[: 2 * beams]
            known = dict(zip(likely, fused(likely, False), strict=True))
            grown, guessed = {said: grown[said] for said in likely}, known
        kept = _ranked(grown, guessed)[:beams]
        held = {said: grown[said] for said in kept}
        added = {said: guessed[said] for said in kept}
    if fused is not None:
        added = dict(zip(held, fused(list(held), True), strict=True))
    chances = [(list(said), _score(held[said], added[said])) for said in _ranked(held, added)]
    return [(said, chance) for said, chance in chances if np.isfinite(chance)]


def _ranked(grown: Mapping[Said, Ends], added: Mapping[Said, float]) -> list[Said]:
    return sorted(grown, key=lambda said: -_score(grown[said], added[said]))


def _score(ends: Ends, added: float) -> float:
    return float(np.logaddexp(*ends)) + added


def _add(
    grown: dict[Said, Ends],
    said: Said,
    blank: float,
    piece: float,
) -> None:
    """Add log p of paths that end in a blank and of those that end in the last piece."""
    before = grown.get(said, (-np.inf, -np.inf))
    grown[said] = float(np.logaddexp(before[0], blank)), float(np.logaddexp(before[1], piece))
