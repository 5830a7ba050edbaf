"""What a spoken dialog shows, and where the sound of its answers goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal, texts
from loquent.errors import DataError

if TYPE_CHECKING:
    from loquent.audio.loudspeaker import Sink
    from loquent.audio.sound import Samples
    from loquent.audio.wav import WavFile
    from loquent.audio.writing import SoundWriter

    File = WavFile | SoundWriter
    from loquent.tasks.talking import Answered, News, Said


def is_file(output: Path) -> bool:
    """Whether the answers become one file: its ending is that of a sound."""
    from loquent.audio.formats import WRITTEN

    return output.suffix.removeprefix(".").lower() in WRITTEN and not output.is_dir()


class _Both:
    """Sound to a file, a loudspeaker, or both."""

    def __init__(self, file: File | None, speaker: Sink | None) -> None:
        self._file, self._speaker = file, speaker

    def write(self, samples: Samples) -> None:
        if self._file is not None:
            self._file.write(samples)
        if self._speaker is not None:
            self._speaker.write(samples)

    def drop(self) -> None:
        if self._speaker is not None:
            self._speaker.drop()


class Outlets:
    """Where answers go: one file for all, a folder with one for each, the loudspeaker."""

    def __init__(self, rate: int, output: Path | None, *, plays: bool) -> None:
        """Nothing is opened yet."""
        self._rate, self._output, self._plays = rate, output, plays
        self._whole: File | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Outlets:
        """Open the one file, or make the folder; raises DataError where that cannot be."""
        if self._output is not None and is_file(self._output):
            self._whole = self._stack.enter_context(_opened(self._output, self._rate))
        elif self._output is not None:
            try:
                self._output.mkdir(parents=True, exist_ok=True)
            except OSError as fault:
                told = f"cannot be made: {fault.strerror}."
                raise DataError(told, where=str(self._output)) from fault
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()  # what was said so far is kept, whatever has ended it

    @contextmanager
    def opened(self, turn: int) -> Iterator[Sink]:
        """What takes the sound of the answer to a turn."""
        from loquent.audio.loudspeaker import loudspeaker

        with ExitStack() as stack:
            file = self._whole
            if file is None and self._output is not None:
                path = self._output / f"{turn:03}.wav"
                file = stack.enter_context(_opened(path, self._rate))
            speaker = stack.enter_context(loudspeaker(self._rate)) if self._plays else None
            yield _Both(file, speaker)


@contextmanager
def _opened(path: Path, rate: int) -> Iterator[File]:
    from loquent.audio.writing import writer

    file = writer(path, rate)
    with file:
        yield file


class Shown:
    """All that happens, on standard output as it happens."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """As `--json` and `--quiet` say."""
        self._given = given

    def tell(self, news: News) -> None:
        """Show what happened."""
        from loquent.tasks.talking import Heard, Said, Wrote

        if self._given["as_json"]:
            if not isinstance(news, Wrote):
                terminal.emit_json(_plain(news))
                sys.stdout.flush()
            return
        if isinstance(news, Heard):
            click.echo(f"> {news.text}" if news.text else "> (no words were understood)")
        elif isinstance(news, Wrote):
            click.echo(news.text, nl=False)
        elif isinstance(news, Said):
            self._note_said(news)
        else:
            self._answered(news)
        sys.stdout.flush()

    def _note_said(self, news: Said) -> None:
        if news.said.skipped:
            texts.note(self._given, [f"not said: {', '.join(dict.fromkeys(news.said.skipped))}"])

    def _answered(self, news: Answered) -> None:
        click.echo(" … (interrupted)" if news.interrupted else "")
        first, answer = news.first_sound_seconds, news.answer
        dropped = answer.dropped_tokens if answer is not None else 0
        texts.note(
            self._given,
            [
                f"first sound after {first:.2f} s" if first is not None else "",
                f"{len(answer.ids)} tokens, finish {answer.finish}, seed {answer.seed}"
                if answer is not None else "",
                f"{dropped} tokens of the conversation dropped" if dropped else "",
            ],
        )  # fmt: skip


def _plain(news: News) -> dict[str, Any]:
    from loquent.tasks.talking import Heard, Said, Wrote

    if isinstance(news, Heard):
        return {
            "event": "heard",
            "turn": news.turn,
            "text": news.text,
            "language": news.language,
            "start": round(news.start_seconds, 3),
            "end": round(news.end_seconds, 3),
            "took_seconds": round(news.took_seconds, 3),
        }
    if isinstance(news, Said):
        said = news.said
        return {
            "event": "said",
            "turn": news.turn,
            "text": said.text,
            "seconds": round(said.seconds, 3),
            "whole": said.whole,
            "skipped": said.skipped,
            "guessed": said.guessed,
        }
    assert not isinstance(news, Wrote)
    return _plain_answer(news)


def _plain_answer(news: Answered) -> dict[str, Any]:
    answer, first = news.answer, news.first_sound_seconds
    made: dict[str, Any] = {
        "event": "answered",
        "turn": news.turn,
        "text": news.text,
        "finish": "interrupted" if news.interrupted or answer is None else answer.finish,
        "first_sound_seconds": None if first is None else round(first, 3),
    }
    if answer is not None:
        made |= {
            "written": answer.text,
            "tokens": len(answer.ids),
            "prompt_tokens": answer.prompt_tokens,
            "dropped_tokens": answer.dropped_tokens,
            "seed": answer.seed,
        }
    return made
