"""TensorBoard event files, written without TensorBoard.

A file is a row of records (TFRecord: length, checksum, content, checksum); the content is the
protocol buffer `Event` of TensorFlow's event.proto and summary.proto, of which a dozen fields are
needed here.
"""

import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from loquent.training.folders import writing

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # wire types of protocol buffers
_STRING = 7  # DT_STRING of types.proto
_START = 1  # SessionLog.START
_MOST = 3.4028234663852886e38  # the largest float of four bytes


class Events:
    """One event file in `folder`; a run that goes on begins a new one, which takes over.

    `resumed` is the step that the run goes on from, 0 at its start: TensorBoard then forgets the
    later steps of the files before. Raises CheckpointError where the file cannot be written.
    """

    def __init__(
        self, folder: Path, *, resumed: int = 0, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        earlier = len(list(folder.glob("events.out.tfevents.*")))
        # read in the order of their names: the second, then the count
        self.path = folder / f"events.out.tfevents.{int(clock()):010d}.{earlier:04d}"
        with writing(self.path):
            self._file = self.path.open("wb")
        self._add(0, _field(3, b"brain.Event:2"))
        if earlier:
            self._add(resumed + 1 if resumed else 0, _field(7, _number(1, _START)))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add figures by tag, such as `train/loss`, to a step."""
        pieces = [
            _field(1, _field(1, tag.encode()) + _key(2, _FOUR_BYTES) + _float(value))
            for tag, value in values.items()
        ]
        if pieces:
            self._add(step, _field(5, b"".join(pieces)))

    def text(self, tag: str, text: str) -> None:
        """Add a text in Markdown, such as the settings of the run, to step 0."""
        shape = _field(2, _field(2, _number(1, 1)))  # one dimension of size 1
        tensor = _number(1, _STRING) + shape + _field(8, text.encode())
        metadata = _field(1, _field(1, b"text"))  # the plugin that shows it
        value = _field(1, f"{tag}/text_summary".encode()) + _field(8, tensor) + _field(9, metadata)
        self._add(0, _field(5, _field(1, value)))

    def flush(self) -> None:
        """Hand everything to the system, so that a reader sees it."""
        with writing(self.path):
            self._file.flush()

    def close(self) -> None:
        """End the file."""
        with writing(self.path):
            self._file.close()

    def _add(self, step: int, what: bytes) -> None:
        seconds = _key(1, _EIGHT_BYTES) + struct.pack("<d", self._clock())
        with writing(self.path):
            self._file.write(record(seconds + _number(2, step) + what))


def _float(value: float) -> bytes:
    return struct.pack("<f", min(max(value, -_MOST), _MOST))


def record(content: bytes) -> bytes:
    """A record of a TFRecord file (TensorFlow, "TFRecord and tf.train.Example")."""
    length = struct.pack("<Q", len(content))
    return length + _masked(length) + content + _masked(content)


def _masked(content: bytes) -> bytes:
    """The checksum as TFRecord stores it: turned by 15 bits, plus a constant."""
    sum = checksum(content)
    return struct.pack("<I", ((sum >> 15 | sum << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _table() -> tuple[int, ...]:
    made = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        made.append(value)
    return tuple(made)


_TABLE = _table()


def checksum(content: bytes) -> int:
    """CRC-32C (Castagnoli), as in RFC 3720, appendix B.4, a byte at a time."""
    value = 0xFFFFFFFF
    for byte in content:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def _varint(value: int) -> bytes:
    """A number in groups of seven bits, the lowest first (Protocol Buffers, "Encoding")."""
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content
