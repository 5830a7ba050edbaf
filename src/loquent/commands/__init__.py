"""The command line: one module per command, each imported only when it is called."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from loquent.errors import UserError, nearest

# name: what it does. The module of the same name holds its `command`.
COMMANDS = {
    "generate": "Continue a text.",
    "chat": "Talk with a model.",
    "classify": "Tell the class of a text.",
    "summarize": "Say shorter what a text says.",
    "translate": "Say in another language what a text says.",
    "answer": "Answer a question about a text.",
    "transcribe": "Write down what is said in a recording, or live.",
    "speak": "Say a text aloud, or into a file.",
    "listen": "Hear spoken commands.",
    "talk": "Talk with a model by voice.",
    "embed": "Make vectors of texts.",
    "search": "Find passages of a folder's texts by what they mean.",
    "fill": "Fill in the hidden words of a text.",
    "evaluate": "Tell how good models are, with intervals; compare them.",
    "train": "Train a network, or tune one, on your own data.",
    "compare": "Compare networks on your data, and learn which one to take.",
    "tokens": "Show how a model's tokenizer cuts a text.",
    "tokenizer": "Learn a tokenizer from data.",
    "data": "Look at data, and find what is wrong with it.",
    "models": "List, fetch, pack and remove models.",
    "runs": "List, show, compare and plot what was trained.",
    "bench": "Measure a model's speed on this machine.",
    "info": "Show the machine, versions and paths.",
}


class Commands(click.Group):
    """A group that knows its commands by the table and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"loquent.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which is the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}. {nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="loquent", message="loquent %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def group(debug: bool) -> None:
    """Run language models on your own machine and your own data."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status: 2 for usage, 1 for other errors."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given))


def run(arguments: list[str]) -> int:
    """Run one command; errors that a user can mend become a sentence on stderr."""
    debug = "--debug" in arguments
    try:
        # --debug may stand anywhere: what one adds at the end after something went wrong
        bare = [each for each in arguments if each != "--debug"]
        status = group.main(bare, standalone_mode=False)  # a number where a command gave one
        sys.stdout.flush()
    except UserError as error:
        if debug:
            raise
        click.echo(f"loquent: {error}", err=True)
        return error.exit_status
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("loquent: interrupted.", err=True)
        return 130
    except BrokenPipeError:  # the reader of our output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status if isinstance(status, int) else 0
