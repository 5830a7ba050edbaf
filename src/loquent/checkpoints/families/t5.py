"""T5 (Raffel et al. 2020); versions with gates and a head of their own: 1.1, FLAN, mT5."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from loquent.architecture import Activation, ModelConfig, StackConfig
from loquent.checkpoints.families.family import (
    Again,
    Family,
    Ignored,
    Rule,
    Tensors,
    both_stacks,
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

# Positions are relative, so the length of the training texts limits nothing.
_INERT = {"n_positions", "initializer_factor", "classifier_dropout", "d_head"}

# "gated-gelu" alone means the approximation by tanh, as the paper's authors trained it.
_FEEDFORWARDS: Mapping[str, tuple[bool, Activation]] = {
    **{name: (False, activation) for name, activation in ACTIVATIONS.items()},
    **{f"gated-{name}": (True, activation) for name, activation in ACTIVATIONS.items()},
    "gated-gelu": (True, "gelu_tanh"),
}


def _config(feedforward: str, values: Mapping[str, Any]) -> ModelConfig:
    keys = Keys(values)
    gated, activation = keys.choice("feed_forward_proj", _FEEDFORWARDS, feedforward)
    layers = keys.whole("num_layers", LAYERS)
    width = keys.whole("d_model", WIDTH)
    stack: dict[str, Any] = {
        "width": width,
        "length": 0,
        "heads": keys.whole("num_heads", HEADS),
        "head_width": keys.whole("d_kv", WIDTH),
        "attention_scale": 1.0,
        "feedforward": keys.whole("d_ff", FEEDFORWARD),
        "activation": activation,
        "gated": gated,
        "norm": "rms",
        "norm_epsilon": keys.number("layer_norm_epsilon", 1e-6, most=1.0),
        "positions": "relative",
        "relative_buckets": keys.whole("relative_attention_num_buckets", 2**16, 32, least=4),
        "relative_distance": keys.whole("relative_attention_max_distance", LENGTH, 128),
        "dropout": keys.number("dropout_rate", 0.1, most=0.99),
    }
    behind = keys.whole("num_decoder_layers", LAYERS, layers)
    vocabulary = keys.whole("vocab_size", VOCABULARY)
    tied = keys.flag("tie_word_embeddings", True)
    scaled = keys.flag("scale_decoder_outputs", tied)
    keys.expect("is_gated_act", [gated], "feed_forward_proj says otherwise.")
    word = keys.values.get("dense_act_fn")
    keys.expect("dense_act_fn", [word] if ACTIVATIONS.get(str(word)) == activation else [],
                "feed_forward_proj says otherwise.")  # fmt: skip
    keys.finish(_INERT, encoded=True)
    return ModelConfig(
        vocabulary=vocabulary,
        tied=tied,
        logit_scale=float(width) ** -0.5 if scaled else 1.0,
        encoder=StackConfig(layers=layers, causal=False, **stack),
        decoder=StackConfig(layers=behind, cross=True, **stack),
    )


def _values(config: ModelConfig) -> dict[str, Any]:
    encoder, decoder = both_stacks(config)
    words = {kind: word for word, kind in reversed(list(_FEEDFORWARDS.items()))}
    return {
        "is_encoder_decoder": True,
        "vocab_size": config.vocabulary,
        "d_model": encoder.width,
        "d_kv": encoder.each_head_width,
        "d_ff": encoder.feedforward,
        "num_layers": encoder.layers,
        "num_decoder_layers": decoder.layers,
        "num_heads": encoder.heads,
        "feed_forward_proj": words[encoder.gated, encoder.activation],
        "layer_norm_epsilon": encoder.norm_epsilon,
        "relative_attention_num_buckets": encoder.relative_buckets,
        "relative_attention_max_distance": encoder.relative_distance,
        "dropout_rate": encoder.dropout,
        "tie_word_embeddings": config.tied,
        "scale_decoder_outputs": config.logit_scale != 1.0,
    }


def _settled(scales: bool, values: Mapping[str, Any], tensors: Tensors) -> Mapping[str, Any]:
    """Whether a head that is not scaled is one of its own is told by the file alone.

    Version 1.1 says `tie_word_embeddings` false; transformers 5 writes true instead, and
    `scale_decoder_outputs` false, and keeps the head. mT5 never scales.
    """
    tied = values.get("tie_word_embeddings")
    scaled = values.get("scale_decoder_outputs", tied is not False)
    if scales and scaled is not False:
        return values
    own = "lm_head.weight" in tensors
    return {**values, "scale_decoder_outputs": False, "tie_word_embeddings": not own}


def _varying(config: ModelConfig) -> dict[str, Rule]:
    """The maps of feedforward parts, which have other names where there are gates."""
    rules: dict[str, Rule] = {}
    for stack, place in (("encoder", 1), ("decoder", 2)):
        theirs, ours = f"{stack}.block.N.layer.{place}.DenseReluDense", f"{stack}.layers.N"
        if config.top.gated:
            rules[f"{theirs}.wi_0.weight"] = f"{ours}.feedforward.gate.weight"
            rules[f"{theirs}.wi_1.weight"] = f"{ours}.feedforward.up.weight"
        else:
            rules[f"{theirs}.wi.weight"] = f"{ours}.feedforward.up.weight"
    return rules


def _stack(stack: str) -> dict[str, Rule]:
    theirs, ours = f"{stack}.block.N.layer", f"{stack}.layers.N"
    parts = {"attention": "0.SelfAttention", "cross": "1.EncDecAttention"}
    rules: dict[str, Rule] = {}
    for name, part in parts.items() if stack == "decoder" else [("attention", parts["attention"])]:
        for map, letter in {"query": "q", "key": "k", "value": "v", "output": "o"}.items():
            rules[f"{theirs}.{part}.{letter}.weight"] = f"{ours}.{name}.{map}.weight"
        rules[f"{theirs}.{part[0]}.layer_norm.weight"] = f"{ours}.{name}_norm.weight"
    last = len(rules) // 5  # the layer's part behind those of attention
    return rules | {
        f"{theirs}.{last}.DenseReluDense.wo.weight": f"{ours}.feedforward.down.weight",
        f"{theirs}.{last}.layer_norm.weight": f"{ours}.feedforward_norm.weight",
        f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight":
            f"{stack}.relative.weight",
        f"{stack}.final_layer_norm.weight": f"{stack}.norm.weight",
        f"{stack}.embed_tokens.weight": Again("encoder.embedding.weight"),
    }  # fmt: skip


_RULES: Mapping[str, Rule] = {
    "shared.weight": "encoder.embedding.weight",
    **_stack("encoder"),
    **_stack("decoder"),
    "lm_head.weight": "head.weight",
    "decoder.block.N.layer.N.EncDecAttention.relative_attention_bias.weight": Ignored(
        "an offset in attention across, which no T5 network has"
    ),
}


def _family(name: str, architecture: str, paper: str, *, first: bool) -> Family:
    return Family(
        name=name,
        paper=paper,
        architecture=architecture,
        config=partial(_config, "relu" if first else "gated-gelu"),
        values=_values,
        rules=_RULES,
        varying=_varying,
        settled=partial(_settled, first),
    )


T5 = _family(
    "t5",
    "T5ForConditionalGeneration",
    "Raffel et al. 2020, Exploring the Limits of Transfer Learning",
    first=True,
)
MT5 = _family("mt5", "MT5ForConditionalGeneration", "Xue et al. 2021, mT5", first=False)
