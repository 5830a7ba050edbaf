"""What commands write besides their own words: progress, tables, JSON."""

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TextIO

import click

import loquent

WINDOW_SECONDS = 5.0  # the rate is that of the last seconds, so that it follows the line
REDRAW_SECONDS = 0.1


class Progress:
    """A bar on stderr with bytes, rate and time left; one line at the end where it is no terminal.

    Call it with the bytes done and, where known, the bytes in all; or with things of another
    `unit`. It shows nothing until called.
    """

    def __init__(
        self,
        title: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        unit: str = "",
    ) -> None:
        self.title = title
        self._unit = unit
        self._stream = stream or sys.stderr
        self._clock = clock
        self._started = clock()
        self._drawn = float("-inf")
        self._seen: deque[tuple[float, int]] = deque()
        self._first: int | None = None
        self._last: tuple[int, int | None] = (0, None)

    def __enter__(self) -> "Progress":
        """Use as a context, so that the bar's line is ended also where an error comes."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the line."""
        if self._first is None:
            return
        if self._stream.isatty():
            self._draw(self._clock())
            self._stream.write("\n")
        elif error is None:
            seconds = self._clock() - self._started
            self._stream.write(f"{self.title}: {self._size(self._last[0])} in {seconds:.1f} s\n")
        self._stream.flush()

    def __call__(self, done: int, total: int | None) -> None:
        """Tell how far it is, in bytes."""
        now = self._clock()
        if self._first is None or done < self._last[0]:  # begun, or begun again
            self._first = done
            self._seen.clear()
        self._last = (done, total)
        self._seen.append((now, done))
        while now - self._seen[0][0] > WINDOW_SECONDS and len(self._seen) > 2:
            self._seen.popleft()
        if self._stream.isatty() and (now - self._drawn >= REDRAW_SECONDS or done == total):
            self._draw(now)

    def line(self) -> str:
        """The bar as it stands, without its place on the screen."""
        done, total = self._last
        (before, begun), (now, _) = self._seen[0], self._seen[-1]
        rate = (done - begun) / (now - before) if now > before else 0.0
        parts = [self.title]
        if total:
            parts += [f"{min(done / total, 1):4.0%}", f"{self._size(done)} of {self._size(total)}"]
        else:
            parts.append(self._size(done))
        if rate > 0:
            parts.append(f"{self._size(rate)}/s")
            if total and total > done:
                parts.append(f"{duration((total - done) / rate)} left")
        return "  ".join(parts)

    def _size(self, amount: float) -> str:
        return f"{amount:.0f} {self._unit}" if self._unit else size(amount)

    def _draw(self, now: float) -> None:
        from shutil import get_terminal_size  # only bars need it

        self._drawn = now
        columns = get_terminal_size().columns
        # \x1b[K clears what a longer line before has left
        self._stream.write(f"\r{self.line()[: columns - 1]}\x1b[K")
        self._stream.flush()


def size(bytes: float) -> str:
    """Bytes for people, in powers of 1000."""
    return _scaled(bytes, ("B", "kB", "MB", "GB", "TB"), " ")


def count(number: float) -> str:
    """A large number for people, such as parameters: 135M, 1.7B."""
    return _scaled(number, ("", "k", "M", "B", "T"), "")


def _scaled(value: float, units: Sequence[str], gap: str) -> str:
    unit = 0
    while value >= 999.5 and unit < len(units) - 1:
        value /= 1000
        unit += 1
    digits = 0 if unit == 0 or value >= 99.95 else 1
    return f"{value:.{digits}f}{gap}{units[unit]}"


def duration(seconds: float) -> str:
    """Seconds as M:SS or H:MM:SS."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def emit_json(value: Any) -> None:
    """Write a value to stdout as JSON, one object a line."""
    click.echo(json.dumps(value, ensure_ascii=False))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """An aligned table; the columns named in `right` are set to the right."""
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = (
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, head, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def open_model(given: Mapping[str, Any]) -> "loquent.LM":
    """Open the model that `options.model_options` chose, with progress where it must be fetched."""
    name = given["model"]
    packing = Progress(f"Packing {name}", unit="weights")
    with Progress(f"Fetching {name}") as progress, packing:
        lm = loquent.open(
            name,
            runtime=given["runtime"],
            device=given["device"],
            bits=given["bits"],
            draft=given["draft"],
            offline=given["offline"],
            allow_pickle=given["allow_pickle"],
            progress=progress,
            packing=packing,
        )
    card = lm.checkpoint.card
    if card.executor == "transformers":
        click.echo(f"[{card.name}: {card.family} is run by the transformers library]", err=True)
    unread = lm.checkpoint.generation.unread
    if unread and not given.get("quiet"):
        told = f"[{card.name}: its makers advise {', '.join(unread)}, which is not followed here]"
        click.echo(told, err=True)
    return lm
