"""Folders of encoder-decoders: opened, run by both executors, written, opened by transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.pack import pack
from loquent.engine.native_network import NativeNetwork
from loquent.engine.network import Network, Tokens
from loquent.engine.torch_network import open_network


@pytest.fixture
def folder(pair: Any, tmp_path: Path) -> Path:
    """The network as transformers saves it, in single precision."""
    pair.model.float().save_pretrained(tmp_path / "theirs")
    return tmp_path / "theirs"


def logits(network: Network, sources: list[list[int]], targets: list[list[int]]) -> list[Any]:
    made = []
    for source, target in zip(sources, targets, strict=True):
        memory = network.new_memory(1, len(target))
        memory.attach(0, source)
        places = np.arange(len(target), dtype=np.int32)
        ids = np.asarray(target, np.int32)
        tokens = Tokens(ids, np.zeros_like(ids), places, np.ones(len(ids), np.bool_))
        made.append(np.asarray(network.step(memory, tokens)))
    return made


def test_both_executors_agree_natively_too(folder: Path, pair: Any, tmp_path: Path) -> None:
    opened = Checkpoint.open(folder)
    assert opened.config == pair.config
    rows = pair.rows()
    expected = logits(open_network(opened.config, opened.weights, precision="float64"), *rows)
    size = float(np.concatenate(expected).std())
    for bits, allowed in ((32, 1e-4), (8, 0.25)):
        path = tmp_path / f"{bits}.loquent"
        pack(opened.config, opened.weights, path, bits)
        got = logits(NativeNetwork(path), *rows)
        difference = [float(abs(a - b).max()) for a, b in zip(got, expected, strict=True)]
        assert max(difference) <= allowed * max(size, 1.0)
    same = [a.argmax(1) == b.argmax(1) for a, b in zip(got, expected, strict=True)]
    assert float(np.concatenate(same).mean()) > 0.8  # in int8


def test_what_is_written_is_opened_by_transformers(folder: Path, pair: Any, tmp_path: Path) -> None:
    opened = Checkpoint.open(folder)
    opened.save(tmp_path / "ours")
    again = Checkpoint.open(tmp_path / "ours")
    assert (again.config, again.generation) == (opened.config, opened.generation)
    for name, array in opened.weights.items():
        assert np.array_equal(again.weights[name], array), name
    kind = getattr(transformers, pair.family.architecture)
    model, found = kind.from_pretrained(tmp_path / "ours", output_loading_info=True)
    unread = {"model.shared.weight"} if pair.model.config.tie_word_embeddings is False else set()
    assert found.pop("missing_keys") == unread
    assert not any(found.values())
    sources, targets = pair.rows()
    with torch.no_grad():
        asked = {
            "input_ids": torch.tensor(sources[:1]),
            "decoder_input_ids": torch.tensor(targets[:1]),
        }
        expected, got = pair.model(**asked).logits, model(**asked).logits
    assert torch.equal(expected, got)


def test_a_file_without_a_bias_of_logits_has_none_of_it(make: Callable[[str], Any]) -> None:
    pair = make("bart")
    del pair.tensors.state["final_logits_bias"]
    assert not pair.weights["head.bias"].any()


def test_an_embedding_that_differs_from_the_shared_one_is_told(make: Callable[[str], Any]) -> None:
    pair = make("marian")
    name = "model.decoder.embed_tokens.weight"
    pair.tensors.state[name] = pair.tensors.state[name] + 1
    with pytest.raises(Exception, match=f"'{name}': differs from the embedding"):
        _ = pair.weights
