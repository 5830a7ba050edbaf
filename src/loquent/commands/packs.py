"""`loquent models pack`, and the packed weights that `models show` and `models remove` tell of."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal
from loquent.errors import UsageError, UserError

if TYPE_CHECKING:
    from loquent.checkpoints.checkpoint import Checkpoint


@click.command("pack")
@click.argument("name")
@click.option(
    "--bits",
    type=click.Choice(["auto", "4", "8", "16", "32"]),
    default="auto",
    show_default=True,
    help="Of each weight; auto: what `loquent generate` takes.",
)
@click.option("--again", is_flag=True, help="Pack anew what is packed already.")
@click.option("--offline", is_flag=True, help="Use only what is on this machine.")
@click.option(
    "--allow-pickle", is_flag=True, help="Also read .bin and .pt files, in a child process."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
def command(
    name: str,
    *,
    bits: str,
    again: bool,
    offline: bool,
    allow_pickle: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Lay a model's weights out for the native runtime.

    The first use of a model does the same. Tells the file and how far its weights are from the
    model's own: the root of the mean squared difference, relative to that of the weights. What was
    interrupted leaves nothing; start it again.
    """
    from loquent.checkpoints import hub, kept
    from loquent.checkpoints.checkpoint import Checkpoint
    from loquent.lm.executor import DEFAULT_BITS
    from loquent.native import executable

    with terminal.Progress(f"Fetching {name}") as fetching:
        path = hub.resolve(
            name,
            progress=None if quiet else fetching,
            offline=offline,
            allow_pickle=allow_pickle,
        )
    place = None if allow_pickle else kept.place_of(path)
    checkpoint = Checkpoint.open(path, allow_pickle=allow_pickle)
    if checkpoint.card.executor != "loquent" or not executable(checkpoint.config):
        raise UsageError(
            "is not run by the native runtime, so there is nothing to pack.", where=name
        )
    with terminal.Progress(f"Packing {name}", unit="weights") as packing:
        facts = packed_now(
            checkpoint,
            DEFAULT_BITS if bits == "auto" else int(bits),
            again,
            None if quiet else packing,
        )
    if place is not None:
        kept.keep(checkpoint, place)
    if as_json:
        terminal.emit_json({"name": name, **facts})
    else:
        click.echo(told(facts))


def packed_now(
    checkpoint: Checkpoint, bits: Any, again: bool, progress: terminal.Progress | None
) -> dict[str, Any]:
    """Pack a checkpoint, unless that is done already; what came of it, as plain values."""
    from loquent.checkpoints.pack import pack, packed_path
    from loquent.checkpoints.repacking import Comparison

    path = packed_path(checkpoint.config, checkpoint.fingerprint, bits)
    already = path.exists() and not again
    comparison, start = Comparison(checkpoint.stored), time.perf_counter()
    if not already:
        pack(checkpoint.config, checkpoint.weights, path, bits, progress, compare=comparison)
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "bits": bits,
        "already": already,
        "seconds": round(time.perf_counter() - start, 2),
        "repacked": [dataclasses.asdict(each) for each in comparison.report()],
    }


def told(facts: dict[str, Any]) -> str:
    """The same for people."""
    size = f"{terminal.size(facts['bytes'])} in {facts['bits']} bits"
    if facts["already"]:
        return f"{facts['path']}\n{size}, packed before; --again packs it anew."
    rows = [
        [
            each["stored"],
            each["packed"],
            str(each["weights"]),
            terminal.size(each["bytes"]),
            f"{each['error']:.3%}",
        ]
        for each in facts["repacked"]
    ]
    table = terminal.table(
        ("from", "to", "weights", "size", "error"), rows, ("weights", "size", "error")
    )
    return f"{facts['path']}\n{size}, packed in {facts['seconds']:.1f} s\n{table}"


def packed_of(path: Path | None) -> list[Path]:
    """The packed weights of a model on this machine; none where it cannot be opened."""
    from loquent.checkpoints import hub, kept
    from loquent.checkpoints.checkpoint import Checkpoint
    from loquent.checkpoints.pack import packed_files

    if path is None or not (hub.home() / "packed").is_dir():
        return []
    place = kept.place_of(path)
    try:
        checkpoint = (kept.find(place) if place is not None else None) or Checkpoint.open(path)
        return packed_files(checkpoint.config, checkpoint.fingerprint)
    except (UserError, OSError):
        return []


def discard(files: list[Path]) -> int:
    """Delete packed weights; how many bytes became free."""
    freed = 0
    for each in files:
        size = each.stat().st_size
        each.unlink()
        freed += size
    return freed
