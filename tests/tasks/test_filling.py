"""Hidden words: what transformers tells, and what a model that writes finds likely."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent import LM
from loquent.errors import RequestError, UsageError
from loquent.tasks.filling import fill


@pytest.fixture(scope="module")
def masked(tiny_bert: Callable[..., Path]) -> LM:
    return loquent.open(tiny_bert("BertForMaskedLM"), bits=32)


@pytest.mark.parametrize("mark", ["<mask>", "[MASK]"])
def test_each_place_has_the_words_that_transformers_tells(masked: LM, mark: str) -> None:
    import torch  # noqa: PLC0415
    from transformers import AutoModelForMaskedLM, AutoTokenizer  # noqa: PLC0415

    text = f"the {mark} of this license {mark} the work"
    (made,) = fill(masked, [text], top=3)
    folder = masked.checkpoint.path
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(text.replace(mark, "[MASK]"), return_tensors="pt")
    with torch.no_grad():
        logits = AutoModelForMaskedLM.from_pretrained(folder)(**ids).logits[0]
    chances = torch.softmax(logits[ids["input_ids"][0] == tokenizer.mask_token_id], -1).numpy()
    chances[:, tokenizer.all_special_ids] = 0
    assert len(made.candidates) == 2
    for row, place in zip(chances, made.candidates, strict=True):
        best = np.argsort(-row)[:3]
        words = [tokenizer.convert_ids_to_tokens(int(each)) for each in best]
        assert [each.word for each in place] == words
        np.testing.assert_allclose([each.probability for each in place], row[best], atol=1e-5)
    first, second = (place[0].word.removeprefix("##") for place in made.candidates)
    assert made.text == f"the {first} of this license {second} the work"


@pytest.mark.parametrize("text", ["Paris is the capital of France.", "Paris <masc>"])
def test_a_text_without_a_mark_is_told(masked: LM, tiny_gpt2: Path, text: str) -> None:
    for lm in (masked, loquent.open(tiny_gpt2)):
        with pytest.raises(RequestError, match="no hidden word"):
            fill(lm, [text])


def test_what_cannot_be_filled_in_is_refused(masked: LM, tiny_bert: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="empty"):
        fill(masked, [""])
    with pytest.raises(UsageError, match="top"):
        fill(masked, ["a <mask>"], top=0)
    with pytest.raises(RequestError, match="tokens"):
        fill(masked, ["work " * 200 + "<mask>"])
    with pytest.raises(RequestError, match="1 of 1 hidden words are in the part"):
        fill(masked, ["work " * 200 + "<mask>"], truncate="right")
    (made,) = fill(masked, ["work " * 200 + "<mask>"], truncate="left")
    assert made.dropped_tokens > 100
    with pytest.raises(RequestError, match="does not fill in"):
        fill(loquent.open(tiny_bert("BertModel"), bits=32), ["a <mask>"])


def test_a_model_that_writes_weighs_words_by_the_whole_text(tiny_gpt2: Path) -> None:
    lm = loquent.open(tiny_gpt2, bits=32)
    (made,) = fill(lm, ["Once upon a <mask> there was a model"], top=3)
    words = [each.word for each in made.candidates[0]]
    scores = [
        each.logprob
        for each in lm.score([("Once upon a ", f"{word} there was a model") for word in words])
    ]
    assert scores == sorted(scores, reverse=True)
    ratio = made.candidates[0][1].probability / made.candidates[0][0].probability
    assert ratio == pytest.approx(np.exp(scores[1] - scores[0]), rel=1e-5)
    with pytest.raises(RequestError, match="2 hidden words"):
        fill(lm, ["a <mask> and a <mask>"])


@pytest.mark.weights
def test_the_default_model_knows_the_capital(smollm: LM) -> None:
    (made,) = fill(smollm, ["Paris is the <mask> of France."])
    assert made.text == "Paris is the capital of France."
    assert made.candidates[0][0].probability > 0.5
    (made,) = fill(smollm, ["<mask> is the capital of Germany."])
    assert made.how == "likelihood"
    assert made.text.endswith(" is the capital of Germany.")
