"""BERT (Devlin et al. 2019): Google's and Chinese ones, MiniLM, and what embeds texts with them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from loquent.architecture import ModelConfig, Output, StackConfig
from loquent.checkpoints.families.family import (
    Again,
    Family,
    HeadForm,
    Ignored,
    Rule,
    only_encoder,
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
from loquent.checkpoints.families.labels import read_head, write_head

# Bookkeeping of old files, and dropout in training.
_INERT = {
    "attention_probs_dropout_prob", "classifier_dropout", "directionality", "pooler_fc_size",
    "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type",
}  # fmt: skip

Heads = Mapping[Output, HeadForm]


def read_config(values: Mapping[str, Any], *, heads: Heads, skipped: int) -> ModelConfig:
    """A network of config.json; `skipped` rows of the table of places stand before the first."""
    keys = Keys(values)
    length = keys.whole("max_position_embeddings", LENGTH, 512, least=skipped + 1)
    segments = keys.whole("type_vocab_size", 2**10, 1 if skipped else 2, least=0)
    stack: dict[str, Any] = {
        "layers": keys.whole("num_hidden_layers", LAYERS),
        "width": keys.whole("hidden_size", WIDTH),
        "heads": keys.whole("num_attention_heads", HEADS),
        "feedforward": keys.whole("intermediate_size", FEEDFORWARD),
        "activation": keys.choice("hidden_act", ACTIVATIONS, "gelu"),
        "norm_epsilon": keys.number("layer_norm_eps", 1e-12, most=1.0),
        "dropout": keys.number("hidden_dropout_prob", 0.1, most=0.99),
        "segments": segments,
        "length": length - skipped,
    }
    vocabulary = keys.whole("vocab_size", VOCABULARY)
    tied = keys.flag("tie_word_embeddings", True)
    keys.expect("position_embedding_type", ["absolute"], "only learned places are read here.")
    keys.expect("is_decoder", [False], "it would see only what stands before each token.")
    if skipped:
        keys.expect("pad_token_id", [skipped - 1], "places are counted from behind it.")
    head = read_head(keys, heads)
    keys.finish(_INERT)
    transformed = stack["activation"] if not skipped else "gelu"
    return ModelConfig(
        vocabulary=vocabulary,
        tied=tied,
        encoder=encoder(**stack),
        **head,
        **headed(head["output"], pooled="tanh", transformed=transformed),
    )


def encoder(**settings: Any) -> StackConfig:
    """A stack as BERT's: both ways, norms behind the branches, every map with a bias."""
    return StackConfig(
        causal=False, attention_bias=True, output_bias=True, feedforward_bias=True,
        norm_place="post", final_norm=False, embedding_norm=True, **settings,
    )  # fmt: skip


def headed(output: Output, *, pooled: str, transformed: str) -> dict[str, Any]:
    """The maps before a head: one of the first token for a text, one of each masked token."""
    if output in ("class", "labels"):
        return {"pooling": "first", "head_activation": pooled}
    if output == "masked":
        return {"head_bias": True, "head_activation": transformed, "head_norm": True}
    return {}


def write_values(config: ModelConfig, *, skipped: int) -> dict[str, Any]:
    """The inverse of `read_config`."""
    stack = only_encoder(config)
    names = {ours: theirs for theirs, ours in reversed(list(ACTIVATIONS.items()))}
    return {
        "vocab_size": config.vocabulary,
        "max_position_embeddings": stack.length + skipped,
        "type_vocab_size": stack.segments,
        "hidden_size": stack.width,
        "num_hidden_layers": stack.layers,
        "num_attention_heads": stack.heads,
        "intermediate_size": stack.feedforward,
        "hidden_act": names[stack.activation],
        "layer_norm_eps": stack.norm_epsilon,
        "hidden_dropout_prob": stack.dropout,
        "attention_probs_dropout_prob": stack.key_dropout,
        "tie_word_embeddings": config.tied,
        **({"pad_token_id": skipped - 1} if skipped else {}),
        **write_head(config),
    }


