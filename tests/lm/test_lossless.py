"""Sharing beginnings, guessing ahead and writing together change no bit of an answer."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.errors import UsageError
from loquent.lm.lm import LM

PROMPTS = 100


def prompts() -> list[str]:
    generator = random.Random(5)
    words = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split()
    begins = ["", " ".join(words[100:120]) + " ", "Once upon a time there was a king. "]
    ends = [
        " ".join(generator.choices(words[:400], k=generator.randrange(1, 12)))
        for _ in range(PROMPTS)
    ]
    return [generator.choice(begins) + generator.choice(["", each + " "]) + each for each in ends]


def written(lm: LM, prompts: list[str], each: int) -> list[tuple[object, ...]]:
    answers = []
    for start in range(0, len(prompts), each):
        streams = [
            lm.stream(
                prompt, max_tokens=10, logprobs=3, ignore_end=True,
                temperature=0.0 if place % 2 else 0.7, seed=place,
            )
            for place, prompt in enumerate(prompts[start : start + each], start)
        ]  # fmt: skip
        answers += [stream.finished() for stream in streams]
    return [(answer.ids, answer.logprobs) for answer in answers], answers


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("bits", [8])
def test_100_of_100_answers_are_the_same_bit_for_bit(default_model: Path, bits: int) -> None:
    alone = loquent.open(default_model, bits=bits, draft=None, kept_bytes=0)
    plain, _ = written(alone, prompts(), 1)
    found, answers = written(loquent.open(default_model, bits=bits, rows=3), prompts(), 20)
    assert sum(one == other for one, other in zip(plain, found, strict=True)) == PROMPTS
    assert sum(answer.shared_tokens for answer in answers) > 500
    assert sum(answer.accepted_tokens for answer in answers) > 30


@pytest.mark.parametrize("bits", [4, 8, 32])
def test_a_draft_model_changes_nothing(tiny_gpt2: Path, tmp_path: Path, bits: int) -> None:
    plain = loquent.open(tiny_gpt2, bits=bits, draft=None, kept_bytes=0)
    smaller = loquent.open(tiny_gpt2, bits=bits, draft=tiny_gpt2)
    smaller._engine._pace._drafter.cost = 0.0  # as if it were much smaller than the model
    texts = ["Once upon a time", "import torch", "Once upon a time there was"]
    one, _ = written(plain, texts, 1)
    other, answers = written(smaller, texts, 3)
    assert one == other
    assert sum(answer.accepted_tokens for answer in answers) > 5


def test_what_cannot_guess_is_told(tiny_gpt2: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="native runtime"):
        loquent.open(tiny_gpt2, runtime="torch", draft=tiny_gpt2)
    other = tmp_path / "other"
    loquent.open(tiny_gpt2).checkpoint.tokenizer.save(other)
    for file in tiny_gpt2.iterdir():
        if not (other / file.name).exists():
            (other / file.name).write_bytes(file.read_bytes())
    document = json.loads((other / "tokenizer.json").read_text(encoding="utf-8"))
    pieces = document["model"]["vocab"]
    pieces["a"], pieces["b"] = pieces["b"], pieces["a"]
    (other / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(UsageError, match="2 of its tokens are not those of"):
        loquent.open(tiny_gpt2, draft=other)


def test_answers_tell_what_was_shared_and_guessed(tiny_gpt2: Path) -> None:
    lm = loquent.open(tiny_gpt2)
    text = "Once upon a time there was a model. " * 4
    first = lm.generate(text, max_tokens=20, temperature=0, ignore_end=True)
    again = lm.generate(text, max_tokens=20, temperature=0, ignore_end=True)
    assert first.shared_tokens == 0
    assert again.shared_tokens == again.prompt_tokens - 1
    assert again.ids == first.ids
    assert 0 <= again.accepted_tokens <= again.drafted_tokens
    assert np.isfinite(again.seconds)
