"""Write docs/reference.md: the help of every command, as the commands themselves give it."""

import sys
from collections.abc import Iterator

import click

from loquent.commands import COMMANDS, group


def helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """The help of a command and of those below it, as Markdown."""
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100)
    yield f"## `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            inner = command.get_command(context, below)
            if inner is not None:
                yield from helps(inner, below, context)


def reference() -> str:
    """The whole page."""
    head = f"# Commands\n\nMade by `make docs`. There are {len(COMMANDS)}.\n"
    return "\n".join([head, *helps(group, "loquent", None)])


if __name__ == "__main__":
    sys.stdout.write(reference())
