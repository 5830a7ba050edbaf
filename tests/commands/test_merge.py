"""`loquent models merge`, on a tiny model and an adapter made here."""

import json
from pathlib import Path

import numpy as np
import pytest

from loquent.checkpoints.adapters.writing import save_adapter
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.commands import run
from loquent.model.adapter import Adapter, Update


@pytest.fixture
def adapter(tiny_gpt2: Path, tmp_path: Path) -> Path:
    checkpoint = Checkpoint.open(tiny_gpt2)
    drawn = np.random.default_rng(0).normal(size=(2, 2, 48)).astype(np.float32)
    updates = {
        f"decoder.layers.{layer}.attention.output": Update(drawn[layer], drawn[layer].T, 0.5)
        for layer in range(2)
    }
    folder = tmp_path / "adapter"
    save_adapter(folder, Adapter(updates=updates), family="gpt2", config=checkpoint.config)
    return folder


@pytest.fixture
def merge(capsys):
    """Run the command: its status, what it wrote to stdout, and to stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = run(["models", "merge", *map(str, arguments)])
        written = capsys.readouterr()
        return status, written.out, written.err

    return call


def test_a_base_and_an_adapter_become_a_model(merge, tiny_gpt2, adapter, tmp_path):
    out = tmp_path / "merged"
    status, text, err = merge(tiny_gpt2, adapter, "--out", out)
    assert (status, err) == (0, "")
    assert text.splitlines()[0] == str(out)
    assert "tiny-gpt2+adapter" in text
    before, after = Checkpoint.open(tiny_gpt2), Checkpoint.open(out)
    assert after.tokenizer.encode("Once upon") == before.tokenizer.encode("Once upon")
    moved = {
        name
        for name in before.weights
        if not np.array_equal(before.weights[name], after.weights[name])
    }
    assert moved == {f"decoder.layers.{layer}.attention.output.weight" for layer in range(2)}


def test_the_same_as_json(merge, tiny_gpt2, adapter, tmp_path):
    status, text, _ = merge(tiny_gpt2, adapter, "--out", tmp_path / "merged", "--json")
    facts = json.loads(text)
    assert status == 0
    assert facts["path"] == str(tmp_path / "merged")
    assert facts["bytes"] > 100_000
    assert facts["name"] == "tiny-gpt2+adapter"


def test_mistakes_are_told_on_stderr(merge, tiny_gpt2, adapter, tmp_path):
    for arguments, status, words in (
        ((tiny_gpt2, tmp_path, "--out", tmp_path / "x"), 1, "adapter_config.json: is missing"),
        ((tiny_gpt2, adapter, "--out", tmp_path), 1, "exists already"),
        ((tiny_gpt2, adapter), 2, "Missing option"),
        (("gtp2", adapter, "--out", tmp_path / "x"), 1, "Did you mean 'gpt2'"),
    ):
        found, out, err = merge(*arguments)
        assert (found, out) == (status, "")
        assert words in err
