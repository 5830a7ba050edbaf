"""Sound is read alike from every format and rate, and what is no sound is refused at once."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loquent.audio import packages
from loquent.audio.formats import WRITTEN
from loquent.audio.reading import blocks, duration_seconds, read_sound
from loquent.audio.sound import Sound
from loquent.audio.sources import SoundLimits
from loquent.audio.writing import SoundWriter, write_sound
from loquent.errors import DataError, UsageError, UserError

RATE = 16_000


def encoded(
    samples: np.ndarray, format: str, subtype: str | None = None, rate: int = RATE
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype=subtype)
    return file.getvalue()


def tone(seconds: float = 2.0) -> np.ndarray:
    moments = np.arange(int(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 440 * moments)).astype(np.float32)


def chirp(rate: int, seconds: float = 3.0) -> np.ndarray:
    """From 100 Hz to 3 kHz, which every rate here can hold."""
    time_ = np.arange(int(rate * seconds)) / rate
    return (0.4 * np.sin(2 * np.pi * (100 * time_ + 2900 / (2 * seconds) * time_**2))).astype("f4")


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize(
    ("format", "subtype", "exact"),
    [
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_U8", 1e-2),
        ("WAV", "FLOAT", 1e-7),
        ("WAV", "DOUBLE", 1e-7),
        ("FLAC", "PCM_16", 1e-4),
        ("FLAC", "PCM_24", 1e-6),
        ("OGG", "VORBIS", 0.2),
        ("MP3", "MPEG_LAYER_III", 0.2),
        ("AIFF", "PCM_16", 1e-4),
    ],
)
def test_formats_and_rates(rate: int, format: str, subtype: str, exact: float) -> None:
    meant = chirp(rate)
    data = encoded(meant, format, subtype, rate)
    same = read_sound(data, rate)
    assert same.rate == rate
    assert same.samples.dtype == np.float32
    assert abs(len(same.samples) - len(meant)) <= (2400 if format == "MP3" else 0)
    kept = slice(0, min(len(meant), len(same.samples)) - (rate // 4 if exact == 0.2 else 0))
    assert np.abs(same.samples[kept] - meant[kept]).max() < exact
    heard = read_sound(data, RATE).samples
    expected = chirp(RATE)
    size = min(len(heard), len(expected))
    assert abs(len(heard) - len(expected)) <= (1200 if format == "MP3" else 1)
    inner = slice(800, size - 4000)  # ends ring, and the last tones are near the limit of 8 kHz
    assert np.abs(heard[inner] - expected[inner]).max() < exact + 0.01
    parts = [each.samples for each in blocks(data, RATE, 0.37)]
    assert all(len(each) == 5920 for each in parts[:-1])
    np.testing.assert_array_equal(np.concatenate(parts), heard)


def test_channels_are_averaged() -> None:
    left, right = chirp(RATE), chirp(RATE)[::-1]
    data = encoded(np.stack([left, right], axis=1), "WAV", "FLOAT")
    np.testing.assert_allclose(read_sound(data).samples, (left + right) / 2, atol=1e-7)


def test_paths_pipes_and_bytes_are_alike(tmp_path: Path) -> None:
    path = tmp_path / "name of no meaning.pdf"
    path.write_bytes(encoded(tone(), "FLAC"))
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as sink:
        sink.write(path.read_bytes()[:60_000])
    with os.fdopen(reader, "rb") as pipe:
        piped = read_sound(pipe)
    assert duration_seconds(path) == 2.0
    for source in (path.read_bytes(), io.BytesIO(path.read_bytes())):
        np.testing.assert_array_equal(read_sound(source).samples, read_sound(path).samples)
    np.testing.assert_array_equal(piped.samples, read_sound(path).samples)


def test_lengths_that_writers_to_pipes_leave_out_are_no_lies() -> None:
    data = (tone() * 32_000).astype("<i2").tobytes()
    head = encoded(tone(), "WAV", "PCM_16")[:40]
    for claimed in (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000):
        assert read_sound(head + claimed.to_bytes(4, "little") + data).seconds == 2.0
    flac = bytearray(encoded(tone(), "FLAC"))
    flac[21:26] = bytes([flac[21] & 0xF0, 0, 0, 0, 0])  # the count of samples
    assert read_sound(bytes(flac)).seconds == 2.0
    assert duration_seconds(bytes(flac)) == 0


def test_limits_are_told() -> None:
    data = encoded(tone(3.0), "OGG")
    with pytest.raises(DataError, match="longer than 2 s"):
        read_sound(data, limits=SoundLimits(seconds=2))
    with pytest.raises(DataError, match="larger than 1,000 bytes"):
        read_sound(data, limits=SoundLimits(file_bytes=1000))
    with pytest.raises(DataError, match="2 channels; at most 1"):
        read_sound(encoded(np.zeros((100, 2)), "WAV"), limits=SoundLimits(channels=1))
    with pytest.raises(DataError, match="not a plain file"):
        read_sound(Path(os.devnull))
    with pytest.raises(DataError, match="No such file"):
        read_sound(Path("/there/is/no.wav"))


def test_an_hour_takes_the_memory_of_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 44_100, 1, "PCM_16", format="FLAC") as file:
        minute = np.random.default_rng(0).standard_normal(44_100 * 60).astype("f4") * 0.01
        for _ in range(20):
            file.write(minute)
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom loquent.audio.reading import blocks\n"
        "count, first = 0, 0\n"
        "for block in blocks(Path(sys.argv[1]), 16000, 30.0):\n"
        "    count += len(block.samples)\n"
        "    first = first or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    count, grown = map(int, out.stdout.split())
    assert abs(count - 20 * 60 * RATE) <= 1
    assert grown < 8000  # KiB


@pytest.mark.parametrize("format", sorted(WRITTEN))
def test_what_is_written_is_read(format: str, tmp_path: Path) -> None:
    sound = Sound(chirp(24_000), 24_000)
    path = tmp_path / f"out.{format}"
    write_sound(path, sound)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    again = read_sound(path, 24_000)
    assert abs(again.seconds - sound.seconds) < 0.1
    size = min(len(again.samples), len(sound.samples))
    inner = slice(2400, size - 2400)
    assert np.abs(again.samples[inner] - sound.samples[inner]).max() < 0.1
    file = io.BytesIO()
    write_sound(file, sound, format)
    assert abs(len(file.getvalue()) - path.stat().st_size) < 64


def test_writing_leaves_whole_files_or_none(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    write_sound(path, Sound(np.array([-2, 2], "f4"), RATE))
    assert np.abs(read_sound(path).samples - [-1, 1]).max() < 1e-3
    before = path.read_bytes()
    with pytest.raises(DataError, match="no numbers"):
        write_sound(path, Sound(np.array([0, np.nan], "f4"), RATE))
    with pytest.raises(KeyboardInterrupt), SoundWriter(path, RATE) as file:
        file.write(tone())
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["out.wav"]
    with pytest.raises(UsageError, match="Did you mean 'flac'"):
        write_sound(tmp_path / "out.flak", Sound(tone(), RATE))
    with pytest.raises(DataError, match="mp3 does not hold 12345"):
        write_sound(tmp_path / "out.mp3", Sound(tone(), 12_345))
    with pytest.raises(DataError, match="cannot be written"):
        write_sound(tmp_path / "no folder" / "out.wav", Sound(tone(), RATE))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(packages, "import_module", missing)
    with pytest.raises(UserError, match=r"pip install 'loquent\[speech\]'"):
        read_sound(encoded(tone(), "WAV"))
    with pytest.raises(UserError, match="pip install sounddevice"):
        packages.sounddevice()
