"""The encoder of a trained voice in NumPy: attention both ways over phonemes."""

import numpy as np

from loquent.architecture import StackConfig, rotary_frequencies
from loquent.errors import CheckpointError
from loquent.graphs.elementwise import sigmoid
from loquent.voices.layers import Array, Weights


def check_encoder(config: StackConfig) -> None:
    """Raise CheckpointError for what is not executed here; the task speak makes nothing else."""
    rules = {
        "mixer": config.mixer == "attention",
        "positions": config.positions == "rotary",
        "norm": config.norm == "rms" and config.norm_place == "pre" and config.residual,
        "gated": config.gated and config.activation == "silu" and config.feedforward > 0,
        "bias": not (config.attention_bias or config.output_bias or config.feedforward_bias),
        "final_norm": config.final_norm and not config.embedding_norm,
        "kv_heads": config.key_heads == config.heads,
        "causal": not config.causal,
    }
    other = [name for name, holds in rules.items() if not holds]
    if other:
        raise CheckpointError(f"a voice's encoder with another {', '.join(other)} is not executed.")


def encoded(ids: Array, config: StackConfig, weights: Weights) -> Array:
    """States (T, D) of phonemes (T,): a Transformer (Vaswani et al. 2017) with rotary positions."""
    x = weights["embedding.weight"][ids]
    turns = np.outer(
        np.arange(len(ids)), rotary_frequencies(config.rotary, config.rotary_width)
    ).astype(x.dtype)
    cosine, sine = np.cos(turns), np.sin(turns)
    for number in range(config.layers):
        layer = weights.at("layers").at(number)
        attention = layer.at("attention")
        y = _even(x, layer["attention_norm.weight"], config.norm_epsilon)
        query, key, value = (
            (y @ attention[f"{name}.weight"].T).reshape(len(ids), config.heads, -1).swapaxes(0, 1)
            for name in ("query", "key", "value")
        )
        query, key = _turned(query, cosine, sine), _turned(key, cosine, sine)
        scores = query @ key.swapaxes(1, 2) * x.dtype.type(config.scale)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        gathered = (scores @ value).swapaxes(0, 1).reshape(len(ids), -1)
        x = x + gathered @ attention["output.weight"].T
        y = _even(x, layer["feedforward_norm.weight"], config.norm_epsilon)
        inner = layer.at("feedforward")
        gate = y @ inner["gate.weight"].T
        x = x + (gate * sigmoid(gate) * (y @ inner["up.weight"].T)) @ inner["down.weight"].T
    return _even(x, weights["norm.weight"], config.norm_epsilon)


def _even(x: Array, weight: Array, epsilon: float) -> Array:
    """RMSNorm (Zhang and Sennrich 2019, eq. 4)."""
    size = np.sqrt(np.mean(x * x, -1, keepdims=True) + x.dtype.type(epsilon))
    return np.asarray(x / size * weight)


def _turned(x: Array, cosine: Array, sine: Array) -> Array:
    """Pairs that stand half of the width apart (Su et al. 2021): (H, T, W)."""
    width = cosine.shape[1]
    first, second, rest = x[..., :width], x[..., width : 2 * width], x[..., 2 * width :]
    turned = (first * cosine - second * sine, second * cosine + first * sine, rest)
    return np.concatenate(turned, -1)
