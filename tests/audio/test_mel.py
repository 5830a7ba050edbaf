"""Spectra equal those of the programs whose networks read them."""

import numpy as np
import pytest

from loquent.audio.mel import filter_banks, log_mel
from loquent.errors import ConfigError

RATE = 16_000


def sounds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    moments = np.arange(5 * RATE) / RATE
    sweep = np.sin(2 * np.pi * (50 * moments + 750 * moments**2)).astype(np.float32)
    bursts = rng.standard_normal(5 * RATE).astype(np.float32) * (moments % 1 < 0.3)
    return {
        "noise": 0.1 * rng.standard_normal(5 * RATE).astype(np.float32),
        "sweep": sweep,
        "bursts": 0.05 * bursts.astype(np.float32),
        "silence": np.zeros(2 * RATE, np.float32),
        "short": rng.standard_normal(123).astype(np.float32),
        "odd": rng.standard_normal(12_345).astype(np.float32),
    }


@pytest.mark.parametrize("name", sorted(sounds()))
@pytest.mark.parametrize("bins", [80, 128])
def test_log_mel_is_that_of_whisper(name: str, bins: int) -> None:
    extractor = pytest.importorskip("transformers").WhisperFeatureExtractor(feature_size=bins)
    samples = sounds()[name]
    whole = np.pad(samples, (0, 30 * RATE - len(samples)))
    # Its computation in double precision; that in torch has errors of 3e-5 against it.
    expected = extractor._np_extract_fbank_features(whole[None].astype(np.float64), "cpu")[0]
    assert np.abs(log_mel(whole, bins) - expected).max() < 1e-6
    usual = extractor(samples, sampling_rate=RATE, return_tensors="np")["input_features"][0]
    assert np.abs(log_mel(whole, bins) - usual).max() < 1e-4
    assert np.median(np.abs(log_mel(whole, bins) - usual)) < 1e-6


def test_log_mel_of_any_length() -> None:
    noise = np.random.default_rng(1).standard_normal(100 * RATE).astype(np.float32)
    assert log_mel(noise).shape == (80, 10_000)
    for size in (0, 1, 199, 200, 201, 399, 400, 401):
        made = log_mel(noise[:size])
        assert made.shape == (80, max(size, 201) // 160)
        assert np.isfinite(made).all()
    with pytest.raises(ConfigError, match="at least one bin"):
        log_mel(noise, 0)


@pytest.mark.parametrize("name", sorted(sounds()))
@pytest.mark.parametrize(("bins", "rate"), [(80, 16_000), (40, 16_000), (40, 8000), (64, 44_100)])
def test_filter_banks_are_those_of_kaldi(name: str, bins: int, rate: int) -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = rate
    options.mel_opts.num_bins = bins
    samples = sounds()[name]
    reference = kaldi.OnlineFbank(options)
    reference.accept_waveform(rate, (samples * 32_768).tolist())
    reference.input_finished()
    frames = [reference.get_frame(place) for place in range(reference.num_frames_ready)]
    made = filter_banks(samples, bins, rate)
    assert made.shape == (bins, len(frames))
    if frames:
        expected = np.array(frames).T
        # It computes in single precision: what is far below a frame's loudest bin is rounded there.
        heard = expected > expected.max(axis=0) - 9
        assert np.abs(made - expected)[heard].max() < 2e-3
        assert np.median(np.abs(made - expected)[heard]) < 1e-5
