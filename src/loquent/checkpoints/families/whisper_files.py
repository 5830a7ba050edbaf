"""Whisper as CTranslate2 and as its authors' own files spell it: names, and settings by shapes."""

from collections.abc import Mapping
from typing import Any

from loquent.checkpoints.families.family import Rule, Split, Tensors, Without, pairs
from loquent.checkpoints.files.container import Container
from loquent.checkpoints.files.ctranslate2 import FORMAT
from loquent.errors import CheckpointError, ConfigError

_HEAD_WIDTH = 64  # of all of the authors' networks; their files do not say it
_GELU = 3  # CTranslate2's number
_SPECIFICATION = "WhisperSpec"

# What CTranslate2's settings must be for a network to be a Whisper.
_EXPECTED = {
    "pre_norm": True, "activation": _GELU, "alibi": False, "scale_embeddings": False,
    "multi_query_attention": False, "layernorm_embedding": False,
}  # fmt: skip


def _converted(stack: str) -> dict[str, Rule]:
    """CTranslate2's names of one stack: queries, keys and values are one matrix."""
    theirs, ours = f"{stack}.layer.N", f"{stack}.layers.N"
    rules: dict[str, Rule] = {f"{stack}.position_encodings.encodings": f"{stack}.positions.weight"}
    maps = {
        f"{theirs}.self_attention.linear_1": f"{ours}.attention.output",
        f"{theirs}.ffn.linear_0": f"{ours}.feedforward.up",
        f"{theirs}.ffn.linear_1": f"{ours}.feedforward.down",
    }
    norms = {
        f"{theirs}.self_attention": f"{ours}.attention_norm",
        f"{theirs}.ffn": f"{ours}.feedforward_norm",
        stack: f"{stack}.norm",
    }
    joined: dict[str, tuple[str, tuple[str, ...]]] = {
        f"{theirs}.self_attention.linear_0": ("attention", ("query", "key", "value"))
    }
    if stack == "decoder":
        maps |= {
            f"{theirs}.attention.linear_0": f"{ours}.cross.query",
            f"{theirs}.attention.linear_2": f"{ours}.cross.output",
        }
        norms[f"{theirs}.attention"] = f"{ours}.cross_norm"
        joined[f"{theirs}.attention.linear_1"] = ("cross", ("key", "value"))
    for foreign, own in norms.items():
        rules[f"{foreign}.layer_norm.gamma"] = f"{own}.weight"
        rules[f"{foreign}.layer_norm.beta"] = f"{own}.bias"
    for foreign, (part, names) in joined.items():
        for kind in ("weight", "bias"):
            rules[f"{foreign}.{kind}"] = Split(
                tuple(f"{ours}.{part}.{name}.{kind}" for name in names)
            )
    return rules | pairs(maps)


CONVERTED: Mapping[str, Rule] = {
    **pairs({f"encoder.conv{n + 1}": f"encoder.front.{n}" for n in range(2)}),
    **_converted("encoder"),
    **_converted("decoder"),
    "decoder.embeddings.weight": "decoder.embedding.weight",
}


def _original(stack: str) -> dict[str, Rule]:
    """The authors' names of one stack."""
    theirs, ours = f"{stack}.blocks.N", f"{stack}.layers.N"
    parts = {"attn": "attention"} | ({"cross_attn": "cross"} if stack == "decoder" else {})
    names = {
        f"{theirs}.mlp.0": f"{ours}.feedforward.up",
        f"{theirs}.mlp.2": f"{ours}.feedforward.down",
        f"{theirs}.mlp_ln": f"{ours}.feedforward_norm",
        f"{stack}.{'ln_post' if stack == 'encoder' else 'ln'}": f"{stack}.norm",
    }
    for part, own in parts.items():
        names |= {
            f"{theirs}.{part}.{'out' if each == 'output' else each}": f"{ours}.{own}.{each}"
            for each in ("query", "key", "value", "output")
        }
        names[f"{theirs}.{part}_ln"] = f"{ours}.{own}_norm"
    rules = pairs(names)
    for name, rule in rules.items():
        if name.endswith("attn.key.bias") and isinstance(rule, str):
            rules[name] = Without(rule)
    return {f"{stack}.positional_embedding": f"{stack}.positions.weight", **rules}


