"""From sounds to transcripts: windows, alignment, attempts; on real weights where they are here."""

import io
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.audio.activity import ENERGY, Span
from loquent.audio.rates import resampled
from loquent.audio.reading import blocks, read_sound
from loquent.audio.sound import Sound
from loquent.checkpoints import hub
from loquent.errors import DataError, RequestError, UsageError, UserError
from loquent.lm import LM
from loquent.lm import open as open_lm
from loquent.metrics.alignment import edits
from loquent.metrics.normalizing import english
from loquent.tasks.speech_alignment import joined, path, shortened
from loquent.tasks.speech_calls import Transcribing
from loquent.tasks.speech_live import Live
from loquent.tasks.speech_settings import Hearing, compression
from loquent.tasks.speech_windows import WINDOW_SECONDS, Cutter, Window, windows
from loquent.tasks.transcribing import Transcript, transcribe, transcribe_all
from loquent.text.segments import Word

RATE = 16_000
JFK = (
    "And so my fellow Americans ask not what your country can do for you "
    "ask what you can do for your country."
)


def spoken(*parts: tuple[float, float], seed: int = 0) -> Sound:
    """Noise as loud as speech, of so many seconds each with so many of quiet behind it."""
    rng = np.random.default_rng(seed)
    made = []
    for loud, quiet in parts:
        made += [rng.normal(0, 0.1, round(loud * RATE)), rng.normal(0, 1e-4, round(quiet * RATE))]
    return Sound(np.concatenate(made).astype(np.float32), RATE)


class Level:
    """Speech is what is loud."""

    name, rate, frame = "level", RATE, 160

    def __init__(self) -> None:
        self.rest = np.zeros(0, np.float32)

    def begin(self) -> "Level":
        return Level()

    def next(self, samples: np.ndarray) -> np.ndarray:
        held = np.concatenate([self.rest, samples])
        count = len(held) // self.frame
        self.rest = held[count * self.frame :]
        frames = held[: count * self.frame].reshape(count, self.frame)
        return (np.abs(frames).max(axis=1) > 0.01).astype(np.float32)


def cut(sound: Sound, seconds: float) -> list[Sound]:
    size = round(seconds * RATE)
    return [Sound(sound.samples[at : at + size], RATE) for at in range(0, len(sound.samples), size)]


def test_windows_hold_all_that_is_loud_and_are_short_enough() -> None:
    sound = spoken((4, 1), (12, 0.5), (20, 3), (45, 4), (3, 2))
    made = list(windows([sound], Level()))
    assert all(0 < each.seconds <= WINDOW_SECONDS for each in made)
    covered = np.zeros(len(sound.samples), np.bool_)
    for each in made:
        start = round(each.start_seconds * RATE)
        assert not covered[start : start + len(each.samples)].any()
        covered[start : start + len(each.samples)] = True
        part = sound.samples[start : start + len(each.samples)]
        assert np.array_equal(each.samples, part)
    loud = np.abs(sound.samples) > 0.05
    assert (covered & loud).sum() > 0.999 * loud.sum()
    assert covered.mean() < 0.97  # long silences are left out


@pytest.mark.parametrize("seconds", [0.1, 1.0, 7.3, 30.0])
def test_windows_of_a_long_sound_do_not_depend_on_its_blocks_and_memory_is_flat(
    seconds: float,
) -> None:
    sound = spoken(*[(5, 1.2), (9, 0.8), (14, 2.5)] * 6)
    cutter, most = Cutter(Level()), 0
    made = []
    for block in cut(sound, seconds):
        made += cutter.push(block.samples)
        most = max(most, len(cutter._held))
    made += cutter.finish()
    assert most < 125 * RATE
    loud = np.abs(sound.samples) > 0.05
    covered = np.zeros(len(sound.samples), np.bool_)
    for each in made:
        start = round(each.start_seconds * RATE)
        covered[start : start + len(each.samples)] = True
    assert (covered & loud).sum() > 0.999 * loud.sum()
    starts = [each.start_seconds for each in made]
    assert starts == sorted(starts)


