"""Llama and Qwen2 as GGUF files spell them; Mistral and SmolLM come as 'llama' there."""

from functools import partial
from typing import Any

import numpy as np

from loquent.architecture import RotaryConfig, rotary_frequencies
from loquent.checkpoints.families.family import (
    Family,
    GgufFamily,
    Ignored,
    Interleaved,
    Rule,
    Tensors,
    pairs,
    rows,
)
from loquent.checkpoints.families.keys import HEADS, WIDTH, Keys
from loquent.checkpoints.families.llama import LAYER, LLAMA, QWEN2


def _values(kind: str, keys: Keys, tensors: Tensors) -> dict[str, Any]:
    heads = keys.whole("attention.head_count", HEADS)
    width = keys.whole("embedding_length", WIDTH)
    head_width = keys.whole("attention.key_length", WIDTH, max(width // heads, 1))
    for name in ("attention.value_length", "rope.dimension_count"):
        keys.expect(name, [head_width], f"heads are {head_width} wide, and wholly rotated, here.")
    for name in ("expert_count", "expert_used_count"):
        keys.expect(name, [0], "mixtures of experts are another family.")
    vocabulary = rows(tensors, "token_embd.weight")
    keys.expect("vocab_size", [vocabulary], f"the embedding has {vocabulary} rows.")
    keys.raw("tensor_data_layout")  # says where the converter found the weights
    base = keys.number("rope.freq_base", 10000.0, least=1.0)
    values = {
        "vocab_size": vocabulary,
        "max_position_embeddings": keys.raw("context_length"),
        "hidden_size": width,
        "num_hidden_layers": keys.raw("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": keys.raw("attention.head_count_kv"),
        "head_dim": head_width,
        "intermediate_size": keys.raw("feed_forward_length"),
        "rms_norm_eps": keys.raw("attention.layer_norm_rms_epsilon"),
        "rope_theta": base,
        "rope_scaling": _scaling(keys, tensors, base, head_width),
        "tie_word_embeddings": "output.weight" not in tensors,
    }
    if kind == "llama":
        values["attention_bias"] = "blk.0.attn_q.bias" in tensors
        values["mlp_bias"] = "blk.0.ffn_up.bias" in tensors
    return values


def _scaling(keys: Keys, tensors: Tensors, base: float, width: int) -> dict[str, Any] | None:
    scaling = {
        "rope_type": keys.raw("rope.scaling.type"),
        "factor": keys.raw("rope.scaling.factor"),
        "original_max_position_embeddings": keys.raw("rope.scaling.original_context_length"),
    }
    keys.raw("rope.scaling.finetuned")  # says how the network was trained
    if "rope_freqs.weight" in tensors:
        return _llama3(keys, tensors, base, width)
    if scaling["rope_type"] in (None, "none"):
        return None
    return {key: value for key, value in scaling.items() if value is not None}


def _llama3(keys: Keys, tensors: Tensors, base: float, width: int) -> dict[str, Any] | None:
    """The settings behind a table of divisors: Meta released no others than these."""
    stored = tensors["rope_freqs.weight"].astype(np.float64)
    factor = round(float(stored.max(initial=1.0)), 3)
    rotary = RotaryConfig(
        base=base, scaling="llama3", factor=max(factor, 1.0), original_length=8192
    )
    plain = rotary_frequencies(RotaryConfig(base=base), width)
    divisors = np.divide(plain, rotary_frequencies(rotary, width))
    # The table was made in single precision, from single-precision wavelengths.
    if stored.shape != divisors.shape or not np.allclose(stored, divisors, rtol=1e-4, atol=0):
        keys.refuse("rope_freqs.weight does not hold the scaling of Llama 3.1, the only one known.")
        return None
    return {
        "rope_type": "llama3",
        "factor": rotary.factor,
        "low_freq_factor": rotary.low_factor,
        "high_freq_factor": rotary.high_factor,
        "original_max_position_embeddings": rotary.original_length,
    }


def _gguf(family: Family, rotated: type[Interleaved] | type[str]) -> GgufFamily:
    rules: dict[str, Rule] = {
        "token_embd.weight": "decoder.embedding.weight",
        "blk.N.attn_norm.weight": f"{LAYER}.attention_norm.weight",
        "blk.N.ffn_norm.weight": f"{LAYER}.feedforward_norm.weight",
        "output_norm.weight": "decoder.norm.weight",
        "output.weight": "head.weight",
        "rope_freqs.weight": Ignored("read as the scaling of rotary positions"),
        **pairs(
            {
                "blk.N.attn_q": f"{LAYER}.attention.query",
                "blk.N.attn_k": f"{LAYER}.attention.key",
            },
            weight=rotated,
            bias=rotated,
        ),
        **pairs(
            {
                "blk.N.attn_v": f"{LAYER}.attention.value",
                "blk.N.attn_output": f"{LAYER}.attention.output",
                "blk.N.ffn_gate": f"{LAYER}.feedforward.gate",
                "blk.N.ffn_up": f"{LAYER}.feedforward.up",
                "blk.N.ffn_down": f"{LAYER}.feedforward.down",
            }
        ),
    }
    return GgufFamily(family=family, values=partial(_values, family.name), rules=rules)


# llama.cpp rotates neighbors in its Llama, halves in its Qwen2.
LLAMA_GGUF = _gguf(LLAMA, Interleaved)
QWEN2_GGUF = _gguf(QWEN2, str)
