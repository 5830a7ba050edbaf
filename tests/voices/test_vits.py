"""VITS is transformers' on tiny random networks: in double precision, with the same noise."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import VitsConfig, VitsModel, VitsTokenizer

from loquent.checkpoints.families.vits import vits_name, vits_settings
from loquent.errors import CheckpointError, ConfigError, RequestError
from loquent.voices.opening import open_voice
from loquent.voices.speaking import speak
from loquent.voices.vits import Vits
from loquent.voices.vits_voice import weights_of
from loquent.voices.voice import Manner

LETTERS = "_abcdefghijklmnopqrstuvwxyz' "
SIZES: dict[str, Any] = {
    "vocab_size": len(LETTERS), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "window_size": 3, "ffn_dim": 24, "ffn_kernel_size": 3, "flow_size": 8, "spectrogram_bins": 9,
    "prior_encoder_num_flows": 3, "prior_encoder_num_wavenet_layers": 2,
    "posterior_encoder_num_wavenet_layers": 1, "wavenet_kernel_size": 5, "wavenet_dilation_rate": 2,
    "upsample_initial_channel": 16, "upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4],
    "resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 3], [1, 2]],
    "duration_predictor_num_flows": 3, "duration_predictor_flow_bins": 6,
    "duration_predictor_filter_channels": 12, "depth_separable_num_layers": 2,
    "sampling_rate": 8_000,
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "usual": {},
    "told durations": {"use_stochastic_duration_prediction": False},
    "even kernel, gelu": {"ffn_kernel_size": 4, "hidden_act": "gelu", "window_size": 5},
    "no noise, slow": {"noise_scale": 0.0, "noise_scale_duration": 0.0, "speaking_rate": 0.7},
    "other slopes": {"leaky_relu_slope": 0.3, "layer_norm_eps": 1e-3},
}


def saved(folder: Path, changed: dict[str, Any]) -> VitsModel:
    """A tiny network with weights far from those of a fresh one, in a folder with a vocabulary."""
    torch.manual_seed(0)
    model = VitsModel(VitsConfig(**{**SIZES, **changed})).eval().double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.1)
        if changed.get("use_stochastic_duration_prediction", True):
            model.duration_predictor.flows[0].translate[0] -= 1.0  # so that sounds last a while
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({c: n for n, c in enumerate(LETTERS)}))
    told = {"add_blank": True, "normalize": True, "phonemize": False, "language": "eng"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return model


def ids_of(count: int) -> list[int]:
    return np.random.default_rng(count).integers(0, len(LETTERS), count).tolist()


def theirs(model: VitsModel, ids: Sequence[int], monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The wave, with the noise of NumPy's generator in place of torch's."""
    noise = np.random.default_rng(7)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.tensor(noise.standard_normal(shape))

    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr(torch, "randn", drawn)
        patch.setattr(torch, "randn_like", lambda like: drawn(*like.shape))
        return model(torch.tensor([ids])).waveform[0].numpy()


@pytest.mark.parametrize("changed", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("count", [1, 2, 37, 130])
def test_as_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], count: int
) -> None:
    model = saved(tmp_path, changed)
    ids = ids_of(count)
    wanted = theirs(model, ids, monkeypatch)
    settings = vits_settings(json.loads((tmp_path / "config.json").read_text()))
    found = Vits(settings, weights_of(tmp_path, np.float64)).wave(ids, np.random.default_rng(7))
    assert found.shape == wanted.shape
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(found, wanted, atol=1e-11)


MISTAKES: dict[str, Callable[[dict[str, np.ndarray]], None]] = {
    "keys are values": lambda w: w.update(
        {"text.layers.0.attention.key.weight": w["text.layers.0.attention.value.weight"]}
    ),
    "vectors of places turned": lambda w: w.update(
        {
            "text.layers.1.attention.relative_key.weight":
                w["text.layers.1.attention.relative_key.weight"][:, ::-1]
        }
    ),
    "two flows exchanged": lambda w: w.update(
        {"flow.0.output.weight": w["flow.1.output.weight"]}
    ),
    "a scale left out": lambda w: w.update(
        {"durations.flows.0.scale.weight": 0 * w["durations.flows.0.scale.weight"]}
    ),
    "a bias left out": lambda w: w.update(
        {"wave.blocks.3.second.1.bias": 0 * w["wave.blocks.3.second.1.bias"]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    model = saved(tmp_path, {})
    ids = ids_of(50)
    wanted = theirs(model, ids, monkeypatch)
    settings = vits_settings(json.loads((tmp_path / "config.json").read_text()))
    weights = weights_of(tmp_path, np.float64)
    MISTAKES[mistake](weights)
    found = Vits(settings, weights).wave(ids, np.random.default_rng(7))
    assert found.shape != wanted.shape or np.abs(found - wanted).max() > 1e-6


def test_a_folder_speaks(tmp_path: Path) -> None:
    saved(tmp_path, {})
    voice = open_voice(str(tmp_path))
    assert (voice.rate, voice.language) == (8_000, "en")
    made = speak("The cat, Then $4.50!", voice=voice)
    assert made.plain()["phonemes"] == "the cat then four dollars and fifty cents"
    assert len(made.sound.samples) > 100
    once, again = (voice.said("the cat", Manner(seed=3)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert len(voice.said("the cat", Manner(speed=2))) < len(once)
    with pytest.raises(RequestError, match="cannot say é"):
        speak("café", voice=voice)
    with pytest.raises(RequestError, match="cannot speak higher or lower"):
        speak("cat", voice=voice, pitch=1.1)


def test_ids_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    saved(tmp_path, {})
    tokenizer = VitsTokenizer.from_pretrained(tmp_path)
    voice = open_voice(str(tmp_path))
    for text in ("Don't stop, CAT - now", "a", "  the  dog."):
        phonemes = voice.pronounced(text).phonemes
        ids = [0, *(each for c in phonemes for each in (LETTERS.index(c), 0))]
        assert ids == tokenizer(text)["input_ids"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"num_speakers": 3, "speaker_embedding_size": 4}, "more than one speaker"),
        ({"hidden_act": "mish"}, "hidden_act"),
        ({"upsample_rates": [4]}, "upsample_kernel_sizes and upsample_rates differ"),
        ({"depth_separable_channels": 4}, "two channels"),
        ({"surprise": 1}, "'surprise' is not known"),
        ({"flow_size": 7}, "flow_size is odd"),
    ],
)
def test_settings_that_are_not_executed(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        vits_settings({"model_type": "vits", **SIZES, **changed})


def test_weights_that_are_missing_or_strange(tmp_path: Path) -> None:
    saved(tmp_path, {})
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    name = "decoder.conv_pre.weight"
    save_file({key: each for key, each in weights.items() if key != name}, path)
    with pytest.raises(CheckpointError, match=r"wave\.input\.weight is missing"):
        open_voice(str(tmp_path))
    save_file({**weights, "head.weight": weights[name]}, path)
    with pytest.raises(CheckpointError, match=r"head\.weight is none of VITS"):
        open_voice(str(tmp_path))
    save_file({**weights, name: weights[name][:, :3]}, path)
    with pytest.raises(CheckpointError, match="do not fit"):
        open_voice(str(tmp_path))


def test_training_only_weights_have_no_name() -> None:
    assert vits_name("posterior_encoder.conv_pre.weight") == ""
    assert vits_name("duration_predictor.post_flows.0.translate") == ""
