"""Phonemes are found in recordings of which nobody said where they are."""

import numpy as np
import pytest

from loquent.audio.aligning import Aligner

RATE = 16_000
SOUNDS = {"a": (300, 900), "b": (1200, 1700), "c": (2500, 3100), "d": (600, 4000)}


def spoken(text: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two tones for each letter, silence for a space; and where each ends, in seconds."""
    random = np.random.default_rng(seed)
    parts, ends, now = [], [], 0.0
    for each in text:
        seconds = 0.0 if each == "ˈ" else random.uniform(0.08, 0.2)
        moments = np.arange(round(seconds * RATE)) / RATE
        tones = [np.sin(2 * np.pi * hertz * moments) for hertz in SOUNDS.get(each, ())]
        wave = 0.2 * sum(tones) if tones else np.zeros(len(moments))
        parts.append(wave + 0.002 * random.standard_normal(len(moments)))
        now += len(moments) / RATE
        ends.append(now)
    return np.concatenate(parts).astype(np.float32), np.array(ends)


def texts(count: int) -> list[str]:
    random = np.random.default_rng(7)
    words = ["".join(random.choice(list(SOUNDS), random.integers(2, 5))) for _ in range(3 * count)]
    # the same letter twice has no end that could be heard
    clean = ["".join(a for a, b in zip(each, "-" + each, strict=False) if a != b) for each in words]
    return [f" ˈ{' '.join(clean[3 * at : 3 * at + 3])} " for at in range(count)]


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    pairs = [(text, spoken(text, seed)[0]) for seed, text in enumerate(texts(40))]
    return Aligner(pairs, RATE)


def test_ends_are_found(aligner: Aligner) -> None:
    far = []
    for seed, text in enumerate(texts(40)):
        samples, ends = spoken(text, seed)
        found = aligner.ends(text, samples)
        assert found.shape == (len(text),)
        assert (np.diff(found) >= 0).all()
        assert found[-1] == pytest.approx(len(samples) / RATE)
        assert found[1] == found[0]  # stress has no time
        far.append(np.abs(found - ends)[:-1])
    assert np.quantile(np.concatenate(far), 0.9) < 0.035


def test_what_is_not_there_lasts_for_no_time(aligner: Aligner) -> None:
    samples, _ = spoken(" ab cd ", 99)
    found = aligner.ends(" aˌxb, cd ", samples)
    lasting = np.diff(found, prepend=0)
    assert lasting[2] == lasting[3] == 0  # a mark of stress, and what was never met
    assert lasting[6] == 0  # of a mark and a space the mark has the pause
    assert (lasting[[1, 4, 7, 8]] > 0.04).all()
    assert not aligner.ends(" abcdabcdabcd ", samples[:1600]).any()  # too short for its text
