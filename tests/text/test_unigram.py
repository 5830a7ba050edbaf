"""The Unigram trainer against all spellings counted one by one, and against SentencePiece."""

import io
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from loquent.text import unigram
from loquent.text.learning import learn
from loquent.text.unigram import Lattices, learn_pieces, maximized

WORDS = {"abab": 3, "abc": 2, "cab": 1, "b": 4, "ababab": 1}
PIECES = ["a", "b", "c", "ab", "ba", "abc", "abab", "bab"]


def spellings(word: str, pieces: list[str]) -> Iterator[list[int]]:
    """Every way to put a word together."""
    if not word:
        yield []
    for id, piece in enumerate(pieces):
        if word.startswith(piece):
            for rest in spellings(word[len(piece) :], pieces):
                yield [id, *rest]


def test_expected_counts_are_those_of_all_spellings() -> None:
    probability = np.random.default_rng(1).dirichlet(np.ones(len(PIECES)))
    expected, likelihood = Lattices(WORDS, PIECES).expected(probability)
    by_hand, total = np.zeros(len(PIECES)), 0.0
    for word, number in WORDS.items():
        every = list(spellings(word, PIECES))
        shares = np.array([np.prod(probability[each]) for each in every])
        total += number * math.log(shares.sum())
        for each, share in zip(every, shares / shares.sum(), strict=True):
            for id in each:
                by_hand[id] += number * share
    np.testing.assert_allclose(expected, by_hand, rtol=1e-12)
    assert likelihood == pytest.approx(total, rel=1e-12)
    assert len(list(spellings("ababab", PIECES))) > 8


def test_dropped_pieces_are_as_good_as_never_there() -> None:
    probability = np.random.default_rng(2).dirichlet(np.ones(len(PIECES)))
    alive = np.array([True] * 3 + [True, False, True, False, True])
    lattices = Lattices(WORDS, PIECES)
    lattices.drop(alive)
    expected, likelihood = lattices.expected(probability)
    kept = [piece for piece, there in zip(PIECES, alive, strict=True) if there]
    alone, other = Lattices(WORDS, kept).expected(probability[alive])
    np.testing.assert_allclose(expected[alive], alone, rtol=1e-12)
    assert not expected[~alive].any() and likelihood == pytest.approx(other)


def test_each_step_makes_the_words_likelier() -> None:
    """Expectation and maximization without the prior, which weighs counts in its own way."""
    lattices = Lattices(WORDS, PIECES)
    probability = np.full(len(PIECES), 1 / len(PIECES))
    likelihoods = []
    for _ in range(20):
        expected, likelihood = lattices.expected(probability)
        probability = expected / expected.sum()
        likelihoods.append(likelihood)
    assert likelihoods == sorted(likelihoods) and likelihoods[-1] > likelihoods[0] + 1


def test_the_prior_lets_rare_pieces_die_but_no_character() -> None:
    found = maximized(np.array([0.2, 10.5, 0.4, 3.5]), np.array([True, True, False, False]))
    np.testing.assert_allclose(found, np.array([0.1, 10, 0, 3]) / 13.1)


def test_pieces_are_as_many_as_wanted_and_hold_the_alphabet() -> None:
    alphabet = {*"abcdefgh"}
    words = {"abcd": 50, "efgh": 40, "abef": 5, "cdgh": 2}
    seeds = ["ab", "cd", "ef", "gh", "abcd", "efgh", "bc", "fg", "abef"]
    for size in (8, 10, 12, 100):
        pieces = dict(learn_pieces(words, seeds, alphabet, size))
        assert alphabet <= set(pieces) and len(pieces) <= size
        assert math.fsum(math.exp(score) for score in pieces.values()) == pytest.approx(1, abs=1e-4)
        assert list(pieces.values()) == sorted(pieces.values(), reverse=True)
        if size >= 10:
            assert {"abcd", "efgh"} <= set(pieces)
    assert pieces["abcd"] > pieces["abef"] if "abef" in pieces else True
    assert {piece for piece, _ in learn_pieces({}, [], "xy", 9)} == {"x", "y"}


def test_long_and_rare_words(monkeypatch: pytest.MonkeyPatch) -> None:
    long = {"ab" * 5000: 3}
    pieces = dict(learn_pieces(long, ["ab", "abab"], "ab", 4))
    assert all(math.isfinite(score) for score in pieces.values()) and "abab" in pieces
    monkeypatch.setattr(unigram, "_CHARACTERS", 10)
    few = dict(
        learn_pieces({"abc": 9, "abd": 8, "xyz": 7, "rare": 1}, ["abc", "rare"], "abcdexyzr", 20)
    )
    assert "abc" in few and "rare" not in few


@pytest.mark.parametrize("size", [600, 1200])
def test_about_as_few_tokens_as_sentencepiece(size: int, lines: list[str]) -> None:
    """The same algorithm with other seeds: lengths within a few percent on unseen lines."""
    spm = pytest.importorskip("sentencepiece")
    texts = [text for text in lines if text.isascii() and "  " not in text and "\n" not in text]
    learned, unseen = texts[:2500], texts[2500:3000]
    file = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(learned),
        model_writer=file,
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    theirs = spm.SentencePieceProcessor(model_proto=file.getvalue())
    ours, _ = learn(learned, "unigram", size)
    counts = Counter(
        ours=sum(len(ours.encode(text, special=False)) for text in unseen),
        theirs=sum(len(theirs.encode(text)) for text in unseen),
    )
    assert counts["ours"] < 1.05 * counts["theirs"], counts


@pytest.mark.data
@pytest.mark.slow
def test_about_as_few_tokens_as_sentencepiece_on_chinese(data: Path) -> None:
    spm = pytest.importorskip("sentencepiece")
    rows = (data / "zh_thucnews_titles" / "dev.txt").read_text("utf-8").splitlines()
    titles = [row.partition("\t")[0].strip() for row in rows]
    file = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(titles[:8000]),
        model_writer=file,
        vocab_size=8000,
        character_coverage=1.0,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    theirs = spm.SentencePieceProcessor(model_proto=file.getvalue())
    ours, _ = learn(titles[:8000], "unigram", 8000)
    mine = sum(len(ours.encode(text, special=False)) for text in titles[8000:])
    other = sum(len(theirs.encode(text)) for text in titles[8000:])
    assert mine < 1.05 * other, (mine, other)
