"""Sound files, written next to their place and renamed: whole or not there at all."""

import io
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from loquent.audio.formats import written_format
from loquent.audio.packages import soundfile
from loquent.audio.sound import Samples, Sound
from loquent.audio.wav import WavFile
from loquent.errors import DataError

_BLOCK_SAMPLES = 1 << 14  # Vorbis' encoder does not bear large blocks


class SoundWriter:
    """A file of sound that grows block by block and gets its name when it is whole.

    `with SoundWriter(path, rate) as file: file.write(samples)`. Leaving by an error leaves no file.
    Formats: wav, flac (16 bits), ogg (Vorbis), mp3; None takes that of the file's name.
    """

    def __init__(self, path: Path | BinaryIO, rate: int, format: str | None = None) -> None:
        """Open it; raises UsageError for an unknown format and DataError where it cannot be."""
        self._where = str(path) if isinstance(path, Path) else "sound"
        name = format
        if name is None:
            name = path.suffix.removeprefix(".").lower() if isinstance(path, Path) else "wav"
        chosen = written_format(name)
        self._path = path if isinstance(path, Path) else None
        self._part = self._beside(self._path)
        self._out = None if isinstance(path, Path) else path
        self._file: BinaryIO = io.BytesIO()
        try:
            if self._part is not None:
                self._file = self._part.open("w+b")
            self._encoder: Any = soundfile().SoundFile(
                self._file, "w", rate, 1, chosen.subtype, format=chosen.container
            )
        except OSError as fault:
            raise DataError(f"cannot be written: {fault.strerror}.", where=self._where) from fault
        except (soundfile().LibsndfileError, ValueError) as fault:
            self._leave()
            raise DataError(
                f"{name} does not hold {rate} samples a second.",
                where=self._where,
                fix="Choose wav or flac, or a rate such as 16000, 24000 or 44100.",
            ) from fault

    @staticmethod
    def _beside(path: Path | None) -> Path | None:
        return path.with_name(f".{path.name}.{os.getpid()}.part") if path else None

    def write(self, samples: Samples) -> None:
        """Append samples (N,); what is beyond full scale is cut there.

        Raises DataError for samples that are no numbers, and where the disk is full.
        """
        if not np.isfinite(samples).all():
            raise DataError("samples that are no numbers cannot be written.", where=self._where)
        try:
            for at in range(0, len(samples), _BLOCK_SAMPLES):
                self._encoder.write(np.clip(samples[at : at + _BLOCK_SAMPLES], -1, 1))
        except (soundfile().LibsndfileError, OSError) as fault:
            raise DataError(f"cannot be written: {fault}.", where=self._where) from fault

    def __enter__(self) -> "SoundWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            with suppress(Exception):
                self._encoder.close()
            self._leave()
            return
        try:
            self._finish()
        except (soundfile().LibsndfileError, OSError) as error:
            self._leave()
            raise DataError(f"cannot be written: {error}.", where=self._where) from error

    def _finish(self) -> None:
        self._encoder.close()
        if self._part is not None and self._path is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
        elif self._out is not None:
            assert isinstance(self._file, io.BytesIO)
            self._out.write(self._file.getbuffer())

    def _leave(self) -> None:
        self._file.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)


def writer(path: Path | BinaryIO, rate: int, format: str | None = None) -> WavFile | SoundWriter:
    """Who writes a file of sound: wav needs no package, other formats soundfile."""
    if isinstance(path, Path):
        name = path.suffix.removeprefix(".") if format is None else format
        if name.lower() == "wav":
            return WavFile(path, rate)
    return SoundWriter(path, rate, format)


def write_sound(path: Path | BinaryIO, sound: Sound, format: str | None = None) -> None:
    """Write a sound; raises as `SoundWriter` does."""
    with writer(path, sound.rate, format) as file:
        file.write(sound.samples)
