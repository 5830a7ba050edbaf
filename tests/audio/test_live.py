"""Sound from a pipe, block by block as it comes, and what is said in it."""

import io
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loquent.audio import live
from loquent.audio.activity import ENERGY, Activity, speech_spans
from loquent.audio.live import microphone, piped
from loquent.audio.sound import Sound
from loquent.audio.utterances import utterances
from loquent.errors import DataError, UserError

RATE = 16_000


def noise(seconds: float, rate: int = RATE) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(int(seconds * rate))).astype(np.float32)


def written(samples: np.ndarray, rate: int, subtype: str, format: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype=subtype)
    return file.getvalue()


def joined(blocks: Iterator[Sound]) -> np.ndarray:
    return np.concatenate([block.samples for block in blocks])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT"])
def test_wav_of_a_pipe(subtype: str) -> None:
    samples = noise(0.73)
    data = written(samples, RATE, subtype)
    assert np.abs(joined(piped(io.BytesIO(data))) - samples).max() < 1e-4
    endless = bytearray(data)
    endless[data.index(b"data") + 4 : data.index(b"data") + 8] = b"\xff\xff\xff\xff"
    assert len(joined(piped(io.BytesIO(endless)))) == len(samples)
    both = np.stack([samples, -samples], axis=1)
    assert np.abs(joined(piped(io.BytesIO(written(both, RATE, subtype))))).max() < 1e-4


def test_other_rates_and_forms() -> None:
    samples = noise(1.0, 8000)
    raw = (samples * 32_768).astype("<i2").tobytes()
    assert len(joined(piped(io.BytesIO(raw), raw_rate=8000))) == RATE
    same = joined(piped(io.BytesIO(raw + b"\x01"), 8000, raw_rate=8000))
    assert np.abs(same - samples).max() < 1e-4  # a half sample at the end is none
    for format, subtype in (("FLAC", "PCM_16"), ("OGG", "VORBIS")):
        heard = joined(piped(io.BytesIO(written(samples, 8000, subtype, format))))
        assert abs(len(heard) - RATE) < 10


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"RIFF\0\0\0\0AVI ", "begins like wav"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "no header"),
        (b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 1 << 30), "no header"),
        (b"RIFF\0\0\0\0WAVE", "no header"),
        (
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"
            + struct.pack("<HHIIHH", 1, 96, 16_000, 0, 0, 16)
            + b"data\0\0\0\0",
            "96 channels",
        ),
    ],
)
def test_what_is_no_sound_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(piped(io.BytesIO(data)))


def test_numbers_that_are_none_are_refused() -> None:
    samples = noise(0.5)
    samples[4000] = np.nan
    with pytest.raises(DataError, match="no numbers"):
        list(piped(io.BytesIO(written(samples, RATE, "FLOAT"))))


def test_a_pipe_that_waits_is_heard_at_once(tmp_path: Path) -> None:
    import os  # noqa: PLC0415

    reader, writer = os.pipe()
    raw = (noise(0.25) * 32_768).astype("<i2").tobytes()
    gone = threading.Event()

    def send() -> None:
        with os.fdopen(writer, "wb", buffering=0) as sink:
            sink.write(raw)
            gone.wait(10)
            sink.write(raw[:1001])

    thread = threading.Thread(target=send)
    thread.start()
    with os.fdopen(reader, "rb") as source:
        blocks = piped(source)
        begun = time.monotonic()
        first, second = next(blocks), next(blocks)
        assert time.monotonic() - begun < 5
        assert len(first.samples) == len(second.samples) == 1600
        gone.set()
        rest = joined(blocks)
    thread.join()
    assert len(rest) == 800 + 500


def test_utterances_are_those_of_the_whole() -> None:
    samples = 0.001 * np.random.default_rng(1).standard_normal(10 * RATE).astype(np.float32)
    moments = np.arange(RATE) / RATE
    for second in (2, 5, 9):
        samples[second * RATE : (second + 1) * RATE] += 0.2 * np.sin(
            2 * np.pi * 300 * moments
        ).astype(np.float32)
    rules = Activity(padding_seconds=0.1, least_silence_seconds=0.3)
    whole = speech_spans(samples, RATE, ENERGY, rules)
    assert len(whole) == 3
    for size in (160, 1000, 40_000):
        parts = (Sound(samples[at : at + size], RATE) for at in range(0, len(samples), size))
        found = list(utterances(parts, ENERGY, rules))
        assert len(found) == 3
        for (span, sound), expected in zip(found, whole, strict=True):
            assert abs(span.start_seconds - expected.start_seconds) < 0.05
            assert abs(span.end_seconds - expected.end_seconds) < 0.05
            start = round(span.start_seconds * RATE)
            np.testing.assert_array_equal(
                sound.samples, samples[start : start + len(sound.samples)]
            )


def test_an_utterance_comes_as_soon_as_it_is_over() -> None:
    quiet, loud = np.zeros(RATE, np.float32), noise(1.0)
    line = [0.001 * noise(2.0), loud, 0.01 * quiet, quiet, quiet]
    taken = []

    def slowly() -> Iterator[Sound]:
        for at, part in enumerate(line):
            for piece in np.split(part, 10):
                taken.append(at)
                yield Sound(piece, RATE)

    rules = Activity(least_silence_seconds=0.3)
    next(utterances(slowly(), ENERGY, rules))
    assert taken[-1] == 2
    assert taken.count(2) <= 5
    long = Activity(longest_seconds=0.5)
    pieces = list(utterances(slowly(), ENERGY, long))
    assert len(pieces) >= 2
    assert all(span.seconds <= 0.6 for span, _ in pieces)


def test_without_a_microphone_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        @staticmethod
        def InputStream(*_args: object, **_named: object) -> None:
            raise ValueError("no device")

    monkeypatch.setattr(live, "sounddevice", lambda: Device)
    with pytest.raises(UserError, match="no microphone can be opened: no device"):
        next(microphone())
