"""T5 as ONNX files hold it: an encoder and a decoder, whose settings their tensors tell."""

from collections.abc import Mapping
from typing import Any

from loquent.checkpoints.families.family import Tensors
from loquent.errors import CheckpointError

_QUERY = "encoder.block.0.layer.0.SelfAttention.q.weight"
_PLACES = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
_GATE = "encoder.block.0.layer.1.DenseReluDense.wi_0.weight"
_WORDS = "shared.weight"


def settings(tensors: Tensors) -> Mapping[str, Any]:
    """What config.json would say, which such files come without.

    Only what has gates is read: of others the activation cannot be told. The rest is as every T5
    of its authors has it. Raises CheckpointError where these are not the tensors of a T5.
    """
    missing = [name for name in (_QUERY, _PLACES, _GATE, _WORDS) if name not in tensors]
    if missing:
        raise CheckpointError(
            f"is no T5 with gates: it has no tensor {missing[0]!r}.",
            fix="Put the config.json of the network beside its ONNX files.",
        )
    vocabulary, width = tensors.shape(_WORDS)
    buckets, heads = tensors.shape(_PLACES)
    return {
        "model_type": "t5",
        "is_encoder_decoder": True,
        "vocab_size": vocabulary,
        "d_model": width,
        "d_kv": tensors.shape(_QUERY)[0] // heads,
        "d_ff": tensors.shape(_GATE)[0],
        "num_layers": _layers(tensors, "encoder"),
        "num_decoder_layers": _layers(tensors, "decoder"),
        "num_heads": heads,
        "relative_attention_num_buckets": buckets,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": "lm_head.weight" not in tensors,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "eos_token_id": 1,
    }


def _layers(tensors: Tensors, stack: str) -> int:
    count = 0
    while f"{stack}.block.{count}.layer.0.SelfAttention.q.weight" in tensors:
        count += 1
    return count
