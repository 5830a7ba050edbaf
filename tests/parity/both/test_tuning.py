"""A step of tuning: the loss of a batch and every gradient are those of transformers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from loquent.checkpoints.translate import translate
from loquent.model.model import Model, weights
from loquent.training.losses import token_loss
from loquent.training.tensors import TensorBatch

CASES = ["t5", "t5 gated", "t5 untied", "bart", "bart untied", "mbart", "marian", "marian two"]
EXACT, SINGLE = 1e-12, 1e-6  # as in test_both: BART's arithmetic is double, the others' partly not
LATTER = "decoder.layers.1.cross.query.weight"


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, make: Callable[[str], Any]) -> Any:
    return make(request.param)


def batch_of(rows: tuple[list[list[int]], list[list[int]]]) -> TensorBatch:
    """Decoders read each target but its last token, and learn it but its first."""
    padded = []
    for part in (rows[0], [row[:-1] for row in rows[1]], [row[1:] for row in rows[1]]):
        array = np.full((len(part), max(map(len, part))), -1)
        for row, each in enumerate(part):
            array[row, : len(each)] = each
        padded.append(array)
    lengths = [torch.tensor((array >= 0).sum(1)) for array in padded]
    sources, ids, targets = map(torch.tensor, padded)
    return TensorBatch(ids.clamp(0), lengths[1], targets, None, None, sources.clamp(0), lengths[0])


def theirs(pair: Any, batch: TensorBatch) -> tuple[float, dict[str, np.ndarray]]:
    """The mean loss, and the gradients under our names."""
    places = torch.arange(batch.source.shape[1]) < batch.source_lengths[:, None]
    model = pair.model.eval()
    model.zero_grad()
    loss = model(
        input_ids=batch.source,
        attention_mask=places,
        decoder_input_ids=batch.ids,
        labels=batch.targets.where(batch.targets >= 0, -100),
    ).loss
    loss.backward()
    named = dict(model.named_parameters(remove_duplicate=False))
    state = {
        name: torch.zeros_like(tensor) if (each := named.get(name)) is None or each.grad is None
        else each.grad
        for name, tensor in model.state_dict().items()
    }  # fmt: skip
    pair.tensors.state = {name: each.numpy() for name, each in state.items()}
    read, _ = translate(pair.tensors, pair.rules, pair.config, pair.family.prefix)
    return float(loss.detach()), {name: np.array(read[name]) for name in read}


def ours(model: Model, batch: TensorBatch) -> tuple[float, dict[str, np.ndarray]]:
    model.requires_grad_(True).eval()
    total, count = token_loss(model, batch)
    loss = total / count
    loss.backward()
    names = weights(model)
    grads = {name: each.grad for name, each in model.named_parameters() if name in names}
    return float(loss.detach()), {
        name: each.numpy() for name, each in grads.items() if each is not None
    }


def differences(
    pair: Any, spoiled: Callable[[Model], None] = lambda _: None
) -> tuple[float, float]:
    """Of the losses, and the largest of gradients by the deviation of all of one weight's."""
    network = pair.network()
    spoiled(network)
    batch = batch_of(pair.rows())
    loss, gradients = ours(network, batch)
    other, known = theirs(pair, batch)
    assert LATTER in gradients
    if pair.family.name == "marian":  # theirs never learns what it begins a text with
        for name in ("encoder.embedding.weight", "decoder.embedding.weight"):
            for each in (gradients, known) if name in gradients else ():
                each[name][pair.model.config.pad_token_id] = 0.0
    # a bias of keys changes no softmax: what is there is rounding
    size = max(each.std() for each in known.values())
    learned = [name for name in gradients if known[name].std() > 1e-6 * size]
    assert all(name.endswith(("key.bias", "head.bias")) for name in gradients.keys() - learned)
    worst = max(
        float(np.abs(gradients[name] - known[name]).max() / known[name].std()) for name in learned
    )
    return abs(loss - other) / other, worst


def test_the_loss_and_its_gradients_are_those_of_transformers(case: Any) -> None:
    allowed = EXACT if case.family.name in ("bart", "mbart") else SINGLE
    loss, gradient = differences(case)
    assert loss <= allowed
    assert gradient <= 100 * allowed  # of the smallest of many, by their deviation


def _shifted(model: Model) -> None:
    model.decoder.layers[1].cross.query.weight.data.mul_(1.01)


def _cut(model: Model) -> None:
    """The encoder would not learn through the decoder."""
    for layer in model.decoder.layers:
        layer.cross.key.register_forward_hook(lambda *all: all[-1].detach())


@pytest.mark.parametrize("mistake", [_shifted, _cut])
def test_a_mistake_is_seen(mistake: Callable[[Model], None], make: Callable[[str], Any]) -> None:
    _, gradient = differences(make("t5 gated"), mistake)
    assert gradient > 1e-3
