"""Voices of Piper: their settings, phonemes and languages, on a tiny network of the real format."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from loquent.errors import CheckpointError, UserError
from loquent.voices import espeak_words, piper
from loquent.voices.espeak_words import EspeakWords
from loquent.voices.opening import open_voice
from loquent.voices.piper import open_piper
from loquent.voices.speaking import speak
from loquent.voices.voice import Manner

ALPHABET = "_^$ ,.!?'abcdefhijklmnoprstuvwxyzɑɔəɛɜɪʊʌɚɹɾʃʒθðŋɡæːˈˌ1ç"
LOADED = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec(espeak_words.PACKAGE) is None,
    reason="espeakng-loader is not installed",
)


def saved(folder: Path, voice: str = "en-us", **changed: Any) -> Path:
    """A network that gives 100 samples for each id, in a folder with its settings."""
    folder.mkdir(exist_ok=True)
    node = helper.make_node
    nodes = [
        node("Cast", ["input"], ["real"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["real", "last"], ["apart"]),
        node("Add", ["apart", "wave"], ["moved"]),
        node("Sin", ["moved"], ["sound"]),
        node("ReduceSum", ["scales"], ["total"], keepdims=0),
        node("Mul", ["sound", "total"], ["louder"]),
        node("Cast", ["input_lengths"], ["length"], to=TensorProto.FLOAT),
        node("Mul", ["louder", "length"], ["all"]),
        node("Reshape", ["all", "flat"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("input", TensorProto.INT64, None),
            helper.make_tensor_value_info("input_lengths", TensorProto.INT64, None),
            helper.make_tensor_value_info("scales", TensorProto.FLOAT, None),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.array([2], np.int64), "last"),
            numpy_helper.from_array(np.arange(100, dtype=np.float32) / 3, "wave"),
            numpy_helper.from_array(np.array([1, 1, 1, -1], np.int64), "flat"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    model.ir_version = 8
    onnx.save(model, folder / "tiny.onnx")
    settings = {
        "audio": {"sample_rate": 8_000},
        "espeak": {"voice": voice},
        "inference": {"noise_scale": 0.5, "length_scale": 1, "noise_w": 0.5},
        "phoneme_id_map": {each: [number] for number, each in enumerate(ALPHABET)},
        "num_speakers": 1,
        **changed,
    }
    (folder / "tiny.onnx.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def test_english_by_our_dictionary(tmp_path: Path, tiny_voice: Path) -> None:
    voice = open_piper(saved(tmp_path), "tiny", tiny_voice)
    assert (voice.language, voice.rate, voice.phonemes_by) == ("en", 8_000, "our dictionary")
    assert voice.pronounced("The four dollars — stop.").phonemes == "ðə fˈoːɹ dˈɑːlɚz, stˈɑːp."
    ids = len("ðə") * 2 + 2  # each with a blank behind it, and both ends
    assert len(voice.said("ðə", Manner())) == 100 * ids
    made = speak("The dog. Four dollars.", voice=voice)
    assert len(made.pieces) == 2
    with pytest.raises(UserError, match="has no phoneme β"):
        voice.said("β", Manner())


@LOADED
def test_other_languages_by_espeak(tmp_path: Path) -> None:
    voice = open_voice(str(saved(tmp_path, "de")))
    assert (voice.language, voice.phonemes_by) == ("de", "espeak-ng")
    found = voice.pronounced("Das Haus, ist schön!")
    assert found.phonemes.startswith("das hˈaʊs, ")
    assert found.phonemes.endswith("!")
    assert found.unknown == ("ø",)  # the tiny alphabet lacks it
    assert voice.pronounced("ich").phonemes == "ɪc"  # NFD: c and its hook, which is lacking


@LOADED
def test_english_by_espeak_where_it_is_installed(tmp_path: Path) -> None:
    assert open_voice(str(saved(tmp_path))).phonemes_by == "espeak-ng"


@LOADED
def test_espeak_clause_by_clause() -> None:
    words = EspeakWords("en-us", ALPHABET)
    assert words.pronounced("Stop, now. (Go!)").phonemes.count(",") == 1
    assert words.pronounced("").phonemes == ""
    with pytest.raises(UserError, match="knows no language 'qqq'"):
        EspeakWords("qqq", ALPHABET)


def test_without_espeak_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak_words, "PACKAGE", "no_such_package")
    with pytest.raises(UserError, match=r"needs the phonemes of espeak-ng\..*loquent\[espeak\]"):
        open_voice(str(saved(tmp_path, "de")))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"num_speakers": 4}, "has 4 voices; one is executed"),
        ({"phoneme_id_map": {"a": [1]}}, "has no ids for"),
        ({"audio": {}}, "is not as it should be"),
    ],
)
def test_settings_that_are_not_executed(
    tmp_path: Path, tiny_voice: Path, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(CheckpointError, match=told):
        open_piper(saved(tmp_path, **changed), "tiny", tiny_voice)
    assert piper.is_piper(tmp_path)
