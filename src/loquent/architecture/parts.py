"""The names of what stacks and fronts are made of."""

from collections.abc import Mapping
from typing import Literal

Mixer = Literal["attention", "rnn", "gru", "lstm", "conv", "text_conv", "bahdanau"]
Activation = Literal["relu", "gelu", "gelu_tanh", "silu", "tanh"]
Norm = Literal["layer", "rms"]
NormPlace = Literal["pre", "post", "none"]
Positions = Literal[
    "none", "learned", "sinusoidal", "sinusoidal_halves", "rotary", "relative", "convolution"
]

RECURRENT: Mapping[Mixer, int] = {"rnn": 1, "gru": 3, "lstm": 4}  # gates of each
