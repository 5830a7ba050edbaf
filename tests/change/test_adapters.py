"""Adapters in PEFT's format: what is written is read, and nothing in a folder is passed over."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from loquent.architecture import ModelConfig, StackConfig
from loquent.change.lora import LoraConfig, adapter_of, add_lora, attach
from loquent.checkpoints.adapters.merging import applied, merged
from loquent.checkpoints.adapters.reading import open_adapter
from loquent.checkpoints.adapters.writing import save_adapter
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.contents import Card, Contents
from loquent.errors import CheckpointError, ConfigError, UserError
from loquent.model.adapter import Adapter, Update
from loquent.model.model import load, weights

FUSED = "transformer.h.0.attn.c_attn"


@pytest.fixture
def made(base: Callable[[str], Path], learned: Callable[..., None], tmp_path: Path) -> Any:
    """A base of a kind, an adapter of it as if it had learned, and the adapter's folder."""

    def make(kind: str, config: LoraConfig | None = None, **changes: Any) -> Any:
        checkpoint = Checkpoint.open(base(kind))
        model = load(checkpoint.config, checkpoint.weights, trainable=True)
        add_lora(model, config or LoraConfig(rank=3, alpha=6, dropout=0.1), seed=1)
        learned(model)
        adapter = replace(adapter_of(model), **changes)
        folder = tmp_path / "adapter"
        save_adapter(
            folder, adapter, family=checkpoint.card.family, config=checkpoint.config, base=kind
        )
        return checkpoint, adapter, folder

    return make


def change(folder: Path, **values: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def settings(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "adapter_config.json").read_text())


def tensors(folder: Path) -> dict[str, Any]:
    return load_file(folder / "adapter_model.safetensors")


def rewrite(folder: Path, **tensors_: Any) -> None:
    save_file(tensors_, folder / "adapter_model.safetensors")


def refusal(folder: Path, checkpoint: Checkpoint) -> str:
    with pytest.raises(UserError) as fault:
        open_adapter(folder, checkpoint)
    assert str(folder) in str(fault.value)
    return str(fault.value)


def equal(one: Adapter, other: Adapter) -> None:
    assert set(one.updates) == set(other.updates)
    assert set(one.replaced) == set(other.replaced)
    for name, update in one.updates.items():
        weight = np.zeros((len(update.b), update.a.shape[1]))
        np.testing.assert_allclose(
            update.added(weight), other.updates[name].added(weight), rtol=0, atol=1e-7
        )
    for name, array in one.replaced.items():
        np.testing.assert_array_equal(array, other.replaced[name])
    assert (one.dropout, one.untied) == (other.dropout, other.untied)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "llama tied", "llama biases", "qwen2"])
@pytest.mark.parametrize("targets", [("all",), ("query", "value"), ("output",), ("down", "*.1.*")])
def test_what_is_written_is_read(kind: str, targets: tuple[str, ...], made: Any) -> None:
    checkpoint, adapter, folder = made(kind, LoraConfig(rank=3, alpha=5, targets=targets))
    equal(open_adapter(folder, checkpoint), adapter)


def test_settings_are_those_that_peft_users_know(made: Any) -> None:
    _, _, folder = made("llama", LoraConfig(rank=3, alpha=6, targets=("query", "value")))
    values = settings(folder)
    assert (values["r"], values["lora_alpha"], values["peft_type"]) == (3, 6, "LORA")
    assert values["target_modules"] == ["q_proj", "v_proj"]
    assert values["base_model_name_or_path"] == "llama"
    assert values["task_type"] == "CAUSAL_LM"
    assert "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" in tensors(folder)
    assert len(tensors(folder)) == 3 * 2 * 2
    assert not values["fan_in_fan_out"]


def test_ends_of_names_that_fit_others_too_are_longer(made: Any) -> None:
    """c_proj is a part of GPT-2's attention and of its feedforward."""
    _, _, folder = made("gpt2", LoraConfig(targets=("output",)))
    assert settings(folder)["target_modules"] == ["attn.c_proj"]
    assert settings(folder)["fan_in_fan_out"]


