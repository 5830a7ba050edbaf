"""The wave of a spectrum is the inverse of the transform; pulses are their harmonics' sum."""

import numpy as np
import pytest

from loquent.native import Mixer, instruction_sets, uniform
from loquent.voices import waves
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


@pytest.mark.parametrize("instruction_set", instruction_sets())
@pytest.mark.parametrize("count", [1, 2, 16, 37])
def test_the_native_wave_is_that_of_the_formula(instruction_set: str, count: int) -> None:
    def part(middle: float, spread: float = 1.0) -> np.ndarray:
        return DRAWN.normal(middle, spread, (601, count)).astype(np.float32).T

    hertz = DRAWN.uniform(80, 200, count).astype(np.float32)
    parts = Parts(part(-2), part(0), part(-3), part(-2), part(0, 20), hertz)
    made = mixed(parts, FRAMES, np.random.default_rng(4))
    noise = waves._noise((601, count), np.random.default_rng(4))
    plain = waves._mixed(parts, FRAMES, pulses(hertz, FRAMES), (noise[0].T, noise[1].T))
    np.testing.assert_allclose(made, plain, atol=1e-6)
    own = Mixer(FRAMES.window, FRAMES.hop, instruction_set)
    told = (parts.harmonics, parts.turned, parts.noise, parts.rest, parts.phase)
    still = np.zeros((count - 1) * 300 + 1200, np.float32)
    found = own.run([*(np.ascontiguousarray(each.T) for each in told), *noise], still)
    silent = Parts(*told, np.zeros(count, np.float32))
    np.testing.assert_allclose(
        FRAMES.middle(found, count), mixed(silent, FRAMES, np.random.default_rng(4)), atol=1e-6
    )


def test_numbers_are_evenly_drawn() -> None:
    drawn = uniform(5, 100_001)
    assert drawn.shape == (100_001,)
    assert 0 <= drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    counts = np.histogram(drawn, 10, (0, 1))[0]
    assert np.abs(counts - 10_000).max() < 500
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02
    np.testing.assert_array_equal(drawn, uniform(5, 100_001))
    assert not np.array_equal(drawn, uniform(6, 100_001))


def test_noise_is_that_of_a_normal_distribution() -> None:
    radius, angle = waves._noise((601, 100), np.random.default_rng(0))
    drawn = radius * np.exp(1j * angle)
    for each in (drawn.real, drawn.imag):
        assert abs(each.mean()) < 0.01
        assert abs(each.std() - 1) < 0.01
        assert abs((each**4).mean() - 3) < 0.1


def test_frames_of_any_length_are_mixed() -> None:
    frames = Frames(size=56, hop=14, rate=8000)  # 7 is a factor, which the native one has not
    with pytest.raises(ValueError, match="2, 3 and 5"):
        Mixer(frames.window, frames.hop)
    flat = np.full((10, 29), -3, np.float32)
    parts = Parts(flat, flat, flat, flat, flat, np.full(10, 100, np.float32))
    assert mixed(parts, frames, np.random.default_rng(0)).shape == (140,)


def test_what_cannot_be_mixed() -> None:
    mixer = Mixer(FRAMES.window, FRAMES.hop)
    part = np.zeros((601, 3), np.float32)
    pulses_ = np.zeros(1800, np.float32)
    for parts, given, message in (
        ([part] * 6, pulses_, "seven"),
        ([*[part] * 6, part[:600]], pulses_, "another shape"),
        ([part] * 7, pulses_[:-1], "another length"),
    ):
        with pytest.raises(ValueError, match=message):
            mixer.run(parts, given)
    with pytest.raises(ValueError, match="even"):
        Mixer(np.ones(7, np.float32), 2)
