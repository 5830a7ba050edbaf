"""Examples to groups: so many, so many tokens, or as many as a window takes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def groups_of_size(numbers: Numbers, size: int) -> list[Numbers]:
    """So many each; the last has what is left."""
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def groups_of_tokens(numbers: Numbers, parts: Sequence[Numbers], most_tokens: int) -> list[Numbers]:
    """As many as fit in their order, padding included; one that does not fit is alone.

    `parts` are the lengths of all that a model reads of each: its ids and, where there is one, its
    source, which are padded apart.
    """
    starts = [0]
    widths = [0] * len(parts)
    for place, lengths in enumerate(zip(*(part.tolist() for part in parts), strict=True)):
        widened = [max(pair) for pair in zip(widths, lengths, strict=True)]
        rows = place - starts[-1] + 1
        if rows > 1 and sum(widened) * rows > most_tokens:
            starts.append(place)
            widened = list(lengths)
        widths = widened
    stops = [*starts[1:], len(numbers)]
    return [numbers[start:stop] for start, stop in zip(starts, stops, strict=True)]


def first_fit(lengths: Numbers, capacity: int) -> list[list[int]]:
    """Places of documents for each window: each goes into the first window that has room.

    First-fit needs at most 1.7 times the windows of the best packing (Dósa and Sgall 2013).
    """
    windows: list[list[int]] = []
    room = np.zeros(len(lengths), np.int64)
    for place, length in enumerate(lengths.tolist()):
        fits = room[: len(windows)] >= length
        window = int(fits.argmax()) if windows else 0
        if not windows or not fits[window]:
            window = len(windows)
            windows.append([])
            room[window] = capacity
        windows[window].append(place)
        room[window] -= length
    return windows
