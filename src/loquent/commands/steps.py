"""The progress of a training on stderr: one line that is redrawn, or one from time to time."""

from __future__ import annotations

import sys
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

import click

from loquent.commands import terminal

if TYPE_CHECKING:
    from loquent.runs.estimate import Estimate
    from loquent.training.loop import Step

_WINDOW = 50  # steps whose loss and speed are shown
_REDRAW_SECONDS = 0.2
_LINE_SECONDS = 10.0  # between lines where there is no terminal


class Steps:
    """Shows notes and steps; nothing where it is to be quiet."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._seen: deque[Step] = deque(maxlen=_WINDOW)
        self._shown = time.monotonic()
        self._drawn = False

    def __enter__(self) -> Steps:
        """Use as a context, so that the last line is ended."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the line."""
        self._end()

    def note(self, text: str) -> None:
        """Show a sentence above the line."""
        if not self._quiet:
            self._end()
            click.echo(text, file=self._stream)

    def estimate(self, found: Estimate) -> None:
        """Show what the run will take."""
        self.note(f"The run takes {found.sentence()}.")

    def step(self, step: Step) -> None:
        """Show how far it is, if it is time to."""
        self._seen.append(step)
        now = time.monotonic()
        pause = _REDRAW_SECONDS if self._terminal else _LINE_SECONDS
        if self._quiet or (now - self._shown < pause and not step.last):
            return
        self._shown = now
        if self._terminal:
            self._stream.write(f"\r{self.line()}\x1b[K")
            self._drawn = True
        else:
            self._stream.write(f"{self.line()}\n")
        self._stream.flush()

    def line(self) -> str:
        """The line as it stands."""
        first, last = self._seen[0], self._seen[-1]
        loss = sum(step.loss for step in self._seen) / len(self._seen)
        seconds = sum(step.step_seconds for step in self._seen)
        tokens = last.tokens - first.tokens
        taken = seconds - first.step_seconds
        parts = [f"step {last.number}", f"loss {loss:.4f}", f"rate {last.rate:.2e}"]
        if taken > 0:
            parts.append(f"{terminal.count(tokens / taken)} tokens/s")
        if 0 < last.share < 1:
            left = last.seconds * (1 - last.share) / last.share
            parts.append(f"{terminal.duration(left)} left")
        parts.append(terminal.size(_memory_bytes()))
        return "  ".join(parts)

    def _end(self) -> None:
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = False


def _memory_bytes() -> int:
    """The most memory in use so far, of the GPU where there is one."""
    from loquent.runs.estimate import memory_bytes

    return memory_bytes()
