"""Metrics of texts equal the packages that define them, pair by pair and over all pairs."""

import re
import string
from collections import Counter

import jiwer
import numpy as np
import pytest
import sacrebleu
from jiwer.transformations import cer_default, wer_default
from rouge_score.rouge_scorer import RougeScorer

from loquent.errors import DataError, UsageError
from loquent.metrics import METRICS, in_language, rouge, texts
from loquent.metrics.alignment import common_length, common_places, edits
from loquent.metrics.words import characters

Pairs = list[tuple[str, str]]


def totals(name: str, pairs: Pairs) -> np.ndarray:
    metric = METRICS[name]
    return np.array([metric.count(answer, target, 0) for answer, target in pairs], float)


def values(name: str, pairs: Pairs) -> np.ndarray:
    return np.array([METRICS[name].score(row) for row in totals(name, pairs)])


@pytest.mark.parametrize("language", ["", "zh", "ja"])
def test_bleu_is_that_of_sacrebleu(pairs: Pairs, language: str) -> None:
    if language == "ja":
        pytest.importorskip("MeCab")
        pytest.importorskip("ipadic")
    metric = METRICS[f"bleu-{language}" if language else "bleu"]
    reference = sacrebleu.BLEU(trg_lang=language)
    made = totals(metric.name, pairs)
    answers, targets = zip(*pairs, strict=True)
    expected = reference.corpus_score(answers, [targets])
    assert metric.score(made.sum(axis=0)) == expected.score
    for start in range(0, len(pairs), 30):
        part = slice(start, start + 30)
        expected = reference.corpus_score(answers[part], [targets[part]]).score
        assert metric.score(made[part].sum(axis=0)) == expected
    named = dict(part.split(":") for part in str(reference.get_signature()).split("|"))
    for name in ("case", "eff", "smooth"):
        assert f"{name}:{named[name]}" in metric.signature
    assert f"tok:{named['tok'].partition('-0.')[0]}" in metric.signature
    assert metric.signature.endswith(f"sacrebleu:{named['version']}")


@pytest.mark.parametrize(("name", "words"), [("chrf", 0), ("chrf++", 2)])
def test_chrf_is_that_of_sacrebleu(pairs: Pairs, name: str, words: int) -> None:
    reference = sacrebleu.CHRF(word_order=words)
    made = totals(name, pairs)
    answers, targets = zip(*pairs, strict=True)
    expected = reference.corpus_score(answers, [targets]).score
    assert METRICS[name].score(made.sum(axis=0)) == expected
    for row, answer, target in zip(made, answers, targets, strict=True):
        assert METRICS[name].score(row) == reference.sentence_score(answer, [target]).score
    named = dict(part.split(":") for part in str(reference.get_signature()).split("|"))
    assert all(f"{part}:{named[part]}" in METRICS[name].signature for part in ("nc", "nw", "eff"))


def test_several_targets_are_those_of_sacrebleu() -> None:
    answers = ["a cat sat on the mat", "it rains today"]
    targets = [["the cat sat on a mat", "a cat was on the mat"], ["it is raining today", "rain"]]
    streams = [list(each) for each in zip(*targets, strict=True)]
    for name, reference in (("bleu", sacrebleu.BLEU()), ("chrf", sacrebleu.CHRF())):
        metric = METRICS[name]
        made = [metric.count(*pair, 0) for pair in zip(answers, targets, strict=True)]
        expected = reference.corpus_score(answers, streams).score
        assert metric.score(np.sum(made, axis=0)) == expected


class Characters:
    """What rouge-score must be given for Chinese."""

    def tokenize(self, text: str) -> list[str]:
        return characters(text)


@pytest.mark.parametrize("language", ["", "zh"])
def test_rouge_is_that_of_rouge_score(pairs: Pairs, language: str) -> None:
    kinds = ("1", "2", "L", "Lsum")
    names = [f"rouge{kind}" for kind in kinds]
    reference = RougeScorer(names, tokenizer=Characters() if language else None)
    # their table is filled by Python, cell by cell
    short = [pair for pair in pairs if len(pair[0]) * len(pair[1]) < 60_000]
    assert len(short) > 2500
    expected = [reference.score(target, answer) for answer, target in short]
    for name in names:
        made = values(f"{name}-{language}" if language else name, short)
        theirs = np.array([100 * each[name].fmeasure for each in expected])
        assert abs(made - theirs).max() < 1e-12


def test_chinese_is_cut_into_characters_and_latin_words() -> None:
    assert characters("我们用GPT-4，好！ Ｂ_é") == ["我", "们", "用", "gpt", "4", "好", "ｂ", "é"]
    assert METRICS["rouge1"].score(np.array(METRICS["rouge1"].count("我们", "我们", 0))) == 0
    assert (
        METRICS["rouge1-zh"].score(np.array(METRICS["rouge1-zh"].count("我们", "我们", 0))) == 100
    )


def test_the_best_of_several_summaries_counts() -> None:
    metric = METRICS["rougeL"]
    one, other = metric.count("a b c", "a b d", 0), metric.count("a b c", "x", 0)
    assert metric.count("a b c", ["x", "a b d"], 0) == max(one, other)


def test_lines_without_end_are_refused_by_rouge_lsum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rouge, "_MOST_BITS", 50)
    with pytest.raises(DataError, match="line of 9 words is too long"):
        METRICS["rougeLsum"].count("a b c d e f", "a b c d e f g h i", 0)