def test_a_fused_map_with_one_a_in_common_stays_as_it_is(made: Any, tmp_path: Path) -> None:
    checkpoint, _, folder = made("gpt2", LoraConfig(rank=3, targets=("query",)))
    found = tensors(folder)
    name = f"base_model.model.{FUSED}.lora_B.weight"
    assert found[name].shape == (96, 3)
    assert not found[name][32:].any()
    found[name] += 1
    rewrite(folder, **found)
    shared = open_adapter(folder, checkpoint)  # query, key and value, each with the same A
    assert {each for each in shared.updates if ".0." in each} == {
        f"decoder.layers.0.attention.{part}" for part in ("query", "key", "value")
    }
    assert {each for each in shared.updates if ".1." in each} == {
        "decoder.layers.1.attention.query"
    }
    again = tmp_path / "again"
    save_adapter(again, shared, family="gpt2", config=checkpoint.config)
    for each, array in tensors(again).items():
        np.testing.assert_array_equal(array, found[each])


def test_fused_maps_with_their_own_updates_become_one_of_a_higher_rank(made: Any) -> None:
    checkpoint, adapter, folder = made("gpt2", LoraConfig(rank=3, alpha=6))
    values = settings(folder)
    assert tensors(folder)[f"base_model.model.{FUSED}.lora_A.weight"].shape == (9, 32)
    assert (values["r"], values["lora_alpha"]) == (3, 6)
    assert values["rank_pattern"] == {"c_attn": 9}
    assert values["alpha_pattern"] == {"c_attn": 18}
    # factors of their own are in B
    name = "decoder.layers.0.attention.key"
    update = adapter.updates[name]
    other = replace(
        adapter, updates={**adapter.updates, name: Update(update.a, update.b, 5 * update.scale)}
    )
    folder = folder.parent / "other"
    save_adapter(folder, other, family="gpt2", config=checkpoint.config)
    equal(open_adapter(folder, checkpoint), other)


def test_merged_into_a_checkpoint_it_is_the_network_with_the_adapter(
    made: Any, logits: Callable[..., Any], tmp_path: Path
) -> None:
    for kind in ("gpt2", "llama"):
        checkpoint, adapter, folder = made(kind)
        one = merged(checkpoint, folder)
        assert one.card.name == f"{kind}+adapter"
        # or the packed weights of the base would be taken for its own
        known = replace(checkpoint, known=checkpoint.fingerprint)
        assert merged(known, folder).fingerprint == one.fingerprint != checkpoint.fingerprint
        other = load(checkpoint.config, checkpoint.weights, dtype=torch.float64)
        attach(other, adapter)
        plain = load(one.config, one.weights, dtype=torch.float64)
        assert float((logits(plain) - logits(other)).abs().max()) < 1e-5
        saved = tmp_path / "saved"
        one.save(saved)
        again = Checkpoint.open(saved)
        assert again.config == checkpoint.config
        for name, array in again.weights.items():
            np.testing.assert_array_equal(array, one.weights[name])
        for path in (folder, saved):
            path.rename(path.with_name(f"{kind} {path.name}"))


def test_weights_that_learned_whole_are_replaced(made: Any) -> None:
    learned = ("head.weight", "decoder.norm.weight", "*.0.attention_norm.*")
    checkpoint, adapter, folder = made("llama", LoraConfig(targets=("query",), learned=learned))
    assert settings(folder)["modules_to_save"] == [
        "lm_head", "model.layers.0.input_layernorm", "model.norm",
    ]  # fmt: skip
    found = open_adapter(folder, checkpoint)
    equal(found, adapter)
    one = applied(checkpoint, found)
    np.testing.assert_array_equal(one.weights["head.weight"], adapter.replaced["head.weight"])
    np.testing.assert_array_equal(
        one.weights["decoder.embedding.weight"], checkpoint.weights["decoder.embedding.weight"]
    )


def test_biases_alone_and_biases_of_adapted_maps(made: Any) -> None:
    checkpoint, adapter, folder = made("gpt2", LoraConfig(targets=("up",), learned=("*.bias",)))
    found = tensors(folder)
    assert settings(folder)["bias"] == "all"
    assert "base_model.model.transformer.h.0.mlp.c_fc.base_layer.bias" in found
    assert "base_model.model.transformer.h.0.ln_1.bias" in found
    assert found["base_model.model.transformer.h.0.attn.c_attn.bias"].shape == (96,)
    equal(open_adapter(folder, checkpoint), adapter)


