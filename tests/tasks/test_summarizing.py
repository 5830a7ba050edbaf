"""Summaries in steps, and of a text's own sentences."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent import LM
from loquent.errors import RequestError, UsageError
from loquent.tasks.extracting import central, centrality, lead, relevant, weighted, words
from loquent.tasks.fitting import count, pieces
from loquent.tasks.summarizing import summarize

NEWS = (
    "The city council approved the new tram line on Monday. The tram line will join the harbor "
    "and the airport. Building the tram line costs 200 million. Some shops fear noise. "
    "The mayor said the tram line opens in five years. A cat was seen on the roof."
)
LICENSE = Path(__file__).parents[2].joinpath("LICENSE").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def writer(tiny_gpt2: Path) -> LM:
    return loquent.open(tiny_gpt2, bits=32)


def test_lead_is_the_first_sentences() -> None:
    assert lead(NEWS, 1) == "The city council approved the new tram line on Monday."
    assert lead("One.  Two.\n\nThree.", 3) == "One. Two. Three."
    assert lead("One.", 5) == "One."
    assert lead("今天天气好。我们去公园。", 2) == "今天天气好。我们去公园。"


def test_the_central_sentences_are_those_most_are_like_in_their_order() -> None:
    made = central(NEWS, 3)
    assert "cat" not in made
    assert "shops" not in made
    assert made.count("tram line") == 3
    assert [NEWS.index(part) for part in made.split(". ")] == sorted(
        NEWS.index(part) for part in made.split(". ")
    )


def test_centrality_is_the_stationary_chance_of_a_walk() -> None:
    texts = [each.strip() for each in NEWS.split(".") if each.strip()]
    found = centrality(texts)
    vectors = weighted(texts)
    alike = vectors @ vectors.T
    alike[alike < 0.1] = 0
    np.fill_diagonal(alike, 0)
    alike[alike.sum(axis=1) == 0] = 1
    steps = 0.15 / len(texts) + 0.85 * alike / alike.sum(axis=1, keepdims=True)
    values, left = np.linalg.eig(steps.T)
    wanted = np.real(left[:, np.argmax(np.real(values))])
    np.testing.assert_allclose(found, wanted / wanted.sum(), atol=1e-7)
    assert found.sum() == pytest.approx(1)


def test_words_of_east_asian_scripts_are_pairs() -> None:
    assert words("The Tram, 2 lines") == ["the", "tram", "2", "lines"]
    assert words("天气好") == ["天气", "气好"]
    assert relevant("weather today", ["a cat", "the weather is fine", "today"])[0] != 0


@pytest.mark.parametrize("most", [12, 40, 200])
def test_pieces_end_with_sentences_and_hold_all(writer: LM, most: int) -> None:
    text = LICENSE[:4000]
    parts = pieces(writer.tokenizer, text, most)
    assert "".join("".join(each.of(text).split()) for each in parts) == "".join(text.split())
    assert max(count(writer.tokenizer, [each.of(text) for each in parts])) <= most + 2
    assert all(one.end <= other.start for one, other in pairwise(parts))


def test_long_texts_are_summarized_in_steps(writer: LM) -> None:
    (made,) = summarize(writer, [LICENSE[:1500]], words=4, piece_tokens=60)
    assert made.pieces > 5
    assert made.steps >= 1
    assert made.how == "model"
    (short,) = summarize(writer, ["A short text."], words=4)
    assert (short.pieces, short.steps) == (1, 1)
    again = summarize(writer, ["A short text.", LICENSE[:1500]], words=4, piece_tokens=60)
    assert [each.text for each in again] == [short.text, made.text]


def test_too_many_pieces_are_told_or_cut(writer: LM) -> None:
    asked = {"words": 4, "piece_tokens": 30, "most_pieces": 3}
    with pytest.raises(RequestError, match=r"pieces; 3 are summarized at most"):
        summarize(writer, [LICENSE[:2000]], **asked)
    (made,) = summarize(writer, [LICENSE[:2000]], **asked, truncate="right")
    assert made.dropped_tokens > 100
    assert made.pieces <= 5


@pytest.mark.parametrize("how", ["model", "lead", "central"])
def test_an_empty_text_is_refused(writer: LM, how: str) -> None:
    with pytest.raises(RequestError, match="empty"):
        summarize(writer, [""], how=how)


def test_what_cannot_summarize_is_refused(writer: LM, tiny_bert: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="does not write summaries"):
        summarize(loquent.open(tiny_bert("BertModel")), [NEWS])
    with pytest.raises(UsageError, match=r"no way 'leed'.*'lead'"):
        summarize(writer, [NEWS], how="leed")
    with pytest.raises(UsageError, match="at least 1 word"):
        summarize(writer, [NEWS], words=0)
    with pytest.raises(UsageError, match="needs a model"):
        summarize(None, [NEWS])
    with pytest.raises(RequestError, match="too few"):
        summarize(writer, [NEWS], words=60)  # of 128 tokens


def test_summaries_without_a_model_count_their_words() -> None:
    one, other = summarize(None, [NEWS, "One. Two. Three."], how="lead", sentences=2)
    assert (one.pieces, one.steps, one.how) == (1, 0, "lead")
    assert one.words == len(one.text.split())
    assert other.text == "One. Two."


@pytest.mark.weights
def test_the_default_model_summarizes_shorter(smollm: LM) -> None:
    (made,) = summarize(smollm, [NEWS], words=25)
    assert "tram" in made.text.lower()
    assert 0 < made.words < len(words(NEWS))


def test_a_model_with_an_encoder_is_asked_with_its_prefix(tiny_t5: LM) -> None:
    text = "The work is licensed. All of the work."
    (made,) = summarize(tiny_t5, [text], words=5)
    answer = tiny_t5.generate(f"summarize: {text}", temperature=0, beams=4, max_tokens=26)
    assert made.text in answer.text
    assert made.cut == (answer.finish == "length")
    (bare,) = summarize(tiny_t5, [text], words=5, prefix="", beams=1)
    assert bare.text in tiny_t5.generate(text, temperature=0, beams=1, max_tokens=26).text


def test_a_sentence_that_is_written_again_stands_once() -> None:
    from loquent.tasks.summarizing import _once  # noqa: PLC0415

    assert _once("One is. Two is.\n\nOne is. Three is.") == "One is. Two is. Three is."
    assert _once("One is.  Two is.") == "One is.  Two is."
    assert _once("") == ""
