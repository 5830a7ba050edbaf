"""What may follow in a transcript: as transformers has it, over many random ones."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.generation.logits_process import (
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    WhisperTimeStampLogitsProcessor,
)

from loquent.architecture import FrontConfig, ModelConfig, StackConfig
from loquent.engine.engine import Engine
from loquent.engine.request import Alignment, Request, Sampling
from loquent.engine.timestamps import TimestampRule, repeating
from loquent.engine.torch_network import TorchNetwork
from loquent.model.init import initialize
from loquent.model.model import Model

END, START, PLAIN, FIRST, COUNT = 60, 61, 69, 70, 60  # end of text, signs up to PLAIN, then times
SUPPRESSED, SUPPRESSED_FIRST = [3, 5, START, PLAIN], [4, END]


def rule(*, times: bool = True, begins: tuple[tuple[int, ...], ...] = ()) -> TimestampRule:
    return TimestampRule(
        begins=begins,
        suppressed=np.array(SUPPRESSED),
        suppressed_first=np.array(SUPPRESSED_FIRST),
        end=END,
        first_time=FIRST,
        times=times,
        latest_start=20,
    )


def theirs(scores: np.ndarray, text: list[int]) -> np.ndarray:
    """The same by transformers' processors."""
    config = SimpleNamespace(
        no_timestamps_token_id=PLAIN,
        eos_token_id=END,
        bos_token_id=END,
        max_initial_timestamp_index=20,
    )
    ids = torch.tensor([[START, *text]])
    made = torch.from_numpy(scores[None].copy())
    made = SuppressTokensLogitsProcessor(SUPPRESSED)(ids, made)
    made = SuppressTokensAtBeginLogitsProcessor(SUPPRESSED_FIRST, 1)(ids, made)
    found: np.ndarray = WhisperTimeStampLogitsProcessor(config, 1)(ids, made)[0].numpy()
    return found


@pytest.mark.parametrize("seed", range(60))
def test_what_may_follow_is_what_transformers_lets_follow(seed: int) -> None:
    """Along a transcript that is drawn from what may follow, at every place."""
    rng, ours, text = np.random.default_rng(seed), rule(), list[int]()
    for _ in range(40):
        scores = rng.normal(scale=2.0, size=FIRST + COUNT)
        scores[FIRST:] += rng.normal(scale=2.0)
        got, expected = ours(scores, text), theirs(scores, text)
        assert np.array_equal(got, expected)
        allowed = np.flatnonzero(np.isfinite(got))
        if not len(allowed):
            break
        weights = np.exp(got[allowed] - got[allowed].max())
        text.append(int(rng.choice(allowed, p=weights / weights.sum())))
        if text[-1] == END:
            break


def test_times_come_in_pairs_and_never_go_back() -> None:
    rng, text = np.random.default_rng(0), list[int]()
    for _ in range(60):
        allowed = rule()(rng.normal(size=FIRST + COUNT), text)
        if not np.isfinite(allowed).any():
            break
        text.append(int(np.argmax(allowed)))
        if text[-1] == END:
            break
    times = [each for each in text if each >= FIRST]
    assert times == sorted(times)
    assert FIRST <= text[0] <= FIRST + 20


def test_without_times_none_is_written() -> None:
    made = rule(times=False)(np.zeros(FIRST + COUNT), [7])
    assert not np.isfinite(made[FIRST:]).any()
    assert np.isfinite(made[END])


def test_the_first_places_are_given() -> None:
    ours = rule(begins=((62, 63), (64,)))
    scores = np.arange(FIRST + COUNT, dtype=np.float64)
    assert np.flatnonzero(np.isfinite(ours(scores, []))).tolist() == [62, 63]
    assert np.flatnonzero(np.isfinite(ours(scores, [63]))).tolist() == [64]
    behind = ours(scores, [63, 64])  # the text begins here
    assert np.array_equal(behind, rule()(scores, []))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ([9] * 16, 9),
        ([9] * 15, None),
        ([1, 2] * 8, 1),
        ([7, *[1, 2, 3, 4, 5] * 4], 1),
        ([7, *[1, 2, 3, 4, 5] * 4, 1], 2),
        ([*range(10), *range(10), *range(10)], None),
        ([*range(16)] * 4, 0),
    ],
)
def test_what_goes_round_in_a_loop_is_stopped(text: list[int], found: int | None) -> None:
    assert repeating(text) == found
    allowed = rule(times=False)(np.zeros(FIRST + COUNT), text)
    assert found is None or not np.isfinite(allowed[found])


@pytest.mark.parametrize("beams", [1, 3])
def test_a_request_has_a_rule_and_is_told_what_heads_look_at(beams: int) -> None:
    stack = {"layers": 2, "width": 16, "heads": 2, "feedforward": 20}
    config = ModelConfig(
        vocabulary=FIRST + COUNT,
        shared=False,
        encoder=StackConfig(**stack, length=40, causal=False, front=FrontConfig(features=5)),
        decoder=StackConfig(**stack, length=40, cross=True),
    )
    model = Model(config)
    initialize(model, 3)
    model.eval().requires_grad_(False)
    sound = np.random.default_rng(1).standard_normal((5, 60)).astype(np.float32)
    sampling = Sampling(
        max_tokens=12, temperature=0, seed=0, logprobs=0, beams=beams, renormalize=True
    )
    alignment = Alignment(((0, 1), (1, 0)), (START,), 0, (PLAIN,), END, END)
    request = Request([START], sampling, frozenset([END]), sound, rule(), (62, 63), alignment)
    events = list(Engine(TorchNetwork(model), rows=4).run([request]))
    written = [each.choice.id for each in events if each.choice is not None]
    assert FIRST <= written[0] <= FIRST + 20
    assert not set(written) & set(SUPPRESSED)
    assert len(events[0].watched) == 2
    assert all(-20 < each < 0 for each in events[0].watched)
    assert not any(each.watched for each in events[1:])
    assert all(-20 < each.choice.logprob <= 0 for each in events if each.choice is not None)
    attention = events[-1].attention
    assert attention is not None
    words = [each for each in written if each < END]
    assert attention.shape == (2, 2 + len(words) + 1, 30)
    assert np.allclose(attention.sum(-1), 1, atol=1e-5)
    assert all(each.attention is None for each in events[:-1])
