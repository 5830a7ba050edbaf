"""Whisper (Radford et al. 2022): a Transformer that hears 30 seconds and writes what was said."""

from collections.abc import Mapping
from typing import Any

from loquent.architecture import FrontConfig, ModelConfig, StackConfig
from loquent.checkpoints.families.bart import (
    read_stacks,
    refuse_variants,
    stack_rules,
    write_stacks,
)
from loquent.checkpoints.families.family import (
    Again,
    Family,
    Rule,
    Without,
    both_stacks,
    pairs,
)
from loquent.checkpoints.families.keys import LENGTH, VOCABULARY, WIDTH, Keys
from loquent.errors import ConfigError

# Training, and which frames the reference code smooths when it aligns words.
_INERT = {
    "activation_dropout", "apply_spec_augment", "attention_dropout", "classifier_proj_size",
    "decoder_layerdrop", "encoder_layerdrop", "init_std", "mask_feature_length",
    "mask_feature_min_masks", "mask_feature_prob", "mask_time_length", "mask_time_min_masks",
    "mask_time_prob", "median_filter_width", "num_hidden_layers", "use_weighted_layer_sum",
}  # fmt: skip


def _config(values: Mapping[str, Any]) -> ModelConfig:
    keys = Keys(values)
    encoder, decoder, _ = read_stacks(keys, 0)
    bins = keys.whole("num_mel_bins", WIDTH, 80)
    encoder["length"] = keys.whole("max_source_positions", LENGTH, 1500)
    decoder["length"] = keys.whole("max_target_positions", LENGTH, 448)
    vocabulary = keys.whole("vocab_size", VOCABULARY)
    keys.expect("scale_embedding", [False], "the family's embeddings are as they are.")
    keys.expect("tie_word_embeddings", [True], "the family's head is its embedding.")
    refuse_variants(keys, before=True, embedding_norm=False, static=False)
    keys.finish(_INERT, encoded=True)
    return ModelConfig(
        vocabulary=vocabulary,
        tied=True,
        shared=False,
        encoder=StackConfig(**encoder, front=FrontConfig(features=bins)),
        decoder=StackConfig(**decoder),
    )


def _values(config: ModelConfig) -> dict[str, Any]:
    encoder, decoder = both_stacks(config)
    if encoder.front is None or encoder.front != FrontConfig(features=encoder.front.features):
        raise ConfigError("this family reads a sound by two convolutions of three frames each.")
    return {
        "vocab_size": config.vocabulary,
        "num_mel_bins": encoder.front.features,
        "max_source_positions": encoder.length,
        "max_target_positions": decoder.length,
        "num_hidden_layers": encoder.layers,
        **write_stacks(config),
    }


def _stack(stack: str) -> dict[str, Rule]:
    """The names of one stack: as BART's, but keys have no bias, and no norm follows embeddings."""
    rules = dict(stack_rules(stack, f"{stack}.positions.weight"))
    for each in ("weight", "bias"):
        del rules[f"model.{stack}.layernorm_embedding.{each}"]
    for name, rule in rules.items():
        if name.endswith("k_proj.bias") and isinstance(rule, str):
            rules[name] = Without(rule)
    return rules


WHISPER = Family(
    name="whisper",
    paper="Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision",
    architecture="WhisperForConditionalGeneration",
    config=_config,
    values=_values,
    rules={
        **pairs({f"model.encoder.conv{n + 1}": f"encoder.front.{n}" for n in range(2)}),
        **_stack("encoder"),
        **_stack("decoder"),
        "model.decoder.embed_tokens.weight": "decoder.embedding.weight",
        "proj_out.weight": Again("decoder.embedding.weight"),
    },
    prefix="model.",
)
