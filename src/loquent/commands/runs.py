"""`loquent runs`: list, show, compare and plot what was trained."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal

if TYPE_CHECKING:
    from loquent.runs.listing import Run

json_option = click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
folder_type = click.Path(path_type=Path)


@click.group()
def command() -> None:
    """List, show, compare and plot runs of `loquent train`; RUN is a run's folder."""


@command.command("list")
@click.argument("folder", type=folder_type, default=".")
@json_option
def list_command(folder: Path, as_json: bool) -> None:
    """List the runs in FOLDER (or here) and in the folders below it."""
    from loquent.runs import listing

    every = listing.runs(folder)
    if as_json:
        terminal.emit_json([summary(run) for run in every])
        return
    if not every:
        click.echo(f"There is no run in {folder}. `loquent train` makes one.")
        return
    head = ("run", "task", "network", "state", "step", "loss", "judged", "time")
    rows = [row(run, folder) for run in every]
    click.echo(terminal.table(head, rows, right=("step", "loss", "time")))
    tell_faults(every)


@command.command()
@click.argument("run", type=folder_type)
@json_option
def show(run: Path, as_json: bool) -> None:
    """Show a run: its settings, how far it is, and what its evaluations say."""
    from loquent.runs import listing

    found = listing.open_run(run)
    facts = {**summary(found), "card": dict(found.card)}
    if as_json:
        terminal.emit_json(facts)
        return
    card = facts.pop("card")
    for name, value in [*lines(facts), *lines(card)]:
        click.echo(f"{name:<28} {value}")
    tell_faults([found])


@command.command()
@click.argument("runs", type=folder_type, nargs=-1, required=True)
@json_option
def compare(runs: Sequence[Path], as_json: bool) -> None:
    """Compare runs: the settings that differ, and the results."""
    from loquent.runs import listing

    if len(runs) < 2:
        raise click.UsageError("give two runs or more.")
    several = [listing.open_run(each) for each in runs]
    found = listing.compared(several)
    if as_json:
        terminal.emit_json(
            {
                "runs": list(found.names),
                "settings": dict(found.settings),
                "results": dict(found.results),
            }
        )
        return
    rows = [
        [name, *map(told, values)]
        for part in (found.settings, found.results)
        for name, values in part.items()
    ]
    click.echo(terminal.table(["", *found.names], rows, right=found.names))
    tell_faults(several)


@command.command()
@click.argument("runs", type=folder_type, nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=folder_type,
    default="curves.svg",
    show_default=True,
    help="An .svg or .png file.",
)
@json_option
def plot(runs: Sequence[Path], out: Path, as_json: bool) -> None:
    """Draw the curves of one or several runs."""
    from loquent.runs import listing
    from loquent.training import plots

    several = [listing.open_run(each) for each in runs]
    names = listing.named(several)
    drawn = plots.panels(dict(zip(names, (run.lines for run in several), strict=True)))
    plots.save(out, drawn)
    if as_json:
        terminal.emit_json({"path": str(out), "panels": [panel.title for panel in drawn]})
    else:
        click.echo(str(out))
    tell_faults(several)


def summary(run: Run) -> dict[str, Any]:
    """A run as plain values, in the order in which they are shown."""
    network = run.plan.get("network")
    last = run.last
    times = [line.time for line in run.lines]
    return {
        "run": str(run.folder),
        "task": run.plan.get("task"),
        "network": network.get("kind") if isinstance(network, Mapping) else None,
        "state": "finished" if run.finished else "unfinished",
        "step": last.get("step", 0),
        "loss": last.get("loss"),
        "tokens": last.get("tokens"),
        "seconds": last.get("seconds"),
        "written": max(times) if times else None,  # seconds since 1970
        "checkpoints": list(run.checkpoints),
        **{
            kind: {
                name: {"last": value, "best": best}
                for name, (value, best) in run.scores(kind).items()
            }
            for kind in ("eval", "test")
        },
        "faults": list(run.faults),
    }


def row(run: Run, folder: Path) -> list[str]:
    """A run as a line of the table."""
    facts = summary(run)
    name = run.folder.relative_to(folder) if run.folder != folder else Path(folder.resolve().name)
    judged = "test" if facts["test"] else "eval"
    scores = [f"{metric} {told(each['last'])}" for metric, each in facts[judged].items()]
    seconds = facts["seconds"]
    return [
        str(name),
        told(facts["task"]),
        told(facts["network"]),
        facts["state"],
        told(facts["step"]),
        told(facts["loss"]),
        ", ".join(scores[:2]),
        terminal.duration(seconds) if isinstance(seconds, int | float) else "",
    ]


def lines(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as (dotted name, value), without those that are empty."""
    made: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            made += lines(value, f"{prefix}{name}.")
        elif name == "written" and isinstance(value, float):
            local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
            made.append((prefix + name, local))
        elif value not in (None, "", [], ()):
            made.append((prefix + name, told(value)))
    return made


def told(value: Any) -> str:
    """A setting or a figure for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(told, value))
    return str(value)


def tell_faults(several: Sequence[Run]) -> None:
    """Write to stderr what of the runs could not be read."""
    for run in several:
        for fault in run.faults:
            click.echo(f"loquent: {fault}", err=True)
