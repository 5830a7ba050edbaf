"""Updates of low rank: what they compute, what of a network learns, and what merging leaves."""

import math

import numpy as np
import pytest
import torch

from loquent.architecture import ModelConfig, StackConfig
from loquent.change.lora import (
    LoraConfig,
    LowRankLinear,
    adapter_of,
    add_lora,
    attach,
    linear_maps,
    merge,
    unmerge,
)
from loquent.errors import ConfigError
from loquent.model.adapter import Adapter, Update
from loquent.model.model import load, weights

LORA = LoraConfig(rank=3, alpha=6)


def snapshot(model) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in model.state_dict().items()}


def same(one, other) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_a_new_update_changes_nothing(config, network, logits):
    model = network(config)
    before = logits(model)
    add_lora(model, LORA)
    assert torch.equal(logits(model), before)


def test_an_update_is_scale_b_a(config, network, logits, learned):
    """Against the plain network with weights that NumPy has changed, in double precision."""
    model, plain = network(config), network(config)
    add_lora(model, LoraConfig(rank=5, alpha=15))
    learned(model)
    with torch.no_grad():
        for name, each in linear_maps(model).items():
            a, b = each.lora_a.numpy(), each.lora_b.numpy()
            plain.get_submodule(name).weight += torch.from_numpy(3.0 * b @ a)
    made = logits(model)
    assert float((made - logits(plain)).abs().max()) < 1e-12
    assert float((made - logits(network(config))).abs().max()) > 0.01


