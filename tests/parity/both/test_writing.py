"""Encoder-decoders write what transformers writes, token for token, by each rule of its search."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from loquent.checkpoints.generation import of_config
from loquent.checkpoints.pack import pack
from loquent.engine.engine import Engine
from loquent.engine.native_network import NativeNetwork
from loquent.engine.request import Request, Sampling
from loquent.engine.torch_network import TorchNetwork
from loquent.lm.requests import ruled

CASES = ("t5 gated", "bart", "marian")
PROMPTS, MOST = 50, 20
VARIED = {"repetition_penalty": 1.7}  # tiny networks repeat themselves, and would never end
SEARCH = {**VARIED, "num_beams": 4}
RULES: dict[str, dict[str, Any]] = {
    "greedy": VARIED,
    "early": {**SEARCH, "length_penalty": 2.0, "early_stopping": True},
    "late": {**SEARCH, "length_penalty": 0.6},
    "short": {**SEARCH, "length_penalty": -1.0},
    "no n-gram twice": {**SEARCH, "no_repeat_ngram_size": 2, "early_stopping": True},
    "least": {**SEARCH, "min_length": 14},
    "banned": {**SEARCH, "bad_words_ids": [[5], [7, 9], [30]], "renormalize_logits": True},
    "forced": {**SEARCH, "forced_bos_token_id": 11},
}


def sources(pair: Any) -> list[list[int]]:
    generator = np.random.default_rng(1)
    words = pair.config.source_vocabulary or pair.config.vocabulary
    return [
        generator.integers(3, words - 2, int(generator.integers(1, 40))).tolist()
        for _ in range(PROMPTS)
    ]


def settings(pair: Any, rules: dict[str, Any], end: int) -> dict[str, Any]:
    """What generation_config.json would hold, with this id as the end."""
    own = pair.model.config.to_dict()
    ids = {
        "decoder_start_token_id": own["decoder_start_token_id"],
        "pad_token_id": own["pad_token_id"],
        "eos_token_id": end,
    }
    forced = {"forced_eos_token_id": end} if pair.family.name != "t5" else {}
    return {**ids, **forced, "max_length": MOST + 1, **rules}


def theirs(pair: Any, asked: dict[str, Any]) -> list[list[int]]:
    """All prompts in one padded batch; what follows the end is left out."""
    rows = sources(pair)
    width = max(map(len, rows))
    padded = torch.tensor([row + [3] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    pair.model.generation_config = transformers.GenerationConfig(**asked)
    with torch.no_grad():
        made = pair.model.generate(padded, attention_mask=mask, do_sample=False)
    end = asked["eos_token_id"]
    answers = [row[1:] for row in made.tolist()]
    return [row[: row.index(end) + 1] if end in row else row[:MOST] for row in answers]


def ours(pair: Any, asked: dict[str, Any], network: Any) -> list[list[int]]:
    """All prompts in one engine, four searches at a time."""
    config = {**asked, "is_encoder_decoder": True}
    advice = of_config(config, config, pair.config.vocabulary)
    assert advice.unread == ()
    sampling = ruled(Sampling(**{"temperature": 0.0, **advice.sampling}), advice)
    assert advice.decoder_start is not None
    start, stop = [advice.decoder_start], frozenset(advice.stop)
    requests = [Request(start, sampling, stop, source) for source in sources(pair)]
    found: dict[Request, list[int]] = {request: [] for request in requests}
    for event in Engine(network, rows=16).run(requests):
        assert event.choice is not None
        found[event.request].append(event.choice.id)
    return list(found.values())


@pytest.fixture(scope="module")
def ready(make: Callable[[str], Any]) -> Callable[[str], tuple[Any, int]]:
    """Each case once, with that token as its end which stands at the most places of its answers."""

    @functools.cache
    def made(case: str) -> tuple[Any, int]:
        pair = make(case)
        asked = settings(pair, VARIED, 1)
        places: dict[int, set[int]] = {}
        for answer in theirs(pair, asked):
            for token in set(answer[:-1]):
                places.setdefault(token, set()).add(answer.index(token))
        return pair, max(places, key=lambda token: len(places[token]))

    return made


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("case", CASES)
def test_what_is_written_is_what_transformers_writes(
    case: str, rules: str, ready: Callable[[str], tuple[Any, int]]
) -> None:
    pair, end = ready(case)
    asked = settings(pair, RULES[rules], end)
    expected = theirs(pair, asked)
    assert ours(pair, asked, TorchNetwork(pair.network())) == expected
    if rules != "forced":
        assert len(set(map(len, expected))) >= 3, "the test itself needs answers of many lengths"


@pytest.mark.parametrize("case", CASES)
def test_natively_in_single_precision_too(
    case: str, ready: Callable[[str], tuple[Any, int]], tmp_path: Path
) -> None:
    pair, end = ready(case)
    asked = settings(pair, RULES["early"], end)
    pack(pair.config, pair.weights, tmp_path / "32.loquent", 32)
    expected = theirs(pair, asked)
    found = ours(pair, asked, NativeNetwork(tmp_path / "32.loquent"))
    same = sum(a == b for a, b in zip(found, expected, strict=True))
    assert same >= PROMPTS - 1  # beams of all but equal scores may change their places


MISTAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "length penalty": ("early", {"length_penalty": 1.0}),
    "early stopping": ("early", {"early_stopping": False}),
    "no width": ("early", {"num_beams": 3}),
    "n-grams": ("no n-gram twice", {"no_repeat_ngram_size": 3}),
    "least length off by one": ("least", {"min_length": 13}),
    "another first token": ("forced", {"forced_bos_token_id": 12}),
    "scores not made even": ("banned", {"renormalize_logits": False}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_rule_that_is_not_followed_is_caught(
    mistake: str, ready: Callable[[str], tuple[Any, int]]
) -> None:
    rules, change = MISTAKES[mistake]

    def caught(case: str) -> bool:
        pair, end = ready(case)
        expected = theirs(pair, settings(pair, RULES[rules], end))
        wrong = settings(pair, {**RULES[rules], **change}, end)
        return ours(pair, wrong, TorchNetwork(pair.network())) != expected

    assert any(map(caught, CASES))


def test_two_tokens_that_are_banned_together_never_follow_each_other(
    ready: Callable[[str], tuple[Any, int]],
) -> None:
    """The ban is of what would be written, so that it cannot be kept by chance."""
    pair, end = ready("bart")
    free = theirs(pair, settings(pair, VARIED, end))
    pairs = [answer[at : at + 2] for answer in free for at in range(1, len(answer) - 2)]
    asked = settings(pair, {**VARIED, "bad_words_ids": [pairs[0]]}, end)
    expected = theirs(pair, asked)
    assert expected != free
    assert ours(pair, asked, TorchNetwork(pair.network())) == expected
    assert ours(pair, settings(pair, VARIED, end), TorchNetwork(pair.network())) == free
