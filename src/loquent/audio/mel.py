"""Spectra on the mel scale: what recognizers hear."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from loquent.audio.sound import Samples
from loquent.blas import one_thread
from loquent.errors import ConfigError

HOP = 160  # samples from one frame to the next: 10 ms at 16 kHz
WINDOW = 400  # samples of a frame: 25 ms at 16 kHz
_RATE = 16_000
_AT_ONCE = 4096  # frames
_FLOOR = 1e-10  # of a power before its logarithm
_RANGE = 8.0  # decades below the loudest that are kept

Spectrum = NDArray[np.float32]
Wide = NDArray[np.float64]


def log_mel(samples: Samples, bins: int = 80) -> Spectrum:
    """Whisper's features (bins, N // 160) of samples (N,) at 16 kHz (Radford et al. 2022, §2.2).

    Powers of frames of 25 ms every 10 ms, mirrored at both ends, in Slaney's mel filters; their
    decimal logarithms, at most 8 below the largest, plus 4, by 4. The network's own input is of
    exactly 30 s: pad or cut `samples` to 480,000 before.
    """
    if bins < 1:
        raise ConfigError(f"a spectrum needs at least one bin, not {bins}.")
    half = WINDOW // 2
    if len(samples) <= half:  # a shorter sound cannot be mirrored
        samples = np.pad(samples, (0, half + 1 - len(samples)))
    frames = len(samples) // HOP
    padded = np.pad(samples.astype(np.float64), half, mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames]
    window = np.hanning(WINDOW + 1)[:-1]
    filters = slaney_filters(bins)
    made = np.full((bins, frames), np.log10(_FLOOR), np.float32)
    heard = min(frames, (_end_of(samples) + half) // HOP + 1)  # behind it all is silent padding
    for at in range(0, heard, _AT_ONCE):
        power = _powers(views[at : min(at + _AT_ONCE, heard)] * window, WINDOW)
        with one_thread():
            bands = filters @ power.T
        made[:, at : min(at + _AT_ONCE, heard)] = np.log10(np.maximum(bands, _FLOOR))
    if frames:
        np.maximum(made, made.max() - _RANGE, out=made)
    made += 4
    made /= 4
    return made


def _end_of(samples: Samples) -> int:
    """Where the silence at the end begins, if there is any that is exactly 0."""
    sounding = samples[::-1] != 0
    return len(samples) - int(sounding.argmax()) if sounding.any() else 0


def _powers(frames: Wide, size: int) -> Wide:
    """The power of each frequency (F, size // 2 + 1)."""
    found = np.fft.rfft(frames, size)
    return np.square(found.real) + np.square(found.imag)


@cache
def slaney_filters(bins: int, rate: int = _RATE, window: int = WINDOW) -> Wide:
    """Triangles (bins, window // 2 + 1) of equal area on the mel scale of Slaney (1998).

    The scale is linear up to 1 kHz (15 mel) and logarithmic above, 27 mel for a factor of 6.4.
    """
    frequencies = np.linspace(0, rate / 2, window // 2 + 1)
    edges = _slaney_hertz(np.linspace(0, _slaney_mel(rate / 2), bins + 2))
    slopes = _triangles(edges, frequencies)
    return slopes * (2 / (edges[2:] - edges[:-2]))[:, None]


def _triangles(edges: Wide, places: Wide) -> Wide:
    """Rising from one edge to the next and falling to the one behind (len(edges) - 2, P)."""
    rising = (places - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - places) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling))


def _slaney_mel(hertz: float) -> float:
    linear = hertz * 3 / 200
    return linear if hertz < 1000 else 15 + float(np.log(hertz / 1000)) * 27 / float(np.log(6.4))


def _slaney_hertz(mel: Wide) -> Wide:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * (np.log(6.4) / 27)))


def filter_banks(
    samples: Samples, bins: int = 80, rate: int = _RATE, low_hertz: float = 20.0
) -> Spectrum:
    """Kaldi's log filter banks (bins, frames) of samples (N,), full scale being 1.

    Frames of 25 ms every 10 ms that lie wholly inside; mean removed, pre-emphasis 0.97, Povey's
    window, powers in triangles of the scale 1127·ln(1 + f/700) from `low_hertz` to half the rate,
    natural logarithms; samples count as 16-bit integers there, and nothing is dithered.
    """
    window, hop = rate * 25 // 1000, rate // 100
    frames = max(0, 1 + (len(samples) - window) // hop)
    made = np.empty((bins, frames), np.float32)
    if not frames:
        return made
    size = 1 << (window - 1).bit_length()
    filters = kaldi_filters(bins, rate, size, low_hertz)
    shape = np.hanning(window) ** 0.85
    views = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop][:frames]
    for at in range(0, frames, _AT_ONCE):
        part = views[at : at + _AT_ONCE].astype(np.float64) * 32768
        part -= part.mean(axis=1, keepdims=True)
        part = part - 0.97 * np.concatenate([part[:, :1], part[:, :-1]], axis=1)
        power = _powers(part * shape, size)
        energies = filters @ power.T
        made[:, at : at + _AT_ONCE] = np.log(np.maximum(energies, np.finfo(np.float32).eps))
    return made


@cache
def kaldi_filters(bins: int, rate: int, size: int, low_hertz: float) -> Wide:
    """Triangles (bins, size // 2 + 1) that are straight on the mel scale, as Kaldi has them."""
    if not 0 <= low_hertz < rate / 2:
        raise ConfigError(f"filters from {low_hertz} Hz do not fit {rate} samples a second.")
    edges = np.linspace(_mel(np.array(low_hertz)), _mel(np.array(rate / 2)), bins + 2)
    return _triangles(edges, _mel(np.arange(size // 2 + 1, dtype=np.float64) * (rate / size)))


def _mel(hertz: Wide) -> Wide:
    """1127·ln(1 + f/700) (O'Shaughnessy 1987)."""
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))