def test_what_the_format_cannot_say_is_refused_before_a_file_is_there(
    made: Any, base: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = Checkpoint.open(base("gpt2"))
    config, folder = checkpoint.config, tmp_path / "never"
    ones = {
        name: np.ones(checkpoint.weights[name].shape, np.float32) for name in checkpoint.weights
    }

    def refused(family: str = "gpt2", config: ModelConfig = config, **given: Any) -> str:
        with pytest.raises(ConfigError) as fault:
            save_adapter(folder, Adapter(**{"updates": {}, **given}), family=family, config=config)
        assert not list(tmp_path.iterdir())
        return str(fault.value)

    embedding = {"decoder.embedding.weight": ones["decoder.embedding.weight"]}
    assert "tied embedding" in refused(replaced=embedding)
    bias = "decoder.layers.0.attention.query.bias"
    assert "attention.key.bias" in refused(replaced={bias: ones[bias]})
    norm = "decoder.layers.0.attention_norm.weight"
    told = refused(replaced={norm: ones[norm]})
    assert "ln_1.bias' did not learn" in told
    assert "no name for 'decoder.x'" in refused(updates={"decoder.x": Update(ones[bias], 1, 1.0)})
    headed = replace(config, output="class", outputs=2)
    assert "'class'" in refused(config=headed)
    (tmp_path / "adapter").mkdir()
    with pytest.raises(CheckpointError, match="exists already"):
        save_adapter(tmp_path / "adapter", Adapter(updates={}), family="gpt2", config=config)


def test_a_network_of_our_own_has_adapters_too(
    network: Callable[..., Any], learned: Callable[..., None], tmp_path: Path
) -> None:
    """No other library opens them, but the format is the same, with our names."""
    config = ModelConfig(
        vocabulary=61, decoder=StackConfig(layers=2, width=32, length=64, feedforward=48)
    )
    model = network(config, torch.float32)
    add_lora(model, LoraConfig(learned=("decoder.embedding.weight",)))
    learned(model)
    adapter = adapter_of(model)
    save_adapter(tmp_path / "adapter", adapter, family="loquent", config=config)
    name = "base_model.model.decoder.layers.0.feedforward.up.lora_A.weight"
    assert name in tensors(tmp_path / "adapter")

    card = Card(family="loquent", name="own", dtype="F32")
    own = Contents(config=config, weights=weights(model), tokenizer=None, card=card)
    equal(open_adapter(tmp_path / "adapter", own), adapter)


UNEXECUTED = {
    "use_dora": True, "use_qalora": True, "lora_bias": True, "layer_replication": [[0, 2]],
    "trainable_token_indices": [1], "target_parameters": ["x"], "alora_invocation_tokens": [1],
    "arrow_config": {"a": 1}, "corda_config": {"a": 1}, "loftq_config": {"loftq_bits": 4},
    "megatron_config": {"a": 1}, "init_lora_weights": "pissa", "peft_type": "IA3",
    "task_type": "SEQ_CLS", "bias": "some", "enable_lora": [True], "merge_weights": True,
}  # fmt: skip


@pytest.mark.parametrize("name", UNEXECUTED)
def test_settings_that_are_not_executed_are_refused_by_name(name: str, made: Any) -> None:
    checkpoint, _, folder = made("llama")
    change(folder, **{name: UNEXECUTED[name]})
    assert name in refusal(folder, checkpoint)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lora_alfa": 3}, "Did you mean 'lora_alpha'"),
        ({"r": 0}, "r must be a whole number from 1"),
        ({"r": 4}, "rank in adapter_config.json"),
        ({"lora_alpha": "big"}, "lora_alpha must be a number"),
        ({"lora_dropout": 1.5}, "lora_dropout"),
        ({"peft_type": None}, "peft_type is missing"),
        ({"target_modules": []}, "target_modules is missing"),
        ({"target_modules": [1]}, "target_modules must be a list of names"),
        ({"target_modules": ["q_proj"]}, "no update of 'model.layers.0.self_attn.k_proj'"),
        ({"exclude_modules": ["k_proj"]}, "no update of 'model.layers.0.self_attn.k_proj'"),
        ({"layers_to_transform": [0, 2]}, "no update of 'model.layers.1."),
        ({"layers_to_transform": ["a"]}, "layers_to_transform must be numbers"),
        ({"rank_pattern": {"q_proj": 2}}, "(3, 32), but"),
        ({"rank_pattern": {"q_proj": 2.5}}, "rank_pattern.q_proj"),
        ({"rank_pattern": {"(a+)+$": 2}}, "no plain pattern"),
        ({"alpha_pattern": {"q_proj": "x"}}, "alpha_pattern.q_proj"),
        ({"alpha_pattern": {"[": 1}}, "no plain pattern"),
        ({"alpha_pattern": {".*.*.*.*.*": 1}}, "no plain pattern"),
        ({"modules_to_save": ["score"]}, "'score', which the model does not have"),
        ({"modules_to_save": ["lm_head"]}, "'lm_head.weight' is missing"),
    ],
)
def test_settings_that_do_not_hold_are_told(values: dict, words: str, made: Any) -> None:
    checkpoint, _, folder = made("llama")
    change(folder, **values)
    assert words in refusal(folder, checkpoint)


