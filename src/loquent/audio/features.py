"""What a network hears of a sound, by the names that its description uses."""

from collections.abc import Callable, Mapping

import numpy as np

from loquent.architecture import FrontConfig, Spectrum
from loquent.audio.mel import Spectrum as Features
from loquent.audio.mel import filter_banks, log_mel
from loquent.audio.sound import Samples

_RANGE = 12.0  # nats below the loudest that are kept: some 50 dB
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
    "samples": _samples,
    "even_samples": _even_samples,
}
