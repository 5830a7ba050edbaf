"""A language model has its say in a search for letters."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.errors import RequestError, UsageError
from loquent.lm import LM
from loquent.tasks.fusion import Fusion
from loquent.text.alignment import best, collapsed, likelihood
from loquent.text.folder import open_tokenizer
from loquent.text.tokenizer import Tokenizer

LETTERS = ["<pad>", "|", "A", "B"]


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """The tokenizer of a network of letters."""
    path = tmp_path_factory.mktemp("letters") / "vocab.json"
    path.write_text(json.dumps({piece: id for id, piece in enumerate(LETTERS)}))
    return open_tokenizer(path)


@pytest.fixture(scope="module")
def lm(tiny_gpt2: Path) -> LM:
    """A model that continues texts."""
    return loquent.open(tiny_gpt2, bits=32)


def test_only_complete_words_count_until_the_end(letters: Tokenizer, lm: LM) -> None:
    added = Fusion(lm=lm, weight=0.7, bonus=0.4).begun(letters)
    said = letters.encode("ab ba a")
    (before, after) = (added([tuple(said)], whole)[0] for whole in (False, True))
    one = 0.7 * lm.score([("", "ab ba")])[0].logprob + 2 * 0.4
    assert before == pytest.approx(one)
    assert after == pytest.approx(0.7 * lm.score([("", "ab ba a")])[0].logprob + 3 * 0.4)
    complete = (*said, letters.encode(" ")[0])
    assert added([complete], False) == [after]
    assert added([(), tuple(said[:1])], False) == [0.0, 0.0]


@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_what_trying_all_finds(letters: Tokenizer, lm: LM, seed: int) -> None:
    wide = 2 * np.random.default_rng(seed).standard_normal((5, len(LETTERS)))
    logs = wide - np.log(np.exp(wide).sum(1, keepdims=True))
    fused = Fusion(lm=lm, weight=0.5, bonus=3.0).begun(letters)
    texts = {tuple(collapsed(path)) for path in product(range(len(LETTERS)), repeat=5)}
    totals = {each: likelihood(logs, each) + fused([each], True)[0] for each in texts}
    wanted = max(totals, key=lambda each: totals[each])

    said, score = best(logs, 600, fused=fused)[0]
    assert score == pytest.approx(totals[wanted], abs=1e-9)
    assert totals[tuple(said)] == pytest.approx(totals[wanted], abs=1e-9)
    few, _ = best(logs, 8, fused=fused)[0]
    assert totals[tuple(few)] >= totals[tuple(best(logs, 8)[0][0])] - 1e-9


def test_what_cannot_have_a_say_is_refused(lm: LM, tiny_t5_folder: Path) -> None:
    with pytest.raises(RequestError, match="one that continues texts"):
        Fusion(lm=loquent.open(tiny_t5_folder, bits=32))
    with pytest.raises(UsageError, match="0 or more"):
        Fusion(lm=lm, weight=-1)
