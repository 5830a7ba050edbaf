"""A tiny spectral voice in the real format, with a dictionary of a few words."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from loquent.checkpoints import hub
from loquent.errors import UserError

WORDS: dict[str, Any] = {
    "the": "ði", "four": "fˈɔɹ", "dollar": "dˈɑləɹ", "and": "ænd", "fifty": "fˈɪfti",
    "cent": "sˈɛnt", "dog": "dˈɔɡ", "rule": "ɹˈul", "cost": "kˈɔst", "read": {
        "DEFAULT": "ɹˈid", "VBD": "ɹˈɛd"}, "twenty": "twˈɛnti", "three": "θɹˈi", "new": "nˈu",
    "by": {"DEFAULT": "bI", "None": "bˈI"}, "he": "hi", "stop": "stˈɑp", "apple": "ˈæpᵊl",
    "bat": "bˈæt", "A": "ˈA", "B": "bˈi", "D": "dˈi", "F": "ˈɛf", "I": "ˈI", "C": "sˈi",
}  # fmt: skip
ALPHABET = " ;:,.!?—…“”()ˈˌAIOWYaiuæɑɔəɛɜɪʊʌᵊᵻɐbdfhjklmnpstvwzðŋɡɹʃʒʤʧθT"
BINS, WIDTH = 601, 8


def network(random: np.random.Generator) -> onnx.ModelProto:
    """ids (1, L), speed → five parts (1, 601, F) and a pitch (1, F); F = 4 L / speed or so."""
    node = helper.make_node
    constants = {
        "table": random.normal(size=(len(ALPHABET) + 1, WIDTH)).astype(np.float32),
        "map": random.normal(size=(WIDTH, 5 * BINS + 1)).astype(np.float32) * 0.3,
        "offset": np.r_[-5 * np.ones(5 * BINS), 120].astype(np.float32),
        "four": np.array(4, np.float32),
        "sizes": np.array([BINS] * 5 + [1], np.int64),
        "ones": np.array([1, 1], np.int64),
        "two": np.array([2], np.int64),
        "back": np.array([1, -1, WIDTH], np.int64),
        "one": np.array([1], np.int64),
        "width": np.array([1], np.int64),
    }
    nodes = [
        node("Gather", ["table", "ids"], ["embedded"]),  # (1, L, W)
        node("Div", ["four", "speed"], ["longer"]),
        node("Round", ["longer"], ["whole"]),
        node("Cast", ["whole"], ["count"], to=TensorProto.INT64),
        node("Unsqueeze", ["embedded", "two"], ["apart"]),  # (1, L, 1, W)
        node("Concat", ["ones", "count", "width"], ["times"], axis=0),
        node("Tile", ["apart", "times"], ["tiled"]),
        node("Reshape", ["tiled", "back"], ["frames"]),
        node("MatMul", ["frames", "map"], ["product"]),
        node("Add", ["product", "offset"], ["made"]),
        node("Transpose", ["made"], ["turned"], perm=[0, 2, 1]),
        node("Split", ["turned", "sizes"], ["lh", "theta", "ln", "lr", "phi", "pitch"], axis=1),
        node("Squeeze", ["pitch", "one"], ["f0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "L"]),
            helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in ("lh", "theta", "ln", "lr", "phi", "f0")
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    return made


def packed(path: Path, value: Any) -> None:
    path.write_bytes(gzip.compress(json.dumps(value).encode()))


@pytest.fixture(scope="session")
def tiny_voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny voice."""
    folder = tmp_path_factory.mktemp("voices") / "tiny"
    folder.mkdir()
    onnx.save(network(np.random.default_rng(0)), folder / "hibari.onnx")
    ids = {each: place for place, each in enumerate(ALPHABET, 1)}
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    packed(folder / "lexicon_us_gold.json.gz", WORDS)
    packed(folder / "lexicon_us_silver.json.gz", {"rules": "ɹˈulz"})
    tagger = {
        "tags": ["NN", "VBD"],
        "tagdict": {"he": "PRP", "the": "DT"},
        "vocab": ["he", "read"],
        "weights": {"w-1=he": {"VBD": 1.0}, "w-1=the": {"NN": 1.0}},
    }
    packed(folder / "tagger.json.gz", tagger)
    guesser(folder)
    return folder


def guesser(folder: Path) -> None:
    """A network that says each letter of a to z as the phoneme of the same number."""
    letters, sounds = "abcdefghijklmnopqrstuvwxyz", "æbkdɛfɡhɪʤklmnɑpkɹstʌvwzjz"
    node = helper.make_node("Add", ["chars", "zero"], ["ids"])
    graph = helper.make_graph(
        [node],
        "guess",
        [helper.make_tensor_value_info("chars", TensorProto.INT64, [1, "L"])],
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "L"])],
        [numpy_helper.from_array(np.array(0, np.int64), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, folder / "oov.onnx")
    told = {"in": list(letters), "out": list(sounds), "slots": 1, "maxlen": 24}
    (folder / "oov.json").write_text(json.dumps(told), encoding="utf-8")


def real(name: str) -> Path:
    """The files of a voice of the catalogue; skips where they cannot be had."""
    try:
        return hub.resolve(name)
    except UserError as error:
        pytest.skip(f"the voice {name} cannot be had here: {error}")


@pytest.fixture(scope="session")
def hibari() -> Path:
    return real("hibari")


@pytest.fixture(scope="session")
def joe() -> Path:
    return real("joe")
