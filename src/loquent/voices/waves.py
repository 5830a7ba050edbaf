"""From spectra to a wave: pulses through a filter, noise, and the inverse Fourier transform.

The formula is the one that the makers of the small spectral voice give for its outputs:
S = e^lh · e^(iπ tanh θ) · E + e^ln · Z + e^lr · e^(iφ), with E the spectrum of pulses and Z noise.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

VOICED_HERTZ = 40.0  # below, there are no pulses
HIGHEST_HERTZ = 11_000.0  # of a pulse's harmonics
HIGHEST_SHARE = 0.48  # of the rate, for lower ones
LOUDEST = 7.0  # of a logarithm, so that no exponential overflows
_NEAR_ZERO = 2e-3  # of a sine, by which cannot be divided


@dataclass(frozen=True)
class Frames:
    """How a wave is cut: windows of `size` samples, each `hop` behind the one before."""

    size: int
    hop: int
    rate: int

    @property
    def window(self) -> Array:
        """A Hann window (Blackman and Tukey 1958) that repeats after `size`: (size,)."""
        turns = 2 * np.pi * np.arange(self.size) / self.size
        return (0.5 - 0.5 * np.cos(turns)).astype(np.float32)

    def spectrum(self, wave: Array, count: int) -> Array:
        """The first `count` frames of a wave (N,), each around its place: (count, size / 2 + 1)."""
        around = np.pad(wave, self.size // 2, mode="reflect")
        parts = np.lib.stride_tricks.sliding_window_view(around, self.size)[:: self.hop][:count]
        return np.asarray(np.fft.rfft(parts * self.window, axis=1).astype(np.complex64))

    def wave(self, spectrum: Array) -> Array:
        """The wave (count · hop,) with the nearest frames (Griffin and Lim 1984, eq. 6)."""
        count, shifts = len(spectrum), self.size // self.hop
        window = self.window
        parts = np.fft.irfft(spectrum, self.size, axis=1).astype(np.float32)
        parts *= window
        parts = parts.reshape(count, shifts, self.hop)
        weight = (window * window).reshape(shifts, self.hop)
        sums = np.zeros((count + shifts - 1, self.hop), np.float32)
        weights = np.zeros_like(sums)
        for shift in range(shifts):
            sums[shift : shift + count] += parts[:, shift]
            weights[shift : shift + count] += weight[shift]
        sums /= np.maximum(weights, 1e-11)
        half = self.size // 2
        return sums.reshape(-1)[half : half + count * self.hop]


def pulses(hertz: Array, frames: Frames) -> Array:
    """Pulses at a pitch (F,) of each frame: (F · hop,); silence where nothing is voiced.

    A pulse is the sum of all harmonics below a limit, cos t + … + cos Ht, in closed form
    (Dirichlet's kernel). Between frames the pitch goes straight on.
    """
    count, hop = len(hertz), frames.hop
    places = (np.arange(count * hop, dtype=np.float32) + np.float32(0.5)) / hop - np.float32(0.5)
    pitch = np.interp(places, np.arange(count), hertz).astype(np.float32)
    voiced = pitch > VOICED_HERTZ
    np.maximum(pitch, VOICED_HERTZ, out=pitch)
    turns = np.cumsum(pitch, dtype=np.float64) / frames.rate
    phase = (2 * np.pi * (turns - np.floor(turns))).astype(np.float32)
    most = min(HIGHEST_HERTZ, HIGHEST_SHARE * frames.rate)
    highest = np.floor(most / pitch) + np.float32(0.5)
    below = 2 * np.sin(phase * np.float32(0.5))
    flat = np.abs(below) <= _NEAR_ZERO
    below[flat] = 1
    made = np.sin(highest * phase) / below
    made[flat] = highest[flat]
    made -= np.float32(0.5)
    made[~voiced] = 0
    return np.asarray(made, np.float32)


@dataclass(frozen=True)
class Parts:
    """What the network says of each frame: all (F, size / 2 + 1) but the pitch, which is (F,)."""

    harmonics: Array  # logarithm of how loud the pulses are
    turned: Array  # how their phases are turned, before tanh
    noise: Array  # logarithm of how loud the noise is
    rest: Array  # logarithm of what is neither
    phase: Array  # of what is neither
    hertz: Array


def mixed(parts: Parts, frames: Frames, random: np.random.Generator) -> Array:
    """The wave (F · hop,) of all parts; `random` draws the noise."""
    count, bins = parts.harmonics.shape
    spectrum = frames.spectrum(pulses(parts.hertz, frames), count)
    spectrum /= frames.size / 4  # so that a harmonic is as loud as the network says
    spectrum *= _polar(_loud(parts.harmonics), np.tanh(parts.turned) * np.float32(np.pi))
    noise = random.standard_normal((count, 2 * bins), dtype=np.float32).view(np.complex64)
    spectrum += noise * _loud(parts.noise)
    spectrum += _polar(_loud(parts.rest), parts.phase)
    return frames.wave(spectrum)


def _loud(logarithm: Array) -> Array:
    return np.exp(np.minimum(logarithm, np.float32(LOUDEST)))


def _polar(size: Array, angle: Array) -> Array:
    made = np.empty(size.shape, np.complex64)
    np.multiply(size, np.cos(angle), out=made.real)
    np.multiply(size, np.sin(angle), out=made.imag)
    return made
