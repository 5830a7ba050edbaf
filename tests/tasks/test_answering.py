"""Answers with their place in the text, in windows, and none where there is none."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent import LM
from loquent.errors import RequestError, UsageError
from loquent.tasks.answering import answer

TEXT = (
    "Subject to the terms and conditions of this License, each Contributor hereby grants to You a "
    "perpetual, worldwide, non-exclusive copyright license to reproduce the Work."
)
QUESTION = "What is granted?"
LONG = Path(__file__).parents[2].joinpath("LICENSE").read_text(encoding="utf-8")[:9000]


@pytest.fixture(scope="module")
def reader(tiny_bert: Callable[..., Path]) -> LM:
    return loquent.open(tiny_bert("BertForQuestionAnswering"), bits=32)


def reference(lm: LM, question: str, text: str, longest: int) -> tuple[str, float, float]:
    """The best span, its score and that of no answer, by transformers and by trying every pair."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer  # noqa: PLC0415

    folder = lm.checkpoint.path
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForQuestionAnswering.from_pretrained(folder)
    read = tokenizer(question, text, return_tensors="pt", return_offsets_mapping=True)
    places = read.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        made = model(**read)
    starts, stops = made.start_logits[0].numpy(), made.end_logits[0].numpy()
    own = [at for at, which in enumerate(read.sequence_ids(0)) if which == 1]
    pairs = [(float(starts[a] + stops[b]), a, b) for a in own for b in own if a <= b < a + longest]
    score, first, last = max(pairs)
    return text[places[first][0] : places[last][1]], score, float(starts[0] + stops[0])


@pytest.mark.parametrize("longest", [1, 4, 30])
def test_the_answer_is_the_likeliest_span(reader: LM, longest: int) -> None:
    (made,) = answer(reader, [(QUESTION, TEXT)], longest=longest, threshold=1e9)
    text, _, _ = reference(reader, QUESTION, TEXT, longest)
    assert made.text == text
    assert made.text == TEXT[made.start : made.stop]
    assert made.how == "extractive"
    assert made.windows == 1
    assert made.probability is not None
    assert 0 < made.probability <= 1


def test_there_is_no_answer_where_that_is_likelier_by_the_threshold(reader: LM) -> None:
    _, score, none = reference(reader, QUESTION, TEXT, 30)
    lead = none - score
    (made,) = answer(reader, [(QUESTION, TEXT)], threshold=lead + 1e-3)
    assert made.text
    (made,) = answer(reader, [(QUESTION, TEXT)], threshold=lead - 1e-3)
    assert (made.text, made.start, made.stop) == ("", None, None)


def test_spans_of_long_texts_are_found_in_windows(reader: LM) -> None:
    (made,) = answer(reader, [(QUESTION, LONG)], overlap=20, threshold=1e9)
    assert made.windows > 20
    assert made.text == LONG[made.start : made.stop]
    # the same window by itself says the same: a place is one of the whole text
    around = LONG[max(made.start - 40, 0) : made.stop + 40]
    assert made.text in around


def test_windows_cover_the_text_and_overlap(reader: LM) -> None:
    from loquent.tasks.answering import _windows  # noqa: PLC0415  # the plan, before it is read

    for overlap in (0, 10, 500):
        places, dropped = _windows(reader, QUESTION, LONG, overlap, most=512, truncate=None)
        assert dropped == 0
        assert not LONG[: places[0][0]].strip()
        assert not LONG[places[-1][1] :].strip()
        for (_, stop), (start, _) in pairwise(places):
            assert start <= stop or not LONG[stop:start].strip()
            if overlap:
                shared = reader.tokenizer.encode(LONG[start:stop], special=False)
                assert len(shared) >= min(overlap, 30) - 2


def test_a_text_of_too_many_windows_is_told_or_cut(reader: LM) -> None:
    long = LONG * 3
    with pytest.raises(RequestError, match="20 are read at most"):
        answer(reader, [(QUESTION, long)], overlap=40, most_windows=20)
    for side in ("left", "right"):
        (made,) = answer(reader, [(QUESTION, long)], overlap=40, most_windows=20, truncate=side)
        assert made.dropped_tokens > 1000
        assert made.windows == 20


@pytest.mark.parametrize(
    ("question", "text", "message"),
    [
        ("", TEXT, "question is empty"),
        (QUESTION, "  ", "text is empty"),
        ("Why " * 200, TEXT, "question has"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    reader: LM, question: str, text: str, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        answer(reader, [(question, text)])


def test_a_model_that_only_embeds_is_refused(tiny_bert: Callable[..., Path]) -> None:
    lm = loquent.open(tiny_bert("BertModel"), bits=32)
    with pytest.raises(RequestError, match="does not answer questions"):
        answer(lm, [(QUESTION, TEXT)])
    with pytest.raises(UsageError):
        answer(lm, [(QUESTION, TEXT)], longest=0)


def test_several_questions_are_answered_as_each_alone(reader: LM) -> None:
    asked = [(QUESTION, TEXT), ("Who grants?", LONG), ("To whom?", TEXT)]
    together = answer(reader, asked, threshold=1e9)
    assert together == [answer(reader, [each], threshold=1e9)[0] for each in asked]


def test_a_model_that_writes_is_shown_what_is_most_relevant(tiny_gpt2: Path) -> None:
    lm = loquent.open(tiny_gpt2, bits=32)
    with pytest.raises(RequestError, match="leaves no room for the text"):
        answer(lm, [(QUESTION, LONG)])  # of 128 tokens the examples leave none


@pytest.mark.weights
def test_the_default_model_answers_with_its_place(smollm: LM) -> None:
    text = "Hamlet is a tragedy that was written by William Shakespeare around 1600."
    (made,) = answer(smollm, [("Who wrote Hamlet?", text)])
    assert made.text == "William Shakespeare"
    assert text[made.start : made.stop] == made.text
    assert made.how == "generative"
    long = f"{LONG}\n\n{text}\n\n{LONG}"
    (made,) = answer(smollm, [("Who wrote the tragedy Hamlet?", long)])
    assert made.dropped_tokens > 0
    assert "Shakespeare" in made.text
    assert made.start is not None
    assert long[made.start : made.stop] == made.text


def test_probabilities_of_spans_and_of_none_are_shares() -> None:
    from loquent.tasks.answering import _share  # noqa: PLC0415

    scores = np.array([3.0, 1.0, -2.0, 800.0])
    shares = [_share(each, np.delete(scores, place)) for place, each in enumerate(scores)]
    assert sum(shares) == pytest.approx(1)
    assert shares[3] == pytest.approx(1)