@pytest.mark.parametrize(("dtype", "most"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_merged_it_is_the_same_network(config, network, logits, learned, dtype, most):
    model = network(config, dtype)
    add_lora(model, LORA)
    learned(model)
    before, names = logits(model), list(network(config).state_dict())
    merge(model)
    assert float((logits(model) - before).abs().max()) < most * max(1.0, float(before.abs().max()))
    assert list(model.state_dict()) == names
    assert not any(isinstance(each, LowRankLinear) for each in model.modules())


def test_merging_is_undone_bit_for_bit(config, network, logits, learned):
    model = network(config)
    add_lora(model, LORA)
    learned(model)
    before, made = snapshot(model), logits(model)
    taken = merge(model)
    assert not same(before, snapshot(model))
    unmerge(model, taken)
    assert same(before, snapshot(model))
    assert torch.equal(logits(model), made)
    assert {name for name, each in model.named_parameters() if each.requires_grad} == {
        f"{name}.lora_{half}" for name in taken for half in "ab"
    }


def test_only_a_and_b_learn(config, network):
    model = network(config)
    maps = {name: each.weight.shape for name, each in linear_maps(model).items()}
    parameters = sum(each.numel() for each in model.parameters())
    receipt = add_lora(model, LORA)
    assert receipt.names == tuple(maps)
    assert receipt.learned == 3 * sum(out + into for out, into in maps.values())
    assert receipt.parameters == parameters + receipt.learned
    assert f"{receipt.learned:,} of {receipt.parameters:,}" in receipt.line()
    before = snapshot(model)
    ids = torch.randint(61, (2, 9), generator=torch.Generator().manual_seed(5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(2):  # A has a gradient once B is not zero
        optimizer.zero_grad()
        source = ids if config.encoder else None
        model(ids, source=source).pow(2).mean().backward()
        optimizer.step()
    given = {name for name, each in model.named_parameters() if each.grad is not None}
    assert given == {f"{name}.lora_{half}" for name in maps for half in "ab"}
    after = snapshot(model)
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert moved == given


@pytest.mark.parametrize(
    ("targets", "chosen"),
    [
        (("query",), 2),
        (("query", "value"), 4),
        (("gate", "up", "down"), 6),
        (("decoder.layers.1.*",), 7),
        (("*.attention.*", "query"), 8),
        (("all",), 14),
    ],
)
def test_targets_are_words_or_globs(network, targets, chosen):
    stack = StackConfig(
        layers=2, width=32, length=64, heads=4, feedforward=48, gated=True, positions="rotary"
    )
    model = network(ModelConfig(vocabulary=61, decoder=stack))
    names = add_lora(model, LoraConfig(targets=targets)).names
    assert len(names) == chosen
    assert [name for name in linear_maps(model) if name in names] == list(names)
    changed = {name for name, each in model.named_modules() if isinstance(each, LowRankLinear)}
    assert changed == set(names)


def test_a_target_that_matches_nothing_is_told(config, network):
    model = network(config)
    before = {name: each.requires_grad for name, each in model.named_parameters()}
    with pytest.raises(ConfigError, match=r"'qury'.*Did you mean 'query'") as fault:
        add_lora(model, LoraConfig(targets=("qury", "decoder.layers.7.*", "value")))
    assert "decoder.layers.7.*" in str(fault.value)
    with pytest.raises(ConfigError, match=r"'decoder.nrm.weight'.*'decoder.norm.weight'"):
        add_lora(model, LoraConfig(learned=("decoder.nrm.weight",)))
    with pytest.raises(ConfigError, match="would learn whole and by an update"):
        add_lora(model, LoraConfig(learned=("*.up.weight",)))
    assert {name: each.requires_grad for name, each in model.named_parameters()} == before
    add_lora(model, LORA)
    with pytest.raises(ConfigError, match="Merge them first"):
        add_lora(model, LORA)
    stack = StackConfig(layers=1, width=16, length=8, mixer="lstm", positions="none")
    with pytest.raises(ConfigError, match="no linear maps"):
        add_lora(network(ModelConfig(vocabulary=9, decoder=stack)), LORA)


def test_impossible_settings_are_told_all_at_once():
    with pytest.raises(ConfigError) as fault:
        LoraConfig(rank=0, alpha=math.nan, dropout=1.0, targets=())
    assert all(word in str(fault.value) for word in ("rank", "alpha", "dropout", "targets"))
    assert LoraConfig(rank=16, alpha=8).scale == 0.5
    assert LoraConfig(rank=16, alpha=8, rank_stabilized=True).scale == 2.0


def test_dropout_is_of_the_updates_input_in_training_only(config, network, logits, learned):
    model = network(config)
    before = logits(model)
    add_lora(model, LoraConfig(rank=3, dropout=0.5))
    torch.manual_seed(0)
    assert torch.equal(logits(model.train()), before)  # B is zero: what is dropped is not seen
    learned(model)
    first, second = logits(model), logits(model)
    assert not torch.equal(first, second)
    model.eval()
    assert torch.equal(logits(model), logits(model))


def test_the_first_a_follows_from_the_seed(config, network):
    first, again, other = (network(config) for _ in range(3))
    add_lora(first, LORA, seed=1)
    add_lora(again, LORA, seed=1)
    add_lora(other, LORA, seed=2)
    assert same(first.state_dict(), again.state_dict())
    assert not same(first.state_dict(), other.state_dict())
    drawn = torch.cat(
        [
            each.lora_a.flatten() * math.sqrt(3 * each.in_features)
            for each in linear_maps(first).values()
        ]
    )
    assert float(drawn.detach().std()) == pytest.approx(1.0, rel=0.1)


def test_what_was_learned_goes_to_another_network(config, network, logits, learned):
    model = network(config)
    add_lora(model, LoraConfig(rank=3, dropout=0.1, learned=("*_norm.weight",)))
    learned(model)
    adapter = adapter_of(model)
    assert all("_norm.weight" in name for name in adapter.replaced)
    assert adapter.replaced
    assert adapter.dropout == 0.1
    other = network(config)
    receipt = attach(other, adapter)
    assert receipt.learned == 0
    assert torch.equal(logits(other), logits(model))
    assert same(other.state_dict(), model.state_dict())
    further = network(config)
    assert attach(further, adapter, trainable=True).learned == add_counts(model)
    assert {name for name, each in further.named_parameters() if each.requires_grad} == {
        name for name, each in model.named_parameters() if each.requires_grad
    }


def add_counts(model) -> int:
    return sum(each.numel() for each in model.parameters() if each.requires_grad)


def test_weights_that_are_views_of_a_file_are_not_written_to(config, network):
    """A network that runs may hold a read-only file; attaching must not write there."""
    model = network(config, torch.float32)
    arrays = {name: np.array(each) for name, each in weights(model).items()}
    for each in arrays.values():
        each.setflags(write=False)
    before = {name: np.array(each) for name, each in arrays.items()}
    opened = load(config, arrays)
    name = "decoder.norm.weight"
    attach(opened, Adapter(updates={}, replaced={name: np.full_like(arrays[name], 7)}))
    assert float(opened.state_dict()[name].mean()) == 7
    np.testing.assert_array_equal(arrays[name], before[name])


def test_an_adapter_for_another_network_is_refused(config, network):
    model = network(config)
    name = "decoder.layers.0.feedforward.up"
    fit = Update(np.zeros((2, 32), np.float32), np.zeros((48, 2), np.float32), 1.0)
    wrong = Update(np.zeros((2, 31), np.float32), np.zeros((48, 2), np.float32), 1.0)
    with pytest.raises(ConfigError) as fault:
        attach(
            model,
            Adapter(
                updates={name: wrong, "decoder.layers.0.feedforward.upp": fit},
                replaced={"decoder.norm.weight": np.zeros(3), "decoder.nrm.weight": np.zeros(3)},
            ),
        )
    told = str(fault.value)
    assert "(48, 31), not (48, 32)" in told
    assert "'decoder.layers.0.feedforward.upp'" in told
    assert "(3,)" in told
    assert "Did you mean 'decoder.norm.weight'" in told
    assert same(model.state_dict(), network(config).state_dict())
    if config.tied:
        with pytest.raises(ConfigError, match="loquent models merge"):
            attach(model, Adapter(updates={}, untied=True))


def test_merging_in_arrays_is_merging_in_torch(config, network, learned):
    model = network(config, torch.float32)
    plain = weights(model)
    plain = {name: np.array(each) for name, each in plain.items()}
    add_lora(model, LORA)
    learned(model)
    adapter = adapter_of(model)
    merge(model)
    for name, array in weights(model).items():
        update = adapter.updates.get(name.removesuffix(".weight"))
        made = plain[name] if update is None else update.added(plain[name])
        np.testing.assert_allclose(made, array, rtol=0, atol=1e-6)
        assert made.dtype == np.float32
    assert update is None or update.added(plain[name].astype(np.float64)).dtype == np.float64


def test_half_precision_learns_and_is_told_in_float32(config, network, logits, learned):
    model = network(config, torch.bfloat16)
    add_lora(model, LORA)
    learned(model)
    adapter = adapter_of(model)
    assert {each.a.dtype for each in adapter.updates.values()} == {np.dtype(np.float32)}
    before = logits(model).float()
    merge(model)
    assert {each.dtype for each in model.state_dict().values()} == {torch.bfloat16}
    far = (logits(model).float() - before).abs().max()
    assert float(far) < 0.1 * float(before.abs().max())
