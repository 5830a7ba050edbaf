"""Cuts and penalties equal those of transformers; draws follow the distribution."""

import numpy as np
import pytest
import torch
from transformers.generation import logits_process as reference

from loquent.engine import sampling as ours
from loquent.engine.request import Sampling

CUTS = [
    {},
    {"top_k": 1},
    {"top_k": 7},
    {"top_p": 0.3},
    {"top_p": 0.95},
    {"min_p": 0.05},
    {"typical_p": 0.5},
    {"typical_p": 0.95},
    {"top_k": 40, "top_p": 0.8},
    {"top_k": 20, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.7},
    {"top_p": 0.9, "typical_p": 0.9},
]


def expected(logits: np.ndarray, temperature: float, cuts: dict[str, float]) -> np.ndarray:
    scores = torch.tensor(logits, dtype=torch.float64)[None]
    ids = torch.zeros(1, 1, dtype=torch.long)
    chain = [reference.TemperatureLogitsWarper(temperature)]
    for name, warper in (
        ("top_k", reference.TopKLogitsWarper),
        ("top_p", reference.TopPLogitsWarper),
        ("min_p", reference.MinPLogitsWarper),
        ("typical_p", reference.TypicalLogitsWarper),
    ):
        if name in cuts:
            chain.append(warper(cuts[name]))
    for warper in chain:
        scores = warper(ids, scores)
    return torch.softmax(scores, dim=-1)[0].numpy()


