"""A new head on a pretrained body: what is new is drawn, small, and told; the body is the same."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from loquent.change.freeze import freeze
from loquent.change.head import headed, with_head
from loquent.errors import CheckpointError, ConfigError
from loquent.model.model import load, weights
from loquent.model.names import shapes

LABELS = ("bad", "fair", "good")


def test_the_head_is_new_and_the_body_is_not(config, network):
    body = weights(network(config, torch.float32))
    changed = with_head(config, "class", labels=LABELS)
    assert (changed.outputs, changed.labels, changed.pooling) == (3, LABELS, "last")
    made, receipt = headed(changed, body, seed=1)
    assert set(made) == set(shapes(changed))
    assert receipt.new
    assert all(name.startswith("head.") for name in (*receipt.new, *receipt.left))
    assert set(receipt.left) == {name for name in body if name.startswith("head.")}
    assert all(name in receipt.line() for name in (*receipt.new, *receipt.left))
    for name in made:
        if name not in receipt.new:
            np.testing.assert_array_equal(made[name], body[name])
    again, _ = headed(changed, body, seed=1)
    other, _ = headed(changed, body, seed=2)
    name = next(each for each in receipt.new if each.endswith("weight"))
    np.testing.assert_array_equal(made[name], again[name])
    assert not np.array_equal(made[name], other[name])


def test_it_learns_and_knows_nothing_at_first(config, network):
    made, receipt = headed(
        with_head(config, "class", outputs=3, pooling="mean"),
        weights(network(config, torch.float32)),
    )
    model = load(with_head(config, "class", outputs=3, pooling="mean"), made, trainable=True)
    freeze(model, ["*", "!head.*"])
    assert {name for name, each in model.named_parameters() if each.requires_grad} == set(
        receipt.new
    )
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 61, (12, 9)))
    classes = torch.arange(12) % 3
    source = ids if config.encoder else None
    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], 0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = cross_entropy(model(ids, source=source), classes)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(3), abs=0.3)
    assert losses[-1] < losses[0] / 2


def test_a_body_that_does_not_fit_is_told(config, network):
    body = dict(weights(network(config, torch.float32)))
    body["decoder.extra.weight"] = body.pop("decoder.norm.weight")
    with pytest.raises(CheckpointError) as fault:
        headed(with_head(config, "class", outputs=2), body)
    assert "'decoder.norm.weight' of the body is missing" in str(fault.value)
    assert "'decoder.extra.weight' is left over" in str(fault.value)
    with pytest.raises(ConfigError, match="labels"):
        with_head(config, "class", outputs=2, labels=LABELS)
    with pytest.raises(ConfigError, match="outputs"):
        with_head(config, "class")


def test_a_bidirectional_body_is_read_by_the_mean(config):
    if config.encoder is None:
        pytest.skip("there is no encoder")
    alone = replace(config, decoder=None)
    assert with_head(alone, "labels", outputs=2).pooling == "mean"
