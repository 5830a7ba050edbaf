"""Networks by name, with their sizes and how each is trained best."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from loquent.architecture import Pooling, StackConfig
from loquent.tasks import Stacks

Size = Literal["tiny", "small", "base"]


@dataclass(frozen=True)
class Shape:
    """The sizes of one stack, from a preset or as a plan says."""

    layers: int
    width: int
    heads: int = 1
    feedforward: int = 0


@dataclass(frozen=True, kw_only=True)
class Network:
    """A kind of network: which stacks it can be, its sizes, and how it is trained best."""

    does: str  # in words, for --help
    stacks: tuple[Stacks, ...]  # what it is made for: "decoder", "encoder", "both"
    shapes: Mapping[Size, Shape]
    stack: Callable[[Shape, int], StackConfig]  # (sizes, longest input) -> a decoder
    rate: Mapping[Size, float]
    training: Mapping[str, Any]  # further fields of TrainingConfig
    dropout: Mapping[Size, float]
    pooling: Pooling = "mean"
    ngrams: bool = False  # whether it can have vectors of n-grams
    family: str = "loquent"  # how its files are spelled, where that can express it


def _attentive(shape: Shape, length: int) -> StackConfig:
    """Rotary positions, RMSNorm and gated maps, as Llama has them (Touvron et al. 2023)."""
    return StackConfig(
        layers=shape.layers,
        width=shape.width,
        heads=shape.heads,
        feedforward=shape.feedforward,
        length=length,
        activation="silu",
        gated=True,
        norm="rms",
        positions="rotary",
    )


def _gpt2(shape: Shape, length: int) -> StackConfig:
    """Learned positions, LayerNorm and biases (Radford et al. 2019)."""
    return StackConfig(
        layers=shape.layers,
        width=shape.width,
        heads=shape.heads,
        feedforward=shape.feedforward,
        length=length,
        activation="gelu_tanh",
        attention_bias=True,
        output_bias=True,
        feedforward_bias=True,
    )


def recurrent(mixer: Literal["rnn", "gru", "lstm"]) -> Callable[[Shape, int], StackConfig]:
    """Recurrent layers in residual branches with norms, which deep ones need to learn at all."""
    return lambda shape, _length: StackConfig(
        layers=shape.layers, width=shape.width, length=0, mixer=mixer, positions="none"
    )


def _convolution(shape: Shape, _length: int) -> StackConfig:
    """Gated convolutions (Dauphin et al. 2017) of five tokens each."""
    return StackConfig(
        layers=shape.layers, width=shape.width, length=0, mixer="conv", kernel=5, positions="none"
    )


def _text_convolution(shape: Shape, _length: int) -> StackConfig:
    """Maps of three, four and five tokens side by side, one layer (Kim 2014)."""
    return StackConfig(
        layers=shape.layers,
        width=shape.width,
        length=0,
        mixer="text_conv",
        causal=False,
        kernels=(3, 4, 5),
        norm_place="none",
        residual=False,
        final_norm=False,
        positions="none",
    )


def _bag(shape: Shape, _length: int) -> StackConfig:
    """Embeddings and nothing else (Joulin et al. 2017)."""
    return StackConfig(
        layers=0,
        width=shape.width,
        length=0,
        causal=False,
        final_norm=False,
        positions="none",
    )


def _bahdanau(shape: Shape, _length: int) -> StackConfig:
    """A GRU that looks at the source through additive attention (Bahdanau et al. 2015)."""
    return StackConfig(
        layers=shape.layers,
        width=shape.width,
        length=0,
        mixer="bahdanau",
        cross=True,
        positions="none",
    )


_ATTENTION_SHAPES: Mapping[Size, Shape] = {
    "tiny": Shape(4, 128, 4, 352),
    "small": Shape(6, 384, 6, 1024),
    "base": Shape(12, 768, 12, 2048),
}
_RECURRENT_SHAPES: Mapping[Size, Shape] = {
    "tiny": Shape(1, 256),
    "small": Shape(2, 512),
    "base": Shape(3, 1024),
}
_ATTENTION_RATES: Mapping[Size, float] = {"tiny": 3e-3, "small": 1e-3, "base": 6e-4}
_RECURRENT_RATES: Mapping[Size, float] = {"tiny": 4e-3, "small": 2e-3, "base": 1e-3}
_LITTLE: Mapping[Size, float] = {"tiny": 0.0, "small": 0.2, "base": 0.1}
_SOME: Mapping[Size, float] = {"tiny": 0.1, "small": 0.3, "base": 0.3}
_HALF: Mapping[Size, float] = dict.fromkeys(("tiny", "small", "base"), 0.5)
_ALL: tuple[Stacks, ...] = ("decoder", "encoder", "both")

NETWORKS: Mapping[str, Network] = {
    "transformer": Network(
        does="attention and feedforward layers (Vaswani et al. 2017)",
        stacks=_ALL,
        shapes=_ATTENTION_SHAPES,
        stack=_attentive,
        rate=_ATTENTION_RATES,
        training={"weight_decay": 0.1, "betas": (0.9, 0.98)},
        dropout=_LITTLE,
        family="llama",
    ),
    "gpt2": Network(
        does="the same as GPT-2 has it (Radford et al. 2019)",
        stacks=("decoder",),
        shapes={
            "tiny": Shape(4, 128, 4, 512),
            "small": Shape(6, 384, 6, 1536),
            "base": Shape(12, 768, 12, 3072),
        },
        stack=_gpt2,
        rate=_ATTENTION_RATES,
        training={"weight_decay": 0.1, "betas": (0.9, 0.98)},
        dropout=_LITTLE,
        family="gpt2",
    ),
    "attention": Network(
        does="attention layers alone",
        stacks=_ALL,
        shapes={size: replace(each, feedforward=0) for size, each in _ATTENTION_SHAPES.items()},
        stack=lambda shape, length: replace(
            _attentive(shape, length), gated=False, activation="gelu"
        ),
        rate=_ATTENTION_RATES,
        training={"weight_decay": 0.1, "betas": (0.9, 0.98)},
        dropout=_LITTLE,
    ),
    "lstm": Network(
        does="long short-term memory (Hochreiter and Schmidhuber 1997)",
        stacks=_ALL,
        shapes=_RECURRENT_SHAPES,
        stack=recurrent("lstm"),
        rate=_RECURRENT_RATES,
        training={"weight_decay": 0.01},
        dropout=_SOME,
        pooling="max",
    ),
    "gru": Network(
        does="gated recurrent units (Cho et al. 2014)",
        stacks=_ALL,
        shapes=_RECURRENT_SHAPES,
        stack=recurrent("gru"),
        rate=_RECURRENT_RATES,
        training={"weight_decay": 0.01},
        dropout=_SOME,
        pooling="max",
    ),
    "rnn": Network(
        does="simple recurrent layers (Elman 1990)",
        stacks=_ALL,
        shapes=_RECURRENT_SHAPES,
        stack=recurrent("rnn"),
        rate={"tiny": 2e-3, "small": 1e-3, "base": 5e-4},
        training={"weight_decay": 0.01},
        dropout=_SOME,
        pooling="max",
    ),
    "conv": Network(
        does="gated convolutions (Dauphin et al. 2017)",
        stacks=_ALL,
        shapes={"tiny": Shape(4, 128), "small": Shape(6, 384), "base": Shape(10, 768)},
        stack=_convolution,
        rate=_ATTENTION_RATES,
        training={"weight_decay": 0.01},
        dropout=_SOME,
        pooling="max",
    ),
    "text_conv": Network(
        does="one layer of convolutions over word vectors (Kim 2014)",
        stacks=("encoder",),
        shapes={"tiny": Shape(1, 150), "small": Shape(1, 300), "base": Shape(1, 600)},
        stack=_text_convolution,
        rate={"tiny": 2e-3, "small": 1e-3, "base": 1e-3},
        training={"weight_decay": 0.01},
        dropout=_HALF,
        pooling="max",
    ),
    "bag": Network(
        does="the mean of word vectors (Joulin et al. 2017)",
        stacks=("encoder",),
        shapes={"tiny": Shape(0, 64), "small": Shape(0, 256), "base": Shape(0, 512)},
        stack=_bag,
        rate={"tiny": 5e-3, "small": 3e-3, "base": 2e-3},
        training={"weight_decay": 0.01},
        dropout=_HALF,
        ngrams=True,
    ),
    "bahdanau": Network(
        does="recurrent layers that look at a source (Bahdanau et al. 2015)",
        stacks=("both",),
        shapes={"tiny": Shape(1, 256), "small": Shape(1, 512), "base": Shape(2, 1024)},
        stack=_bahdanau,
        rate={"tiny": 2e-3, "small": 1e-3, "base": 5e-4},
        training={"weight_decay": 0.01},
        dropout=_SOME,
    ),
}


def ignored(kind: str, stacks: Stacks) -> tuple[str, ...]:
    """Settings of a plan's network that change nothing about one of this kind."""
    network = NETWORKS[kind]
    least, more = Shape(2, 24, 2, 48), Shape(3, 48, 3, 96)
    plain = network.stack(least, 8)
    unused = [
        name
        for name in ("layers", "width", "heads", "feedforward")
        if network.stack(replace(least, **{name: getattr(more, name)}), 8) == plain
    ]
    crosses = stacks == "both" and stacks in network.stacks
    if not (replace(plain, cross=True) if crosses else plain).attends:
        unused.append("attention_dropout")
    return tuple(unused)
