"""`loquent compare`: several networks under the same conditions, and which one to take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import click

from loquent.commands import terminal
from loquent.commands.train import TOKENIZERS_HELP, options, plan_options, stopping
from loquent.errors import UsageError

if TYPE_CHECKING:
    from loquent.runs.compare import Progress, Total
    from loquent.runs.comparison import Comparison
    from loquent.runs.grid import Grid

# Of the options of `loquent train` those that a comparison decides by itself.
NOT_HERE = ("--network", "--size", "--from", "--lora", "--freeze")

_REDRAW_SECONDS = 0.2
_LINE_SECONDS = 10.0  # between lines where there is no terminal


def words(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(each.strip() for each in text.split(",") if each.strip()) if text else ()


def numbers(
    context: click.Context, option: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Whole numbers with commas between them; None where nothing is given."""
    if text is None:
        return None
    found = words(context, option, text)
    if not found or not all(each.isdecimal() for each in found):
        raise click.BadParameter(f"{text!r} is not a list of numbers, such as 16,64.")
    return tuple(sorted(map(int, found)))


@click.command()
@click.argument("plans", type=click.Path(path_type=Path), nargs=-1)
@click.option("--networks", callback=words, metavar="NAMES", help="Such as gru,lstm,conv; without "
              "it rnn,gru,lstm,conv,attention,transformer.")  # fmt: skip
@click.option("--sizes", callback=words, metavar="NAMES", help="Each network in all of these, "
              "such as tiny,small.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(min=1), help="Runs of each network.  [default: 3]")
@click.option("--parameters", type=click.IntRange(min=1), help="Make each network so wide that it "
              "has about so many.")  # fmt: skip
@click.option("--gaps", callback=numbers, metavar="NUMBERS", help="How many tokens ago the "
              "long-range test asks for.  [default: 4,16,64]")  # fmt: skip
@click.option("--no-recall", is_flag=True, help="Leave the long-range test out.")
@click.option("--lengths", callback=numbers, metavar="NUMBERS", help="Tokens of the texts whose "
              "writing is timed.  [default: 16,128,512]")  # fmt: skip
@plan_options(*NOT_HERE)
@click.option("--tokenizer", metavar="KIND|MODEL", help=TOKENIZERS_HELP)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any setting of a "
              "plan, such as training.rate=3e-4; repeatable.")  # fmt: skip
@click.option("--estimate", "only_estimate", is_flag=True, help="Only tell what it would take.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Write the tables as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def command(plans: Sequence[Path], **given: Any) -> None:
    """Train several networks on the same data, with the same tokenizer, budget and seeds.

    PLANS are TOML files as `loquent train` takes them: of one, or of the options alone, the
    networks that --networks names are compared; of several, those of the plans. The same command
    goes on where it was stopped. The folder of a comparison instead shows it again.
    """
    if given["as_json"] and given["as_markdown"]:
        raise click.UsageError("--json and --markdown are two ways to write one result.")
    if len(plans) == 1 and plans[0].is_dir():
        only_shown(given)
        from loquent.runs.comparison import opened

        tell(opened(plans[0]), given)
        return
    above, grid = settings_of(plans, given), grid_of(given)
    from loquent.runs import compare  # only now: wrong options need not wait for torch

    shown = Shown(quiet=given["quiet"])
    work = compare.ready(plans or [above], grid, shown.note, above)
    if given["only_estimate"]:
        if given["as_json"]:
            terminal.emit_json(vars(work.total))
        else:
            click.echo(work.total.sentence())
        return
    shown.total(work.total)
    with stopping() as stop, shown:

        def on_progress(progress: Progress) -> None:
            stop.arm()
            shown.progress(progress)

        found = compare.finish(work, shown.note, on_progress, lambda: bool(stop.received))
    if found is None:
        click.echo("Stopped and saved. To go on: the same command.", err=True)
        raise click.exceptions.Exit(128 + stop.received)
    tell(found, given)
    if found.unfinished:
        raise click.exceptions.Exit(1)


def only_shown(given: Mapping[str, Any]) -> None:
    """Refuse options that say how to train, where a comparison is only shown."""
    ours = ("as_json", "as_markdown", "quiet")
    others = [name for name, value in given.items() if value and name not in ours]
    if others:
        names = ", ".join(f"--{name.strip('_').replace('_', '-')}" for name in others)
        raise UsageError(
            f"a folder is only shown, so {names} would change nothing.",
            fix="To go on with it, give the command that began it, with --out.",
        )


def settings_of(plans: Sequence[Path], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the options, which count more than those of plans; raises ConfigError."""
    from loquent.runs.values import assigned, merged

    made = options(given)
    for text in given["settings"]:
        made = merged(made, assigned(text))
    if not plans and not made:
        fix = "For example: loquent compare --task generate --data text.txt --minutes 1 --out few"
        raise UsageError("nothing says what to compare.", fix=fix)
    folders = [str(path) for path in plans if path.is_dir()]
    if folders:
        raise UsageError("is a folder, which is shown alone.", where=", ".join(folders))
    return made


def grid_of(given: Mapping[str, Any]) -> Grid:
    """What the options say of networks, seeds and measures; raises ConfigError."""
    from loquent.runs.grid import GAPS, LENGTHS_WRITTEN, SEEDS, Grid

    if given["gaps"] and given["no_recall"]:
        raise UsageError("--gaps is for the long-range test, which --no-recall leaves out.")
    return Grid(
        networks=given["networks"],
        sizes=given["sizes"],
        seeds=given["seeds"] or SEEDS,
        parameters=given["parameters"] or 0,
        gaps=() if given["no_recall"] else given["gaps"] or GAPS,
        lengths=given["lengths"] or LENGTHS_WRITTEN,
    )


def tell(found: Comparison, given: Mapping[str, Any]) -> None:
    """Write what was found."""
    from loquent.runs.advice import advice
    from loquent.runs.comparison_page import page

    if given["as_json"]:
        terminal.emit_json({**found.plain(), "advice": advice(found)})
    elif given["as_markdown"]:
        click.echo(page(found), nl=False)
    else:
        click.echo("\n".join(lines(found)))


def lines(found: Comparison) -> Iterator[str]:
    """A comparison for the terminal."""
    from loquent.runs.advice import advice
    from loquent.runs.comparison_page import tables

    for table in tables(found):
        yield f"{table.title}:"
        yield terminal.table(table.head, table.rows, right=table.head[table.left :])
        yield ""
    yield from advice(found)


class Shown:
    """The progress of a comparison on stderr: one line that is redrawn, or one now and then."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._at = float("-inf")
        self._drawn = False

    def __enter__(self) -> Shown:
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

    def total(self, found: Total) -> None:
        """Show what it will take."""
        self.note(f"{found.sentence()}.")

    def progress(self, progress: Progress) -> None:
        """Show how far it is, if it is time to."""
        now = time.monotonic()
        pause = _REDRAW_SECONDS if self._terminal else _LINE_SECONDS
        if self._quiet or now - self._at < pause:
            return
        self._at = now
        line = (
            f"{progress.number} of {progress.runs}  {progress.run}  {progress.share:.0%}  "
            f"loss {progress.loss:.4f}  {terminal.duration(progress.seconds_left)} left"
        )
        if self._terminal:
            self._stream.write(f"\r{line}\x1b[K")
            self._drawn = True
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def _end(self) -> None:
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = False
