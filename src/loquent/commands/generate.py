"""`loquent generate`: continue a text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

import loquent
from loquent.commands import terminal
from loquent.commands.options import asked_of, model_options, read_text, sampling_options

if TYPE_CHECKING:
    from loquent.lm.answer import Answer
    from loquent.lm.lm import LM


@click.command()
@click.argument("prompt", required=False)
@model_options
@sampling_options
@click.option("--stop", multiple=True, metavar="TEXT", help="End before this text; repeatable.")
@click.option(
    "--truncate",
    type=click.Choice(["left", "right"]),
    help="Where a prompt is too long, drop its start or its end (and say how much).",
)
@click.option("--echo", is_flag=True, help="Show the prompt before its continuation.")
@click.option("--json", "as_json", is_flag=True, help="Write the answer with its receipt as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
def command(prompt: str | None, **given: Any) -> None:
    """Continue PROMPT; with - or without it, continue standard input.

    A model with an encoder and a decoder turns the text into another, as its makers advise where
    the options do not say otherwise.
    """
    text = read_text(prompt)
    options = asked_of(given)
    lm = terminal.open_model(given)
    stream = lm.stream(text, stop=given["stop"], truncate=given["truncate"], **options)
    shown = text if given["echo"] else ""
    if given["as_json"]:
        terminal.emit_json(described(stream.finished(), lm))
        return
    if sys.stdout.isatty() and stream.request.sampling.n == 1:
        click.echo(shown, nl=False)
        for piece in stream:
            click.echo(piece, nl=False)
        click.echo()
        answer = stream.answer
    else:
        answer = stream.finished()
        for each in (answer, *answer.others):
            click.echo(shown + each.text)
    if not given["quiet"]:
        click.echo(receipt(answer, lm), err=True)


def receipt(answer: Answer, lm: LM) -> str:
    """One line about how an answer came about."""
    how = lm.executor
    read, drafted = f"{answer.prompt_tokens} tokens read", ""
    if answer.dropped_tokens:
        read += f", {answer.dropped_tokens} tokens of the prompt dropped"
    if answer.shared_tokens:
        read += f", {answer.shared_tokens} of them before"
    if answer.drafted_tokens:
        drafted = f", {answer.accepted_tokens} of {answer.drafted_tokens} guesses right"
    return (
        f"[{read}, {len(answer.ids)} written in "
        f"{answer.seconds:.2f} s ({answer.tokens_per_second:.1f} tokens/s, "
        f"{how.runtime} {how.precision}{drafted}), finish {answer.finish}, seed {answer.seed}]"
    )


def described(answer: Answer, lm: LM) -> Mapping[str, Any]:
    """An answer as plain values for JSON."""
    fields = {
        "model": lm.checkpoint.card.name,
        "runtime": lm.executor.runtime,
        "precision": lm.executor.precision,
        "text": answer.text,
        "ids": answer.ids,
        "finish": answer.finish,
        "prompt_tokens": answer.prompt_tokens,
        "dropped_tokens": answer.dropped_tokens,
        "shared_tokens": answer.shared_tokens,
        "drafted_tokens": answer.drafted_tokens,
        "accepted_tokens": answer.accepted_tokens,
        "seconds": round(answer.seconds, 4),
        "first_seconds": round(answer.first_seconds, 4),
        "tokens_per_second": round(answer.tokens_per_second, 2),
        "seed": answer.seed,
        "version": loquent.__version__,
    }
    if answer.logprobs is not None:
        fields["logprobs"] = [
            {"id": each.id, "logprob": each.logprob, "top": [list(pair) for pair in each.top]}
            for each in answer.logprobs
        ]
    if answer.others:
        fields["others"] = [described(each, lm) for each in answer.others]
    return fields
