"""The pitch of a voice: YIN (de Cheveigné and Kawahara 2002), frame by frame."""

import numpy as np
from numpy.typing import NDArray

from loquent.audio.sound import Samples

HOP_SECONDS = 0.01
_WINDOW_SECONDS = 0.05
_LOWEST_HERTZ, _HIGHEST_HERTZ = 60.0, 500.0
_VOICED = 0.15  # of the normalized difference, below which a frame repeats itself (step 4)
_SILENT = 1e-3  # of the loudest frame's power

Wide = NDArray[np.float64]


def pitch(samples: Samples, rate: int) -> Wide:
    """Hertz of each 10 ms of samples (N,) → (F,); 0 where no voice is heard."""
    window, hop = round(_WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
    longest = int(rate / _LOWEST_HERTZ) + 1
    shortest = max(int(rate / _HIGHEST_HERTZ), 2)
    padded = np.pad(samples.astype(np.float64), (window // 2, window // 2 + longest))
    count = len(samples) // hop
    if not count:
        return np.zeros(0)
    parts = np.lib.stride_tricks.sliding_window_view(padded, window + longest)[::hop][:count]
    power = np.square(parts[:, :window]).mean(1)
    made = np.zeros(count)
    for place in np.nonzero(power > _SILENT * power.max())[0]:
        made[place] = _pitch_of(parts[place], window, shortest, longest, rate)
    return made


def _pitch_of(part: Wide, window: int, shortest: int, longest: int, rate: int) -> float:
    """Of one frame and what comes behind it; 0 where it does not repeat itself."""
    size = 1 << (window + longest).bit_length()
    spectrum = np.fft.rfft(part, size)
    first = np.fft.rfft(part[:window], size)
    together = np.fft.irfft(np.conj(first) * spectrum, size)[: longest + 1]  # eq. 1
    squares = np.concatenate([[0], np.cumsum(part * part)])
    powers = squares[window : window + longest + 1] - squares[: longest + 1]
    difference = powers[0] + powers - 2 * together  # eq. 7
    sums = np.cumsum(difference[1:])
    scaled = np.ones(longest + 1)  # eq. 8
    scaled[1:] = difference[1:] * np.arange(1, longest + 1) / np.maximum(sums, 1e-12)
    below = np.nonzero(scaled[shortest:longest] < _VOICED)[0]
    if not len(below):
        return 0.0
    lag = shortest + int(below[0])
    while lag + 1 < longest and scaled[lag + 1] < scaled[lag]:
        lag += 1
    around = scaled[lag - 1 : lag + 2]
    bend = around[0] - 2 * around[1] + around[2]
    shift = 0.5 * (around[0] - around[2]) / bend if len(around) == 3 and bend > 0 else 0.0
    return float(rate / (lag + np.clip(shift, -1, 1)))
