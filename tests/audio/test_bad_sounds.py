"""Sixty files that are no sound, lie about it, or would fill the memory: each is refused."""

import io
import resource
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loquent.audio.reading import blocks, read_sound
from loquent.audio.sources import SoundLimits
from loquent.errors import DataError

RATE = 16_000
Named = tuple[str, bytes]


def encoded(
    samples: np.ndarray, format: str, subtype: str | None = None, rate: int = RATE
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype=subtype)
    return file.getvalue()


def tone(seconds: float = 2.0) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def wav(
    data: bytes, *, channels: int = 1, rate: int = RATE, bits: int = 16, tag: int = 1,
    claimed: int | None = None,
) -> bytes:  # fmt: skip
    width = channels * bits // 8
    head = struct.pack(
        "<HHIIHH", tag, channels, rate, (rate * width) & 0xFFFFFFFF, width & 0xFFFF, bits
    )
    size = len(data) if claimed is None else claimed
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data


def flac_of_silence(frames: int, channels: int = 8, claimed: int | None = 0) -> bytes:
    """FLAC frames of 65,535 samples that are all zero: some 40 bytes each (RFC 9639, §9)."""
    total = frames * 65_535 if claimed is None else claimed
    info = struct.pack(">HH", 65_535, 65_535) + bytes(6)
    info += ((48_000 << 44) | ((channels - 1) << 41) | (15 << 36) | total).to_bytes(8, "big")
    stream = b"fLaC" + bytes([0x80, 0, 0, 34]) + info + bytes(16)
    parts = [stream]
    for number in range(frames):
        head = bytes([0xFF, 0xF8, 0x7A, ((channels - 1) << 4) | 8]) + utf8(number)
        head += struct.pack(">H", 65_534)
        head += bytes([crc8(head)])
        body = head + b"\x00\x00\x00" * channels
        parts.append(body + struct.pack(">H", crc16(body)))
    return b"".join(parts)


