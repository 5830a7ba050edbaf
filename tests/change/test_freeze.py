"""Globs on weights' names say what learns; a glob that matches nothing is a mistake."""

import pytest
import torch

from loquent.change.freeze import freeze
from loquent.errors import ConfigError


def learning(model) -> set[str]:
    return {name for name, each in model.named_parameters() if each.requires_grad}


def test_what_a_glob_matches_stays_as_it_is(config, network):
    model = network(config)
    everything = learning(model)
    receipt = freeze(model, ["*.embedding.weight", "*.layers.0.*"])
    still = {name for name in everything if "embedding.weight" in name or ".layers.0." in name}
    assert learning(model) == everything - still
    assert set(receipt.names) == still
    counts = {name: each.numel() for name, each in model.named_parameters()}
    assert receipt.parameters == sum(counts.values())
    assert receipt.learned == sum(counts[name] for name in everything - still)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    ids = torch.arange(12).reshape(2, 6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    model(ids, source=ids if config.encoder else None).pow(2).mean().backward()
    optimizer.step()
    for name, each in model.state_dict().items():
        assert torch.equal(each, before[name]) == (name in still), name


def test_a_later_pattern_takes_out_of_an_earlier_one(config, network):
    model = network(config)
    freeze(model, ["*", "!decoder.norm.*"])
    assert learning(model) == {name for name in learning_all(model) if ".norm." in name}
    freeze(model, ["!*", "decoder.norm.*"])
    assert not any(name.startswith("decoder.norm") for name in learning(model))


def learning_all(model) -> set[str]:
    return {name for name, _ in model.named_parameters() if name.startswith("decoder.")}


def test_a_pattern_that_matches_nothing_is_told_with_the_nearest(config, network):
    model = network(config)
    before = learning(model)
    with pytest.raises(ConfigError) as fault:
        freeze(model, ["decoder.layer.0.attention.query.weight", "*.bia", "*"])
    told = str(fault.value)
    assert "2 faults" in told
    assert "Did you mean 'decoder.layers.*.attention.query.weight'" in told
    with pytest.raises(ConfigError, match="leaves nothing to learn"):
        freeze(model, ["*"])
    assert learning(model) == before
