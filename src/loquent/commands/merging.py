"""`loquent models merge`: a model and a LoRA adapter become one model."""

from __future__ import annotations

from pathlib import Path

import click

from loquent.commands import terminal


@click.command("merge")
@click.argument("base")
@click.argument("adapter", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The new folder.",
)
@click.option("--offline", is_flag=True, help="Use only what is on this machine.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
def command(
    base: str, adapter: Path, *, out: Path, offline: bool, quiet: bool, as_json: bool
) -> None:
    """Merge the LoRA adapter in the folder ADAPTER into the model BASE.

    ADAPTER is in the format of the PEFT library. What comes of it is a model like any other, in 32
    bits, which Loquent and transformers open.
    """
    from loquent.checkpoints import hub
    from loquent.checkpoints.adapters.merging import merged
    from loquent.checkpoints.checkpoint import Checkpoint

    with terminal.Progress(f"Fetching {base}") as progress:
        path = hub.resolve(base, progress=None if quiet else progress, offline=offline)
    made = merged(Checkpoint.open(path), adapter)
    made.save(out)
    size = sum(file.stat().st_size for file in out.iterdir())
    if as_json:
        facts = {"name": made.card.name, "path": str(out), "bytes": size, "adapter": str(adapter)}
        terminal.emit_json(facts)
    else:
        click.echo(f"{out}\n{made.card.name}, {terminal.size(size)}")
