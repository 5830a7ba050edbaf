"""Texts as speech: sentence by sentence, with pauses; nothing that cannot be said is left out."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import loquent
from loquent.errors import CheckpointError, RequestError, UsageError
from loquent.voices.opening import open_voice
from loquent.voices.silence import silence, trimmed
from loquent.voices.speaking import speak, stream
from loquent.voices.voice import Manner, Voice


@pytest.fixture(scope="session")
def voice(tiny_voice: Path) -> Voice:
    return open_voice(str(tiny_voice))


def test_a_text_becomes_sound_and_tells_how(voice: Voice) -> None:
    made = speak("Twenty-three new rules cost $4.50.", voice=voice)
    plain = made.plain()
    assert plain["said"] == "Twenty-three new rules cost four dollars and fifty cents."
    assert plain["phonemes"] == "twˈɛntiθɹˌi nˈu ɹˈulz kˈɔst fˈɔɹ dˈɑləɹz ænd fˈɪfti sˈɛnts."
    assert plain["readings"][0]["written"] == "$4.50"
    assert plain["guessed"] == plain["skipped"] == []
    assert made.sound.rate == 24_000
    assert made.seconds > 1
    assert np.isfinite(made.sound.samples).all()
    assert loquent.speak is speak


def test_sentences_come_one_by_one_and_are_together_the_whole(voice: Voice) -> None:
    text = "The dog. The rule!\n\nFour dogs?"
    pieces = list(stream(voice, text, manner=Manner()))
    assert [each.text for each in pieces] == ["The dog.", "The rule!", "Four dogs?"]
    whole = speak(text, voice=voice).sound.samples
    together = np.concatenate([each.samples for each in pieces])
    np.testing.assert_array_equal(whole[: len(together)], together)


def test_pauses_are_longer_between_paragraphs(voice: Voice) -> None:
    def longest_silence(text: str, pause: float) -> float:
        samples = speak(text, voice=voice, pause_seconds=pause).sound.samples
        longest = run = 0
        for quiet in np.abs(samples[4_800:-4_800]) < 1e-9:
            run = run + 1 if quiet else 0
            longest = max(longest, run)
        return longest / 24_000

    one = longest_silence("The dog. The rule.", 0.5)
    two = longest_silence("The dog.\n\nThe rule.", 0.5)
    none = longest_silence("The dog. The rule.", 0.0)
    assert one == pytest.approx(0.5, abs=0.01)
    assert two == pytest.approx(1.0, abs=0.01)
    assert none < 0.01


def test_speed_pitch_and_seed(voice: Voice) -> None:
    text = "Twenty-three new rules."
    usual = speak(text, voice=voice)
    assert speak(text, voice=voice, speed=2).seconds < 0.7 * usual.seconds
    assert np.array_equal(speak(text, voice=voice).sound.samples, usual.sound.samples)
    other = speak(text, voice=voice, seed=1).sound.samples
    assert not np.array_equal(other[: len(usual.sound.samples)], usual.sound.samples[: len(other)])
    higher = speak(text, voice=voice, pitch=1.5).sound.samples
    assert not np.array_equal(
        higher[: len(usual.sound.samples)], usual.sound.samples[: len(higher)]
    )


def test_what_cannot_be_said_is_named(voice: Voice) -> None:
    with pytest.raises(RequestError, match=r"cannot say 中文, ж in 'The dog 中文 ж\.'"):
        speak("The dog 中文 ж.", voice=voice)
    made = speak("The dog 中文 ж.", voice=voice, skip_unknown=True)
    assert made.plain()["skipped"] == ["中文", "ж"]
    assert made.plain()["phonemes"] == "ðə dˈɔɡ."


def test_words_of_no_dictionary_are_guessed_and_told(voice: Voice) -> None:
    made = speak("The zorg.", voice=voice)
    assert made.plain()["guessed"] == ["zorg"]
    assert made.plain()["phonemes"] == "ðə zɑɹɡ."


def test_a_long_sentence_is_divided(voice: Voice) -> None:
    pieces = list(stream(voice, "the dog, " * 120, manner=Manner(), pause_seconds=0.5))
    assert len(pieces) > 1
    assert all(len(each.phonemes) <= voice.longest for each in pieces)
    assert "".join("".join(each.text.split()) for each in pieces) == "thedog," * 120
    assert np.abs(pieces[1].samples[:2_000]).max() > 0  # no pause within a sentence


def test_the_first_part_comes_early_where_asked(voice: Voice) -> None:
    text = "The dog cost four dollars and fifty cents, and the apple cost twenty-three. The rule."
    first = next(stream(voice, text, manner=Manner(), early=True))
    assert len(first.text) <= 60
    whole = list(stream(voice, text, manner=Manner(), early=True))
    assert " ".join(each.text for each in whole) == text


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"speed": 0.1}, UsageError, "speed of 0.1 is not from 0.25 to 4"),
        ({"pitch": 3}, UsageError, "pitch of 3 is not from 0.5 to 2"),
        ({"pause_seconds": -1}, UsageError, "pause of -1"),
        ({"speed": float("nan")}, UsageError, "speed of nan"),
    ],
)
def test_settings_out_of_bounds(
    voice: Voice, options: dict[str, float], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        speak("The dog.", voice=voice, **options)  # type: ignore[arg-type]


def test_an_empty_text_is_refused(voice: Voice) -> None:
    with pytest.raises(RequestError, match="the text is empty"):
        speak(" \n", voice=voice)


def test_marks_alone_make_silence(voice: Voice) -> None:
    assert speak("…", voice=voice).seconds < 0.2


def test_phonemes_that_a_voice_lacks_are_named(voice: Voice) -> None:
    with pytest.raises(RequestError, match="has no phoneme ξ"):
        voice.said("ξ", Manner())


def test_no_voice(tmp_path: Path, tiny_voice: Path) -> None:
    with pytest.raises(CheckpointError, match="is no voice"):
        open_voice(str(tmp_path))
    (tmp_path / "hibari.onnx").write_bytes((tiny_voice / "oov.onnx").read_bytes())
    (tmp_path / "vocab.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckpointError, match="has the inputs chars; ids, speed are wanted"):
        open_voice(str(tmp_path))
    (tmp_path / "vocab.json").write_text("[]", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"vocab\.json: is not as it should be"):
        open_voice(str(tmp_path))


@settings(max_examples=30, deadline=None)
@given(text=st.text(alphabet="the dog.,!?$4 5-—'\"\n…():;", min_size=1, max_size=60))
def test_nothing_fails_but_for_empty_texts(text: str, voice: Voice) -> None:
    try:
        made = speak(text, voice=voice)
    except RequestError as fault:
        assert not text.strip() or "cannot say" in str(fault)
    else:
        assert np.isfinite(made.sound.samples).all()


def test_silence_is_cut_from_the_ends() -> None:
    tone = np.sin(np.arange(8_000) / 5).astype(np.float32)
    padded = np.concatenate([silence(1, 8_000), tone, silence(2, 8_000)])
    made = trimmed(padded, 8_000)
    assert len(tone) <= len(made) <= len(tone) + 0.15 * 8_000
    assert len(trimmed(silence(1, 8_000), 8_000)) == 0


def test_sentences_made_at_once_are_those_made_one_by_one(
    voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "The dog. Four rules. The apple! Twenty-three new rules. He read. By fifty cents."
    made = []
    for threads in ("1", "4"):
        monkeypatch.setenv("LOQUENT_THREADS", threads)
        made.append(speak(text, voice=voice).sound.samples)
    np.testing.assert_array_equal(*made)


def test_who_stops_listening_waits_for_no_more(voice: Voice) -> None:
    stopped = stream(voice, "The dog. " * 50, manner=Manner())
    assert next(stopped).text == "The dog."
    stopped.close()  # type: ignore[attr-defined]  # a generator


def test_what_fails_while_a_sentence_is_made_is_told(
    voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise RequestError("too long.")

    monkeypatch.setattr(type(voice), "said", failing)
    with pytest.raises(RequestError, match=r"too long\."):
        speak("The dog. The rule.", voice=voice)
