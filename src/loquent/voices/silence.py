"""Silence around speech: cut from its ends, and put between sentences."""

import numpy as np

from loquent.audio.sound import Samples

_QUIET = 0.01  # of the loudest 10 ms
_WINDOW_SECONDS = 0.01
_KEPT_SECONDS = 0.06  # around what is heard, so that no sound is cut


def trimmed(samples: Samples, rate: int) -> Samples:
    """Without the silence at both ends (N,) → (M,); nothing is left of silence alone."""
    window = max(round(_WINDOW_SECONDS * rate), 1)
    count = len(samples) // window
    if not count:
        return samples
    power = np.square(samples[: count * window].reshape(count, window)).mean(1)
    heard = np.nonzero(power > _QUIET**2 * power.max())[0]
    if not len(heard):
        return samples[:0]
    kept = round(_KEPT_SECONDS * rate)
    start, end = heard[0] * window - kept, (heard[-1] + 1) * window + kept
    return samples[max(start, 0) : end]


def silence(seconds: float, rate: int) -> Samples:
    """Silence (N,)."""
    return np.zeros(round(seconds * rate), np.float32)
