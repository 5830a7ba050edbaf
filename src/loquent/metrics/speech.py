"""How far synthesized speech is from a recording of the same words, from what was heard of both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

COEFFICIENTS = 13  # of a cepstrum, without the one for loudness
_DECIBELS = 10 / np.log(10) * np.sqrt(2)  # Kubichek 1993, eq. 2


@dataclass(frozen=True)
class Gap:
    """The distance of one sound from another."""

    cepstral_decibels: float  # mel-cepstral distortion
    pitch_cents: float  # root mean square over what is voiced in both; NaN where nothing is
    voicing: float  # share of frames that are voiced in one only
    duration: float  # relative: 0.1 is a tenth longer


def cepstra(log_mel: Array) -> Array:
    """Mel cepstra (F, 13) of natural logarithms of mel spectra (F, bins): DCT-II, scaled."""
    bins = log_mel.shape[1]
    places = (np.arange(bins) + 0.5) * np.pi / bins
    turns = np.cos(np.outer(np.arange(1, COEFFICIENTS + 1), places))
    return np.asarray(log_mel @ turns.T * (2 / bins))


def aligned(first: Array, second: Array) -> Array:
    """Which frames belong together (P, 2): the cheapest path (Sakoe and Chiba 1978)."""
    gaps = np.sqrt(np.maximum(
        np.square(first).sum(1)[:, None] + np.square(second).sum(1) - 2 * first @ second.T, 0
    ))  # fmt: skip
    rows, columns = gaps.shape
    cost = np.full((rows + 1, columns + 1), np.inf)
    cost[0, 0] = 0
    for total in range(rows + columns - 1):  # all places of a diagonal at once
        row = np.arange(max(0, total - columns + 1), min(rows, total + 1))
        column = total - row
        least = np.minimum(
            np.minimum(cost[row, column], cost[row, column + 1]), cost[row + 1, column]
        )
        cost[row + 1, column + 1] = gaps[row, column] + least
    path = [(rows - 1, columns - 1)]
    while path[-1] != (0, 0):
        row, column = path[-1]
        steps = [(row - 1, column - 1), (row - 1, column), (row, column - 1)]
        path.append(min(steps, key=lambda each: cost[each[0] + 1, each[1] + 1]))
    return np.array(path[::-1])


def gap(made: tuple[Array, Array], meant: tuple[Array, Array]) -> Gap:
    """Of two sounds, each as cepstra (F, 13) and pitch (F,) of the same frames."""
    path = aligned(made[0], meant[0])
    first, second = path.T
    apart = np.sqrt(np.square(made[0][first] - meant[0][second]).sum(1))
    ours, theirs = made[1][first], meant[1][second]
    both = (ours > 0) & (theirs > 0)
    cents = 1200 * np.log2(ours[both] / theirs[both])
    return Gap(
        cepstral_decibels=float(_DECIBELS * apart.mean()),
        pitch_cents=float(np.sqrt(np.square(cents).mean())) if both.any() else float("nan"),
        voicing=float(((ours > 0) != (theirs > 0)).mean()),
        duration=len(made[0]) / len(meant[0]) - 1,
    )