def body(prefix: str, places: Rule) -> dict[str, Rule]:
    """The names of all but the head."""
    layer, ours = f"{prefix}encoder.layer.N", "encoder.layers.N"
    return {
        f"{prefix}embeddings.word_embeddings.weight": "encoder.embedding.weight",
        f"{prefix}embeddings.position_embeddings.weight": places,
        f"{prefix}embeddings.token_type_embeddings.weight": "encoder.segments.weight",
        f"{prefix}embeddings.position_ids": Ignored("the numbers of the places, not a weight"),
        **pairs(
            {
                f"{prefix}embeddings.LayerNorm": "encoder.embedding_norm",
                f"{layer}.attention.self.query": f"{ours}.attention.query",
                f"{layer}.attention.self.key": f"{ours}.attention.key",
                f"{layer}.attention.self.value": f"{ours}.attention.value",
                f"{layer}.attention.output.dense": f"{ours}.attention.output",
                f"{layer}.attention.output.LayerNorm": f"{ours}.attention_norm",
                f"{layer}.intermediate.dense": f"{ours}.feedforward.up",
                f"{layer}.output.dense": f"{ours}.feedforward.down",
                f"{layer}.output.LayerNorm": f"{ours}.feedforward_norm",
            }
        ),
        **dict.fromkeys(
            (f"{prefix}pooler.dense.weight", f"{prefix}pooler.dense.bias"),
            Ignored("the pooler, which only a head for classes of texts reads"),
        ),
    }


def forms(
    start: str,
    *,
    masked: Mapping[str, Rule],
    texts: Mapping[str, str],
    also: tuple[str, ...] = (),
) -> Heads:
    """The heads of a family whose classes' names start so, each with its names.

    An embedding leaves a head for masked tokens unread; `also` are classes that hold one and more.
    """
    unread = Ignored("predicts masked tokens, which an embedding does not")
    of_texts = HeadForm(f"{start}ForSequenceClassification", pairs(texts))
    return {
        "embedding": HeadForm(f"{start}Model", dict.fromkeys(masked, unread)),
        "masked": HeadForm(f"{start}ForMaskedLM", masked, also),
        "class": of_texts,
        "labels": of_texts,
        "tags": HeadForm(f"{start}ForTokenClassification", pairs({"classifier": "head"})),
        "span": HeadForm(f"{start}ForQuestionAnswering", pairs({"qa_outputs": "head"})),
    }


_PREFIX = "bert."
_MASKED: Mapping[str, Rule] = {
    **pairs(
        {
            "cls.predictions.transform.dense": "head.hidden",
            "cls.predictions.transform.LayerNorm": "head.hidden_norm",
        }
    ),
    "cls.predictions.bias": "head.bias",
    "cls.predictions.decoder.weight": "head.weight",
    "cls.predictions.decoder.bias": Again("head.bias"),
}
_FOLLOWING = Ignored("tells if one text follows another, which nothing here asks")
_HEADS = forms(
    "Bert",
    masked=_MASKED,
    texts={f"{_PREFIX}pooler.dense": "head.hidden", "classifier": "head"},
    also=("BertForPreTraining",),
)

BERT = Family(
    name="bert",
    paper="Devlin et al. 2019, BERT: Pre-training of Deep Bidirectional Transformers",
    architecture="BertModel",
    config=partial(read_config, heads=_HEADS, skipped=0),
    values=partial(write_values, skipped=0),
    rules=body(_PREFIX, "encoder.positions.weight")
    | dict.fromkeys(("cls.seq_relationship.weight", "cls.seq_relationship.bias"), _FOLLOWING),
    prefix=_PREFIX,
    heads=_HEADS,
    endings={".gamma": ".weight", ".beta": ".bias"},  # as TensorFlow calls those of a norm
)
