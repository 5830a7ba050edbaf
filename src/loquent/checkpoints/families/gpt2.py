"""GPT-2 (Radford et al. 2019): OpenAI's networks, DistilGPT-2 and their kin."""

from collections.abc import Mapping
from typing import Any

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.families.family import (
    Family,
    GgufFamily,
    Ignored,
    Rule,
    Split,
    Tensors,
    Transpose,
    only_decoder,
    pairs,
    rows,
)
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

# `n_ctx` is an old double of `n_positions`; reorder_and_upcast_attn changes the rounding only;
# the summary is a head for multiple choice, whose weights would be refused by name.
_INERT = {"n_ctx", "attn_pdrop", "embd_pdrop", "reorder_and_upcast_attn"} | {
    f"summary_{part}"
    for part in ("type", "use_proj", "activation", "proj_to_labels", "first_dropout", "hidden_size")
}


def _config(values: Mapping[str, Any]) -> ModelConfig:
    keys = Keys(values)
    width = keys.whole("n_embd", WIDTH)
    stack: dict[str, Any] = {
        "layers": keys.whole("n_layer", LAYERS),
        "width": width,
        "length": keys.whole("n_positions", LENGTH),
        "heads": keys.whole("n_head", HEADS),
        "feedforward": keys.whole("n_inner", FEEDFORWARD, 4 * width),
        "activation": keys.choice("activation_function", ACTIVATIONS, "gelu_new"),
        "norm_epsilon": keys.number("layer_norm_epsilon", 1e-5, most=1.0),
        "dropout": keys.number("resid_pdrop", 0.1, most=0.99),
        "attention_scale": 0.0 if keys.flag("scale_attn_weights", True) else 1.0,
    }
    vocabulary = keys.whole("vocab_size", VOCABULARY)
    tied = keys.flag("tie_word_embeddings", True)
    keys.expect("scale_attn_by_inverse_layer_idx", [False], "scores that shrink with depth.")
    keys.finish(_INERT)
    return ModelConfig(
        vocabulary=vocabulary,
        tied=tied,
        decoder=StackConfig(attention_bias=True, output_bias=True, feedforward_bias=True, **stack),
    )


def _values(config: ModelConfig) -> dict[str, Any]:
    stack = only_decoder(config)
    return {
        "vocab_size": config.vocabulary,
        "n_positions": stack.length,
        "n_embd": stack.width,
        "n_layer": stack.layers,
        "n_head": stack.heads,
        "n_inner": stack.feedforward,
        "activation_function": "gelu_new" if stack.activation == "gelu_tanh" else stack.activation,
        "layer_norm_epsilon": stack.norm_epsilon,
        "resid_pdrop": stack.dropout,
        "embd_pdrop": stack.dropout,
        "attn_pdrop": stack.key_dropout,
        "scale_attn_weights": stack.attention_scale != 1.0,
        "tie_word_embeddings": config.tied,
    }


_LAYER = "decoder.layers.N"
_FUSED = tuple(f"{_LAYER}.attention.{part}" for part in ("query", "key", "value"))
_WEIGHTS, _BIASES = (tuple(f"{name}.{kind}" for name in _FUSED) for kind in ("weight", "bias"))
_MASK = Ignored("a mask, not a weight")

# Hugging Face stores GPT-2's maps as OpenAI did, (in, out).
_RULES: Mapping[str, Rule] = {
    "transformer.wte.weight": "decoder.embedding.weight",
    "transformer.wpe.weight": "decoder.positions.weight",
    **pairs(
        {
            "transformer.h.N.ln_1": f"{_LAYER}.attention_norm",
            "transformer.h.N.ln_2": f"{_LAYER}.feedforward_norm",
            "transformer.ln_f": "decoder.norm",
        }
    ),
    "transformer.h.N.attn.c_attn.weight": Split(_WEIGHTS, transpose=True),
    "transformer.h.N.attn.c_attn.bias": Split(_BIASES),
    "transformer.h.N.attn.bias": _MASK,
    "transformer.h.N.attn.masked_bias": _MASK,
    **pairs(
        {
            "transformer.h.N.attn.c_proj": f"{_LAYER}.attention.output",
            "transformer.h.N.mlp.c_fc": f"{_LAYER}.feedforward.up",
            "transformer.h.N.mlp.c_proj": f"{_LAYER}.feedforward.down",
        },
        weight=Transpose,
    ),
    "lm_head.weight": "head.weight",
}

GPT2 = Family(
    name="gpt2",
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
    architecture="GPT2LMHeadModel",
    config=_config,
    values=_values,
    rules=_RULES,
    prefix="transformer.",
)


def _gguf_values(keys: Keys, tensors: Tensors) -> dict[str, Any]:
    vocabulary = rows(tensors, "token_embd.weight")
    keys.expect("vocab_size", [vocabulary], f"the embedding has {vocabulary} rows.")
    return {
        "vocab_size": vocabulary,
        "n_positions": keys.raw("context_length"),
        "n_embd": keys.raw("embedding_length"),
        "n_layer": keys.raw("block_count"),
        "n_head": keys.raw("attention.head_count"),
        "n_inner": keys.raw("feed_forward_length"),
        "layer_norm_epsilon": keys.raw("attention.layer_norm_epsilon"),
        "tie_word_embeddings": "output.weight" not in tensors,
    }


GPT2_GGUF = GgufFamily(
    family=GPT2,
    values=_gguf_values,
    rules={
        "token_embd.weight": "decoder.embedding.weight",
        "position_embd.weight": "decoder.positions.weight",
        "blk.N.attn_qkv.weight": Split(_WEIGHTS),
        "blk.N.attn_qkv.bias": Split(_BIASES),
        **pairs(
            {
                "blk.N.attn_norm": f"{_LAYER}.attention_norm",
                "blk.N.attn_output": f"{_LAYER}.attention.output",
                "blk.N.ffn_norm": f"{_LAYER}.feedforward_norm",
                "blk.N.ffn_up": f"{_LAYER}.feedforward.up",
                "blk.N.ffn_down": f"{_LAYER}.feedforward.down",
                "output_norm": "decoder.norm",
            }
        ),
        "output.weight": "head.weight",
    },
)
