"""Recurrent stacks equal torch's own modules on the same weights, in double precision."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.model import Model

EXACT = 1e-12
MODULES = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
WIDTH, LAYERS = 14, 3
LENGTHS = torch.tensor([130, 1, 77, 129])
THEIRS = {"input": "ih", "recurrent": "hh"}


def pair(mixer: str, both_ways: bool) -> tuple[Model, nn.Module]:
    torch.manual_seed(0)
    stack = StackConfig(
        layers=LAYERS, width=WIDTH, length=0, mixer=mixer, causal=not both_ways,
        positions="none", norm_place="none", residual=False, final_norm=False,
    )  # fmt: skip
    kind = {"encoder" if both_ways else "decoder": stack}
    ours = Model(ModelConfig(vocabulary=40, **kind)).double()
    hidden = WIDTH // 2 if both_ways else WIDTH
    theirs = MODULES[mixer](WIDTH, hidden, LAYERS, batch_first=True, bidirectional=both_ways)
    theirs = theirs.double()
    with torch.no_grad():
        for parameter in [*theirs.parameters(), *ours.parameters()]:
            nn.init.normal_(parameter, std=0.5)
        for name, parameter in ours.named_parameters():
            _, at, layer, *rest = name.split(".")
            if at != "layers":
                continue
            _, part, kind = rest
            way = "_reverse" if part.startswith("backward_") else ""
            part = THEIRS[part.removeprefix("backward_")]
            parameter.copy_(getattr(theirs, f"{kind}_{part}_l{layer}{way}"))
    return ours, theirs


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("mixer", MODULES)
def test_the_states_are_torchs(mixer: str, both_ways: bool) -> None:
    ours, theirs = pair(mixer, both_ways)
    ids = torch.randint(40, (4, 130))
    table = (ours.encoder or ours.decoder).table
    wanted, _ = theirs(table(ids))
    assert float((ours.hidden(ids) - wanted).abs().max()) < EXACT
    packed = pack_padded_sequence(table(ids), LENGTHS, batch_first=True, enforce_sorted=False)
    wanted, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
    found = ours.hidden(ids, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        assert float((found - wanted)[row, :length].abs().max()) < EXACT


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("mixer", MODULES)
def test_the_gradients_are_torchs(mixer: str, both_ways: bool) -> None:
    ours, theirs = pair(mixer, both_ways)
    table = (ours.encoder or ours.decoder).table
    ids = torch.randint(40, (4, 130))
    aim = torch.randn(4, 130, WIDTH, dtype=torch.float64)

    def gradient(states: Tensor) -> Tensor:
        (made,) = torch.autograd.grad((states * aim).sum(), table.weight)
        return made

    wanted = gradient(theirs(table(ids))[0])
    assert float((gradient(ours.hidden(ids)) - wanted).abs().max()) < EXACT * 100  # of order 100


@pytest.mark.parametrize("mixer", MODULES)
def test_in_mixed_precision_the_states_stay_in_that_of_the_weights(mixer: str) -> None:
    ours, _ = pair(mixer, both_ways=True)
    ours = ours.float()
    ids = torch.randint(40, (4, 30))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = ours.hidden(ids, torch.tensor([30, 1, 7, 12]))
    assert torch.equal(mixed, ours.hidden(ids, torch.tensor([30, 1, 7, 12])))
