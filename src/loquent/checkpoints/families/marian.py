"""Marian (Junczys-Dowmunt et al. 2018): the translators of opus-mt (Tiedemann et al. 2020)."""

from collections.abc import Mapping
from typing import Any

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.families.bart import (
    HEAD,
    read_stacks,
    refuse_variants,
    stack_rules,
    varying,
    write_stacks,
)
from loquent.checkpoints.families.family import Family, Ignored, both_stacks
from loquent.checkpoints.families.keys import LENGTH, VOCABULARY, Keys

# Training, a head for classes, and a count of files that were converted long ago.
_INERT = {
    "activation_dropout", "add_bias_logits", "attention_dropout", "classif_dropout",
    "classifier_dropout", "decoder_layerdrop", "encoder_layerdrop", "extra_pos_embeddings",
    "init_std", "num_hidden_layers",
}  # fmt: skip
_COMPUTED = Ignored("computed from the settings")


def _config(values: Mapping[str, Any]) -> ModelConfig:
    keys = Keys(values)
    length = keys.whole("max_position_embeddings", LENGTH, 1024)
    encoder, decoder, scale = read_stacks(keys, length)
    words = keys.whole("vocab_size", VOCABULARY)
    shared = keys.flag("share_encoder_decoder_embeddings", True)
    vocabulary = keys.whole("decoder_vocab_size", VOCABULARY, words)
    if shared:
        keys.expect("decoder_vocab_size", [words], "a shared embedding has one vocabulary.")
    tied = keys.flag("tie_word_embeddings", True)
    refuse_variants(keys, before=False, embedding_norm=False, static=True)
    keys.finish(_INERT, encoded=True)
    layout: dict[str, Any] = {
        "norm_place": "post",
        "final_norm": False,
        "positions": "sinusoidal_halves",
    }
    return ModelConfig(
        vocabulary=vocabulary,
        source_vocabulary=0 if shared or words == vocabulary else words,
        tied=tied,
        shared=shared,
        embedding_scale=scale,
        head_bias=True,
        encoder=StackConfig(**encoder, **layout),
        decoder=StackConfig(**decoder, **layout),
    )


def _values(config: ModelConfig) -> dict[str, Any]:
    encoder, _ = both_stacks(config)
    return {
        "vocab_size": config.source_vocabulary or config.vocabulary,
        "decoder_vocab_size": config.vocabulary,
        "share_encoder_decoder_embeddings": config.shared,
        "max_position_embeddings": encoder.length,
        **write_stacks(config),
    }


MARIAN = Family(
    name="marian",
    paper="Junczys-Dowmunt et al. 2018, Marian: Fast Neural Machine Translation in C++",
    architecture="MarianMTModel",
    config=_config,
    values=_values,
    rules={**stack_rules("encoder", _COMPUTED), **stack_rules("decoder", _COMPUTED), **HEAD},
    prefix="model.",
    varying=varying,
)
