"""Encoder-decoders compute what transformers computes, and the comparison would notice if not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from loquent.architecture import ModelConfig
from loquent.checkpoints.families.family import Rows
from loquent.engine.network import Tokens
from loquent.engine.torch_network import TorchNetwork

# Where all of their arithmetic is double, only the order of sums differs.
EXACT = 1e-12
# transformers computes T5's RMSNorm and Marian's table of places in single precision, whose step is
# 6e-8 of a value; T5's attention is not scaled, so that a step in a score is multiplied.
SINGLE = 1e-6


def allowed(pair: Any) -> float:
    return EXACT if pair.family.name in ("bart", "mbart") else SINGLE


def distance(pair: Any, model: Any = None) -> float:
    """Largest difference of any logit of a ragged batch, by the deviation of all logits."""
    rows = pair.rows()
    ours, theirs = pair.ours(rows, model or pair.network()), pair.theirs(rows)
    assert [each.shape for each in ours] == [each.shape for each in theirs]
    size = float(np.concatenate(theirs).std())
    assert size > 0.1  # logits that say something
    return max(float(abs(a - b).max()) for a, b in zip(ours, theirs, strict=True)) / size


def test_logits_are_those_of_transformers(pair: Any) -> None:
    assert distance(pair) <= allowed(pair)


def test_step_by_step_through_the_engines_protocol_it_is_the_same(pair: Any) -> None:
    """Rows that grow by chunks of uneven size, each step holding some of every row."""
    sources, targets = pair.rows()
    network = TorchNetwork(pair.network())
    memory = network.new_memory(len(targets), max(map(len, targets)))
    for row, source in enumerate(sources):
        memory.attach(row, source)
    read, made = [0] * len(targets), [[] for _ in targets]
    sizes = np.random.default_rng(0)
    while any(read[row] < len(ids) for row, ids in enumerate(targets)):
        chunks = [(row, read[row], int(sizes.choice([1, 1, 7, 40]))) for row in range(len(targets))]
        flat = [
            (targets[row][at], row, at)
            for row, start, size in chunks
            for at in range(start, min(start + size, len(targets[row])))
        ]
        ids, owners, positions = (np.array(each, np.int32) for each in zip(*flat, strict=True))
        tokens = Tokens(ids, owners, positions, np.ones(len(flat), np.bool_))
        for logits, row in zip(network.step(memory, tokens), owners, strict=True):
            made[row].append(logits)
            read[row] += 1
    theirs = pair.theirs((sources, targets))
    size = float(np.concatenate(theirs).std())
    for ours, reference in zip(made, theirs, strict=True):
        assert float(abs(np.array(ours) - reference).max()) <= allowed(pair) * size


@pytest.mark.parametrize("case", ["t5", "t5 untied", "t5 silu", "mt5", "marian", "marian two"])
def test_where_transformers_is_made_exact_so_is_the_agreement(
    case: str, make: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tolerance for single precision hides nothing: without their roundings there is none."""
    pair = make(case)

    def norm(self: Any, x: Any) -> Any:
        return (
            self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        )

    if pair.family.name == "marian":
        places = torch.arange(160, dtype=torch.float64)[:, None]
        angles = places / 10000 ** (torch.arange(0, 32, 2, dtype=torch.float64) / 32)
        table = torch.cat([angles.sin(), angles.cos()], dim=1)
        for stack in (pair.model.model.encoder, pair.model.model.decoder):
            assert float(abs(stack.embed_positions.weight - table).max()) < 1e-6
            stack.embed_positions.weight = torch.nn.Parameter(table, requires_grad=False)
    else:
        monkeypatch.setattr(type(pair.model.encoder.final_layer_norm), "forward", norm)
    assert distance(pair) <= EXACT


def changed(pair: Any, *stacks: str, **settings: Any) -> ModelConfig:
    made = {name: replace(getattr(pair.config, name), **settings) for name in stacks}
    return replace(pair.config, **made)


def swapped(pair: Any, one: str, other: str) -> Any:
    weights = pair.weights
    found = {name.replace(one, other): each for name, each in weights.items() if one in name}
    back = {name.replace(other, one): each for name, each in weights.items() if other in name}
    assert found
    return pair.network(**found, **back)


def reshaped(pair: Any, part: str, change: Callable[[np.ndarray], np.ndarray]) -> Any:
    """The network with one kind of weight changed wherever it is."""
    found = {name: change(array) for name, array in pair.weights.items() if name.endswith(part)}
    assert found
    return pair.network(**found)


def ruled(pair: Any, foreign: str, rule: Any) -> Any:
    pair.rules = {**pair.rules, foreign: rule}
    return pair.network()


