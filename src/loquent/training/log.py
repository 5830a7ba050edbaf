"""The record of a run: `log.jsonl`, one line a step or evaluation, and the same for TensorBoard.

A run that goes on from step N has a log that ends with step N, as if it had never stopped.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from loquent.errors import DataError
from loquent.training.events import Events
from loquent.training.folders import Note, writing

NAME = "log.jsonl"
Kind = Literal["train", "eval", "test"]


@dataclass(frozen=True)
class Line:
    """One line of a log."""

    kind: str  # "train", "eval" or "test"
    step: int
    time: float  # seconds since 1970
    values: Mapping[str, Any]  # loss, rate, … or the metrics of an evaluation


class Log:
    """The log of a run's folder, opened to go on behind step `resumed` (0: at the start).

    Lines of later steps and a last line that was cut off are removed. Only one rank may open it.
    Raises CheckpointError where the file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        resumed: int = 0,
        tensorboard: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = folder / NAME
        self._clock = clock
        with writing(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab")
            end = _end(self.path, resumed)
            if end < self.path.stat().st_size:
                os.truncate(self.path, end)
        self._events = Events(folder, resumed=resumed, clock=clock) if tensorboard else None

    def __enter__(self) -> "Log":
        """Use as a context, so that the files are closed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()

    def write(self, kind: Kind, step: int, values: Mapping[str, Any]) -> None:
        """Add a line: figures, texts, lists; TensorBoard gets the figures as `kind/name`.

        What is not a finite number is written as null. Raises CheckpointError.
        """
        plain = {name: _plain(value) for name, value in values.items()}
        line = {"kind": kind, "step": step, "time": round(self._clock(), 3), **plain}
        text = json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
        with writing(self.path):
            self._file.write(text.encode())
            self._file.flush()
        if self._events is not None:
            figures = {f"{kind}/{name}": each for name, each in plain.items() if _figure(each)}
            self._events.scalars(step, figures)
            self._events.flush()

    def text(self, tag: str, text: str) -> None:
        """Show TensorBoard a text, such as `args` or `model_config`."""
        if self._events is not None:
            self._events.text(tag, text)

    def sync(self) -> None:
        """Have the disk hold every line; call it before each checkpoint. Raises CheckpointError."""
        with writing(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the files."""
        with writing(self.path):
            self._file.close()
        if self._events is not None:
            self._events.close()


def read_log(path: Path, note: Note) -> list[Line]:
    """The lines of a log; none where it is not there.

    A line that cannot be read is passed over and told to `note`, but for a last one without an
    end, which a running process may just be writing. Raises DataError where the file cannot be
    read.
    """
    made = []
    for _, number, raw in _raw_lines(path):
        if not raw.endswith(b"\n"):
            break
        line = _line(raw)
        if line is None:
            note(f"{path}:{number}: is no line of a log; it is passed over.")
        else:
            made.append(line)
    return made


def _end(path: Path, resumed: int) -> int:
    """The byte behind the last whole line of step `resumed` or before."""
    for start, _, raw in _raw_lines(path):
        line = _line(raw)
        if not raw.endswith(b"\n") or (line is not None and line.step > resumed):
            return start
    return path.stat().st_size


def _raw_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(first byte, number from 1, content with its end) of each line."""
    start = 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                yield start, number, raw
                start += len(raw)
    except FileNotFoundError:
        return
    except OSError as fault:
        raise DataError(f"cannot be read: {fault.strerror or fault}.", where=str(path)) from fault


def _line(raw: bytes) -> Line | None:
    try:
        values = json.loads(raw)
        kind, step, seconds = values.pop("kind"), values.pop("step"), values.pop("time")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
    if type(kind) is not str or type(step) is not int or not _figure(seconds):
        return None
    return Line(kind, step, float(seconds), values)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
