"""A spoken dialog: sentences of a text that still comes, and what is remembered of turns."""

import time
from pathlib import Path

import pytest

import loquent
from loquent import LM, Sampling
from loquent.audio.activity import Span
from loquent.audio.listening import Turn
from loquent.audio.rates import resampled
from loquent.checkpoints import hub
from loquent.errors import RequestError, UserError
from loquent.tasks.speech_settings import Hearing
from loquent.tasks.talking import Answered, Dialog, Heard, News, Sentences, Wrote

TEXT = "Dr. Smith came, e.g. in May. He paid $4.50! Then: “Go home.”\n\n1. Eat.\n2. Sleep now"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_sentences_do_not_depend_on_the_pieces(size: int) -> None:
    found, made = Sentences(), list[str]()
    for at in range(0, len(TEXT), size):
        made += found.take(TEXT[at : at + size])
    made += found.rest()
    assert made[:2] == ["Dr. Smith came, e.g. in May.", "He paid $4.50!"]
    assert made[-1].endswith("Sleep now")
    assert "".join("".join(made).split()) == "".join(TEXT.split())
    assert found.rest() == []


def test_a_sentence_is_told_with_the_second_word_behind_it() -> None:
    found = Sentences()
    assert found.take("It is late. Go") == []
    assert found.take(" home") == ["It is late."]
    assert found.rest() == ["Go home"]


@pytest.fixture(scope="module")
def ear() -> LM:
    try:
        hub.resolve("hibari")
        return loquent.open("whisper-tiny.en", draft=None)
    except UserError as error:
        pytest.skip(f"a model cannot be had here: {error}")


def turn(text: str) -> Turn:
    sound = resampled(loquent.speak(text).sound, 16_000)
    return Turn(Span(0, sound.seconds), sound, time.perf_counter())


@pytest.mark.weights
def test_what_was_not_answered_belongs_to_the_next_turn(ear: LM, smollm: LM) -> None:
    news: list[News] = []
    dialog = Dialog(ear, smollm, tell=news.append, system="", sampling=Sampling(max_tokens=8))
    dialog.take(turn("Please tell me now."), pressing=lambda: True)
    assert [type(each) for each in news] == [Heard, Answered]
    assert news[1] == Answered(1, "", True, None, None)
    assert not dialog.answering
    dialog.take(turn("What is the capital of France?"))
    told = "Please tell me now. What is the capital of France?"
    assert dialog.messages[0] == {"role": "user", "content": told}
    answered = news[-1]
    assert isinstance(answered, Answered)
    assert answered.text
    assert not answered.interrupted
    assert answered.first_sound_seconds is None  # nobody says it
    assert dialog.messages[1:] == [{"role": "assistant", "content": answered.text}]
    written = "".join(each.text for each in news if isinstance(each, Wrote))
    assert written.strip() == answered.text


@pytest.mark.weights
def test_noise_is_no_turn_and_too_much_is_told(ear: LM, smollm: LM) -> None:
    news: list[News] = []
    noise = Hearing(silence=0.0, least_logprob=0.0, temperatures=(0.0,))  # all is taken for it
    dialog = Dialog(ear, smollm, tell=news.append, hearing=noise)
    dialog.take(turn("The dog."))
    assert [each.text for each in news if isinstance(each, Heard)] == [""]
    assert len(news) == len(dialog.messages) == 1
    dialog = Dialog(ear, smollm, tell=news.append, system="word " * 9000, truncate=None)
    with pytest.raises(RequestError, match="tokens"):
        dialog.take(turn("The dog."))
    assert len(dialog.messages) == 1
    assert not dialog.answering


@pytest.mark.weights
def test_an_answer_is_interrupted_from_another_thread(ear: LM, smollm: LM) -> None:
    def tell(each: News) -> None:
        news.append(each)
        if isinstance(each, Wrote) and len(news) > 10:
            dialog.interrupt()

    news: list[News] = []
    sampling = Sampling(max_tokens=500, ignore_end=True)
    dialog = Dialog(ear, smollm, tell=tell, sampling=sampling)
    dialog.interrupt()  # nothing is under way
    dialog.take(turn("Tell me about the sea."))
    answered = news[-1]
    assert isinstance(answered, Answered)
    assert answered.interrupted
    assert answered.answer is not None
    assert 5 < len(answered.answer.ids) < 60
    assert dialog.messages[-1]["content"] == answered.text


def test_the_file_is_named(tmp_path: Path) -> None:
    from loquent.commands.conversing import is_file  # noqa: PLC0415

    assert is_file(tmp_path / "a.wav")
    assert not is_file(tmp_path / "a")
    (tmp_path / "b.wav").mkdir()
    assert not is_file(tmp_path / "b.wav")
