"""`loquent search`: passages of a folder's texts by what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from loquent.commands import terminal, texts
from loquent.commands.options import executor_options
from loquent.errors import UsageError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("query")
@click.option("-m", "--model", help="A model that embeds; without it the catalogue's.")
@executor_options
@click.option("--top", type=int, default=5, show_default=True, help="Passages that are shown.")
@click.option("--json", "as_json", is_flag=True, help="One passage a line as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No notes and progress on stderr.")
def command(folder: Path, query: str, **given: Any) -> None:
    """Find the passages in the files of FOLDER that mean most nearly what QUERY says.

    Their embeddings are kept in FOLDER/.loquent/search; only files that are new or have changed are
    read again.
    """
    from loquent.tasks.searching import index, search, summary

    if not query.strip():
        raise UsageError("the query is empty.", fix="Say what you look for.")
    lm = texts.open_for(given, "embed")
    with terminal.Progress(f"Reading {folder}", unit="files") as progress:
        found = index(lm, folder, progress=None if given["quiet"] else progress)
    texts.note(given, [summary(found.report)])
    for name, why in list(found.report.skipped.items())[:5]:
        texts.note(given, [f"left out: {name}: {why}"])
    for hit in search(lm, found, query, top=given["top"]):
        if given["as_json"]:
            terminal.emit_json(hit.plain())
        else:
            click.echo(f"{hit.file}:{hit.line}  {hit.score:.3f}  {' '.join(hit.text.split())}")
