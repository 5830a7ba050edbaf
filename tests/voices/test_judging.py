"""Measures of a voice: nothing where nothing differs, and as much as was changed where it does."""

from pathlib import Path

import numpy as np
import pytest

from loquent.audio.pitch import pitch
from loquent.audio.sound import Sound
from loquent.errors import DataError
from loquent.evaluation.speaking import gap_between, judged
from loquent.metrics.speech import aligned, cepstra
from loquent.voices.opening import open_voice
from loquent.voices.speaking import speak

RATE = 16_000


def tone(hertz: float, seconds: float = 1.0, harmonics: int = 20) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    numbers = np.arange(1, harmonics + 1)
    made = (np.cos(2 * np.pi * hertz * numbers[:, None] * time) / numbers[:, None]).sum(0)
    return (made / np.abs(made).max()).astype(np.float32)


@pytest.mark.parametrize("hertz", [70.0, 110.0, 173.5, 261.6, 440.0])
def test_the_pitch_of_a_tone(hertz: float) -> None:
    found = pitch(tone(hertz), RATE)
    assert len(found) == 100
    np.testing.assert_allclose(found[5:-6], hertz, rtol=0.005)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    assert (pitch(noise, RATE) > 0).mean() < 0.05
    assert not pitch(np.zeros(RATE, np.float32), RATE).any()
    assert len(pitch(np.zeros(10, np.float32), RATE)) == 0


def test_frames_are_aligned_where_one_is_slower() -> None:
    first = np.random.default_rng(1).normal(size=(30, 5))
    slow = np.repeat(first, 2, axis=0)
    path = aligned(first, slow)
    assert tuple(path[0]) == (0, 0)
    assert tuple(path[-1]) == (29, 59)
    np.testing.assert_allclose(first[path[:, 0]], slow[path[:, 1]])


def test_cepstra_are_the_cosines_of_scipy() -> None:
    scipy = pytest.importorskip("scipy.fft")
    mel = np.random.default_rng(2).normal(size=(4, 80))
    wanted = scipy.dct(mel, type=2, axis=1)[:, 1:14] / 80
    np.testing.assert_allclose(cepstra(mel), wanted, atol=1e-12)


def test_the_same_sound_is_not_far() -> None:
    found = gap_between(Sound(tone(150), RATE), Sound(tone(150), RATE))
    assert found.cepstral_decibels == pytest.approx(0, abs=1e-6)
    assert found.pitch_cents == pytest.approx(0, abs=1e-6)
    assert (found.voicing, found.duration) == (0, 0)


def test_what_was_changed_is_told() -> None:
    usual = Sound(tone(150), RATE)
    higher = gap_between(Sound(tone(150 * 2 ** (1 / 12)), RATE), usual)
    assert higher.pitch_cents == pytest.approx(100, abs=5)
    longer = gap_between(Sound(tone(150, 1.5), RATE), usual)
    assert longer.duration == pytest.approx(0.5, abs=0.01)
    duller = gap_between(Sound(tone(150, harmonics=4), RATE), usual)
    assert duller.cepstral_decibels > 5
    louder = gap_between(Sound(0.1 * tone(150), RATE), usual)
    assert louder.cepstral_decibels < 0.1  # loudness alone is no distortion


def test_a_voice_over_texts(tiny_voice: Path) -> None:
    voice = open_voice(str(tiny_voice))
    texts = ["The dog cost four dollars.", "Twenty-three new rules."]
    pairs = [(each, speak(each, voice=voice).sound) for each in texts]
    heard = iter(
        ["the dog cost four dollars", "the dog cost $4", "twenty three rules", "23 new rules"]
    )
    made = judged(voice, pairs, lambda _: next(heard))
    plain = made.plain()
    assert plain["texts"] == 2
    assert plain["wer"] == pytest.approx(1 / 7)
    assert plain["wer_recorded"] == 0
    assert plain["wer_difference"] == plain["wer"]
    assert plain["cepstral_decibels"] == pytest.approx(0, abs=1e-6)
    assert judged(voice, pairs).plain()["wer"] is None
    with pytest.raises(DataError, match="no recording"):
        judged(voice, [])
    with pytest.raises(DataError, match="nothing but silence"):
        gap_between(Sound(np.zeros(RATE, np.float32), RATE), pairs[0][1])
