"""Wav without any package, as the standard library and soundfile read it; whole or not there."""

import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loquent.audio.wav import WavFile, WavStream, header
from loquent.errors import DataError

SAMPLES = np.linspace(-1.2, 1.2, 4_001, dtype=np.float32)


def test_a_file_is_what_others_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with WavFile(path, 24_000) as file:
        file.write(SAMPLES[:1_000])
        assert not path.exists()
        file.write(SAMPLES[1_000:])
    with wave.open(str(path)) as found:
        assert (found.getframerate(), found.getnchannels(), found.getnframes()) == (
            24_000,
            1,
            4_001,
        )
    samples, rate = soundfile.read(path)
    assert rate == 24_000
    np.testing.assert_allclose(samples, np.clip(SAMPLES, -1, 1), atol=1e-4)
    assert list(tmp_path.iterdir()) == [path]


def test_a_stream_goes_on_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s.wav"
    with path.open("wb") as file:
        stream = WavStream(file, 8_000)
        stream.write(SAMPLES)
        stream.write(SAMPLES)
    samples, rate = soundfile.read(path)
    assert (len(samples), rate) == (8_002, 8_000)


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), WavFile(tmp_path / "a.wav", 8_000) as file:
        file.write(SAMPLES)
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="no numbers"), WavFile(tmp_path / "a.wav", 8_000) as file:
        file.write(np.array([np.nan], np.float32))
    with pytest.raises(DataError, match="cannot be written: No such file"):
        WavFile(tmp_path / "absent" / "a.wav", 8_000)


def test_what_wav_cannot_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loquent.audio.wav._ENDLESS", 1_000)
    with (
        pytest.raises(DataError, match="longer than wav can be"),
        WavFile(tmp_path / "a.wav", 8_000) as file,
    ):
        file.write(SAMPLES)
    assert len(header(8_000, 10)) == 44
