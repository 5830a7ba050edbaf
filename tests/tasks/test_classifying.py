"""Classes by a trained head, and among given names without training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent import LM
from loquent.errors import DataError, RequestError, UsageError
from loquent.tasks.calibrating import calibrate, threshold
from loquent.tasks.classifying import (
    ABOUT,
    CONTENT_FREE,
    PROMPT,
    SCALE,
    Told,
    class_names,
    classify,
    tell,
)

TEXTS = ["You may reproduce and distribute copies of the Work.", "This License is granted.", "x"]
NAMES = {0: "bad", 1: "fair", 2: "good"}


@pytest.fixture(scope="module")
def head(tiny_bert: Callable[..., Path]) -> LM:
    folder = tiny_bert(
        "BertForSequenceClassification", id2label=NAMES, label2id={v: k for k, v in NAMES.items()}
    )
    return loquent.open(folder, bits=32)


@pytest.fixture(scope="module")
def body(tiny_bert: Callable[..., Path]) -> LM:
    return loquent.open(tiny_bert("BertModel"), bits=32)


@pytest.fixture(scope="module")
def writer(tiny_gpt2: Path) -> LM:
    return loquent.open(tiny_gpt2, bits=32)


def test_a_head_tells_what_transformers_tells(head: LM) -> None:
    import torch  # noqa: PLC0415
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415

    folder = head.checkpoint.path
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    given = [*TEXTS, ("Work", "License")]
    for text, made in zip(given, classify(head, given), strict=True):
        pair = (text,) if isinstance(text, str) else text
        with torch.no_grad():
            logits = model(**tokenizer(*pair, return_tensors="pt")).logits[0]
        wanted = torch.softmax(logits, -1).numpy()
        assert list(made.probabilities) == list(NAMES.values())
        np.testing.assert_allclose(list(made.probabilities.values()), wanted, atol=1e-5)
        assert made.label == NAMES[int(wanted.argmax())]
        assert made.labels == (made.label,)
        assert made.how == "head"


def test_a_head_chooses_among_fewer_labels(head: LM) -> None:
    whole, few = (classify(head, TEXTS[:1], labels=names)[0] for names in ((), ("good", "bad")))
    share = whole.probabilities["good"] / (whole.probabilities["good"] + whole.probabilities["bad"])
    assert few.probabilities["good"] == pytest.approx(share, abs=1e-9)
    assert list(few.probabilities) == ["good", "bad"]


def test_unknown_labels_are_told_with_the_nearest(head: LM) -> None:
    with pytest.raises(RequestError, match=r"(?s)no label 'god'.*'good'.*no label 'ill'"):
        classify(head, TEXTS, labels=["god", "ill"])


def test_several_labels_are_told_each_by_itself(tiny_bert: Callable[..., Path]) -> None:
    folder = tiny_bert(
        "BertForSequenceClassification", problem_type="multi_label_classification", id2label=NAMES
    )
    lm = loquent.open(folder, bits=32)
    (reading,) = lm.read(TEXTS[:1])
    (made,) = classify(lm, TEXTS[:1], threshold=0.4)
    chances = 1 / (1 + np.exp(-reading.values.astype(np.float64)))
    np.testing.assert_allclose(list(made.probabilities.values()), chances, atol=1e-9)
    held = [name for name, each in zip(NAMES.values(), chances, strict=True) if each >= 0.4]
    assert list(made.labels) == held
    (none,) = classify(lm, TEXTS[:1], threshold=1.0)
    assert (none.label, none.labels) == ("", ())
    assert none.probability == max(none.probabilities.values())


def test_names_are_chosen_by_how_near_they_are(body: LM) -> None:
    names = ["law", "sport", "food"]
    made = classify(body, TEXTS, labels=names)
    meant = body.embed([ABOUT.replace("{}", name) for name in names])
    given, free = body.embed(TEXTS), body.embed(CONTENT_FREE).mean(axis=0)
    for row, each in zip(given, made, strict=True):
        logits = np.array([SCALE * float(np.dot(row - free, name)) for name in meant])
        wanted = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(list(each.probabilities.values()), wanted, atol=1e-5)
        assert each.how == "similarity"


def test_names_are_chosen_by_how_likely_they_are_over_an_empty_text(writer: LM) -> None:
    names = ["good", "bad"]
    (made,) = classify(writer, ["This License is granted."], labels=names)

    def chances(text: str) -> np.ndarray:
        pairs = [(PROMPT.replace("{text}", text), f" {name}") for name in names]
        found = np.exp([each.logprob for each in writer.score(pairs)])
        return found / found.sum()

    usual = np.mean([chances(text) for text in CONTENT_FREE], axis=0)
    wanted = chances("This License is granted.") / usual
    wanted /= wanted.sum()
    np.testing.assert_allclose(list(made.probabilities.values()), wanted, atol=1e-6)
    assert made.how == "likelihood"


def test_a_text_without_content_has_no_class_by_likelihood(writer: LM) -> None:
    told = tell(writer, ["N/A"], labels=["good", "bad"])
    assert abs(told.logits[0, 0] - told.logits[0, 1]) < 2  # what the model prefers is taken out


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((), "no classes of its own"),
        (("good",), "no choice"),
        (("good", ""), "label is empty"),
        (("good", "good "), "given twice"),
    ],
)
def test_labels_that_are_no_choice_are_refused(
    body: LM, labels: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        classify(body, TEXTS, labels=labels)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_is_refused(head: LM, text: str) -> None:
    with pytest.raises(RequestError, match="empty"):
        classify(head, [text])


def test_a_text_that_no_token_knows_is_refused(head: LM) -> None:
    with pytest.raises(RequestError, match=r"does not know most of the characters.*Chinese"):
        classify(head, ["今天天气很好我们去公园"])


@pytest.mark.parametrize("which", ["head", "body", "writer"])
def test_a_long_text_is_told_or_cut_where_asked_for(
    which: str, request: pytest.FixtureRequest
) -> None:
    lm = request.getfixturevalue(which)
    labels = () if which == "head" else ("good", "bad")
    long = "License " * 400
    with pytest.raises(RequestError, match="tokens"):
        classify(lm, [long], labels=labels)
    for side in ("left", "right"):
        (made,) = classify(lm, [long], labels=labels, truncate=side)
        assert made.dropped_tokens > 100


def test_a_label_of_a_template_without_a_place_is_refused(body: LM, writer: LM) -> None:
    for lm, template in ((body, "about"), (writer, "{}")):
        with pytest.raises(UsageError, match="template"):
            classify(lm, TEXTS, labels=["a", "b"], template=template)


def told(logits: np.ndarray) -> Told:
    names = tuple(f"c{number}" for number in range(logits.shape[1]))
    return Told(names, logits, "head", False, (0,) * len(logits))


def test_calibration_finds_the_temperature_that_spoiled_the_logits() -> None:
    generator = np.random.default_rng(5)
    logits = generator.normal(size=(4000, 3)) * 2
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [f"c{generator.choice(3, p=row)}" for row in chances]
    found = calibrate(told(logits * 3), labels)
    assert found.temperature == pytest.approx(3, rel=0.05)
    assert found.after < 0.03 < found.before
    assert found.examples == 4000


def test_thresholds_give_what_is_wanted_with_the_most_of_the_other() -> None:
    generator = np.random.default_rng(6)
    own = generator.random(500) < 0.4
    logits = np.stack([np.zeros(500), generator.normal(size=500) + 1.5 * own], axis=1)
    labels = ["c1" if each else "c0" for each in own]
    each = told(logits)
    chances = each.probabilities()[:, 1]

    def measured(value: float) -> tuple[float, float]:
        named = chances >= value
        right = (named & own).sum()
        return right / named.sum(), right / own.sum()

    every = [measured(value) for value in np.unique(chances)]
    precise = threshold(each, labels, "c1", precision=0.8)
    assert (precise.precision, precise.recall) == pytest.approx(measured(precise.value))
    assert precise.recall == pytest.approx(max(r for p, r in every if p >= 0.8))
    complete = threshold(each, labels, "c1", recall=0.9)
    assert (complete.precision, complete.recall) == pytest.approx(measured(complete.value))
    assert complete.recall == pytest.approx(min(r for _, r in every if r >= 0.9))
    with pytest.raises(UsageError, match="no threshold"):
        threshold(told(np.zeros((500, 2))), labels, "c1", precision=0.9)


def test_calibration_refuses_unknown_labels() -> None:
    with pytest.raises(DataError, match="'c7' is none"):
        calibrate(told(np.zeros((2, 3))), ["c1", "c7"])


@pytest.mark.weights
def test_real_models_choose_without_training(default_model: Path, minilm: LM) -> None:
    sentences = {
        "The goalkeeper saved a penalty in the last minute.": "sport",
        "The central bank raised interest rates.": "economy",
        "A new telescope found a distant galaxy.": "science",
    }
    made = classify(minilm, list(sentences), labels=["sport", "economy", "science"])
    assert [each.label for each in made] == list(sentences.values())
    writes = loquent.open(default_model)
    made = classify(
        writes, ["A wonderful, moving film.", "Worst movie ever."], labels=["positive", "negative"]
    )
    assert [each.label for each in made] == ["positive", "negative"]


def test_numbers_name_the_classes_that_have_no_names(tiny_bert: Callable[..., Path]) -> None:
    lm = loquent.open(tiny_bert("BertForSequenceClassification", num_labels=4), bits=32)
    assert class_names(lm) == ("0", "1", "2", "3")
