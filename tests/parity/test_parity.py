"""Our executor computes what transformers computes, and the comparison would notice if not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from loquent.architecture import ModelConfig
from loquent.checkpoints.families.family import Split, Transpose
from loquent.engine.network import Tokens
from loquent.engine.torch_network import TorchNetwork

# Where all of their arithmetic is double, only the order of sums differs.
EXACT = 1e-12
# transformers computes rotary tables and RMSNorm in single precision, whose step is 6e-8 of a
# value; logits here are below 10, and three layers add a few such steps up.
SINGLE = 1e-6


def allowed(pair: Any) -> float:
    return EXACT if pair.family.name == "gpt2" else SINGLE


def distance(pair: Any, model: Any = None) -> float:
    """Largest difference of any logit of a ragged batch."""
    rows = pair.rows()
    ours, theirs = pair.ours(rows, model), pair.theirs(rows)
    assert [each.shape for each in ours] == [each.shape for each in theirs]
    assert min(float(each.std()) for each in theirs) > 0.1  # logits that say something
    return max(float(abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))


def test_logits_are_those_of_transformers(pair: Any) -> None:
    assert distance(pair) <= allowed(pair)


def test_step_by_step_through_the_engines_protocol_it_is_the_same(pair: Any) -> None:
    """Rows that grow by chunks of uneven size, each step holding some of every row."""
    rows, network = pair.rows(), TorchNetwork(pair.network())
    memory = network.new_memory(len(rows), max(map(len, rows)))
    read, made = [0] * len(rows), [[] for _ in rows]
    sizes = np.random.default_rng(0)
    while any(read[row] < len(ids) for row, ids in enumerate(rows)):
        chunks = [(row, read[row], int(sizes.choice([1, 1, 7, 40]))) for row in range(len(rows))]
        flat = [
            (rows[row][at], row, at)
            for row, start, size in chunks
            for at in range(start, min(start + size, len(rows[row])))
        ]
        ids, owners, positions = (np.array(each, np.int32) for each in zip(*flat, strict=True))
        tokens = Tokens(ids, owners, positions, np.ones(len(flat), np.bool_))
        for logits, row in zip(network.step(memory, tokens), owners, strict=True):
            made[row].append(logits)
            read[row] += 1
    for ours, theirs in zip(made, pair.theirs(rows), strict=True):
        assert float(abs(np.array(ours) - theirs).max()) <= allowed(pair)


@pytest.mark.parametrize("case", ["llama gqa", "llama linear", "llama biases", "qwen2", "mistral"])
def test_where_transformers_is_made_exact_so_is_the_agreement(
    case: str, make: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tolerance for single precision hides nothing: without their roundings there is none."""
    pair = make(case)
    parameters = pair.model.config.rope_parameters
    width = pair.config.decoder.each_head_width
    frequencies = parameters["rope_theta"] ** -(
        torch.arange(0, width, 2, dtype=torch.float64) / width
    )
    frequencies /= parameters.get("factor", 1.0)

    def norm(self: Any, x: Any) -> Any:
        return (
            self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        )

    def rotary(self: Any, x: Any, position_ids: Any) -> Any:
        angles = torch.cat([position_ids[..., None] * frequencies] * 2, dim=-1)
        return angles.cos(), angles.sin()

    monkeypatch.setattr(type(pair.model.model.norm), "forward", norm)
    monkeypatch.setattr(type(pair.model.model.rotary_emb), "forward", rotary)
    assert distance(pair) <= EXACT


def changed(pair: Any, **stack: Any) -> ModelConfig:
    return replace(pair.config, decoder=replace(pair.config.decoder, **stack))


def rotary(pair: Any, **settings: Any) -> Any:
    return pair.network(changed(pair, rotary=replace(pair.config.decoder.rotary, **settings)))


def reshaped(pair: Any, part: str, change: Callable[[np.ndarray], np.ndarray]) -> Any:
    """The network with one kind of weight changed in every layer."""
    found = {name: change(array) for name, array in pair.weights.items() if name.endswith(part)}
    assert found
    return pair.network(**found)


def swapped(pair: Any, one: str, other: str) -> Any:
    weights = pair.weights
    found = {name.replace(one, other): each for name, each in weights.items() if one in name}
    back = {name.replace(other, one): each for name, each in weights.items() if other in name}
    assert found
    return pair.network(**found, **back)


def ruled(pair: Any, foreign: str, rule: Any) -> Any:
    pair.rules = {**pair.rules, foreign: rule}
    return pair.network()


def tiled_heads(pair: Any) -> Any:
    """Key/value heads repeated as 0 1 0 1, not 0 0 1 1: the same as queries in another order."""
    width, order = pair.config.decoder.each_head_width, [0, 2, 1, 3]
    heads = np.arange(4 * width).reshape(4, width)[order].reshape(-1)
    changes = {}
    for name, array in pair.weights.items():
        if "attention.query" in name:
            changes[name] = array[heads]
        if name.endswith("attention.output.weight"):
            changes[name] = array[:, heads]
    return pair.network(**changes)


def neighbors(array: np.ndarray) -> np.ndarray:
    """Rows of each head as if rotated pairs stood side by side (8 values in each head)."""
    return array.reshape(-1, 2, 4, array.shape[1]).swapaxes(1, 2).reshape(array.shape)


