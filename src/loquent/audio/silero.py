"""Silero's network that tells speech (Silero Team 2024), in NumPy: some 300,000 weights.

Frames of 32 ms with 4 ms of the one before: spectra by a convolution, four convolutions, an LSTM.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from loquent.audio.activity import Chances, Hearing
from loquent.audio.sound import Samples
from loquent.blas import one_thread
from loquent.errors import CheckpointError

_FRAME, _CONTEXT = 512, 64
_WINDOW, _HOP = 256, 128
_HIDDEN = 128
_AT_ONCE = 2048  # frames
SHAPES = {
    "spectrum.weight": (258, 1, 256),
    "convolutions.0.weight": (128, 129, 3),
    "convolutions.1.weight": (64, 128, 3),
    "convolutions.2.weight": (64, 64, 3),
    "convolutions.3.weight": (128, 64, 3),
    "input.weight": (512, 128),
    "recurrent.weight": (512, 128),
    "head.weight": (1, 128, 1),
    "convolutions.0.bias": (128,),
    "convolutions.1.bias": (64,),
    "convolutions.2.bias": (64,),
    "convolutions.3.bias": (128,),
    "input.bias": (512,),
    "recurrent.bias": (512,),
    "head.bias": (1,),
}
_STRIDES = (1, 2, 2, 1)

Array = NDArray[np.float32]


class Silero:
    """The network for 16 kHz with its weights, named and shaped as SHAPES says."""

    name = "silero"
    rate = 16_000
    frame = _FRAME

    def __init__(self, weights: Mapping[str, Array]) -> None:
        """Check the weights; raises CheckpointError where one is missing or of another shape."""
        for name, shape in SHAPES.items():
            found = weights[name].shape if name in weights else None
            if found != shape:
                told = f"has the shape {found}" if found else "is missing"
                raise CheckpointError(f"tensor {name!r} of silero {told}; {shape} is wanted.")
        self.weights = {name: np.asarray(weights[name], np.float32) for name in SHAPES}

    def begin(self) -> Hearing:
        """A new sound."""
        return _Heard(self.weights)


class _Heard:
    """One sound on its way through the network."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._rest = np.zeros(0, np.float32)
        self._before = np.zeros(_CONTEXT, np.float32)
        self._state = np.zeros(_HIDDEN, np.float32)
        self._cell = np.zeros(_HIDDEN, np.float32)

    def next(self, samples: Samples) -> Chances:
        """The chance of speech in each whole frame of what has come; the rest is kept."""
        held = np.concatenate([self._rest, samples])
        count = len(held) // _FRAME
        self._rest = held[count * _FRAME :]
        made = np.empty(count, np.float32)
        with one_thread():
            for at in range(0, count, _AT_ONCE):
                part = held[at * _FRAME : min(at + _AT_ONCE, count) * _FRAME]
                made[at : at + _AT_ONCE] = self._recurrent(self._features(part))
        return made

    def _features(self, samples: Samples) -> Array:
        """The states (F, 128) of frames that know nothing of each other."""
        line = np.concatenate([self._before, samples])
        self._before = line[-_CONTEXT:]
        frames = np.lib.stride_tricks.sliding_window_view(line, _FRAME + _CONTEXT)[::_FRAME]
        mirrored = np.pad(frames, ((0, 0), (0, _CONTEXT)), mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(mirrored, _WINDOW, axis=1)[:, ::_HOP]
        both = windows @ self._weights["spectrum.weight"][:, 0].T  # (F, 4, 258)
        half = both.shape[-1] // 2
        x: Array = np.sqrt(np.square(both[..., :half]) + np.square(both[..., half:]))
        for place, stride in enumerate(_STRIDES):
            x = self._convolved(x, f"convolutions.{place}", stride)
        states: Array = x[:, 0]
        return states

    def _convolved(self, x: Array, name: str, stride: int) -> Array:
        """A convolution of width 3 over (F, T, C) with zeros at its edges, and its ReLU."""
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
        views = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)[:, ::stride]
        flat = views.reshape(*views.shape[:2], -1)  # (F, T, C · 3)
        made: Array = np.maximum(flat @ weight.reshape(len(weight), -1).T + bias, 0)
        return made

    def _recurrent(self, x: Array) -> Chances:
        weights = self._weights
        bias = weights["input.bias"] + weights["recurrent.bias"]
        inputs = x @ weights["input.weight"].T + bias
        recurrent = weights["recurrent.weight"]
        states = np.empty((len(x), _HIDDEN), np.float32)
        for place, given in enumerate(inputs):
            gates = given + recurrent @ self._state
            new = np.tanh(gates[2 * _HIDDEN : 3 * _HIDDEN])
            enter, forget, _, output = _sigmoid(gates).reshape(4, _HIDDEN)
            self._cell = forget * self._cell + enter * new
            self._state = states[place] = output * np.tanh(self._cell)
        logits = np.maximum(states, 0) @ weights["head.weight"][0, :, 0]
        chances: Chances = _sigmoid(logits + weights["head.bias"][0])
        return chances


def _sigmoid(x: Array) -> Array:
    made: Array = (0.5 * (1 + np.tanh(0.5 * x))).astype(np.float32)  # does not overflow
    return made