def utf8(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    if number < 0x800:
        return bytes([0xC0 | number >> 6, 0x80 | number & 63])
    return bytes([0xE0 | number >> 12, 0x80 | number >> 6 & 63, 0x80 | number & 63])


def crc8(data: bytes) -> int:
    return _crc(data, 8, 0x07)


def crc16(data: bytes) -> int:
    return _crc(data, 16, 0x8005)


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    value = 0
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            high = value >> (bits - 1)
            value = ((value << 1) & ((1 << bits) - 1)) ^ (polynomial if high else 0)
    return value


def flac_claims(data: bytes, total: int) -> bytes:
    held = bytearray(data)
    packed = int.from_bytes(held[18:26], "big")
    held[18:26] = ((packed >> 36 << 36) | total).to_bytes(8, "big")
    return bytes(held)


def others() -> Iterator[Named]:
    """Files of other kinds, whatever their name says."""
    pixels = zlib.compress(bytes(1000))
    yield "pdf", b"%PDF-1.7\n" + bytes(5000)
    yield "png", b"\x89PNG\r\n\x1a\n" + pixels
    yield "jpeg", b"\xff\xd8\xff\xe0" + bytes(100)
    yield "gif", b"GIF89a" + bytes(100)
    yield "zip", b"PK\x03\x04" + bytes(100)
    yield "gzip", b"\x1f\x8b\x08" + bytes(100)
    yield "elf", b"\x7fELF" + bytes(100)
    yield "html", b"<!DOCTYPE html><html></html>"
    yield "json", b'{"audio": "no"}'
    yield "text", b"Das ist kein Ton.\n" * 50
    yield "mp4", b"\x00\x00\x00\x20ftypM4A " + bytes(200)
    yield "webm", b"\x1aE\xdf\xa3" + bytes(200)
    yield "zeros", bytes(10_000)
    yield "random", np.random.default_rng(0).bytes(10_000)
    yield "empty", b""
    yield "one byte", b"R"
    yield "pickle", b"\x80\x04\x95" + bytes(60)
    yield "avi", b"RIFF\x10\x00\x00\x00AVI LIST" + bytes(60)
    yield "midi", b"MThd\x00\x00\x00\x06" + bytes(60)
    yield "git pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def headers() -> Iterator[Named]:
    """Headers of wav files that no sound has."""
    data = (tone() * 32_000).astype("<i2").tobytes()
    yield "96 channels", encoded(np.zeros((1000, 96), np.float32), "WAV")
    yield "9 channels", encoded(np.zeros((1000, 9), np.float32), "WAV")
    yield "no channel", wav(data, channels=0)
    yield "65535 channels", wav(data, channels=65_535)
    yield "rate 0", wav(data, rate=0)
    yield "rate 1", wav(data, rate=1)
    yield "rate 999", wav(data, rate=999)
    yield "rate 4 GHz", wav(data, rate=4_000_000_000)
    yield "0 bits", wav(data, bits=0)
    yield "7 bits of float", wav(data, bits=7, tag=3)
    yield "unknown codec", wav(data, tag=0x7777)
    yield "mpeg in wav", wav(data, tag=0x0055)
    yield "no samples", wav(b"")
    yield "half a sample", wav(b"\x01")
    yield "twice the samples", wav(data, claimed=2 * len(data))
    yield "a gigabyte of samples", wav(data, claimed=1 << 30)
    yield "only RIFF", b"RIFF\xff\xff\xff\xffWAVE"
    yield "no data", wav(b"")[:36]
    yield "fmt of a gigabyte", b"RIFF\x24\x00\x00\x00WAVEfmt " + struct.pack("<I", 1 << 30)
    yield "cut header", wav(data)[:30]
    yield "fmt twice missing", b"RIFF\x24\x00\x00\x00WAVEdata" + struct.pack("<I", 100) + bytes(100)


def numbers() -> Iterator[Named]:
    """Samples that are no numbers."""
    for name, value in (("NaN", np.nan), ("infinity", np.inf), ("minus infinity", -np.inf)):
        samples = tone()
        samples[12_345] = value
        yield f"{name} in float", encoded(samples, "WAV", "FLOAT")
        yield f"{name} in double", encoded(samples.astype(np.float64), "WAV", "DOUBLE")
    both = np.full((2000, 2), 3e38, np.float32)
    yield "a mean beyond floats", encoded(both.astype(np.float64) * 1e3, "WAV", "DOUBLE")
    yield "all NaN", encoded(np.full(16_000, np.nan, np.float32), "AIFF", "FLOAT")


def damaged() -> Iterator[Named]:
    """Files that were cut, or whose bytes are others."""
    sound = tone(3.0)
    flac, ogg, mp3 = (encoded(sound, each) for each in ("FLAC", "OGG", "MP3"))
    yield "half a wav", encoded(sound, "WAV")[:40_000]
    yield "half a flac", flac[: len(flac) // 2]
    yield "only a flac's header", flac[:42]
    yield "a quarter of an ogg's pages", ogg[:2000]
    yield "a flac of zeros behind its header", flac[:42] + bytes(len(flac) - 42)
    yield "an ogg of zeros behind its header", ogg[:300] + bytes(3000)
    yield "an mp3 of zeros behind its first bytes", mp3[:4] + bytes(3000)
    yield "half an mp3", mp3[: len(mp3) // 2]


def liars() -> Iterator[Named]:
    """Headers that claim other lengths than there are, and files that grow without end."""
    flac = encoded(tone(3.0), "FLAC")
    yield "a flac that claims less", flac_claims(flac, 100)
    yield "a flac that claims more", flac_claims(flac, 480_000)
    yield "a flac that claims 24 days", flac_claims(flac, (1 << 36) - 1)
    yield "a bomb that says so", flac_of_silence(20_000, claimed=None)
    yield "a bomb that does not say", flac_of_silence(20_000, claimed=0)
    yield "a bomb of many small blocks", flac_of_silence(20_000, claimed=0) + bytes(9_000_000)
    yield "a bomb that says it is short", flac_of_silence(20_000, claimed=48_000)


def all_bad() -> list[Named]:
    return [*others(), *headers(), *numbers(), *damaged(), *liars()]


BAD = all_bad()


def test_sixty_files_are_too_few_to_be_all() -> None:
    assert len(BAD) >= 60
    assert len({name for name, _ in BAD}) == len(BAD)


@pytest.mark.parametrize(("name", "data"), BAD, ids=[name for name, _ in BAD])
def test_bad_files_are_refused_at_once(name: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.process_time()
    with pytest.raises(DataError) as told:
        read_sound(path)
    assert time.process_time() - start < 2
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before.ru_maxrss
    assert grown < 300_000  # KiB: some 200 MB are Python's and the tests' own
    assert str(path) in str(told.value)
    with pytest.raises(DataError):
        for _ in blocks(data, RATE, 1.0, SoundLimits()):
            pass
