"""From spectra to a wave: pulses through a filter, noise, and the inverse Fourier transform.

The formula is the one that the makers of the small spectral voice give for its outputs:
S = e^lh · e^(iπ tanh θ) · E + e^ln · Z + e^lr · e^(iφ), with E the spectrum of pulses and Z noise.
"""

from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.native import Mixer, uniform

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
        parts = np.fft.irfft(spectrum, self.size, axis=1).astype(np.float32)
        parts *= self.window
        parts = parts.reshape(count, shifts, self.hop)
        sums = np.zeros((count + shifts - 1, self.hop), np.float32)
        for shift in range(shifts):
            sums[shift : shift + count] += parts[:, shift]
        return self.middle(sums.reshape(-1), count)

    def middle(self, sums: Array, count: int) -> Array:
        """The wave (count · hop,) of windowed frames that were added up: (count · hop + …,)."""
        shifts = self.size // self.hop
        window = self.window
        weight = (window * window).reshape(shifts, self.hop)
        weights = np.zeros((count + shifts - 1, self.hop), np.float32)
        for shift in range(shifts):
            weights[shift : shift + count] += weight[shift]
        made = sums / np.maximum(weights, 1e-11).reshape(-1)
        half = self.size // 2
        return np.asarray(made[half : half + count * self.hop])


def pulses(hertz: Array, frames: Frames) -> Array:
    """Pulses at a pitch (F,) of each frame: (F · hop,); silence where nothing is voiced.

    A pulse is the sum of all harmonics below a limit, cos t + … + cos Ht, in closed form
    (Dirichlet's kernel). Between frames the pitch goes straight on.
    """
    pitch = _between(np.asarray(hertz, np.float32), frames.hop)
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


def _between(values: Array, hop: int) -> Array:
    """Numbers (F,) that stand in the middle of frames, and straight lines between: (F · hop,)."""
    around = np.concatenate([values[:1], values, values[-1:]])
    first = hop // 2  # sample behind, or at, the middle of a frame
    share = (np.arange(hop, dtype=np.float32) + np.float32(first + 0.5 - hop / 2)) / np.float32(hop)
    made = around[:-1, None] + (around[1:] - around[:-1])[:, None] * share
    return np.asarray(made.reshape(-1)[hop - first : hop - first + len(values) * hop])


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
    made = pulses(parts.hertz, frames)
    radius, angle = _noise(parts.harmonics.shape[::-1], random)
    native = _mixer(frames)
    if native is None:
        return _mixed(parts, frames, made, (radius.T, angle.T))
    told = (parts.harmonics, parts.turned, parts.noise, parts.rest, parts.phase)
    given = [*(np.ascontiguousarray(each.T, np.float32) for each in told), radius, angle]
    around = np.pad(made, frames.size // 2, mode="reflect")
    used = (len(parts.hertz) - 1) * frames.hop + frames.size
    return frames.middle(native.run(given, around[:used]), len(parts.hertz))


def _noise(shape: tuple[int, ...], random: np.random.Generator) -> tuple[Array, Array]:
    """Size and angle of complex numbers of the normal distribution (Box and Muller 1958)."""
    key = int(random.integers(1 << 63))
    size, angle = uniform(key, 2 * prod(shape)).reshape(2, *shape)  # NumPy holds others up
    np.subtract(1, size, out=size)  # above 0
    np.log(size, out=size)
    size *= -2
    np.sqrt(size, out=size)
    angle *= np.float32(2 * np.pi)
    return size, angle


@cache
def _mixer(frames: Frames) -> Mixer | None:
    """The native runtime's; None for frames that it does not transform."""
    try:
        return Mixer(frames.window, frames.hop)
    except ValueError:
        return None


def _mixed(parts: Parts, frames: Frames, made: Array, noise: tuple[Array, Array]) -> Array:
    """The same in NumPy, which transforms frames of any length."""
    spectrum = frames.spectrum(made, len(parts.hertz))
    spectrum /= frames.size / 4  # so that a harmonic is as loud as the network says
    spectrum *= _polar(_loud(parts.harmonics), np.tanh(parts.turned) * np.float32(np.pi))
    spectrum += _polar(noise[0] * _loud(parts.noise), noise[1])
    spectrum += _polar(_loud(parts.rest), parts.phase)
    return frames.wave(spectrum)


def _loud(logarithm: Array) -> Array:
    return np.exp(np.minimum(logarithm, np.float32(LOUDEST)))


def _polar(size: Array, angle: Array) -> Array:
    made = np.empty(size.shape, np.complex64)
    np.multiply(size, np.cos(angle), out=made.real)
    np.multiply(size, np.sin(angle), out=made.imag)
    return made
