"""DistilBERT (Sanh et al. 2019): half of BERT's layers, no segments, names of its own."""

from collections.abc import Mapping
from typing import Any

from loquent.architecture import ModelConfig
from loquent.checkpoints.families.bert import encoder, forms, headed
from loquent.checkpoints.families.family import Family, Rule, only_encoder, pairs
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
from loquent.checkpoints.families.labels import read_head, write_head

# How the places began, and dropout in training.
_INERT = {"sinusoidal_pos_embds", "attention_dropout", "qa_dropout", "seq_classif_dropout"}
_EPSILON = 1e-12  # config.json does not say it

_PREFIX = "distilbert."
_LAYER, _OURS = f"{_PREFIX}transformer.layer.N", "encoder.layers.N"
_MASKED: Mapping[str, Rule] = {
    **pairs({"vocab_transform": "head.hidden", "vocab_layer_norm": "head.hidden_norm"}),
    "vocab_projector.weight": "head.weight",
    "vocab_projector.bias": "head.bias",
}
_FORMS = forms(
    "DistilBert", masked=_MASKED, texts={"pre_classifier": "head.hidden", "classifier": "head"}
)


def _config(values: Mapping[str, Any]) -> ModelConfig:
    keys = Keys(values)
    activation = keys.choice("activation", ACTIVATIONS, "gelu")
    stack = encoder(
        layers=keys.whole("n_layers", LAYERS, 6),
        width=(width := keys.whole("dim", WIDTH, 768)),
        heads=keys.whole("n_heads", HEADS, 12),
        feedforward=keys.whole("hidden_dim", FEEDFORWARD, 4 * width),
        activation=activation,
        norm_epsilon=_EPSILON,
        dropout=keys.number("dropout", 0.1, most=0.99),
        length=keys.whole("max_position_embeddings", LENGTH, 512),
    )
    vocabulary = keys.whole("vocab_size", VOCABULARY)
    tied = keys.flag("tie_word_embeddings", True)
    head = read_head(keys, _FORMS)
    keys.finish(_INERT)
    before = headed(head["output"], pooled="relu", transformed=activation)
    return ModelConfig(vocabulary=vocabulary, tied=tied, encoder=stack, **head, **before)


def _values(config: ModelConfig) -> dict[str, Any]:
    stack = only_encoder(config)
    names = {ours: theirs for theirs, ours in reversed(list(ACTIVATIONS.items()))}
    return {
        "vocab_size": config.vocabulary,
        "max_position_embeddings": stack.length,
        "dim": stack.width,
        "n_layers": stack.layers,
        "n_heads": stack.heads,
        "hidden_dim": stack.feedforward,
        "activation": names[stack.activation],
        "dropout": stack.dropout,
        "attention_dropout": stack.key_dropout,
        "tie_word_embeddings": config.tied,
        **write_head(config),
    }


DISTILBERT = Family(
    name="distilbert",
    paper="Sanh et al. 2019, DistilBERT, a distilled version of BERT",
    architecture="DistilBertModel",
    config=_config,
    values=_values,
    rules={
        f"{_PREFIX}embeddings.word_embeddings.weight": "encoder.embedding.weight",
        f"{_PREFIX}embeddings.position_embeddings.weight": "encoder.positions.weight",
        **pairs(
            {
                f"{_PREFIX}embeddings.LayerNorm": "encoder.embedding_norm",
                f"{_LAYER}.attention.q_lin": f"{_OURS}.attention.query",
                f"{_LAYER}.attention.k_lin": f"{_OURS}.attention.key",
                f"{_LAYER}.attention.v_lin": f"{_OURS}.attention.value",
                f"{_LAYER}.attention.out_lin": f"{_OURS}.attention.output",
                f"{_LAYER}.sa_layer_norm": f"{_OURS}.attention_norm",
                f"{_LAYER}.ffn.lin1": f"{_OURS}.feedforward.up",
                f"{_LAYER}.ffn.lin2": f"{_OURS}.feedforward.down",
                f"{_LAYER}.output_layer_norm": f"{_OURS}.feedforward_norm",
            }
        ),
    },
    prefix=_PREFIX,
    heads=_FORMS,
)
