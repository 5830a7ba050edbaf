"""Losses equal torch's own on plain logits, in value and gradient."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from loquent.architecture import ModelConfig, StackConfig
from loquent.data.batch import Batch
from loquent.errors import ConfigError
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.training import cross_entropy as chunked
from loquent.training.losses import LOSSES, loss_of
from loquent.training.tensors import TensorBatch

WORDS = 23


def stack(**changes) -> StackConfig:
    return StackConfig(
        **{"layers": 1, "width": 12, "length": 9, "heads": 3, "feedforward": 20, **changes}
    )


def model(output: str, *, decoder: bool = True, **changes) -> Model:
    stacks = {"decoder": stack()} if decoder else {"encoder": stack(causal=False)}
    made = Model(ModelConfig(vocabulary=WORDS, output=output, **{**stacks, **changes})).double()
    initialize(made, 3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return made


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(11)


def batch(**arrays) -> TensorBatch:
    lengths = np.array([9, 4, 6, 1])
    ids = np.random.default_rng(5).integers(0, WORDS, (4, 9))
    made = Batch(ids=ids, lengths=lengths, targets=None, examples=np.arange(4))
    return TensorBatch.of(Batch(**{**vars(made), **arrays}), "cpu")


def targets() -> np.ndarray:
    made = np.random.default_rng(6).integers(0, WORDS, (4, 9))
    made[np.arange(9) >= np.array([9, 4, 6, 1])[:, None]] = -1
    made[0, :5] = -1  # a prompt, of which nothing is learned
    return made


def compare(network: Model, given, expected, count: int) -> None:
    """The same sum and gradients of all weights, and how many were counted."""
    total, counted = given
    assert int(counted) == count
    torch.testing.assert_close(total, expected.double(), rtol=1e-12, atol=1e-12)
    ours = torch.autograd.grad(total * 0.7, list(network.parameters()), allow_unused=True)
    plain = torch.autograd.grad(expected * 0.7, list(network.parameters()), allow_unused=True)
    for (name, _), one, other in zip(network.named_parameters(), ours, plain, strict=True):
        assert (one is None) == (other is None), name
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12, msg=name)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(
    "changes",
    [{}, {"tied": False}, {"head_bias": True}, {"logit_scale": 0.5, "tied": False}],
    ids=str,
)
@pytest.mark.parametrize("values", [2**24, 60, 1], ids=["whole", "chunks", "single rows"])
def test_token_loss(changes, smoothing, values, monkeypatch):
    monkeypatch.setattr(chunked, "_CHUNK_VALUES", values)
    network, given = model("token", **changes), batch(targets=targets())
    logits = network(given.ids, given.lengths).flatten(0, 1)
    expected = functional.cross_entropy(
        logits,
        given.targets.flatten(),
        ignore_index=-1,
        label_smoothing=smoothing,
        reduction="sum",
    )
    count = int((given.targets >= 0).sum())
    compare(network, loss_of("token", smoothing)(network, given), expected, count)


def test_masked_words_are_labels_of_an_encoder():
    network = model("masked", decoder=False, head_bias=True)
    given = batch(labels=targets())
    logits = network(given.ids, given.lengths).flatten(0, 1)
    expected = functional.cross_entropy(
        logits, given.labels.flatten(), ignore_index=-1, reduction="sum"
    )
    compare(network, LOSSES["masked"](network, given), expected, int((given.labels >= 0).sum()))


def test_a_batch_of_which_nothing_is_learned_costs_nothing():
    network, given = model("token"), batch(targets=np.full((4, 9), -1))
    total, count = LOSSES["token"](network, given)
    assert (float(total.detach()), int(count)) == (0.0, 0)
    total.backward()
    assert all(float(each.grad.abs().sum()) == 0 for each in network.parameters())


def test_frozen_weights_get_no_gradient_and_the_others_the_same():
    network, given = model("token", tied=False, head_bias=True), batch(targets=targets())
    LOSSES["token"](network, given)[0].backward()
    kept = network.decoder.layers[0].attention.query.weight.grad.clone()
    network.zero_grad()
    network.head.requires_grad_(False)
    LOSSES["token"](network, given)[0].backward()
    assert network.head.weight.grad is None
    assert torch.equal(network.decoder.layers[0].attention.query.weight.grad, kept)


def test_the_gradient_of_chunks_is_that_of_finite_differences(monkeypatch):
    monkeypatch.setattr(chunked, "_CHUNK_VALUES", 12)
    states, weight = torch.randn(7, 5).double(), torch.randn(6, 5).double()
    bias, wanted = torch.randn(6).double(), torch.randint(0, 6, (7,))
    given = [each.requires_grad_() for each in (states, weight, bias)]
    for smoothing in (0.0, 0.2):
        total = chunked.cross_entropy(*given, wanted, smoothing)
        for each, gradient in zip(given, torch.autograd.grad(total, given), strict=True):
            for place in range(each.numel()):
                sides = []
                for shift in (1e-5, -1e-5):
                    with torch.no_grad():
                        each.view(-1)[place] += shift
                        sides.append(float(chunked.cross_entropy(*given, wanted, smoothing)))
                        each.view(-1)[place] -= shift
                slope = (sides[0] - sides[1]) / 2e-5
                assert float(gradient.flatten()[place]) == pytest.approx(slope, abs=1e-7)


def test_the_gradient_can_be_asked_for_once():
    total = chunked.cross_entropy(
        torch.randn(3, 2, requires_grad=True), torch.randn(4, 2), None, torch.tensor([0, 1, 2])
    )
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        total.backward()


def test_bfloat16_products_are_near_to_float32(monkeypatch):
    monkeypatch.setattr(chunked, "_CHUNK_VALUES", 40 * WORDS)
    states, weight = torch.randn(90, 16), torch.randn(WORDS, 16) / 4
    wanted = torch.randint(0, WORDS, (90,))
    exact, rough = ([each.clone().requires_grad_() for each in (states, weight)] for _ in range(2))
    first = chunked.cross_entropy(*exact, None, wanted)
    with torch.autocast("cpu", torch.bfloat16):
        second = chunked.cross_entropy(*rough, None, wanted)
    assert float(second) == pytest.approx(float(first), rel=0.01)
    assert float(second) != float(first)
    first.backward()
    second.backward()
    for one, other in zip(exact, rough, strict=True):
        assert other.grad.dtype == torch.float32
        torch.testing.assert_close(other.grad, one.grad, rtol=0.1, atol=0.1)


def test_a_loss_can_be_very_large():
    states, weight = torch.full((1, 1), 1e4), torch.tensor([[0.0], [1.0]])
    assert float(chunked.cross_entropy(states, weight, None, torch.tensor([0]))) == 1e4


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_class_loss(smoothing):
    network = model("class", decoder=False, outputs=3)
    given = batch(labels=np.array([[2], [0], [1], [2]]))
    expected = functional.cross_entropy(
        network(given.ids, given.lengths),
        given.labels[:, 0],
        label_smoothing=smoothing,
        reduction="sum",
    )
    compare(network, loss_of("class", smoothing)(network, given), expected, 4)


def test_tag_loss():
    network = model("tags", decoder=False, outputs=5)
    labels = np.where(targets() < 0, -1, targets() % 5)
    given = batch(labels=labels)
    logits = network(given.ids, given.lengths)
    expected = functional.cross_entropy(
        logits.flatten(0, 1), given.labels.flatten(), ignore_index=-1, reduction="sum"
    )
    compare(network, LOSSES["tags"](network, given), expected, int((labels >= 0).sum()))


def test_label_loss_with_unknown_labels():
    network = model("labels", decoder=False, outputs=3)
    given = batch(labels=np.array([[1, 0, 1], [0, 0, -1], [1, 1, 1], [-1, 0, 0]]))
    logits, known = network(given.ids, given.lengths), given.labels >= 0
    expected = functional.binary_cross_entropy_with_logits(
        logits[known], given.labels[known].double(), reduction="sum"
    )
    compare(network, LOSSES["labels"](network, given), expected, 10)
    smooth, _ = loss_of("labels", 0.2)(network, given)
    aims = given.labels[known].double() * 0.8 + 0.1
    logits = network(given.ids, given.lengths)[known]
    torch.testing.assert_close(
        smooth, functional.binary_cross_entropy_with_logits(logits, aims, reduction="sum")
    )


def test_span_loss_never_looks_at_padding():
    network = model("span", decoder=False)
    given = batch(labels=np.array([[2, 5], [0, 3], [1, 1], [0, 0]]))
    logits, expected = network(given.ids, given.lengths), torch.zeros(()).double()
    for row, length in enumerate([9, 4, 6, 1]):
        for side in range(2):
            logs = torch.log_softmax(logits[row, :length, side], 0)
            expected = expected - logs[given.labels[row, side]]
    compare(network, LOSSES["span"](network, given), expected, 8)


def test_pair_loss_in_both_directions():
    network = model("embedding", decoder=False)
    source = np.random.default_rng(8).integers(0, WORDS, (4, 7))
    given = batch(source=source, source_lengths=np.array([7, 2, 3, 5]))
    first = network(given.ids, given.lengths)
    second = network(given.source, given.source_lengths)
    scores = first @ second.t() / 0.05
    expected = -(
        torch.log_softmax(scores, 1).diagonal() + torch.log_softmax(scores, 0).diagonal()
    ).sum()
    compare(network, LOSSES["embedding"](network, given), expected / 2, 4)


def test_alignment_loss_sums_over_all_alignments():
    network = model("ctc", decoder=False)
    given = batch(labels=np.array([[3, 3, 4], [1, 2, -1], [5, -1, -1], [7, -1, -1]]))
    logs = torch.log_softmax(network(given.ids, given.lengths), -1)
    expected = torch.zeros(()).double()
    for row, (length, label) in enumerate([(9, [3, 3, 4]), (4, [1, 2]), (6, [5]), (1, [7])]):
        expected = expected - aligned(logs[row, :length], label)
    total, count = LOSSES["ctc"](network, given)
    assert int(count) == 7
    torch.testing.assert_close(total, expected)


def aligned(logs: torch.Tensor, label: list[int]) -> torch.Tensor:
    """log p of a label by the forward recursion (Graves et al. 2006, eq. 5-8)."""
    spread = [0]
    for each in label:
        spread += [each, 0]
    before = [logs[0, spread[0]], logs[0, spread[1]]]
    before += [torch.tensor(-1e30).double()] * (len(spread) - 2)
    for now in logs[1:]:
        after = []
        for place, each in enumerate(spread):
            ways = [before[place]]
            if place:
                ways.append(before[place - 1])
            if place > 1 and each and each != spread[place - 2]:
                ways.append(before[place - 2])
            after.append(torch.logsumexp(torch.stack(ways), 0) + now[each])
        before = after
    return torch.logsumexp(torch.stack(before[-2:]), 0)


@pytest.mark.parametrize("output", ["span", "ctc"])
def test_smoothing_is_refused_where_it_has_no_meaning(output):
    with pytest.raises(ConfigError, match="label_smoothing"):
        loss_of(output, 0.1)


def test_lengths_are_left_out_where_nothing_is_padded():
    ids = np.zeros((2, 3), np.int64)
    ids.flags.writeable = False  # as a view of a file is
    made = Batch(ids=ids, lengths=np.array([3, 3]), targets=ids, examples=np.arange(2))
    given = TensorBatch.of(made, "cpu")
    assert given.lengths is None
    given.ids[0, 0] = 1
    assert ids[0, 0] == 0


@pytest.mark.parametrize("output", ["class", "masked"])
def test_which_text_of_a_pair_a_token_is_of_is_seen(output):
    stack = StackConfig(layers=1, width=12, length=20, heads=2, causal=False, segments=2)
    network = Model(
        ModelConfig(
            vocabulary=30, encoder=stack, output=output, outputs=3 if output == "class" else 0,
            head_activation="tanh", head_norm=True,
        )
    )  # fmt: skip
    initialize(network, seed=1)
    ids = torch.arange(12).reshape(2, 6)
    labels = torch.tensor([[1], [2]]) if output == "class" else ids
    segments = torch.tensor([[0, 0, 0, 1, 1, 1]] * 2)
    with torch.no_grad():
        network.encoder.segments.weight.mul_(50)
        seen = network(ids, segments=segments)
        aims = labels.flatten() if output == "class" else ids.flatten()
        wanted = functional.cross_entropy(seen.flatten(0, -2), aims, reduction="sum")
        given = TensorBatch(ids=ids, labels=labels, segments=segments)
        found, count = LOSSES[output](network, given)
        blind, _ = LOSSES[output](network, TensorBatch(ids=ids, labels=labels))
    assert int(count) == labels.numel()
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)
    assert abs(float(blind) - float(wanted)) > 1e-3
