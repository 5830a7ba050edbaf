"""What a voice learns of sounds, and makes sounds of: mel bands, pitch, and the units of both."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from loquent.audio.mel import slaney_filters
from loquent.audio.pitch import HOP_SECONDS, pitch
from loquent.audio.sound import Samples

MIDDLE_HERTZ = 200.0  # of which a pitch of 0 stands
CENTS = 1200  # of an octave; a pitch is kept as whole cents above the lowest
LOWEST_HERTZ = 50.0
OCTAVE = 2.0  # the size of an octave among a network's values
FLOOR = 1e-5  # of a magnitude, before its logarithm
LEVEL, SPREAD = -2.3, 2.0  # about the mean and the deviation of logarithms of mel bands
_MEDIAN = 5  # frames of which the middle pitch is taken
_LONG = 8.0  # frames
NOISE = 1.0  # nats by which noise begins below the envelope

Wide = NDArray[np.float64]


@cache
def mel_map(bins: int, rate: int, size: int) -> NDArray[np.float32]:
    """From magnitudes to mel bands (bins, size / 2 + 1), each the mean of what it covers."""
    filters = slaney_filters(bins, rate, size)
    sums = np.maximum(filters.sum(1, keepdims=True), 1e-12)
    return np.asarray(filters / sums, np.float32)


@cache
def envelope_map(bins: int, rate: int, size: int) -> NDArray[np.float32]:
    """From mel bands to all frequencies (size / 2 + 1, bins), straight between their middles."""
    filters = slaney_filters(bins, rate, size)
    frequencies = np.arange(size // 2 + 1)
    middles = (filters @ frequencies) / np.maximum(filters.sum(1), 1e-12)
    columns = [np.interp(frequencies, middles, row) for row in np.eye(bins)]
    return np.asarray(np.stack(columns, 1), np.float32)


def pitches(samples: Samples, rate: int, hop: int) -> NDArray[np.int32]:
    """Twice the cents above 50 Hz of each frame (N // hop,), and one more where it is voiced.

    Between voiced parts the pitch goes straight on.
    """
    hertz = pitch(samples, rate)
    count = len(samples) // hop
    voiced = np.nonzero(hertz)[0]
    if not len(voiced):
        return np.full(count, 2 * round(CENTS * np.log2(MIDDLE_HERTZ / LOWEST_HERTZ)), np.int32)
    cents = CENTS * np.log2(np.maximum(hertz[voiced], LOWEST_HERTZ) / LOWEST_HERTZ)
    cents = np.median(
        np.lib.stride_tricks.sliding_window_view(np.pad(cents, _MEDIAN // 2, mode="edge"), _MEDIAN),
        axis=1,
    )
    places = np.arange(count) * hop / rate / HOP_SECONDS
    whole = np.round(np.interp(places, voiced, cents)).astype(np.int32)
    near = np.minimum(np.round(places).astype(int), len(hertz) - 1)
    return np.asarray(2 * whole + (hertz[near] > 0), np.int32)


def pitch_values(kept: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a network knows of pitches that are kept so: a value around 0, and 1 where voiced."""
    octaves = (kept // 2) / CENTS - np.log2(MIDDLE_HERTZ / LOWEST_HERTZ)
    return np.asarray(octaves * OCTAVE, np.float32), np.asarray(kept % 2, np.float32)


def hertz_of(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """The pitch that a network's values mean."""
    return np.asarray(MIDDLE_HERTZ * np.exp2(value / OCTAVE), np.float32)


def placed(durations: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which phoneme each frame belongs to (F,), and where in it it stands (F, 5).

    Of durations (T,) in frames.
    """
    tokens = np.repeat(np.arange(len(durations)), durations)
    starts = np.cumsum(durations) - durations
    since = np.arange(len(tokens)) - starts[tokens] + 0.5
    lengths = durations[tokens]
    share = since / lengths
    made = (
        share,
        np.sin(np.pi * share),
        np.cos(np.pi * share),
        np.minimum(since, lengths - since) / _LONG,
        np.log(lengths),
    )
    return tokens, np.stack(made, 1).astype(np.float32)