def test_a_long_silence_behind_speech_is_forgotten() -> None:
    cutter, most, made = Cutter(Level()), 0, []
    for block in cut(spoken((20, 400), (5, 1)), 10.0):
        made += cutter.push(block.samples)
        most = max(most, len(cutter._held))
    made += cutter.finish()
    assert most < 101 * RATE
    assert [round(each.seconds) for each in made] in ([20, 6], [21, 6], [20, 5], [21, 5])


def test_without_a_detector_all_is_heard() -> None:
    sound = spoken((3, 10), (2, 50), (1, 4))
    made = list(windows([sound], None))
    assert sum(each.seconds for each in made) == pytest.approx(sound.seconds, abs=0.1)
    assert all(each.seconds <= WINDOW_SECONDS for each in made)


def test_silence_has_no_windows_and_other_rates_are_refused() -> None:
    assert not list(windows([Sound(np.zeros(RATE * 40, np.float32), RATE)], ENERGY))
    assert not list(windows([], ENERGY))
    with pytest.raises(DataError, match="8000"):
        list(windows([Sound(np.zeros(8000, np.float32), 8000)], ENERGY))


class Deaf(Level):
    """It takes nothing for speech."""

    def begin(self) -> "Deaf":
        return Deaf()

    def next(self, samples: np.ndarray) -> np.ndarray:
        return 0 * super().next(samples)


def test_a_word_or_two_may_be_heard_whole_where_no_speech_is_found():
    for seconds, level, found in (
        (0.15, 1, 1), (2.0, 1, 1), (2.01, 1, 0), (0.0, 1, 0), (0.5, 0.001, 0)
    ):  # fmt: skip
        sound = Sound(level * spoken((seconds / 2, seconds / 2)).samples, RATE)
        assert not list(windows([sound], Deaf()))
        made = list(windows([sound], Deaf(), whole_seconds=2.0))
        assert len(made) == found
        assert all(np.array_equal(each.samples, sound.samples) for each in made)
    (window,) = windows([spoken((0.5, 0.5))], Level(), whole_seconds=2.0)
    assert window.speech  # where it is found, it is cut out as ever


def cheapest(costs: np.ndarray) -> float:
    """By trying the three ways into each cell, one by one."""
    rows, columns = costs.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for i in range(rows):
        for j in range(columns):
            best = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = costs[i, j] + best
    return float(total[rows, columns])


@pytest.mark.parametrize("seed", range(20))
def test_the_path_is_the_cheapest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.normal(size=(int(rng.integers(1, 30)), int(rng.integers(1, 60))))
    rows, columns = path(costs)
    assert costs[rows, columns].sum() == pytest.approx(cheapest(costs))
    assert (rows[0], columns[0]) == (0, 0)
    assert (rows[-1] + 1, columns[-1] + 1) == costs.shape
    steps = set(zip(np.diff(rows).tolist(), np.diff(columns).tolist(), strict=True))
    assert steps <= {(0, 1), (1, 0), (1, 1)}


def test_signs_belong_to_their_words() -> None:
    words = [
        (Word(0, 1, " say"), 0),
        (Word(1, 1.1, ' "'), 1),
        (Word(1.1, 2, "yes"), 2),
        (Word(2, 2.1, "!"), 3),
        (Word(2.1, 2.2, '"'), 4),
    ]
    made = joined(words)
    assert [each.text for each, _ in made] == [" say", ' "yes!"']
    assert (made[1][0].start_seconds, made[1][0].end_seconds) == (1.1, 2)
    assert made[1][1] == 1


def test_a_word_behind_a_stop_does_not_last_for_ever() -> None:
    words = [(Word(0, 0.4, " end"), 0), (Word(0.4, 0.5, "."), 1), (Word(0.5, 9, " So"), 2)]
    last = shortened(words)[-1][0]
    assert last.end_seconds == 9
    assert last.start_seconds > 8


def test_text_that_repeats_itself_compresses() -> None:
    assert compression("the cat sat on the mat, and a dog barked at it.") < 1.5
    assert compression("thank you. " * 30) > 2.4
    assert compression("") == 0.0


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UsageError):
        Hearing(temperatures=())
    with pytest.raises(UsageError):
        Hearing(beams=0)