@pytest.mark.parametrize("name", ["wer", "cer"])
def test_error_rates_are_those_of_jiwer(pairs: Pairs, name: str) -> None:
    transform, process = {
        "wer": (wer_default, jiwer.process_words),
        "cer": (cer_default, jiwer.process_characters),
    }[name]

    def reference(answers: list[str], targets: list[str]) -> float:
        made = process(
            targets, answers, reference_transform=transform, hypothesis_transform=transform
        )
        return getattr(made, name)

    made = totals(name, pairs)
    for row, (answer, target) in zip(made, pairs, strict=True):
        assert METRICS[name].score(row) == pytest.approx(reference([answer], [target]), abs=1e-12)
    answers, targets = map(list, zip(*pairs, strict=True))
    whole = METRICS[name].score(made.sum(axis=0))
    assert whole == pytest.approx(reference(answers, targets), abs=1e-12)


def squad_normal(text: str) -> str:
    """The steps of the official script, each by itself, written from its description."""
    lowered = text.lower()
    kept = "".join(each for each in lowered if each not in set(string.punctuation))
    without = re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", kept)
    return " ".join(without.split())


def squad(answer: str, targets: list[str]) -> tuple[float, float]:
    """Exact match and F1 of one answer by the rules of SQuAD 2.0."""
    golds = [each for each in targets if squad_normal(each)] or [""]
    exact, best = 0.0, 0.0
    for gold in golds:
        exact = max(exact, float(squad_normal(gold) == squad_normal(answer)))
        meant, told = squad_normal(gold).split(), squad_normal(answer).split()
        if not meant or not told:
            value = float(meant == told)
        else:
            same = sum((Counter(meant) & Counter(told)).values())
            precision, recall = same / len(told), same / len(meant)
            value = 0.0 if same == 0 else 2 * precision * recall / (precision + recall)
        best = max(best, value)
    return 100 * exact, 100 * best


def test_answers_are_judged_by_the_rules_of_squad(pairs: Pairs) -> None:
    cases = [(answer, [target]) for answer, target in pairs]
    cases += [(answer, [target, pairs[i - 1][0]]) for i, (answer, target) in enumerate(pairs)]
    cases += [("x", []), ("", []), ("the", ["a", ""])]
    exact, overlap = METRICS["exact_match"], METRICS["answer_f1"]
    for answer, targets in cases:
        expected = squad(answer, targets)
        assert exact.score(np.array(exact.count(answer, targets, 0))) == expected[0]
        made = overlap.score(np.array(overlap.count(answer, targets, 0)))
        assert made == pytest.approx(expected[1], abs=1e-12)
    assert squad("The Beatles!", ["beatles"]) == (100, 100)


def table(one: str, other: str) -> list[list[int]]:
    """Both tables at once, cell by cell: lengths of common subsequences, and edits."""
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one, 1):
        for j, right in enumerate(other, 1):
            longest = max(lengths[i - 1][j], lengths[i][j - 1])
            lengths[i][j] = lengths[i - 1][j - 1] + 1 if left == right else longest
    return lengths


def test_rows_of_bits_give_what_the_tables_do(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(5)
    for rare in (16, 0):  # rows that are all kept, and rows made anew
        monkeypatch.setattr("loquent.metrics.alignment._SHORT_BYTES", 512 if rare else 0)
        for _ in range(300):
            one, other = (
                "".join(generator.choice(list("abcd"), generator.integers(0, 150)))
                for _ in range(2)
            )
            longest = table(one, other)[-1][-1]
            places = common_places(one, other)
            assert common_length(one, other) == longest == len(places)
            kept = iter(other)
            assert all(one[place] in kept for place in places)  # they stand there in this order
            assert places == sorted(set(places))
            assert edits(one, other) == edits(other, one) >= max(len(one), len(other)) - longest
    assert edits("kitten", "sitting") == 3
    assert edits("", "abc") == edits("abc", "") == 3


def test_long_texts_take_neither_long_nor_much_memory() -> None:
    words = [str(number) for number in range(20_000)]  # none comes twice
    moved = [*words[5000:], *words[:5000]]
    assert common_length(words, moved) == 15_000
    assert edits(words, [*words[:9000], "x", *words[9001:]]) == 1


def test_a_language_has_its_own_form_of_a_metric() -> None:
    assert in_language("bleu", "zh-CN").name == "bleu-zh"
    assert in_language("bleu", "ja").name == "bleu-ja"
    assert in_language("rougeL", "ja").name == "rougeL-zh"
    assert in_language("bleu", "de") is METRICS["bleu"]
    assert in_language("chrf", "zh") is METRICS["chrf"]


def test_variety_and_length_are_counted_by_word_or_character() -> None:
    def value(name: str, answer: str, target: str = "x") -> float:
        return METRICS[name].score(np.array(METRICS[name].count(answer, target, 0), float))

    assert value("distinct1", "a b a c") == 3 / 4
    assert value("distinct2", "a b a b") == 2 / 3
    assert value("distinct1-zh", "好好学习") == 3 / 4
    assert value("repetition", "a b c d a b c d a") == pytest.approx(1 - 4 / 6)
    assert value("repetition", "a b c d e") == 0
    assert value("length_ratio", "a b c", "a b") == 1.5
    assert METRICS["length_ratio"].count("a b c", ["a", "a b c d"], 0) == (3.0, 4.0)
    assert np.isnan(value("distinct2", "a"))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    texts._bleu.cache_clear()
    monkeypatch.setattr(texts, "import_module", absent)
    with pytest.raises(UsageError, match="sacrebleu, which is not installed"):
        texts.check()
    texts._bleu.cache_clear()

    class Module:
        @staticmethod
        def BLEU(tokenize: str) -> None:
            raise RuntimeError(tokenize)

    monkeypatch.setattr(texts, "import_module", lambda _: Module)
    with pytest.raises(UsageError, match="mecab-python3"):
        METRICS["bleu-ja"].count("a", "b", 0)
    texts._bleu.cache_clear()
