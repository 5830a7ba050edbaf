"""From the description of a network to what the compiled runtime reads."""

import math

import numpy as np

from loquent.architecture import ModelConfig, StackConfig, rotary_frequencies
from loquent.errors import ConfigError
from loquent.native._core import Activation, ModelSettings, Pooling, Positions, StackSettings

_MOST = 2**20


def executable(config: ModelConfig) -> bool:
    """Whether the compiled runtime executes all of a network."""
    return not unexecuted(config)


def unexecuted(config: ModelConfig) -> str:
    """What of a network the compiled runtime does not execute, in words; "" where it does all."""
    parts = []
    if config.output != "token" and config.encoder is not None and config.decoder is not None:
        parts.append(f"the output {config.output!r} of an encoder with a decoder")
    if config.output == "speech":
        parts.append("the output 'speech'")
    if config.output == "token" and config.head_activation:
        parts.append("a map before the head of a network that writes")
    for name, stack in (("encoder", config.encoder), ("decoder", config.decoder)):
        if stack is None:
            continue
        if stack.mixer != "attention":
            parts.append(f"the mixer {stack.mixer!r} of its {name}")
        if not stack.layers:
            parts.append(f"a {name} without layers")
        if stack.norm_place == "none":
            parts.append(f"layers without norms in its {name}")
        if not stack.residual:
            parts.append(f"layers without residual branches in its {name}")
        if stack.front is not None and not stack.front.plain:
            parts.append("a front that is more than padded convolutions")
        if stack.positions == "convolution":
            parts.append("positions by a convolution")
    return ", ".join(parts)


def model_settings(config: ModelConfig) -> ModelSettings:
    """All of a network's settings, with the defaults filled in.

    Raises ConfigError for a network that the compiled runtime does not execute.
    """
    if missing := unexecuted(config):
        raise ConfigError(
            f"the native runtime does not execute {missing}.", fix="Use the runtime 'torch'."
        )
    made = ModelSettings()
    made.vocabulary = config.vocabulary
    made.source_vocabulary = config.source_vocabulary
    if config.encoder is not None:
        made.has_encoder, made.encoder = True, _stack(config.encoder)
    if config.decoder is not None:
        made.has_decoder, made.decoder = True, _stack(config.decoder)
    made.tied, made.shared = config.tied, config.shared
    made.head_bias = config.head_bias and config.decoder is not None
    if config.output != "token":
        _tell(made, config)
    made.embedding_scale, made.logit_scale = config.embedding_scale, config.logit_scale
    return made


def _tell(made: ModelSettings, config: ModelConfig) -> None:
    """The settings of a head that tells of whole texts."""
    words = config.output in ("masked", "ctc")
    made.reads = True
    made.pooled = config.output in ("class", "labels", "embedding")
    made.pooling = getattr(Pooling, config.pooling)
    spans = 2 if config.output == "span" else config.outputs
    made.outputs = config.vocabulary if words else spans
    made.tied = words and config.tied
    made.head_bias = config.head_bias if words else config.output != "embedding"
    made.head_hidden, made.head_norm = bool(config.head_activation), config.head_norm
    if config.head_activation:
        made.head_activation = getattr(Activation, config.head_activation)


def _stack(config: StackConfig) -> StackSettings:
    if config.front is not None and max(config.front.kernels) > _MOST:
        raise ConfigError(f"kernels of a front see at most {_MOST} frames here.")
    for name in ("rotary_width", "relative_distance"):  # tables of this size are made below
        if (value := getattr(config, name)) > _MOST:
            raise ConfigError(f"{name} is {value}, but at most {_MOST} are executed here.")
    made = StackSettings()
    for name in (
        "layers",
        "width",
        "length",
        "heads",
        "feedforward",
        "segments",
        "causal",
        "cross",
        "gated",
        "attention_bias",
        "output_bias",
        "feedforward_bias",
        "norm_bias",
        "embedding_norm",
        "final_norm",
        "norm_epsilon",
    ):
        setattr(made, name, getattr(config, name))
    if (front := config.front) is not None:
        made.front_features, made.front_kernels = front.features, list(front.kernels)
        made.front_strides = list(front.strides)
        made.front_activation = getattr(Activation, front.activation)
    made.kv_heads, made.head_width = config.key_heads, config.each_head_width
    made.memory_width = config.memory_width or config.width
    made.attention_scale = config.scale
    made.rms, made.norm_first = config.norm == "rms", config.norm_place == "pre"
    made.activation = getattr(Activation, config.activation)
    made.positions = getattr(Positions, config.positions)
    if config.positions == "rotary":
        made.rotary_frequencies = rotary_frequencies(config.rotary, config.rotary_width)
        made.rotary_magnitude = config.rotary.magnitude
    if config.positions == "relative":
        made.relative_bucket_count = config.relative_buckets
        made.relative_buckets = relative_buckets(config)
    return made


def relative_buckets(config: StackConfig) -> list[int]:
    """The bucket of each offset key - query from -distance to distance (Raffel et al. 2020, §2.1).

    Half of the buckets are exact distances, the others grow with their logarithm; where both
    directions are seen, each has half of all. Offsets further away have the last one's bucket.
    """
    distance, count = config.relative_distance, config.relative_buckets
    offset = np.arange(-distance, distance + 1)
    if config.causal:
        side, far = np.zeros_like(offset), np.maximum(-offset, 0)
    else:
        count //= 2
        side, far = (offset > 0) * count, np.abs(offset)
    exact = count // 2
    # in single precision, as networks of this kind were trained
    ratio = np.log(np.maximum(far, 1).astype(np.float32) / exact)
    growth = ratio / np.float32(math.log(distance / exact))
    wide = np.minimum(exact + (growth * (count - exact)).astype(np.int64), count - 1)
    buckets: list[int] = (side + np.where(far < exact, far, wide)).tolist()
    return buckets
