"""Llama (Touvron et al. 2023) and those built like it: SmolLM, TinyLlama, Mistral, Qwen2."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.families.family import Family, Ignored, Rule, only_decoder, pairs
from loquent.checkpoints.families.keys import (
    ACTIVATIONS,
    FEEDFORWARD,
    HEADS,
    LAYERS,
    LENGTH,
    VOCABULARY,
    WIDTH,
    Keys,
)
from loquent.checkpoints.families.rotary import read_rotary, write_rotary

# pretraining_tp splits products without changing them; the layers of a window that is off have
# nothing to say.
_INERT = {"pretraining_tp", "max_window_layers", "is_llama_config"}


def _config(kind: str, values: Mapping[str, Any]) -> ModelConfig:
    keys = Keys(values)
    length = keys.whole("max_position_embeddings", LENGTH)
    width, heads = keys.whole("hidden_size", WIDTH), keys.whole("num_attention_heads", HEADS)
    bias = kind == "llama" and keys.flag("attention_bias", False)
    stack: dict[str, Any] = {
        "layers": keys.whole("num_hidden_layers", LAYERS),
        "heads": heads,
        "kv_heads": keys.whole("num_key_value_heads", HEADS, 8 if kind == "mistral" else heads),
        "head_width": keys.whole("head_dim", WIDTH, max(width // heads, 1)),
        "feedforward": keys.whole("intermediate_size", FEEDFORWARD),
        "activation": keys.choice("hidden_act", ACTIVATIONS, "silu"),
        "norm_epsilon": keys.number("rms_norm_eps", 1e-6, most=1.0),
        "dropout": keys.number("attention_dropout", 0.0, most=0.99),
        "attention_bias": bias or kind == "qwen2",
        "output_bias": bias,
        "feedforward_bias": kind == "llama" and keys.flag("mlp_bias", False),
        "rotary": read_rotary(keys, length),
    }
    vocabulary = keys.whole("vocab_size", VOCABULARY)
    tied = keys.flag("tie_word_embeddings", False)
    _refuse_variants(keys, kind, length)
    keys.finish(_INERT)
    return ModelConfig(
        vocabulary=vocabulary,
        tied=tied,
        decoder=StackConfig(
            width=width, length=length, norm="rms", gated=True, positions="rotary", **stack
        ),
    )


def _refuse_variants(keys: Keys, kind: str, length: int) -> None:
    """Refuse what some networks of this kind do and ours does not, by name."""
    window = keys.raw("sliding_window")
    if kind == "mistral" and "sliding_window" not in keys.values:
        window = 4096  # what transformers takes where config.json is silent
    used = kind == "mistral" or keys.flag("use_sliding_window", False)
    if used and window is not None and not (isinstance(window, int) and window >= length):
        keys.refuse(f"sliding_window {window!r} is shorter than the context of {length} tokens.")
    layers = keys.raw("layer_types") or []
    if not isinstance(layers, list) or any(each != "full_attention" for each in layers):
        keys.refuse("layer_types names layers other than 'full_attention'.")
    for name in ("rope_interleaved", "use_mrope"):
        keys.expect(name, [False], "another way of rotating.")
    if kind != "llama":
        for name in ("attention_bias", "mlp_bias"):
            keys.expect(name, [False], f"{kind} has no such setting.")


def _values(kind: str, config: ModelConfig) -> dict[str, Any]:
    stack = only_decoder(config)
    own: dict[str, dict[str, Any]] = {
        "llama": {"attention_bias": stack.output_bias, "mlp_bias": stack.feedforward_bias},
        "mistral": {"sliding_window": None},
        "qwen2": {"use_sliding_window": False},
    }
    return {
        "vocab_size": config.vocabulary,
        "max_position_embeddings": stack.length,
        "hidden_size": stack.width,
        "num_hidden_layers": stack.layers,
        "num_attention_heads": stack.heads,
        "num_key_value_heads": stack.key_heads,
        "head_dim": stack.each_head_width,
        "intermediate_size": stack.feedforward,
        "hidden_act": "gelu_new" if stack.activation == "gelu_tanh" else stack.activation,
        "rms_norm_eps": stack.norm_epsilon,
        "attention_dropout": stack.key_dropout,
        "tie_word_embeddings": config.tied,
        **write_rotary(stack.rotary),
        **own[kind],
    }


LAYER = "decoder.layers.N"
_COMPUTED = Ignored("computed from the settings")

_RULES: Mapping[str, Rule] = {
    "model.embed_tokens.weight": "decoder.embedding.weight",
    "model.layers.N.input_layernorm.weight": f"{LAYER}.attention_norm.weight",
    "model.layers.N.post_attention_layernorm.weight": f"{LAYER}.feedforward_norm.weight",
    **pairs(
        {
            "model.layers.N.self_attn.q_proj": f"{LAYER}.attention.query",
            "model.layers.N.self_attn.k_proj": f"{LAYER}.attention.key",
            "model.layers.N.self_attn.v_proj": f"{LAYER}.attention.value",
            "model.layers.N.self_attn.o_proj": f"{LAYER}.attention.output",
            "model.layers.N.mlp.gate_proj": f"{LAYER}.feedforward.gate",
            "model.layers.N.mlp.up_proj": f"{LAYER}.feedforward.up",
            "model.layers.N.mlp.down_proj": f"{LAYER}.feedforward.down",
        }
    ),
    "model.norm.weight": "decoder.norm.weight",
    "lm_head.weight": "head.weight",
    "model.layers.N.self_attn.rotary_emb.inv_freq": _COMPUTED,
    "model.rotary_emb.inv_freq": _COMPUTED,
}


def _family(kind: str, architecture: str, paper: str) -> Family:
    return Family(
        name=kind,
        paper=paper,
        architecture=architecture,
        config=partial(_config, kind),
        values=partial(_values, kind),
        rules=_RULES,
        prefix="model.",
    )


LLAMA = _family("llama", "LlamaForCausalLM", "Touvron et al. 2023, Llama 2")
MISTRAL = _family("mistral", "MistralForCausalLM", "Jiang et al. 2023, Mistral 7B")
QWEN2 = _family("qwen2", "Qwen2ForCausalLM", "Yang et al. 2024, Qwen2 Technical Report")
