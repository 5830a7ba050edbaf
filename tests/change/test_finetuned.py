"""A network that learned by an adapter is merged, saved, reopened, packed, and writes the same."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

import loquent
from loquent.change.lora import LoraConfig, adapter_of, add_lora, merge
from loquent.checkpoints.adapters.merging import merged
from loquent.checkpoints.adapters.writing import save_adapter
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.model.model import load, weights


def taught(checkpoint: Checkpoint, text: str, steps: int, rate: float) -> Any:
    """A network with an adapter after a few steps on one text."""
    ids = torch.tensor([checkpoint.tokenizer.encode(text)])
    model = load(checkpoint.config, checkpoint.weights, trainable=True).train()
    add_lora(model, LoraConfig(rank=8, alpha=16))
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], rate)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = cross_entropy(model(ids)[0, :-1], ids[0, 1:])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    return model.eval()


def greedy(model: Any, ids: list[int], count: int) -> list[int]:
    made = list(ids)
    with torch.no_grad():
        for _ in range(count):
            made.append(int(model(torch.tensor([made]))[0, -1].argmax()))
    return made[len(ids) :]


def follow(checkpoint: Checkpoint, text: str, start: str, steps: int, rate: float, to: Path) -> Any:
    """The whole way; the tokens that torch, and that the native runtime, write after `start`."""
    model = taught(checkpoint, text, steps, rate)
    ids = checkpoint.tokenizer.encode(start)
    wanted = greedy(model, ids, 24)
    plain = greedy(load(checkpoint.config, checkpoint.weights), ids, 24)
    assert plain != wanted
    save_adapter(
        to / "adapter", adapter_of(model), family=checkpoint.card.family, config=checkpoint.config
    )
    merged(checkpoint, to / "adapter").save(to / "merged")
    merge(model)
    again = Checkpoint.open(to / "merged")
    for name, array in weights(model).items():
        assert abs(again.weights[name] - array).max() < 1e-5
    native = loquent.open(to / "merged", runtime="native", bits=32, draft=None)
    answer = native.generate(start, max_tokens=24, temperature=0, ignore_end=True)
    assert answer.ids == greedy(load(again.config, again.weights), ids, 24)
    return wanted, answer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Packed weights of tests go where tests go."""
    if "default_model" in request.fixturenames:
        request.getfixturevalue("default_model")  # found in the user's own home first
    monkeypatch.setenv("LOQUENT_HOME", str(tmp_path / "home"))


def test_from_learning_to_the_native_runtime(tiny_gpt2: Path, tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(tiny_gpt2)
    text = "Once upon a time there was a small model that learned one sentence by heart."
    wanted, answer = follow(checkpoint, text, "Once upon a time", 80, 0.01, tmp_path)
    assert answer.ids == wanted


@pytest.mark.weights
@pytest.mark.slow
def test_from_learning_to_the_native_runtime_with_real_weights(
    default_model: Path, tmp_path: Path
) -> None:
    checkpoint = Checkpoint.open(default_model)
    text = "The password of the blue house is seven green umbrellas, and nobody else knows it."
    wanted, answer = follow(
        checkpoint, text, "The password of the blue house is", 12, 2e-3, tmp_path
    )
    assert answer.ids == wanted
    assert "seven green umbrellas" in answer.text
