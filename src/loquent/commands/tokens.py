"""`loquent tokens`: how a model's tokenizer cuts a text."""

import click

from loquent.commands import terminal
from loquent.commands.options import read_text
from loquent.errors import CheckpointError


@click.command()
@click.argument("text", required=False)
@click.option("-m", "--model", default="smollm2-135m", show_default=True, help="Whose tokenizer.")
@click.option("--offline", is_flag=True, help="Use only what is on this machine.")
@click.option("--special", is_flag=True, help="Add what the model's own tokenizer adds.")
@click.option("--json", "as_json", is_flag=True, help="Write ids and pieces as JSON.")
def command(text: str | None, model: str, offline: bool, special: bool, as_json: bool) -> None:
    """Show the ids and pieces of TEXT; with - or without it, of standard input."""
    from loquent.checkpoints import hub, kept
    from loquent.checkpoints.checkpoint import Checkpoint

    given = read_text(text)
    with terminal.Progress(f"Fetching {model}") as progress:
        path = hub.resolve(model, progress=progress, offline=offline)
    place = kept.place_of(path)
    checkpoint = kept.find(place) if place is not None else None
    tokenizer = (checkpoint or Checkpoint.open(path)).tokenizer
    if tokenizer is None:
        raise CheckpointError("has no tokenizer.", where=str(path))
    ids = tokenizer.encode(given, special=special)
    pieces = [tokenizer.piece(each) for each in ids]
    if as_json:
        terminal.emit_json({"model": model, "tokens": len(ids), "ids": ids, "pieces": pieces})
        return
    for each, piece in zip(ids, pieces, strict=True):
        click.echo(f"{each:>7}  {piece!r}")
    click.echo(f"[{len(ids)} tokens for {len(given)} characters]", err=True)