def branch_without_residual(pair: Any) -> Any:
    model = pair.network()
    layer = model.decoder.layers[1]
    layer.feedforward.register_forward_hook(lambda *seen: seen[2] - layer.entered)
    layer.feedforward_norm.register_forward_pre_hook(
        lambda _, given: setattr(layer, "entered", given[0])
    )
    return model


def mask_shifted(pair: Any) -> Any:
    """Each token sees the one behind it too."""
    model = pair.network()

    def shifted(_: Any, given: Any) -> Any:
        x, frame, state = given
        keys = torch.arange(x.shape[1])
        mask = (keys <= frame.positions[..., None] + 1)[:, None]
        return x, replace(frame, mask=mask), state

    for layer in model.decoder.layers:
        layer.register_forward_pre_hook(shifted)
    return model


def reversed_rows(array: np.ndarray) -> np.ndarray:
    return array[::-1].copy()


_FUSED = tuple(f"decoder.layers.N.attention.{part}.weight" for part in ("query", "value", "key"))
_UP, _OUTPUT, _VALUE = (
    f"decoder.layers.N.{name}.weight"
    for name in ("feedforward.up", "attention.output", "attention.value")
)
MISTAKES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "norm epsilon of LayerNorm": ("gpt2", lambda p: p.network(changed(p, norm_epsilon=1e-5))),
    "norm epsilon of RMSNorm": ("llama", lambda p: p.network(changed(p, norm_epsilon=1e-6))),
    "no attention scale": ("gpt2", lambda p: p.network(changed(p, attention_scale=1.0))),
    "scale where there is none": (
        "gpt2 unscaled",
        lambda p: p.network(changed(p, attention_scale=0.0)),
    ),
    "scale of the width": ("llama", lambda p: p.network(changed(p, attention_scale=32**-0.5))),
    "gelu by tanh": ("gpt2 gelu", lambda p: p.network(changed(p, activation="gelu_tanh"))),
    "gelu exact": ("gpt2", lambda p: p.network(changed(p, activation="gelu"))),
    "gelu for silu": ("llama", lambda p: p.network(changed(p, activation="gelu"))),
    "norms swapped": ("gpt2", lambda p: swapped(p, "attention_norm", "feedforward_norm")),
    "norm behind the branch": ("gpt2", lambda p: p.network(changed(p, norm_place="post"))),
    "LayerNorm for RMSNorm": (
        "llama",
        lambda p: p.network(changed(p, norm="layer", norm_bias=False)),
    ),
    "no final norm": ("gpt2", lambda p: p.network(changed(p, final_norm=False))),
    "positions off by one": (
        "gpt2",
        lambda p: reshaped(p, "positions.weight", lambda a: np.roll(a, 1, 0)),
    ),
    "query bias missing": ("gpt2", lambda p: reshaped(p, "query.bias", np.zeros_like)),
    "value bias missing": ("qwen2", lambda p: reshaped(p, "value.bias", np.zeros_like)),
    "output bias missing": ("llama biases", lambda p: reshaped(p, "output.bias", np.zeros_like)),
    "square map not transposed": (
        "gpt2 square",
        lambda p: ruled(p, "transformer.h.N.mlp.c_fc.weight", _UP),
    ),
    "attention output not transposed": (
        "gpt2",
        lambda p: ruled(p, "transformer.h.N.attn.c_proj.weight", _OUTPUT),
    ),
    "a map transposed that is not": (
        "mistral",
        lambda p: ruled(p, "model.layers.N.self_attn.v_proj.weight", Transpose(_VALUE)),
    ),
    "key and value swapped": (
        "gpt2",
        lambda p: ruled(p, "transformer.h.N.attn.c_attn.weight", Split(_FUSED, transpose=True)),
    ),
    "gate and up swapped": ("llama", lambda p: swapped(p, "feedforward.gate", "feedforward.up")),
    "heads of queries reversed": ("llama", lambda p: reshaped(p, "query.weight", reversed_rows)),
    "key heads tiled": ("llama gqa", tiled_heads),
    "rotated neighbors": ("llama", lambda p: reshaped(p, "query.weight", neighbors)),
    "rotary base": ("llama base", lambda p: rotary(p, base=501.0)),
    "linear scaling ignored": ("llama linear", lambda p: rotary(p, scaling="none")),
    "llama3 scaling ignored": ("llama llama3", lambda p: rotary(p, scaling="none")),
    "llama3 bounds": ("llama llama3", lambda p: rotary(p, low_factor=1.5)),
    "yarn magnitude ignored": ("llama yarn", lambda p: rotary(p, magnitude=1.0)),
    "yarn bounds": ("llama yarn factors", lambda p: rotary(p, fast=32.0)),
    "yarn read as linear": ("qwen2 yarn tied", lambda p: rotary(p, scaling="linear")),
    "a part of the head rotated": ("llama", lambda p: rotary(p, share=0.5)),
    "head tied": ("gpt2 untied", lambda p: p.network(replace(p.config, tied=True))),
    "embedding scaled": ("llama", lambda p: p.network(replace(p.config, embedding_scale=32**0.5))),
    "a layer left out": ("llama", lambda p: p.network(changed(p, layers=2))),
    "residual dropped": ("gpt2", branch_without_residual),
    "sees what follows": ("gpt2", lambda p: p.network(changed(p, causal=False))),
    "mask shifted by one": ("llama", mask_shifted),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_caught(mistake: str, make: Callable[[str], Any]) -> None:
    case, spoil = MISTAKES[mistake]
    pair = make(case)
    assert distance(pair, spoil(pair)) > 100 * allowed(pair)