class Shifted(torch.nn.Module):
    """A network that reads the source without its last token."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Any, lengths: Any, source: Any, source_lengths: Any) -> Any:
        return self.model(ids, lengths, source, source_lengths - 1)


BOTH = ("encoder", "decoder")
MISTAKES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "attention scaled": ("t5", lambda p: p.network(changed(p, *BOTH, attention_scale=0.0))),
    "attention across scaled": (
        "t5",
        lambda p: reshaped(p, "cross.query.weight", lambda a: a * 12**-0.5),
    ),
    "logits not scaled": ("t5", lambda p: p.network(replace(p.config, logit_scale=1.0))),
    "logits scaled": ("t5 untied", lambda p: p.network(replace(p.config, logit_scale=32**-0.5))),
    "head tied": ("t5 untied", lambda p: p.network(replace(p.config, tied=True))),
    "gelu exact": ("t5 gated", lambda p: p.network(changed(p, *BOTH, activation="gelu"))),
    "gate and up swapped": ("mt5", lambda p: swapped(p, "feedforward.gate", "feedforward.up")),
    "LayerNorm for RMSNorm": (
        "t5",
        lambda p: p.network(changed(p, *BOTH, norm="layer", norm_bias=False)),
    ),
    "norm epsilon": ("t5", lambda p: p.network(changed(p, *BOTH, norm_epsilon=1e-6))),
    "buckets of the encoder": (
        "t5",
        lambda p: p.network(changed(p, "encoder", relative_distance=64)),
    ),
    "buckets of the decoder": (
        "t5",
        lambda p: p.network(changed(p, "decoder", relative_distance=64)),
    ),
    "places of the decoder seen both ways": (
        "t5",
        lambda p: reshaped(p, "decoder.relative.weight", lambda a: a[::-1].copy()),
    ),
    "tables of places swapped": (
        "t5",
        lambda p: swapped(p, "encoder.relative", "decoder.relative"),
    ),
    "norms of a layer swapped": ("bart", lambda p: swapped(p, "cross_norm", "feedforward_norm")),
    "places off by one": (
        "bart",
        lambda p: reshaped(p, "positions.weight", lambda a: np.roll(a, 1, 0)),
    ),
    "no embedding norm": ("bart", lambda p: p.network(changed(p, *BOTH, embedding_norm=False))),
    "embedding not scaled": (
        "bart scaled",
        lambda p: p.network(replace(p.config, embedding_scale=1.0)),
    ),
    "bias of logits missing": ("bart", lambda p: p.network(replace(p.config, head_bias=False))),
    "norms before the branches": (
        "bart",
        lambda p: p.network(changed(p, *BOTH, norm_place="pre")),
    ),
    "norms behind the branches": (
        "mbart",
        lambda p: p.network(changed(p, *BOTH, norm_place="post")),
    ),
    "no final norm": ("mbart", lambda p: p.network(changed(p, "encoder", final_norm=False))),
    "sines and cosines in turn": (
        "marian",
        lambda p: p.network(changed(p, *BOTH, positions="sinusoidal")),
    ),
    "gelu for swish": ("marian", lambda p: p.network(changed(p, *BOTH, activation="gelu"))),
    "key and value across swapped": ("marian", lambda p: swapped(p, "cross.key", "cross.value")),
    "attention and attention across swapped": (
        "marian",
        lambda p: swapped(p, "decoder.layers.0.attention.", "decoder.layers.0.cross."),
    ),
    "heads of the decoder": ("bart", lambda p: p.network(changed(p, "decoder", heads=4))),
    "the last token of a source missing": ("bart", lambda p: Shifted(p.network())),
    "the encoder looks back only": (
        "marian",
        lambda p: p.network(changed(p, "encoder", causal=True)),
    ),
    "a layer left out": ("t5", lambda p: p.network(changed(p, "encoder", layers=2))),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_caught(mistake: str, make: Callable[[str], Any]) -> None:
    case, spoil = MISTAKES[mistake]
    pair = make(case)
    assert distance(pair, spoil(pair)) > 30 * allowed(pair)


def test_a_table_read_from_its_first_row_is_caught(make: Callable[[str], Any]) -> None:
    pair = make("bart")
    places = {
        name: np.concatenate([array[:2], array[:-2]])
        for name, array in pair.weights.items()
        if name.endswith("positions.weight")
    }
    assert distance(pair, pair.network(**places)) > 30 * EXACT
    with pytest.raises(Exception, match=r"has the shape \(162, 32\), but .* \(161, 32\)"):
        ruled(pair, "model.encoder.embed_positions.weight", Rows("encoder.positions.weight", 1))