@pytest.mark.parametrize(
    "values",
    [
        {"target_modules": "all-linear"},
        {"target_modules": r".*\.(self_attn|mlp)\..*_proj"},
        {"layers_to_transform": [0, 1, 2], "layers_pattern": "layers"},
        {"layers_to_transform": 0, "layers_pattern": ["blocks"], "exclude_modules": "x.*"},
        {"rank_pattern": {r"^model\.layers\.\d+\.mlp\.up_proj": 3}},
        {"eva_config": {"rho": 2.0}, "init_lora_weights": "eva", "revision": "main"},
        {"future_setting": None, "use_dora": False, "loftq_config": {}},
    ],
)
def test_other_ways_to_say_the_same_are_read(values: dict, made: Any) -> None:
    checkpoint, adapter, folder = made("llama")
    change(folder, **values)
    equal(open_adapter(folder, checkpoint), adapter)


def test_targets_without_tensors_are_told(made: Any) -> None:
    checkpoint, _, folder = made("llama", LoraConfig(rank=3, targets=("query",)))
    change(folder, target_modules=["q_proj", "k_proj"], bias="none")
    words = "asks for an update of 'model.layers.1.self_attn.k_proj', but there is none"
    assert words in refusal(folder, checkpoint)


def test_biases_that_should_be_there_are_told(made: Any) -> None:
    checkpoint, _, folder = made("gpt2", LoraConfig(rank=3, targets=("up",)))
    change(folder, bias="lora_only")
    assert "biases learned ('lora_only'), but there are none" in refusal(folder, checkpoint)


def test_factors_are_alpha_over_rank_or_its_root_and_patterns_go_before(made: Any) -> None:
    checkpoint, _, folder = made("llama")
    change(
        folder,
        use_rslora=True,
        lora_alpha=12,
        alpha_pattern={"layers.1.self_attn.q_proj": 3, ".*up_proj": 9, "^self_attn.k_proj": 1},
    )
    found = open_adapter(folder, checkpoint).updates
    root = 3**0.5
    start = "decoder.layers.1"
    assert found[f"{start}.attention.query"].scale == pytest.approx(3 / root)
    assert found["decoder.layers.0.attention.query"].scale == pytest.approx(12 / root)
    assert found[f"{start}.feedforward.up"].scale == pytest.approx(9 / root)
    assert found[f"{start}.attention.key"].scale == pytest.approx(12 / root)


def test_tensors_that_do_not_fit_are_all_told(made: Any) -> None:
    checkpoint, _, folder = made("llama")
    start = "base_model.model.model.layers.0"
    found = tensors(folder)
    del found[f"{start}.mlp.up_proj.lora_B.weight"]
    found |= {
        f"{start}.self_attn.q_prj.lora_A.weight": np.zeros((3, 32), np.float32),
        f"{start}.self_attn.q_proj.lora_B.weight": np.zeros((31, 3), np.float32),
        f"{start}.self_attn.q_proj.lora_magnitude_vector": np.zeros(32, np.float32),
        "base_model.model.lm_head.lora_A.weight": np.zeros((3, 32), np.float32),
        "base_model.model.score.weight": np.zeros((2, 32), np.float32),
        "base_model.model.model.norm.weight": np.zeros(31, np.float32),
        "model.norm.weight": np.zeros(32, np.float32),
    }
    rewrite(folder, **found)
    told = refusal(folder, checkpoint)
    for words in (
        "faults:",
        "has no lora_B beside it",
        "'model.layers.N.self_attn.q_proj'",
        "(31, 3)",
        "lora_magnitude_vector': is of a kind of adapter that is not executed",
        "'lm_head', which is no linear map of the model's layers",
        "tensor 'base_model.model.score.weight': is no weight of the model",
        "(31,), but the model asks for (32,)",
        "should begin with 'base_model.model.'",
    ):
        assert words in told, words


