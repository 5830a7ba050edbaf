"""The wave of a spectrum is the inverse of the transform; pulses are their harmonics' sum."""

import numpy as np
import pytest

from loquent.voices.waves import HIGHEST_HERTZ, Frames, Parts, mixed, pulses

FRAMES = Frames(size=1200, hop=300, rate=24_000)
DRAWN = np.random.default_rng(0)


def test_a_wave_comes_back_from_its_spectrum() -> None:
    wave = DRAWN.normal(size=300 * 40).astype(np.float32)
    made = FRAMES.wave(FRAMES.spectrum(wave, 40))
    np.testing.assert_allclose(made[:-600], wave[:-600], atol=2e-5)


def test_the_transform_is_that_of_torch() -> None:
    torch = pytest.importorskip("torch")
    wave = DRAWN.normal(size=300 * 20).astype(np.float32)
    window = torch.hann_window(1200)
    theirs = torch.stft(torch.tensor(wave), 1200, 300, window=window, return_complex=True)
    np.testing.assert_allclose(FRAMES.spectrum(wave, 20), theirs.T[:20].numpy(), atol=1e-3)
    spectrum = (DRAWN.normal(size=(20, 601)) + 1j * DRAWN.normal(size=(20, 601))).astype("c8")
    back = torch.istft(torch.tensor(spectrum.T), 1200, 300, window=window, length=20 * 300).numpy()
    np.testing.assert_allclose(FRAMES.wave(spectrum)[:-900], back[:-900], atol=1e-5)


def test_pulses_are_the_sum_of_their_harmonics() -> None:
    hertz = np.full(30, 157.0)
    made = pulses(hertz, FRAMES)
    phase = 2 * np.pi * 157.0 * np.arange(1, 30 * 300 + 1) / 24_000
    count = int(HIGHEST_HERTZ // 157)
    wanted = sum(np.cos(number * phase) for number in range(1, count + 1))
    np.testing.assert_allclose(made, wanted, atol=0.3)  # of 70; where a pulse is, by a limit
    np.testing.assert_allclose(np.median(np.abs(made - wanted)), 0, atol=1e-4)


def test_no_pulses_where_nothing_is_voiced() -> None:
    hertz = np.r_[np.zeros(10), np.full(10, 200.0), np.zeros(10)]
    made = pulses(hertz, FRAMES)
    assert not made[: 9 * 300].any()
    assert made[12 * 300 : 18 * 300].std() > 1
    assert not made[21 * 300 :].any()


def test_parts_add_up_and_are_bounded() -> None:
    count = 12

    def part(value: float) -> np.ndarray:
        return np.full((count, 601), value, np.float32)

    off, on = part(-30), part(-3)
    still = np.zeros(count)
    noise = mixed(Parts(off, off, on, off, off, still), FRAMES, np.random.default_rng(1))
    again = mixed(Parts(off, off, on, off, off, still), FRAMES, np.random.default_rng(1))
    np.testing.assert_array_equal(noise, again)
    assert noise.std() > 1e-4
    silent = mixed(Parts(off, off, off, off, off, still), FRAMES, np.random.default_rng(1))
    assert np.abs(silent).max() < 1e-9
    loud = Parts(part(500), off, part(500), part(500), off, np.full(count, 100.0))
    assert np.isfinite(mixed(loud, FRAMES, np.random.default_rng(1))).all()
