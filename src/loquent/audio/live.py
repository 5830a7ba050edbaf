"""Sound that is still being made: from a pipe or a microphone, in short blocks as it comes."""

import io
import queue
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from loquent.audio.packages import sounddevice
from loquent.audio.rates import Resampler
from loquent.audio.reading import blocks
from loquent.audio.sound import RATES, Sound
from loquent.errors import DataError, UserError

_WHERE = "standard input"
_CHUNKS = 100  # of a wav stream before its samples
_CHUNK_BYTES = 1 << 20
_EXTENSIBLE = 0xFFFE
_KINDS = {(1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4"}  # (format, bits) of wav
_MOST_CHANNELS = 8


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes | None:
        """So many bytes at most, none at the end; all without a size."""


class _Form(NamedTuple):
    """How the samples of a stream are written."""

    kind: str
    channels: int
    rate: int


def piped(
    stream: Stream, rate: int = 16_000, seconds: float = 0.1, raw_rate: int = 16_000
) -> Iterator[Sound]:
    """Blocks of a pipe at `rate`, each as soon as it is there; the last one may be shorter.

    A wav stream is played as its header says, however long that claims it is. What has no header is
    taken for 16-bit samples of one channel, `raw_rate` a second, as `arecord -t raw -f S16_LE`
    writes them. Compressed formats are read whole first. Raises DataError.
    """
    head = _exactly(stream, 4)
    if head == b"RIFF":
        form = _wav_form(stream)
    elif head[:4] in (b"fLaC", b"OggS") or head[:3] == b"ID3":
        yield from blocks(io.BytesIO(head + (stream.read() or b"")), rate, seconds)
        return
    else:
        form = _Form("<i2", 1, raw_rate)
        if len(head) < 4:
            raise DataError("is empty.", where=_WHERE)
    yield from _played(stream, form, b"" if head == b"RIFF" else head, rate, seconds)


def _played(
    stream: Stream, form: _Form, begun: bytes, rate: int, seconds: float
) -> Iterator[Sound]:
    resampler = Resampler(form.rate, rate)
    width = np.dtype(form.kind).itemsize * form.channels
    size = max(round(seconds * form.rate), 1) * width
    while True:
        data = begun + _exactly(stream, size - len(begun))
        begun = b""
        whole = data[: len(data) // width * width]  # a pipe may end inside a sample
        last = len(data) < size
        made = resampler.next(_samples(np.frombuffer(whole, form.kind), form.channels), last)
        if len(made):
            yield Sound(made, rate)
        if last:
            return


def _samples(values: NDArray[Any], channels: int) -> NDArray[np.float32]:
    scale = 1.0 if values.dtype.kind == "f" else 1 / 2 ** (8 * values.dtype.itemsize - 1)
    mono = values.reshape(-1, channels).mean(axis=1, dtype=np.float64) * scale
    if not np.isfinite(mono).all():
        raise DataError("holds samples that are no numbers.", where=_WHERE)
    return np.asarray(mono, np.float32)


def _wav_form(stream: Stream) -> _Form:
    """What a header says of the samples behind it, which the stream is left before."""
    if _exactly(stream, 8)[4:] != b"WAVE":
        raise DataError("begins like wav and is none.", where=_WHERE)
    form = None
    for _ in range(_CHUNKS):
        name, length = struct.unpack("<4sI", _exactly(stream, 8).ljust(8, b"\0"))
        if name == b"data" and form is not None:
            return form
        if name == b"data" or length > _CHUNK_BYTES:
            break
        body = _exactly(stream, length + (length & 1))
        if name == b"fmt " and length >= 16:
            form = _form(body)
    raise DataError("has no header of wav that can be read.", where=_WHERE)


def _form(body: bytes) -> _Form:
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = int.from_bytes(body[24:26], "little")
    fits = 1 <= channels <= _MOST_CHANNELS and RATES[0] <= rate <= RATES[1]
    if (tag, bits) not in _KINDS or not fits:
        raise DataError(
            f"is wav with {channels} channels of {bits} bits (format {tag}), {rate} a second: that "
            "is not played.",
            where=_WHERE,
            fix="Send 16-bit samples: ffmpeg -i … -f wav -c:a pcm_s16le -ac 1 -ar 16000 -",
        )
    return _Form(_KINDS[tag, bits], channels, rate)


def _exactly(stream: Stream, count: int) -> bytes:
    """So many bytes, or all that are left where the stream ends before."""
    made = bytearray()
    while len(made) < count:
        data = stream.read(count - len(made))
        if not data:
            break
        made += data
    return bytes(made)


def microphone(rate: int = 16_000, seconds: float = 0.1) -> Iterator[Sound]:
    """Blocks of the microphone, without end; raises UserError where there is none."""
    device = sounddevice()
    waiting: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()

    def heard(data: NDArray[np.float32], _count: int, _time: Any, _status: Any) -> None:
        waiting.put(data[:, 0].copy())

    try:
        opened = device.InputStream(
            rate, round(rate * seconds), channels=1, dtype="float32", callback=heard
        )
    except Exception as fault:  # the package's own errors, whose names differ
        fix = "Send a file, or a pipe with - in its place."
        raise UserError(f"no microphone can be opened: {fault}.", fix=fix) from fault
    with opened:
        while True:
            yield Sound(waiting.get(), rate)