def found(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    ids, probabilities = ours.distribution(logits, sampling)
    whole = np.zeros(len(logits))
    whole[ids] = probabilities
    return whole


@pytest.mark.parametrize("cuts", CUTS, ids=str)
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_distributions_are_those_of_transformers(
    cuts: dict[str, float], temperature: float
) -> None:
    generator = np.random.default_rng(2)
    sampling = Sampling(**{"temperature": temperature, "top_p": 1.0, **cuts})
    for scale in (0.5, 3.0, 12.0):
        logits = (generator.normal(size=3000) * scale).astype(np.float32)
        wanted = expected(logits, temperature, cuts)
        assert np.abs(found(logits, sampling) - wanted).max() < 1e-6
        if cuts:  # without, the tail of the float32 masses is zero here
            assert ((found(logits, sampling) > 0) == (wanted > 0)).mean() > 0.999


@pytest.mark.parametrize("seed", range(60))
def test_any_cuts_together_are_those_of_transformers(seed: int) -> None:
    generator = np.random.default_rng(seed)
    size = int(generator.choice([1, 2, 30, 2000]))
    options = {
        "top_k": int(generator.integers(1, 60)),
        "top_p": float(generator.uniform(0.01, 0.999)),
        "min_p": float(generator.uniform(0, 0.3)),
        "typical_p": float(generator.uniform(0.01, 0.999)),
    }
    cuts = {name: value for name, value in options.items() if generator.random() < 0.6}
    temperature = float(np.float32(generator.uniform(0.2, 3)))  # ours is in single precision
    logits = generator.normal(size=size) * generator.choice([0.1, 1, 10])
    logits[generator.random(size) < 0.2] = -1e9  # masked
    sampling = Sampling(**{"temperature": temperature, "top_p": 1.0, **cuts})
    wanted = expected(logits, temperature, cuts)
    assert np.abs(found(logits, sampling) - wanted).max() < 1e-12


def test_equal_tokens_are_cut_to_the_smallest_set() -> None:
    kept = found(np.zeros(10, np.float32), Sampling(temperature=1, top_p=0.45))
    assert kept.tolist() == [0.2] * 5 + [0] * 5


@pytest.mark.parametrize("temperature", [1e-320, 1e-50, 1e-40, 1e-7])
@pytest.mark.parametrize("cuts", [{}, {"top_k": 5}, {"min_p": 0.1}, {"typical_p": 0.5}], ids=str)
@pytest.mark.filterwarnings("error")
@pytest.mark.timeout(20)
def test_the_coldest_draw_is_the_likeliest_token(
    temperature: float, cuts: dict[str, float]
) -> None:
    logits = np.random.default_rng(3).normal(size=100).astype(np.float32)
    logits[::3] = np.finfo(np.float32).min
    sampling = Sampling(temperature=temperature, **cuts)
    assert ours.choose(logits, sampling, ours.generator(0, 0)) == logits.argmax()


@pytest.mark.parametrize(
    "mistake",
    [
        {"top_p": 0.85},
        {"top_k": 8},
        {"min_p": 0.06},
        {"typical_p": 0.6},
        {"temperature": 1.1},
    ],
    ids=str,
)
def test_a_planted_mistake_is_seen(mistake: dict[str, float]) -> None:
    (name,) = mistake
    right = {"top_p": 0.9, "top_k": 7, "min_p": 0.05, "typical_p": 0.5, "temperature": 1.0}[name]
    cuts = {} if name == "temperature" else {name: right}
    logits = (np.random.default_rng(2).normal(size=3000) * 3).astype(np.float32)
    wrong = Sampling(**{"temperature": 1.0, "top_p": 1.0, **mistake})
    assert np.abs(found(logits, wrong) - expected(logits, 1.0, cuts)).max() > 1e-4


def test_repetition_is_that_of_transformers() -> None:
    logits = np.random.default_rng(1).normal(size=100).astype(np.float32)
    prompt, written = [3, 4, 4, 5], {7: 2, 3: 1}
    made = ours.penalized(logits, Sampling(repetition_penalty=1.4), prompt, written)
    ids = torch.tensor([[*prompt, 7, 7, 3]])
    wanted = reference.RepetitionPenaltyLogitsProcessor(1.4)(ids, torch.tensor(logits)[None])
    assert np.allclose(made, wanted[0].numpy(), atol=1e-6)


def test_presence_frequency_and_bias() -> None:
    logits = np.zeros(10, np.float32)
    sampling = Sampling(presence_penalty=1.0, frequency_penalty=0.25, logit_bias={9: 5.0})
    made = ours.penalized(logits, sampling, [1], {2: 3})
    assert made.tolist() == [0, 0, -1.75, 0, 0, 0, 0, 0, 0, 5]
    assert not logits.any(), "the network's logits stay as they are"


@pytest.mark.parametrize("cuts", [{}, {"top_k": 5}, {"top_p": 0.7}], ids=str)
def test_draws_follow_the_distribution(cuts: dict[str, float]) -> None:
    logits = (np.random.default_rng(4).normal(size=12) * 1.5).astype(np.float32)
    sampling = Sampling(**{"temperature": 0.8, "top_p": 1.0, **cuts})
    random = ours.generator(11, 0)
    draws = 20_000
    counts = np.bincount(
        [ours.choose(logits, sampling, random) for _ in range(draws)], minlength=12
    )
    wanted = found(logits, sampling) * draws
    kept = wanted > 0
    assert counts[~kept].sum() == 0
    chi_square = ((counts - wanted)[kept] ** 2 / wanted[kept]).sum()
    assert chi_square < 35  # 11 degrees of freedom: 0.02 % of honest runs are above


def test_random_numbers_belong_to_seed_and_answer() -> None:
    def stream(seed: int, index: int) -> list[float]:
        random = ours.generator(seed, index)
        return [random.random() for _ in range(9)]

    streams = [stream(seed, index) for seed in (0, 1) for index in (0, 1)]
    assert len({tuple(each) for each in streams}) == 4
    assert stream(1, 1) == streams[3]


@pytest.mark.parametrize("seed, index", [(0, 0), (1, 2), (2**63 - 1, 127), (12345678901234, 5)])
def test_random_numbers_are_those_of_philox(seed: int, index: int) -> None:
    reference = np.random.Generator(np.random.Philox(key=np.array([seed, index], np.uint64)))
    random = ours.generator(seed, index)
    assert [random.random() for _ in range(1000)] == reference.random(1000).tolist()


def test_impossible_tokens_have_a_finite_logprob() -> None:
    logits = np.array([0.0, -np.inf, 1.0], np.float32)
    choice = ours.describe(logits, 1, 3)
    assert choice.logprob == ours.IMPOSSIBLE
    assert [each for each, _ in choice.top] == [2, 0, 1]
    assert ours.choose(logits, Sampling(temperature=0), ours.generator(0, 0)) == 2
    masked = ours.describe(np.array([0.0, np.finfo(np.float32).min], np.float32), 1, 2)
    assert masked.logprob == ours.IMPOSSIBLE
    assert masked.top == ((0, 0.0), (1, ours.IMPOSSIBLE))


@pytest.mark.parametrize("alternatives", [0, 1, 5, 20, 100])
def test_alternatives_are_the_likeliest_in_order(alternatives: int) -> None:
    logits = np.random.default_rng(5).integers(0, 6, size=50).astype(np.float32)  # many are equal
    logprobs = ours.log_softmax(logits)
    choice = ours.describe(logits, 7, alternatives)
    assert choice.logprob == pytest.approx(logprobs[7], abs=1e-6)
    best = np.argsort(-logprobs, kind="stable")[:alternatives]
    assert [each for each, _ in choice.top] == best.tolist()
    assert [value for _, value in choice.top] == pytest.approx(logprobs[best], abs=1e-6)
