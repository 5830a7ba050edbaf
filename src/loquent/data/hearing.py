"""From sounds of a store to features of a batch, varied on the way where that is to be learned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import FrontConfig
from loquent.audio.features import features
from loquent.audio.rates import resampled
from loquent.audio.sound import Samples, Sound
from loquent.data.permutation import mix
from loquent.errors import ConfigError

SCALE = 32767  # of stored samples, which are whole numbers of 16 bits
_ROUGH, _CLEAN = 5.0, 30.0  # decibels of speech above the noise that is added
_GAIN = 6.0  # decibels that a varied sound is louder or softer at most

Features = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How sounds are varied while they are learned; zeros change nothing."""

    speed: float = 0.0  # faster or slower by up to this share (Ko et al. 2015)
    tempo: float = 0.0  # the same at the same pitch, by up to this share
    noise: float = 0.0  # share of sounds that get noise
    bins: int = 0  # widest band of bins that is hidden, twice (SpecAugment, Park et al. 2019)
    frames: float = 0.0  # largest share of frames that is hidden, twice
    warp: float = 0.0  # bands higher or lower by up to this share (Jaitly and Hinton 2013)
    channel: float = 0.0  # deviations by which other microphones raise and lower bands
    silence: float = 0.0  # seconds without sound that are added before and behind, at most

    def __post_init__(self) -> None:
        rules = (
            (0 <= self.speed <= 0.5, f"sound.speed must be in [0, 0.5], not {self.speed}."),
            (0 <= self.tempo <= 0.5, f"sound.tempo must be in [0, 0.5], not {self.tempo}."),
            (0 <= self.silence <= 10, f"sound.silence must be in [0, 10], not {self.silence}."),
            (0 <= self.noise <= 1, f"sound.noise must be in [0, 1], not {self.noise}."),
            (0 <= self.warp <= 0.5, f"sound.warp must be in [0, 0.5], not {self.warp}."),
            (0 <= self.channel <= 5, f"sound.channel must be in [0, 5], not {self.channel}."),
            (self.bins >= 0, f"sound.hide_bins must not be negative, but is {self.bins}."),
            (0 <= self.frames <= 0.5, f"sound.hide_frames must be in [0, 0.5], not {self.frames}."),
        )
        for holds, message in rules:
            if not holds:
                raise ConfigError(message)


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """What a network hears, and how its examples are varied."""

    front: FrontConfig
    variation: Variation | None = None
    least_seconds: float = 0.0  # shorter sounds are heard with silence behind them
    most_seconds: float = 0.0  # longer ones, which only a variation makes, are cut; 0: never

    def features(self, sound: NDArray[np.int16], chance: Sequence[int]) -> Features:
        """Features (F, frames) of a sound (N,); `chance` are the numbers that vary it."""
        samples = np.asarray(sound, np.float32) / np.float32(SCALE)
        varied = self.variation
        if varied is None:
            return features(self._windowed(samples), self.front)
        random = np.random.default_rng(mix(*chance))
        samples = _faster(samples, varied.speed, self.front.rate, random)
        most = round(varied.silence * self.front.rate)
        if most:
            samples = np.pad(samples, random.integers(0, most + 1, 2))
        samples = _noisy(samples, varied, random)
        made = features(self._windowed(samples), self.front)
        made = _warped(_stretched(made, varied.tempo, random), varied.warp, random)
        return _hidden(_colored(made, varied.channel, random), varied, random)

    def _windowed(self, samples: Samples) -> Samples:
        least = round(self.least_seconds * self.front.rate)
        most = round(self.most_seconds * self.front.rate) or None
        return np.pad(samples, (0, max(least - len(samples), 0)))[:most]


def stored(samples: Samples) -> NDArray[np.int16]:
    """Samples (N,) as a store holds them; what is beyond full scale is cut there."""
    return np.round(np.clip(samples, -1, 1) * SCALE).astype(np.int16)


def _faster(samples: Samples, most: float, rate: int, random: np.random.Generator) -> Samples:
    if not most:
        return samples
    spoken = round(rate * (1 + random.uniform(-most, most)))  # taken for what it is not
    return resampled(Sound(samples, spoken), rate).samples


def _noisy(samples: Samples, varied: Variation, random: np.random.Generator) -> Samples:
    """Noise between white and brown at some level below the speech, and another loudness."""
    if not varied.noise or random.random() >= varied.noise:
        return samples
    white = np.fft.rfft(random.standard_normal(len(samples)))
    tilt = random.uniform(0, 1)
    noise = np.fft.irfft(white / np.maximum(np.arange(len(white)), 1) ** tilt, len(samples))
    level = np.sqrt(np.mean(np.square(samples)) / max(float(np.mean(np.square(noise))), 1e-20))
    level *= 10 ** (-random.uniform(_ROUGH, _CLEAN) / 20)
    gain = 10 ** (random.uniform(-_GAIN, _GAIN) / 20)
    return np.asarray((samples + level * noise) * gain, np.float32)


def _stretched(made: Features, most: float, random: np.random.Generator) -> Features:
    """Frames read from places that lie closer together or farther apart."""
    if not most:
        return made
    last = made.shape[1] - 1
    count = max(round((last + 1) / (1 + random.uniform(-most, most))), 1)
    return _between(made.T, np.linspace(0, last, count)).T


def _between(made: Features, places: NDArray[np.float64]) -> Features:
    """Rows of an array at places (P,) between its rows."""
    below = places.astype(np.int64)
    above = np.minimum(below + 1, len(made) - 1)
    share = np.asarray(places - below, np.float32)[:, None]
    read: Features = made[below] * (1 - share) + made[above] * share
    return read


def _warped(made: Features, most: float, random: np.random.Generator) -> Features:
    """Bands as of another throat: each is read from a place that is higher or lower by a factor."""
    if not most:
        return made
    factor = 1 + random.uniform(-most, most)
    places = np.clip(np.arange(len(made)) * factor, 0, len(made) - 1)
    return _between(made, places)


def _colored(made: Features, most: float, random: np.random.Generator) -> Features:
    """Bands raised and lowered along three slow waves, as by another microphone or room."""
    if not most:
        return made
    places = (np.arange(len(made)) + 0.5) / len(made)
    waves = np.cos(np.pi * np.arange(1, 4)[:, None] * places + random.uniform(0, 6.28, (3, 1)))
    curve = random.uniform(-most, most, 3) @ waves / 3
    return made + np.asarray(curve, np.float32)[:, None]


def _hidden(made: Features, varied: Variation, random: np.random.Generator) -> Features:
    """Two bands and two spans of time at the mean of all (Park et al. 2019, §2)."""
    bins, frames = made.shape
    mean = made.mean()
    for _ in range(2):
        wide = int(random.integers(0, min(varied.bins, bins) + 1))
        at = int(random.integers(0, bins - wide + 1))
        made[at : at + wide] = mean
        long = int(random.integers(0, int(varied.frames * frames) + 1))
        at = int(random.integers(0, frames - long + 1))
        made[:, at : at + long] = mean
    return made
