"""Documents packed into one row are read as if each stood alone."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from loquent.architecture import ModelConfig, StackConfig
from loquent.errors import RequestError
from loquent.model.model import Model

EXACT = 1e-12
SHAPE = {"layers": 2, "width": 16, "length": 9, "heads": 2, "feedforward": 24}
SIZES = ((5, 3, 9), (2, 7, 1))  # tokens of the documents of two rows, the second one padded
RELATIVE = {"positions": "relative", "relative_buckets": 8, "relative_distance": 16}
STACKS = {
    "learned": {},
    "none": {"positions": "none"},
    "sinusoidal": {"positions": "sinusoidal"},
    "sines first": {"positions": "sinusoidal_halves"},
    "rotary": {"positions": "rotary", "kv_heads": 1},
    "relative": RELATIVE,
}


def configs() -> dict[str, ModelConfig]:
    made = {}
    for name, changes in STACKS.items():
        made[name] = ModelConfig(vocabulary=20, decoder=StackConfig(**SHAPE | changes))
        made[f"masked {name}"] = ModelConfig(
            vocabulary=20, output="masked", encoder=StackConfig(causal=False, **SHAPE | changes)
        )
    bag = StackConfig(**SHAPE | {"layers": 0})
    grams = StackConfig(**SHAPE | {"layers": 0}, causal=False, ngrams=(2, 4), buckets=30)
    ngrams = ModelConfig(vocabulary=20, output="masked", encoder=grams)
    return made | {"bag": ModelConfig(vocabulary=20, decoder=bag), "ngrams": ngrams}


def packed() -> tuple[Tensor, Tensor, Tensor]:
    """Ids, lengths and documents of the rows; equal numbers may stand in different rows."""
    width = max(map(sum, SIZES))
    ids = torch.randint(20, (len(SIZES), width), generator=torch.Generator().manual_seed(0))
    documents = torch.full_like(ids, -1)
    for row, sizes in enumerate(SIZES):
        numbers = [number for number, size in enumerate(sizes) for _ in range(size)]
        documents[row, : len(numbers)] = torch.tensor(numbers) + 3 * row
    return ids, torch.tensor([sum(sizes) for sizes in SIZES]), documents


def apart(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Each document in a row of its own, with its length."""
    alone = [each for row, sizes in zip(ids, SIZES, strict=True) for each in cut(row, sizes)]
    rows = torch.nn.utils.rnn.pad_sequence(alone, batch_first=True)
    return rows, torch.tensor([len(each) for each in alone])


def cut(row: Tensor, sizes: tuple[int, ...]) -> list[Tensor]:
    return list(row[: sum(sizes)].split(sizes))


def learned(model: Model, logits: list[Tensor], ids: list[Tensor]) -> dict[str, Tensor]:
    """Loss of each document's next tokens and all gradients."""
    model.zero_grad()
    losses = [
        cross_entropy(made[:-1], read[1:], reduction="sum")
        for made, read in zip(logits, ids, strict=True)
    ]
    loss = torch.stack(losses).sum()
    loss.backward()
    gradients = {name: each.grad.clone() for name, each in model.named_parameters()}
    return {"loss": loss.detach(), **gradients}


@pytest.mark.parametrize("name", configs())
def test_packed_documents_are_separate_rows(name: str, make) -> None:
    model = make(configs()[name]).requires_grad_(True)
    ids, lengths, documents = packed()
    rows, sizes = apart(ids)
    texts = [row[:size] for row, size in zip(rows, sizes, strict=True)]
    together = model(ids, lengths, documents=documents)
    made = [each for row, cuts in zip(together, SIZES, strict=True) for each in cut(row, cuts)]
    alone = [row[:size] for row, size in zip(model(rows, sizes), sizes, strict=True)]
    for one, other in zip(made, alone, strict=True):
        assert float((one - other).detach().abs().max()) < EXACT
    one, other = learned(model, made, texts), learned(model, alone, texts)
    for part, value in one.items():
        assert float((value - other[part]).abs().max()) < EXACT * max(1.0, float(value.abs().max()))


def test_a_document_must_not_be_longer_than_the_positions(make) -> None:
    model = make(configs()["learned"])
    ids, _, documents = packed()
    documents[0] = 0
    with pytest.raises(RequestError, match="position 16 is beyond the last of 9"):
        model(ids, documents=documents)


def test_what_cannot_read_documents_apart_says_so(make) -> None:
    ids, _, documents = packed()
    inner = {"width": 16, "layers": 1, "length": 0, "positions": "none"}
    lstm = ModelConfig(vocabulary=20, decoder=StackConfig(mixer="lstm", **inner))
    with pytest.raises(RequestError, match="only a stack of attention reads packed documents"):
        make(lstm)(ids, documents=documents)
    both = ModelConfig(
        vocabulary=20,
        encoder=StackConfig(causal=False, **inner),
        decoder=StackConfig(cross=True, **inner),
    )
    with pytest.raises(RequestError, match="cannot have sources of their own"):
        make(both)(ids, None, ids, documents=documents)
    one = ModelConfig(
        vocabulary=20, encoder=StackConfig(causal=False, **inner), output="class", outputs=2
    )
    with pytest.raises(RequestError, match="cannot be read for the output 'class'"):
        make(one)(ids, documents=documents)