def test_a_head_that_learned_apart_unties_the_model(made: Any, base: Any, logits: Any) -> None:
    checkpoint, _, folder = made("llama tied")
    head, embedding = (
        "base_model.model.lm_head.weight",
        "base_model.model.model.embed_tokens.weight",
    )
    plain, before = tensors(folder), checkpoint.weights["decoder.embedding.weight"]

    rewrite(folder, **plain, **{head: 2 * before})
    found = open_adapter(folder, checkpoint)
    assert found.untied
    one = merged(checkpoint, folder)
    assert not one.config.tied
    np.testing.assert_array_equal(one.weights["head.weight"], 2 * before)
    np.testing.assert_array_equal(one.weights["decoder.embedding.weight"], before)
    load(one.config, one.weights)
    one.save(folder.parent / "saved")
    assert not Checkpoint.open(folder.parent / "saved").config.tied

    rewrite(folder, **plain, **{head: 2 * before, embedding: 2 * before})
    found = open_adapter(folder, checkpoint)
    assert not found.untied
    assert set(found.replaced) == {"decoder.embedding.weight"}
    assert merged(checkpoint, folder).config.tied

    rewrite(folder, **plain, **{embedding: before})  # stored, but it did not learn
    assert merged(checkpoint, folder).config.tied
    rewrite(folder, **plain, **{embedding: 2 * before})
    with pytest.raises(CheckpointError, match="they would part"):
        open_adapter(folder, checkpoint)
    change(folder, ensure_weight_tying=True)
    np.testing.assert_array_equal(
        merged(checkpoint, folder).weights["decoder.embedding.weight"], 2 * before
    )


def test_names_without_the_prefix_of_the_family_are_known(made: Any) -> None:
    """Adapters of a model without its head leave `model.` out."""
    checkpoint, adapter, folder = made("llama")
    found = tensors(folder)
    rewrite(
        folder,
        **{
            name.replace("model.model.model.", "model.model."): each for name, each in found.items()
        },
    )
    equal(open_adapter(folder, checkpoint), adapter)


def test_what_is_missing_or_damaged_is_told(made: Any, tmp_path: Path) -> None:
    checkpoint, adapter, folder = made("llama")
    assert "adapter_config.json: is missing" in refusal(tmp_path / "none", checkpoint)
    (folder / "adapter_model.safetensors").rename(folder / "x")
    assert "adapter_model.safetensors: is missing" in refusal(folder, checkpoint)
    (folder / "x").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"r": ')
    assert "adapter_config.json" in refusal(folder, checkpoint)
    foreign = replace(checkpoint, card=replace(checkpoint.card, executor="transformers"))
    with pytest.raises(CheckpointError, match="takes no adapters"):
        open_adapter(folder, foreign)
    other = Adapter(updates={"decoder.layers.9.attention.query": adapter.updates.popitem()[1]})
    with pytest.raises(CheckpointError, match=r"layers\.9\.attention\.query\.weight"):
        applied(checkpoint, other)


def test_an_adapters_tokenizer_goes_with_it(
    tiny_gpt2: Path, learned: Callable[..., None], tmp_path: Path
) -> None:
    checkpoint = Checkpoint.open(tiny_gpt2)
    model = load(checkpoint.config, checkpoint.weights, trainable=True)
    add_lora(model, LoraConfig())
    save_adapter(tmp_path / "a", adapter_of(model), family="gpt2", config=checkpoint.config)
    assert merged(checkpoint, tmp_path / "a").tokenizer is checkpoint.tokenizer
    document = json.loads((tiny_gpt2 / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "a" / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    made = merged(checkpoint, tmp_path / "a")
    assert made.tokenizer is not checkpoint.tokenizer
    assert made.tokenizer.encode("Once upon") == checkpoint.tokenizer.encode("Once upon")
    document["model"]["vocab"]["wholly new"] = 5000
    (tmp_path / "a" / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(CheckpointError, match="tokens, but the model"):
        merged(checkpoint, tmp_path / "a")
