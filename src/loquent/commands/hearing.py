"""Live transcripts: what may still change on the terminal, what is settled on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import texts

if TYPE_CHECKING:
    from loquent.audio.activity import Detector
    from loquent.audio.sound import Sound
    from loquent.lm.lm import LM
    from loquent.tasks.speech_decoding import Hearing
    from loquent.tasks.speech_live import Live, Update

_COLUMNS = 78  # of a line that may still change


def write_live(
    lm: LM, hearing: Hearing, detector: Detector | None, sound: str | None, given: dict[str, Any]
) -> int:
    """Write what is said, until the sound ends or Ctrl-C is pressed; nothing of it is lost."""
    from loquent.audio.activity import ENERGY
    from loquent.audio.live import microphone, piped
    from loquent.tasks.speech_live import Live

    live = Live(lm, hearing, detector=detector or ENERGY)
    blocks: Iterable[Sound]
    if sound == "-":
        blocks = piped(sys.stdin.buffer, raw_rate=given["raw_rate"])
    else:
        blocks = microphone()
        texts.note(given, ["speak; Ctrl-C ends"])
    shown = _Shown(quiet=given["quiet"])
    try:
        for block in blocks:
            for update in live.push(block.samples):
                shown.tell(update)
    except KeyboardInterrupt:
        pass  # what was said so far is still written
    _end(live, shown)
    return 0


def _end(live: Live, shown: _Shown) -> None:
    for update in live.finish():
        shown.tell(update)
    shown.clear()


class _Shown:
    """A line on a terminal that is redrawn, or nothing where there is none."""

    def __init__(self, *, quiet: bool) -> None:
        self._draws = sys.stderr.isatty() and not quiet
        self._notes = not quiet and not self._draws
        self._drawn = False

    def tell(self, update: Update) -> None:
        if update.settled:
            self.clear()
            click.echo(update.text)
            sys.stdout.flush()
        elif self._draws:
            sys.stderr.write(f"\r{update.text[-_COLUMNS:]}\x1b[K")
            sys.stderr.flush()
            self._drawn = True
        elif self._notes:
            click.echo(f"[{update.text}]", err=True)

    def clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False