@pytest.fixture(scope="module")
def lm() -> LM:
    """Whisper tiny.en; skips where it cannot be had."""
    try:
        return open_lm("whisper-tiny.en", rows=8, draft=None)
    except UserError as error:
        pytest.skip(f"whisper-tiny.en cannot be had here: {error}")


@pytest.fixture(scope="module")
def base() -> LM:
    """Whisper base, where it is on this machine already."""
    if hub.locate("whisper-base") is None:
        pytest.skip("whisper-base is not on this machine")
    return open_lm("whisper-base", rows=8, draft=None, offline=True)


@pytest.fixture(scope="module")
def jfk(data: Path) -> Sound:
    return read_sound(data / "jfk" / "jfk.flac")


@pytest.mark.weights
def test_a_recording_is_exact_with_times_of_words(lm: LM, jfk: Sound) -> None:
    made = transcribe(lm, jfk, Hearing(words=True), detector=ENERGY)
    assert english(made.text) == english(JFK)
    assert (made.language, made.seconds) == ("en", 11.0)
    words = [word for segment in made.segments for word in segment.words]
    assert "".join(word.text for word in words).strip() == made.text
    starts = [word.start_seconds for word in words]
    assert starts == sorted(starts)
    assert all(0 <= word.start_seconds <= word.end_seconds <= 11 for word in words)
    for segment in made.segments:
        assert segment.start_seconds - 0.5 <= segment.words[0].start_seconds
        assert segment.words[-1].end_seconds <= segment.end_seconds + 0.5
    country = next(word for word in words if word.text == " country")
    assert 5.9 < country.start_seconds < 6.3  # as openai-whisper has it
    assert made.plain()["segments"][0]["words"][0]["text"] == "And"


@pytest.mark.weights
def test_what_a_window_leaves_out_is_heard_again(lm: LM, data: Path) -> None:
    """A window that ends in the middle of a sentence, whose beginning the recognizer leaves out."""
    names = [f"LJ001-00{number}.flac" for number in (21, 22, 23, 24)]
    clips = [read_sound(data / "ljspeech_lj001" / name).samples for name in names]
    sound = Sound(np.concatenate([*clips[:3], clips[3][: 3 * RATE]]), RATE)
    made = transcribe(lm, sound, detector=Level())
    assert "1st bible actually dated" in english(made.text)
    ends = [each.end_seconds for each in made.segments]
    assert ends == sorted(ends)
    assert ends[-1] <= sound.seconds


def test_windows_know_how_much_is_said_behind_a_time() -> None:
    window = Window(10.0, np.zeros(RATE * 20, np.float32), (Span(11, 15), Span(20, 29)))
    assert window.speech_seconds(0) == 13
    assert window.speech_seconds(14) == 10
    assert window.speech_seconds(29.5) == 0
    rest = window.rest(21.0)
    assert rest.again
    assert rest.speech_seconds(21.0) == 8
    assert rest.seconds == 9
    assert replace(window, speech=()).speech_seconds(25) == 5


@pytest.mark.weights
def test_without_times_it_is_one_segment(lm: LM, jfk: Sound) -> None:
    made = transcribe(lm, jfk, Hearing(times=False, words=True))
    assert len(made.segments) == 1
    assert english(made.text) == english(JFK)
    assert len(made.segments[0].words) == 22


@pytest.mark.weights
def test_several_sounds_are_told_in_order_with_what_is_wrong_in_its_place(
    lm: LM, jfk: Sound
) -> None:
    silence = Sound(np.zeros(RATE, np.float32), RATE)
    given = [silence, jfk, blocks(io.BytesIO(b"%PDF-1.4 no sound")), [jfk], silence]
    made = list(transcribe_all(lm, given, detector=ENERGY))
    assert [isinstance(each, DataError) for each in made] == [False, False, True, False, False]
    texts = [each.text for each in made if isinstance(each, Transcript)]
    assert [english(each) for each in texts] == ["", english(JFK), english(JFK), ""]
    with pytest.raises(DataError, match="PDF"):
        transcribe(lm, blocks(io.BytesIO(b"%PDF-1.4 no sound")))


