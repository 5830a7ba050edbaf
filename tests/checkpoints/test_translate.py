"""Every tensor is used once, or named; nothing is read before it is asked for."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.families import FAMILIES, GGUF_FAMILIES
from loquent.checkpoints.translate import spell, translate
from loquent.errors import CheckpointError
from loquent.model.names import shapes

GPT2 = ModelConfig(
    vocabulary=11,
    decoder=StackConfig(
        layers=2,
        width=8,
        length=6,
        heads=2,
        feedforward=12,
        attention_bias=True,
        output_bias=True,
        feedforward_bias=True,
    ),
)
LLAMA = ModelConfig(
    vocabulary=11,
    tied=False,
    decoder=StackConfig(
        layers=12,
        width=16,
        length=6,
        heads=4,
        kv_heads=2,
        feedforward=12,
        gated=True,
        norm="rms",
        positions="rotary",
    ),
)


@pytest.fixture
def gpt2(random_tensors: Callable, tensors: Callable) -> Callable:
    """Weights of GPT2 as Hugging Face names them, changed by what a test says."""

    def make(**changes: np.ndarray | None):
        weights = random_tensors(shapes(GPT2)).arrays
        made = dict(spell(weights, FAMILIES["gpt2"].rules, GPT2)[0])
        for name, value in changes.items():
            made[name] = value
        return tensors({name: value for name, value in made.items() if value is not None})

    return make


def refusal(given, config: ModelConfig = GPT2) -> str:
    with pytest.raises(CheckpointError) as fault:
        translate(given, FAMILIES["gpt2"].rules, config, "transformer.")
    return str(fault.value)


@pytest.mark.parametrize(("kind", "config"), [("gpt2", GPT2), ("llama", LLAMA)])
def test_there_and_back_is_the_same(
    kind: str, config: ModelConfig, random_tensors, tensors
) -> None:
    family = FAMILIES[kind]
    ours = random_tensors(shapes(config)).arrays
    theirs, stored = spell(ours, family.rules, config)
    assert {name: theirs[name].shape for name in theirs} == stored
    back, ignored = translate(tensors(dict(theirs)), family.rules, config, family.prefix)
    assert not ignored
    assert set(back) == set(ours)
    assert len(back) == len(ours)
    for name, array in ours.items():
        np.testing.assert_array_equal(back[name], array)


def test_gpt2_maps_are_stored_transposed_and_fused(random_tensors) -> None:
    ours = random_tensors(shapes(GPT2)).arrays
    theirs, _ = spell(ours, FAMILIES["gpt2"].rules, GPT2)
    fused = theirs["transformer.h.1.attn.c_attn.weight"]
    assert fused.shape == (8, 24)
    np.testing.assert_array_equal(fused[:, 8:16], ours["decoder.layers.1.attention.key.weight"].T)


def test_nothing_is_read_before_it_is_asked_for(gpt2: Callable) -> None:
    given = gpt2()
    weights, _ = translate(given, FAMILIES["gpt2"].rules, GPT2, "transformer.")
    assert "decoder.norm.bias" in weights
    assert given.read == []
    assert weights["decoder.norm.bias"].shape == (8,)
    assert given.read == ["transformer.ln_f.bias"]


def test_the_prefix_may_be_left_out(gpt2: Callable, tensors: Callable) -> None:
    full = gpt2()
    bare = tensors({name.removeprefix("transformer."): full[name] for name in full})
    weights, _ = translate(bare, FAMILIES["gpt2"].rules, GPT2, "transformer.")
    np.testing.assert_array_equal(
        weights["decoder.embedding.weight"], full["transformer.wte.weight"]
    )


def test_masks_are_ignored_by_name(gpt2: Callable) -> None:
    given = gpt2(
        **{"transformer.h.0.attn.bias": np.ones((1, 1, 6, 6)), "h.1.attn.masked_bias": np.ones(())}
    )
    _, ignored = translate(given, FAMILIES["gpt2"].rules, GPT2, "transformer.")
    assert set(ignored) == {"transformer.h.0.attn.bias", "h.1.attn.masked_bias"}


def test_a_tied_head_may_be_stored_if_it_repeats_the_embedding(gpt2: Callable) -> None:
    embedding = gpt2()["transformer.wte.weight"]
    _, ignored = translate(
        gpt2(**{"lm_head.weight": embedding.copy()}), FAMILIES["gpt2"].rules, GPT2, "transformer."
    )
    assert ignored == {"lm_head.weight": "the embedding again"}
    assert "'lm_head.weight': differs from the embedding" in refusal(
        gpt2(**{"lm_head.weight": embedding + 1})
    )


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("transformer.h.1.ln_1.bias", None, "'transformer.h.1.ln_1.bias': is missing"),
        (
            "transformer.h.2.ln_1.bias",
            np.ones(8),
            "'transformer.h.2.ln_1.bias': is left over: the se",
        ),
        ("h.1.ln_1.bias", np.ones(8), "is there twice"),
        ("h.01.ln_1.bias", np.ones(8), "is left over"),
        ("transformer.h.0.ln_3.bias", np.ones(8), "Did you mean 'transformer.h.N.ln_"),
        ("score.weight", np.ones((2, 8)), "'score.weight': is left over"),
        ("transformer.wte.weight", np.ones((12, 8)), "has the shape (12, 8), but the settings ask"),
        (
            "transformer.wte.weight",
            np.ones(()),
            "has the shape (), but the settings ask for (11, 8)",
        ),
        ("transformer.h.0.attn.c_attn.weight", np.ones((24, 8)), "(24, 8), but the settings ask"),
        ("transformer.h.0.mlp.c_fc.weight", np.ones((12, 8)), "ask for (8, 12)"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(gpt2: Callable, name: str, value, told: str) -> None:
    assert told in refusal(gpt2(**{name: value}))


def test_an_untied_network_needs_its_head(gpt2: Callable) -> None:
    assert "'lm_head.weight': is missing" in refusal(gpt2(), replace(GPT2, tied=False))


def test_thousands_of_faults_are_told_in_short(gpt2: Callable) -> None:
    assert GPT2.decoder is not None
    deep = replace(GPT2, decoder=replace(GPT2.decoder, layers=4000))
    told = refusal(gpt2(), deep)
    assert len(told) < 4000
    assert re.search(r"… and \d{5} more", told)


def test_gguf_heads_are_brought_from_neighbors_to_halves(random_tensors, tensors) -> None:
    ours = random_tensors(shapes(LLAMA)).arrays
    family = GGUF_FAMILIES["llama"]
    names = {rule: name for name, rule in family.rules.items() if isinstance(rule, str)}
    rotated = {"query": "attn_q", "key": "attn_k"}
    theirs = {}
    for name, array in ours.items():
        parts = name.split(".")
        if parts[-2] in rotated:  # as llama.cpp's converter does it
            heads = LLAMA.decoder.heads if parts[-2] == "query" else LLAMA.decoder.key_heads
            stored = array.reshape(heads, 2, 2, 16).swapaxes(1, 2).reshape(array.shape)
            theirs[f"blk.{parts[2]}.{rotated[parts[-2]]}.weight"] = stored
            continue
        pattern = names[".".join("N" if part.isdecimal() else part for part in parts)]
        theirs[pattern.replace("N", "".join(filter(str.isdecimal, parts)))] = array
    back, _ = translate(tensors(theirs), family.rules, LLAMA)
    assert set(back) == set(ours)
    for name, array in ours.items():
        np.testing.assert_array_equal(back[name], array)


def test_a_family_without_a_name_for_a_weight_says_so(random_tensors) -> None:
    assert GPT2.decoder is not None
    gated = replace(GPT2, decoder=replace(GPT2.decoder, gated=True))
    with pytest.raises(CheckpointError, match=r"no name for decoder\.layers\.0\.feedforward\.gate"):
        spell(random_tensors(shapes(gated)).arrays, FAMILIES["gpt2"].rules, gated)
