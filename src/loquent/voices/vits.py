"""VITS (Kim et al. 2021) in NumPy: from ids of a text to a wave, all in one network.

Text → a distribution for each id → durations → the distribution of each frame, of which one is
drawn → flows backwards → a wave. Arrays are (channels, time), of the type that the weights have.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from loquent.checkpoints.families.vits import VitsSettings
from loquent.errors import RequestError
from loquent.graphs.elementwise import gelu
from loquent.voices.layers import (
    Weights,
    gated,
    linear,
    longer,
    norm,
    padded,
    same,
    separable,
)
from loquent.voices.spline import inverse

Array = NDArray[Any]

MOST_FRAMES = 1 << 16  # of one sentence; about ten minutes
_ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "gelu": gelu,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}
_LAST_SLOPE = 0.01


class Noise(Protocol):
    """What is random: a NumPy Generator, or given numbers in tests."""

    def standard_normal(self, shape: tuple[int, ...]) -> Array:
        """Values of the normal distribution."""


class Vits:
    """The network."""

    def __init__(self, settings: VitsSettings, weights: Mapping[str, Array]) -> None:
        self.settings = settings
        self._weights = Weights(weights)
        self.kind = self._weights["text.embedding.weight"].dtype

    def wave(self, ids: Sequence[int], noise: Noise, *, speed: float = 1.0) -> Array:
        """The wave (N,) of a text's ids; raises RequestError where it would last too long."""
        settings = self.settings
        text, mean, log_scale = self._read(ids)
        log_durations = self._durations(text, noise)
        frames = np.ceil(np.exp(log_durations) / (settings.speed * speed)).astype(np.int64)
        if not 0 < frames.sum() <= MOST_FRAMES:
            raise RequestError(f"the text would last {frames.sum()} frames.", fix="Divide it.")
        mean, log_scale = (np.repeat(each, frames, axis=1) for each in (mean, log_scale))
        drawn = noise.standard_normal(mean.shape).astype(self.kind)
        return self._sound(
            self._flowed(mean + drawn * np.exp(log_scale) * self._real(settings.noise))
        )

    def _real(self, value: float) -> Any:
        return self.kind.type(value)

    def _read(self, ids: Sequence[int]) -> tuple[Array, Array, Array]:
        """The text's encoder: (width, T), and mean and log deviation (flow_width, T) of each id."""
        settings, weights = self.settings, self._weights.at("text")
        act = _ACTIVATIONS[settings.activation]
        table = weights["embedding.weight"]
        x = table[np.asarray(ids)].T * self._real(settings.width**0.5)
        reach = settings.feedforward_kernel - 1
        pads = (reach // 2, reach - reach // 2)
        for layer in range(settings.layers):
            own = weights.at("layers").at(layer)
            x = norm(
                x + self._attended(x, own.at("attention")),
                own.at("attention_norm"),
                settings.epsilon,
            )
            made = act(padded(x, own.at("feedforward.up"), pads))
            made = padded(made, own.at("feedforward.down"), pads)
            x = norm(x + made, own.at("feedforward_norm"), settings.epsilon)
        mean, log_scale = np.split(same(x, weights.at("output")), 2)
        return x, mean, log_scale

    def _attended(self, x: Array, weights: Weights) -> Array:
        """Attention with vectors for near places (Shaw et al. 2018, §3): (C, T) → (C, T)."""
        heads, window = self.settings.heads, self.settings.window
        length = x.shape[1]
        query, key, value = (
            linear(x, weights.at(name)).reshape(heads, -1, length).swapaxes(1, 2)
            for name in ("query", "key", "value")
        )  # (heads, T, width of a head)
        query = query * self._real(query.shape[2] ** -0.5)
        scores = query @ key.swapaxes(1, 2)
        near, offsets = _near(length, window)
        relative = query @ weights["relative_key.weight"].swapaxes(1, 2)
        scores += np.where(near, np.take_along_axis(relative, offsets[None], 2), 0)
        scores = np.exp(scores - scores.max(2, keepdims=True))
        scores /= scores.sum(2, keepdims=True)
        made = scores @ value + _banded(scores, window) @ weights["relative_value.weight"]
        return linear(made.swapaxes(1, 2).reshape(-1, length), weights.at("output"))

    def _durations(self, text: Array, noise: Noise) -> Array:
        """The logarithm of how many frames each id lasts: (T,)."""
        settings, weights = self.settings, self._weights.at("durations")
        if not settings.stochastic:
            for layer in (1, 2):
                text = np.maximum(same(text, weights.at("convolutions").at(layer)), 0)
                text = norm(text, weights.at("norms").at(layer), settings.epsilon)
            return np.asarray(same(text, weights.at("output"))[0])
        layers = settings.duration_layers
        text = separable(same(text, weights.at("input")), weights.at("separable"), layers)
        text = same(text, weights.at("output"))
        drawn = noise.standard_normal((2, text.shape[1])).astype(self.kind)
        latent = drawn * self._real(settings.duration_noise)
        flows = weights.at("flows")
        for flow in range(settings.duration_flows, 1, -1):  # the first of them is of no use here
            latent = self._splined(latent[::-1], text, flows.at(flow))
        latent = latent[::-1]
        own = flows.at(0)
        made = (latent - own["shift.weight"]) * np.exp(-own["scale.weight"])
        return np.asarray(made[0])

    def _splined(self, latent: Array, text: Array, weights: Weights) -> Array:
        """The second of two channels bent back by a spline that the first and the text tell."""
        settings = self.settings
        made = same(latent[:1], weights.at("input")) + text
        made = separable(made, weights.at("separable"), settings.duration_layers)
        told = same(made, weights.at("output")).T  # (T, 3 bins - 1)
        bins, size = settings.bins, self._real(settings.width**0.5)
        second = inverse(
            latent[1], told[:, :bins] / size, told[:, bins : 2 * bins] / size, told[:, 2 * bins :],
            settings.bound,
        )  # fmt: skip
        return np.stack([latent[0], second])

    def _flowed(self, latent: Array) -> Array:
        """Couplings of channels, backwards (Dinh et al. 2017, §3.2)."""
        settings = self.settings
        for flow in range(settings.flows - 1, -1, -1):
            weights = self._weights.at("flow").at(flow)
            first, second = np.split(latent[::-1], 2)
            made = same(first, weights.at("input"))
            made = gated(made, weights, settings.flow_layers, settings.flow_dilation)
            latent = np.concatenate([first, second - same(made, weights.at("output"))])
        return latent

    def _sound(self, latent: Array) -> Array:
        """From frames to a wave, longer stage by stage (Kong et al. 2020, §2.2)."""
        settings, weights = self.settings, self._weights.at("wave")
        x = same(latent, weights.at("input"))
        kinds = len(settings.kernels)
        for stage, rate in enumerate(settings.rates):
            x = longer(x, weights.at("longer").at(stage), rate, slope=settings.slope)
            total = np.zeros_like(x)
            for kind, dilations in enumerate(settings.dilations):
                total += self._block(x, weights.at("blocks").at(stage * kinds + kind), dilations)
            x = total / self._real(kinds)
        return np.asarray(np.tanh(same(x, weights.at("output"), slope=_LAST_SLOPE))[0])

    def _block(self, x: Array, weights: Weights, dilations: Sequence[int]) -> Array:
        for place, dilation in enumerate(dilations):
            first, second = weights.at("first").at(place), weights.at("second").at(place)
            made = same(x, first, dilation=dilation, slope=self.settings.slope)
            x = same(made, second, slope=self.settings.slope, residual=x)
        return x


def _near(length: int, window: int) -> tuple[Array, Array]:
    """Which places have a vector of their own, and its number: (T, T) each."""
    places = np.arange(length)
    offsets = places[None] - places[:, None] + window
    return (offsets >= 0) & (offsets <= 2 * window), np.clip(offsets, 0, 2 * window)


def _banded(shares: Array, window: int) -> Array:
    """The shares of near places, by offset: (heads, T, T) → (heads, T, 2 window + 1)."""
    length = shares.shape[1]
    around = np.pad(shares, ((0, 0), (0, 0), (window, window)))
    offsets = np.arange(length)[:, None] + np.arange(2 * window + 1)
    return np.take_along_axis(around, np.broadcast_to(offsets, (len(shares), *offsets.shape)), 2)
