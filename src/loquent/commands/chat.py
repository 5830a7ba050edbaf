"""`loquent chat`: talk with a model in the terminal."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal
from loquent.commands.generate import receipt
from loquent.commands.options import model_options, sampling_of, sampling_options
from loquent.engine.request import Sampling
from loquent.errors import RequestError, UsageError, UserError, nearest

if TYPE_CHECKING:
    from loquent.lm.lm import LM
    from loquent.text.encoding import Truncate

HELP = {
    "/clear": "forget the conversation",
    "/save FILE": "write the conversation as JSON Lines",
    "/help": "show this list",
    "/exit": "leave (as Ctrl-D does)",
}


@click.command()
@model_options
@sampling_options
@click.option("--system", metavar="TEXT", help="What the model is told before the conversation.")
@click.option("--stop", multiple=True, metavar="TEXT", help="End an answer before this text.")
@click.option(
    "--truncate",
    type=click.Choice(["left", "right"]),
    help="Where the conversation gets too long, drop its start or end (and say how much).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per answer.")
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
def command(**given: Any) -> None:
    """Talk with a model. Ctrl-C stops an answer, Ctrl-D or /exit leaves, /help shows more."""
    sampling = sampling_of(given)
    if sampling.n > 1:
        raise UsageError("a chat has one answer at a time.", fix="Leave out --n.")
    chat = Chat(
        terminal.open_model(given),
        sampling,
        system=given["system"],
        stop=given["stop"],
        truncate=given["truncate"],
        quiet=given["quiet"],
        as_json=given["as_json"],
    )
    interactive = sys.stdin.isatty()
    if interactive:
        with suppress(ImportError):  # not part of Python on Windows
            import readline  # noqa: F401  line editing and the arrow keys in input()
        click.echo(f"{chat.lm.checkpoint.card.name}. /help shows what there is.", err=True)
    while (line := _line(interactive)) is not None:
        chat.hear(line)


def _line(interactive: bool) -> str | None:
    """The next line that the user typed; None at the end."""
    while True:
        try:
            return input("> " if interactive else "")
        except EOFError:
            return None
        except KeyboardInterrupt:
            click.echo("\n(Ctrl-D or /exit leaves)", err=True)


@dataclass
class Chat:
    """A conversation with its history."""

    lm: LM
    sampling: Sampling
    system: str | None
    stop: tuple[str, ...]
    truncate: Truncate | None
    quiet: bool
    as_json: bool
    messages: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with what the model is told before."""
        self.clear()

    def clear(self) -> None:
        """Forget the conversation."""
        self.messages = [{"role": "system", "content": self.system}] if self.system else []

    def hear(self, line: str) -> None:
        """Answer a line, or do what a line that starts with / asks for."""
        if line.startswith("/"):
            self._obey(line)
        elif line.strip():
            self.messages.append({"role": "user", "content": line})
            try:
                self._answer()
            except RequestError as error:
                self.messages.pop()
                click.echo(f"loquent: {error} /clear starts anew.", err=True)

    def _answer(self) -> None:
        stream = self.lm.stream(
            self.messages, self.sampling, stop=self.stop, truncate=self.truncate
        )
        try:
            for piece in stream:
                if not self.as_json:
                    click.echo(piece, nl=False)
        except KeyboardInterrupt:
            stream.cancel()
        answer = stream.answer
        if self.as_json:
            terminal.emit_json({"text": answer.text, "finish": answer.finish, "seed": answer.seed})
        else:
            click.echo()
        if not self.quiet:
            click.echo(receipt(answer, self.lm), err=True)
        self.messages.append({"role": "assistant", "content": answer.text})

    def _obey(self, line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if word == "/clear":
            self.clear()
            click.echo("(forgotten)", err=True)
        elif word == "/save":
            self._save(rest.strip())
        elif word == "/help":
            for name, text in HELP.items():
                click.echo(f"{name:<12} {text}", err=True)
        elif word in ("/exit", "/quit"):
            raise click.exceptions.Exit(0)
        else:
            known = [name.split()[0] for name in HELP]
            click.echo(f"There is no {word}. {nearest(word, known)}", err=True)

    def _save(self, name: str) -> None:
        if not name:
            click.echo("Name a file: /save chat.jsonl", err=True)
            return
        record = json.dumps({"messages": self.messages}, ensure_ascii=False)
        try:
            with Path(name).open("a", encoding="utf-8") as file:
                file.write(record + "\n")
        except OSError as fault:
            click.echo(f"loquent: {UserError(f'cannot be written: {fault}', where=name)}", err=True)
            return
        click.echo(f"(saved in {name})", err=True)