@pytest.mark.weights
def test_nothing_is_invented_on_silence(lm: LM) -> None:
    rng = np.random.default_rng(0)
    for level in (0.0, 1e-4, 3e-2):
        noise = Sound((level * rng.standard_normal(RATE * 8)).astype(np.float32), RATE)
        assert transcribe(lm, noise, Hearing(best_of=1), detector=ENERGY).text == ""


@pytest.mark.weights
def test_prompts_and_hotwords_are_read_and_measured(lm: LM, jfk: Sound) -> None:
    hearing = Hearing(prompt="A speech of 1961.", hotwords=("country", "Americans"))
    made = transcribe(lm, jfk, hearing)
    assert english(made.text) == english(JFK)
    with pytest.raises(RequestError, match="223"):
        transcribe(lm, jfk, Hearing(prompt="word " * 400))
    with pytest.raises(RequestError, match="English only"):
        transcribe(lm, jfk, Hearing(language="de"))
    with pytest.raises(RequestError, match="English only"):
        transcribe(lm, jfk, Hearing(translate=True))


@pytest.mark.weights
def test_a_live_text_loses_nothing(lm: LM, jfk: Sound) -> None:
    """In blocks of a tenth of a second, and where the sound ends in the middle of a word."""
    live = Live(lm, detector=ENERGY, refresh_seconds=4.0)
    news = list(live.follow(cut(jfk, 0.1)))
    settled = " ".join(each.text for each in news if each.settled)
    meant, told = english(JFK).split(), english(settled).split()
    assert edits(meant, told) <= 2  # a short part of a sentence is harder to understand
    assert any(not each.settled and each.text for each in news)
    ended = Live(lm, detector=ENERGY, refresh_seconds=0)
    part = list(ended.follow(cut(jfk.part(0, 2.0), 0.1)))
    assert "fellow" in part[-1].text
    assert part[-1].settled


@pytest.mark.weights
def test_a_beam_search_finds_as_much(lm: LM, jfk: Sound) -> None:
    assert english(transcribe(lm, jfk, Hearing(beams=2)).text) == english(JFK)


@pytest.mark.weights
def test_languages_are_found_and_given(base: LM, jfk: Sound) -> None:
    found = transcribe(base, jfk, detector=ENERGY)
    assert english(found.text) == english(JFK)
    assert found.language == "en"
    assert found.language_chance > 0.9
    given = transcribe(base, jfk, Hearing(language="English"))
    assert english(given.text) == english(JFK)
    with pytest.raises(UsageError, match="klingon"):
        transcribe(base, jfk, Hearing(language="klingon"))


@pytest.mark.weights
def test_a_model_that_only_writes_does_not_hear(tiny_gpt2: Path, jfk: Sound) -> None:
    with pytest.raises(RequestError, match="loquent models"):
        transcribe(open_lm(tiny_gpt2, runtime="torch"), jfk)


def test_windows_have_rests() -> None:
    window = next(iter(windows([spoken((8, 1))], ENERGY)))
    rest = window.rest(window.start_seconds + 3)
    assert rest.seconds == pytest.approx(window.seconds - 3)
    assert rest.end_seconds == pytest.approx(window.end_seconds)
    assert replace(rest, samples=window.samples[3 * RATE :]).start_seconds == rest.start_seconds


def test_the_call_takes_the_fields_of_the_settings() -> None:
    assert set(Transcribing.__annotations__) == {each.name for each in fields(Hearing)}


@pytest.mark.weights
def test_one_call_is_enough(lm: LM, jfk: Sound, data: Path) -> None:
    path = data / "jfk" / "jfk.flac"
    given = [str(path), path.read_bytes(), resampled(jfk, 44_100)]
    for each in given:
        made = loquent.transcribe(each, model=lm, detector=ENERGY)
        assert english(made.text) == english(JFK)
    with pytest.raises(DataError):
        loquent.transcribe(b"no sound", model=lm)
