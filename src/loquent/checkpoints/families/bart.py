"""BART (Lewis et al. 2020) and mBART (Liu et al. 2020), whose norms stand before the branches."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.families.family import (
    Again,
    Family,
    Flat,
    Ignored,
    Rows,
    Rule,
    both_stacks,
    pairs,
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

_SKIPPED = 2  # rows of the tables of places before the first, a habit of fairseq

# Training, a head for classes, and a count of files that were converted long ago.
_INERT = {
    "activation_dropout", "add_bias_logits", "attention_dropout", "classif_dropout",
    "classifier_dropout", "decoder_layerdrop", "encoder_layerdrop", "extra_pos_embeddings",
    "gradient_checkpointing", "init_std", "num_hidden_layers",
}  # fmt: skip
_WORDS = {ours: theirs for theirs, ours in reversed(list(ACTIVATIONS.items()))} | {"silu": "swish"}


def read_stacks(keys: Keys, length: int) -> tuple[dict[str, Any], dict[str, Any], float]:
    """The settings of encoder and decoder that fairseq's and Marian's kin share, and the scale."""
    common: dict[str, Any] = {
        "width": keys.whole("d_model", WIDTH),
        "length": length,
        "activation": keys.choice("activation_function", ACTIVATIONS, "gelu"),
        "dropout": keys.number("dropout", 0.1, most=0.99),
        **dict.fromkeys(("attention_bias", "output_bias", "feedforward_bias"), True),
    }
    made = []
    for name in ("encoder", "decoder"):
        made.append(
            {
                "layers": keys.whole(f"{name}_layers", LAYERS),
                "heads": keys.whole(f"{name}_attention_heads", HEADS),
                "feedforward": keys.whole(f"{name}_ffn_dim", FEEDFORWARD),
                "causal": name == "decoder",
                "cross": name == "decoder",
                **common,
            }
        )
    scaled = keys.flag("scale_embedding", False)
    return made[0], made[1], float(common["width"]) ** 0.5 if scaled else 1.0


def refuse_variants(keys: Keys, *, before: bool, embedding_norm: bool, static: bool) -> None:
    """Refuse what old settings can say of a network that the family has not."""
    for name, value in {
        "normalize_before": before,
        "add_final_layer_norm": before,
        "normalize_embedding": embedding_norm,
        "static_position_embeddings": static,
    }.items():
        keys.expect(name, [value], "the family's networks are built otherwise.")


def write_stacks(config: ModelConfig) -> dict[str, Any]:
    """The inverse of `read_stacks`, and what else the families share."""
    encoder, decoder = both_stacks(config)
    values: dict[str, Any] = {
        "is_encoder_decoder": True,
        "d_model": encoder.width,
        "activation_function": _WORDS[encoder.activation],
        "dropout": encoder.dropout,
        "scale_embedding": config.embedding_scale != 1.0,
        "tie_word_embeddings": config.tied,
    }
    for name, stack in (("encoder", encoder), ("decoder", decoder)):
        values |= {
            f"{name}_layers": stack.layers,
            f"{name}_attention_heads": stack.heads,
            f"{name}_ffn_dim": stack.feedforward,
        }
    return values


def _config(before: bool, values: Mapping[str, Any]) -> ModelConfig:
    keys = Keys(values)
    length = keys.whole("max_position_embeddings", LENGTH, 1024)
    encoder, decoder, scale = read_stacks(keys, length)
    vocabulary = keys.whole("vocab_size", VOCABULARY)
    tied = keys.flag("tie_word_embeddings", True)
    refuse_variants(keys, before=before, embedding_norm=True, static=False)
    keys.finish(_INERT, encoded=True)
    norms: dict[str, Any] = {
        "norm_place": "pre" if before else "post",
        "final_norm": before,
        "embedding_norm": True,
    }
    return ModelConfig(
        vocabulary=vocabulary,
        tied=tied,
        shared=tied,
        embedding_scale=scale,
        head_bias=True,
        encoder=StackConfig(**encoder, **norms),
        decoder=StackConfig(**decoder, **norms),
    )


def _values(config: ModelConfig) -> dict[str, Any]:
    encoder, _ = both_stacks(config)
    return {
        "vocab_size": config.vocabulary,
        "max_position_embeddings": encoder.length,
        **write_stacks(config),
    }


def stack_rules(stack: str, places: Rule) -> dict[str, Rule]:
    """The names of one stack's weights."""
    theirs, ours = f"model.{stack}.layers.N", f"{stack}.layers.N"
    parts = {"attention": "self_attn", "cross": "encoder_attn"}
    names = {}
    for name, part in parts.items() if stack == "decoder" else [("attention", "self_attn")]:
        for map, word in {"query": "q", "key": "k", "value": "v", "output": "out"}.items():
            names[f"{theirs}.{part}.{word}_proj"] = f"{ours}.{name}.{map}"
        names[f"{theirs}.{part}_layer_norm"] = f"{ours}.{name}_norm"
    names |= {
        f"{theirs}.fc1": f"{ours}.feedforward.up",
        f"{theirs}.fc2": f"{ours}.feedforward.down",
        f"{theirs}.final_layer_norm": f"{ours}.feedforward_norm",
        f"model.{stack}.layernorm_embedding": f"{stack}.embedding_norm",
        f"model.{stack}.layer_norm": f"{stack}.norm",
    }
    return {f"model.{stack}.embed_positions.weight": places, **pairs(names)}


def varying(config: ModelConfig) -> dict[str, Rule]:
    """The embedding that both stacks read, or one of each."""
    own: dict[str, Rule] = {
        f"model.{stack}.embed_tokens.weight": f"{stack}.embedding.weight"
        for stack in ("encoder", "decoder")
    }
    if config.shared:
        again = dict.fromkeys(own, Again("encoder.embedding.weight"))
        return {"model.shared.weight": "encoder.embedding.weight", **again}
    return own | {"model.shared.weight": Ignored("shared by no stack of this network")}


HEAD: Mapping[str, Rule] = {
    "lm_head.weight": "head.weight",
    "final_logits_bias": Flat("head.bias"),
}


def _family(name: str, architecture: str, paper: str, *, before: bool) -> Family:
    return Family(
        name=name,
        paper=paper,
        architecture=architecture,
        config=partial(_config, before),
        values=_values,
        rules={
            **stack_rules("encoder", Rows("encoder.positions.weight", _SKIPPED)),
            **stack_rules("decoder", Rows("decoder.positions.weight", _SKIPPED)),
            **HEAD,
        },
        prefix="model.",
        varying=varying,
    )


BART = _family(
    "bart",
    "BartForConditionalGeneration",
    "Lewis et al. 2020, BART: Denoising Sequence-to-Sequence Pre-training",
    before=False,
)
MBART = _family(
    "mbart",
    "MBartForConditionalGeneration",
    "Liu et al. 2020, Multilingual Denoising Pre-training",
    before=True,
)
