"""Sound files of every common format, decoded block by block within limits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from loquent.audio.formats import HEAD_BYTES, read_format
from loquent.audio.headers import Unclaimed, check_wav, flac_total
from loquent.audio.packages import soundfile
from loquent.audio.rates import Resampler
from loquent.audio.sound import RATES, Samples, Sound
from loquent.audio.sources import LONG, USUAL, SoundLimits, binary
from loquent.errors import DataError

RATE = 16_000  # samples per second that recognizers hear
_BLOCK_VALUES = 1 << 18  # decoded at once, of all channels together
_EARLY_VALUES = 1 << 23  # decoded before the file is measured by what it makes of a byte
_MISSING_SHARE = 0.01  # of a file's samples that decoders count in another way at its ends
_EDGE_SAMPLES = 4096


def read_sound(
    source: Path | BinaryIO | bytes, rate: int = RATE, limits: SoundLimits = USUAL
) -> Sound:
    """One channel of a wav, flac, ogg, mp3, aiff or au file at `rate` samples a second.

    Several channels are averaged. Raises DataError where the file is no sound, is damaged, lies
    about its length, holds nothing or numbers that are none, or goes beyond the limits; UserError
    where a package that is needed is missing.
    """
    whole = bytearray()  # grows in place
    for block in _decoded(source, rate, limits):
        whole += block.data
    return Sound(np.frombuffer(whole, np.float32), rate)


def blocks(
    source: Path | BinaryIO | bytes,
    rate: int = RATE,
    seconds: float = 30.0,
    limits: SoundLimits = LONG,
) -> Iterator[Sound]:
    """The same sound in blocks of so many seconds, the last one shorter; memory is flat.

    Raises as `read_sound` does, when it gets there.
    """
    size = max(round(seconds * rate), 1)
    held = np.zeros(0, np.float32)
    for block in _decoded(source, rate, limits):
        held = np.concatenate([held, block])
        while len(held) >= size:
            yield Sound(held[:size], rate)
            held = held[size:]
    if len(held):
        yield Sound(held, rate)


def duration_seconds(source: Path | BinaryIO | bytes, limits: SoundLimits = LONG) -> float:
    """How long a file claims to be, without decoding it; 0 where it does not say."""
    with _opened(source, limits) as opened:
        return opened.claimed / opened.rate


@dataclass(frozen=True)
class _Opened:
    """A file that is recognized, and what its header claims."""

    file: Any  # soundfile.SoundFile
    where: str
    format: str
    position: Callable[[], int]  # bytes that the decoder has taken so far
    claimed: int  # samples of each channel; 0: it does not say

    @property
    def rate(self) -> int:
        return int(self.file.samplerate)


def _decoded(source: Path | BinaryIO | bytes, rate: int, limits: SoundLimits) -> Iterator[Samples]:
    """Blocks (N,) of one channel at `rate`, each checked."""
    with _opened(source, limits) as opened:
        resampler = Resampler(opened.rate, rate)
        made = 0
        for samples in _mono(opened, limits):
            block = resampler.next(samples)
            made += len(block)
            yield block
        rest = resampler.next(np.zeros(0, np.float32), last=True)
        rest = rest if opened.rate != rate else rest[:0]
        if not made + len(rest):
            raise DataError("holds no sound.", where=opened.where)
        yield rest


def _mono(opened: _Opened, limits: SoundLimits) -> Iterator[Samples]:
    """Blocks (N,) at the file's own rate; what is beyond a limit is refused when it is met."""
    channels = int(opened.file.channels)
    frames = max(_BLOCK_VALUES // channels, 1)
    allowed = round(limits.seconds * opened.rate)
    read = 0
    while True:
        block = _next(opened, frames)
        if not len(block):
            break
        samples = block[:, 0] if channels == 1 else block.mean(axis=1, dtype=np.float32)
        if not np.isfinite(samples).all():
            second = (read + int(np.argmin(np.isfinite(samples)))) / opened.rate
            raise DataError(
                f"holds samples that are no numbers at {second:.2f} s.", where=opened.where
            )
        read += len(block)
        if read > allowed:
            raise _too_long(opened, limits)
        _check_growth(opened, read * channels, limits)
        if opened.format == "flac" and opened.claimed:
            _check_claim(opened, read, max(read, opened.claimed))
        yield samples
    if not read:
        raise DataError("holds no sound.", where=opened.where)
    _check_claim(opened, read, read)


def _check_growth(opened: _Opened, values: int, limits: SoundLimits) -> None:
    """Raise DataError where few bytes have become very many samples."""
    if values > limits.values:
        raise DataError(f"holds over {limits.values:,} samples, too many.", where=opened.where)
    if values > _EARLY_VALUES and values > limits.values_per_byte * opened.position():
        raise DataError(
            f"makes over {limits.values_per_byte:,} samples of each byte: it is made to fill the "
            "memory.",
            where=opened.where,
        )


def _next(opened: _Opened, frames: int) -> NDArray[np.float32]:
    """The next frames (N, channels), none at the end."""
    try:
        with np.errstate(all="ignore"):
            block: NDArray[np.float32] = opened.file.read(frames, "float32", always_2d=True)
    except (soundfile().LibsndfileError, RuntimeError) as fault:
        raise DataError(f"cannot be decoded: {_said(fault)}", where=opened.where) from fault
    return block


def _check_claim(opened: _Opened, least: int, most: int) -> None:
    """Raise DataError where the samples are not as many as the header says."""
    exact = opened.format in ("wav", "flac", "aiff", "au")
    slack = 0 if exact else _EDGE_SAMPLES + _MISSING_SHARE * opened.claimed
    if opened.claimed and not least - slack <= opened.claimed <= most + slack:
        told, found = opened.claimed / opened.rate, most / opened.rate
        held = f"holds {found:.2f} s" if least == most else "holds more"
        raise DataError(
            f"claims to last {told:.2f} s, and {held}.",
            where=opened.where,
            fix="Was it cut on the way? Fetch it again.",
        )


def _too_long(opened: _Opened, limits: SoundLimits) -> DataError:
    return DataError(
        f"lasts longer than {limits.seconds:,.0f} s, the limit here.",
        where=opened.where,
        fix="Cut it in parts.",
    )


@contextmanager
def _opened(source: Path | BinaryIO | bytes, limits: SoundLimits) -> Iterator[_Opened]:
    """The decoder of a source; everything that its header says is checked."""
    package = soundfile()

    class Forward(package.SoundFile):  # type: ignore[misc, name-defined]
        """Reads on without seeking, which the lengths of some files do not bear."""

        def seekable(self) -> bool:
            return False

    with binary(source, limits) as (file, where, size):
        head = file.read(HEAD_BYTES)
        file.seek(0)
        kind = read_format(head, where)
        claimed = flac_total(file) if kind == "flac" else 0
        if kind == "wav":
            check_wav(file, size, where)
        try:
            decoder = Forward(Unclaimed(file) if kind == "flac" else file)
        except (package.LibsndfileError, RuntimeError, TypeError, ValueError) as fault:
            raise DataError(f"cannot be decoded: {_said(fault)}", where=where) from fault
        with decoder:
            if kind != "flac":
                claimed = max(int(decoder.frames), 0)
            opened = _Opened(decoder, where, kind, file.tell, claimed)
            _check_header(opened, limits)
            yield opened


def _check_header(opened: _Opened, limits: SoundLimits) -> None:
    channels = int(opened.file.channels)
    if not 1 <= channels <= limits.channels:
        raise DataError(
            f"has {channels} channels; at most {limits.channels} are read.", where=opened.where
        )
    if not RATES[0] <= opened.rate <= RATES[1]:
        raise DataError(
            f"has {opened.rate} samples a second; from {RATES[0]:,} to {RATES[1]:,} are read.",
            where=opened.where,
        )
    if opened.claimed > limits.seconds * opened.rate:
        raise _too_long(opened, limits)


def _said(fault: Exception) -> str:
    """What the decoder says, as a sentence."""
    text = str(getattr(fault, "error_string", fault)).strip()
    return text if text.endswith(".") else f"{text}."