ORIGINAL: Mapping[str, Rule] = {
    **pairs({f"encoder.conv{n + 1}": f"encoder.front.{n}" for n in range(2)}),
    **_original("encoder"),
    **_original("decoder"),
    "decoder.token_embedding.weight": "decoder.embedding.weight",
}


def is_original(tensors: Tensors) -> bool:
    """Whether these are the tensors of the authors' own files."""
    return "decoder.token_embedding.weight" in tensors and "encoder.conv1.weight" in tensors


def original_settings(tensors: Tensors) -> dict[str, Any]:
    """What config.json would say of the authors' own files; raises CheckpointError."""
    names = ("decoder.token_embedding.weight", "decoder.positional_embedding",
             "encoder.blocks.0.mlp.0.weight", "decoder.blocks.0.mlp.0.weight",
             "encoder.positional_embedding")  # fmt: skip
    layers = [_layers(tensors, f"{stack}.blocks", "attn_ln.bias") for stack in _STACKS]
    heads = [tensors.shape(names[0])[-1] // _HEAD_WIDTH] * 2
    return _settings(tensors, names, layers, heads)


def converted_settings(container: Container) -> dict[str, Any]:
    """What config.json would say of a converted network; raises CheckpointError for others."""
    said = container.metadata
    if said.get("format") != FORMAT or said["specification"] != _SPECIFICATION:
        raise CheckpointError(
            f"is a CTranslate2 model of the kind {said.get('specification')!r}; "
            f"only {_SPECIFICATION} is executed here."
        )
    for name, value in _EXPECTED.items():
        for stack in _STACKS:
            if said.get(f"{stack}.{name}", value) != value:
                raise ConfigError(f"{stack}.{name} is {said[f'{stack}.{name}']!r}, not {value!r}.")
    names = ("decoder.embeddings.weight", "decoder.position_encodings.encodings",
             "encoder.layer.0.ffn.linear_0.weight", "decoder.layer.0.ffn.linear_0.weight",
             "encoder.position_encodings.encodings")  # fmt: skip
    layers = [_layers(container, f"{stack}.layer", "ffn.layer_norm.beta") for stack in _STACKS]
    heads = [int(said.get(f"{stack}.num_heads", 0)) for stack in _STACKS]
    return _settings(container, names, layers, heads)


def converted_advice(described: Mapping[str, Any]) -> dict[str, Any]:
    """What generation_config.json would say, of CTranslate2's own config.json."""
    return {
        "alignment_heads": described.get("alignment_heads"),
        "suppress_tokens": described.get("suppress_ids"),
        "begin_suppress_tokens": described.get("suppress_ids_begin"),
    }


_STACKS = ("encoder", "decoder")


def _settings(
    tensors: Tensors, names: tuple[str, ...], layers: list[int], heads: list[int]
) -> dict[str, Any]:
    missing = [name for name in (*names, "encoder.conv1.weight") if name not in tensors]
    if missing:
        raise CheckpointError(f"is no Whisper: it has no tensor {missing[0]!r}.")
    words, places, inner, inner_too, frames = (tensors.shape(name) for name in names)
    shape = tensors.shape("encoder.conv1.weight")
    if len(words) != 2 or len(shape) != 3:
        raise CheckpointError("is no Whisper: its embedding or convolution has another shape.")
    return {
        "model_type": "whisper",
        "is_encoder_decoder": True,
        "dropout": 0.0,
        "vocab_size": words[0],
        "d_model": words[1],
        "num_mel_bins": shape[1],
        "max_source_positions": frames[0],
        "max_target_positions": places[0],
        "encoder_layers": layers[0],
        "decoder_layers": layers[1],
        "encoder_attention_heads": heads[0],
        "decoder_attention_heads": heads[1],
        "encoder_ffn_dim": inner[0],
        "decoder_ffn_dim": inner_too[0],
    }


def _layers(tensors: Tensors, start: str, name: str) -> int:
    count = 0
    while f"{start}.{count}.{name}" in tensors:
        count += 1
    return count
