"""What a network hears of a sound, by the names that its description uses."""

from collections.abc import Callable, Mapping

import numpy as np

from loquent.architecture import FrontConfig, Spectrum
from loquent.audio.mel import Spectrum as Features
from loquent.audio.mel import filter_banks, log_mel
from loquent.audio.sound import Samples

_RANGE = 12.0  # nats below the loudest that are kept: some 50 dB
_LOUD_FRAMES = 5  # that tell how loud a sound is
_LOUD_RANGE, _LOUD_SCALE = 8.0, 3.0  # nats below them that are kept, and those that become 1
_LEAST_VARIANCE = 1e-7
_LEAST_SECONDS = 0.1  # what is shorter is heard with silence behind it


def features(samples: Samples, front: FrontConfig) -> Features:
    """Features (F, frames) of samples (N,) at the front's rate."""
    least = round(_LEAST_SECONDS * front.rate)
    if len(samples) < least:
        samples = np.pad(samples, (0, least - len(samples)))
    return SPECTRA[front.spectrum](samples, front)


def frames_of(count: int, front: FrontConfig) -> int:
    """How many frames come of so many samples."""
    count = max(count, round(_LEAST_SECONDS * front.rate))
    if front.spectrum in ("samples", "even_samples"):
        return count
    if front.spectrum == "whisper":
        return count // 160
    return 1 + (count - front.rate * 25 // 1000) // (front.rate // 100)


def _whisper(samples: Samples, front: FrontConfig) -> Features:
    return log_mel(samples, front.features)


def _banks(samples: Samples, front: FrontConfig) -> Features:
    """Filter banks of mean 0 and deviation 1 over all of the sound, however loud that is."""
    made = filter_banks(samples, front.features, front.rate)
    np.maximum(made, made.max() - _RANGE, out=made)
    made -= made.mean()
    made /= max(float(made.std()), 1e-3)
    return made


def _loud_banks(samples: Samples, front: FrontConfig) -> Features:
    """Filter banks beside the five loudest frames, from 8 nats below, in units of 3 nats.

    Silence around speech, and how quiet it is there, do not move what is said.
    """
    made = filter_banks(samples, front.features, front.rate)
    means = made.mean(axis=0)
    made -= np.sort(means)[-_LOUD_FRAMES:].mean()
    np.maximum(made, -_LOUD_RANGE, out=made)
    made += _LOUD_RANGE / 3  # so that the mean of speech is near 0
    made /= _LOUD_SCALE
    return made


def _samples(samples: Samples, _front: FrontConfig) -> Features:
    return np.asarray(samples, np.float32)[None]


def _even_samples(samples: Samples, _front: FrontConfig) -> Features:
    """The samples themselves, of mean 0 and deviation 1 (Baevski et al. 2020, §2)."""
    wide = samples.astype(np.float64)
    made = (wide - wide.mean()) / np.sqrt(wide.var() + _LEAST_VARIANCE)
    return np.asarray(made, np.float32)[None]


SPECTRA: Mapping[Spectrum, Callable[[Samples, FrontConfig], Features]] = {
    "whisper": _whisper,
    "banks": _banks,
    "loud_banks": _loud_banks,
    "samples": _samples,
    "even_samples": _even_samples,
}
