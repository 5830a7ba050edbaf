"""`loquent train`: train a network, or tune one, on your own data."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal
from loquent.commands.steps import Steps

if TYPE_CHECKING:
    from loquent.metrics import Score
    from loquent.runs.plan import Plan
    from loquent.runs.result import Result
    from loquent.training.loop import Step

Option = Callable[[Callable[..., None]], Callable[..., None]]

# Flag: (the setting that it is short for, its kind, what it does).
FLAGS: Mapping[str, tuple[str, Any, str]] = {
    "--task": ("task", str, "What to learn: generate, chat, classify, labels, tag, translate, …"),
    "--data": ("data.train", list, "File, folder or hf:NAME to learn from; repeatable."),
    "--validation": ("data.validation", list, "The same to judge by while learning; else a share."),
    "--test": ("data.test", list, "The same to judge by at the end; repeatable."),
    "--text": ("data.text", str, "Column of the text, where it has no usual name."),
    "--label": ("data.label", str, "Column of the class."),
    "--source": ("data.source", str, "Column of the source, or the ending of its file of lines."),
    "--target": ("data.target", str, "Column or ending of the target."),
    "--out": ("out", str, "Folder of the run; one that is there goes on."),
    "--network": ("network.kind", str, "transformer, gpt2, lstm, gru, rnn, conv, attention, …"),
    "--size": ("network.size", str, "tiny, small or base."),
    "--from": ("start.model", str, "Tune this model instead, as `loquent generate -m` takes it."),
    "--embedding": ("start.embedding", str, "Begin with this model's vectors and tokenizer."),
    "--language": ("start.language", str, "Spoken language, where a tuned recognizer knows many."),
    "--lora": ("start.lora", int, "Learn low-rank updates of this rank only."),
    "--freeze": ("start.freeze", list, "Weights that stay as they are, as a pattern; repeatable."),
    "--minutes": ("training.minutes", float, "Learn so long."),
    "--steps": ("training.steps", int, "Take so many steps."),
    "--epochs": ("training.epochs", float, "Go through the data so often."),
    "--tokens": ("training.tokens", int, "Read so many tokens."),
    "--batch": ("data.batch", int, "Examples of one step."),
    "--length": ("data.length", int, "Tokens of a window, or of the longest example."),
    "--long": ("data.long", str, "What becomes of longer ones: error, cut or skip."),
    "--rate": ("training.rate", float, "Highest learning rate."),
    "--tokenizer-size": ("tokenizer.size", int, "Pieces of a new tokenizer."),
    "--patience": ("evaluate.patience", int, "Stop after so many judgements that are no better."),
    "--metric": ("evaluate.metric", str, "Decides which weights are the best."),
    "--seed": ("training.seed", int, "Seed of first weights, order and dropout."),
    "--device": ("device", str, "cpu, cuda or cuda:N; otherwise the GPU if there is one."),
}
TOKENIZERS = ("bpe", "unigram", "wordpiece", "byte", "char")
TOKENIZERS_HELP = f"{', '.join(TOKENIZERS)}; or a model whose tokenizer is taken."


def _name(flag: str) -> str:
    """The parameter of a flag; with an end that no word of Python has, for `--from`."""
    return flag.removeprefix("--").replace("-", "_") + "_"


def plan_options(*without: str) -> Option:
    """Add an option for each of FLAGS, but for some."""

    def added(function: Callable[..., None]) -> Callable[..., None]:
        for flag, (_, kind, text) in reversed(list(FLAGS.items())):
            if flag not in without:
                several = kind is list
                option: Option = click.option(
                    flag, _name(flag), type=str if several else kind, multiple=several, help=text
                )
                function = option(function)
        return function

    return added


@click.command()
@click.argument("plan", type=click.Path(path_type=Path), required=False)
@plan_options()
@click.option("--tokenizer", metavar="KIND|MODEL", help=TOKENIZERS_HELP)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any setting of a "
              "plan, such as training.rate=3e-4; repeatable.")  # fmt: skip
@click.option("--estimate", "only_estimate", is_flag=True, help="Only tell what it would take.")
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def command(plan: Path | None, **given: Any) -> None:
    """Train a network by PLAN, a TOML file, or by the options; options count more than the file.

    PLAN may also be the folder of a run that was stopped: it goes on. So does the same command.
    """
    made = plan_of(plan, given)
    from loquent.runs import execute, readiness  # only now: a wrong plan need not wait for torch

    shown = Steps(quiet=given["quiet"])
    if given["only_estimate"]:
        found = readiness.estimated(made, on_note=shown.note)
        if given["as_json"]:
            terminal.emit_json(vars(found) if found else None)
        elif found:
            click.echo(found.sentence())
        return
    with stopping() as stop, shown:

        def on_step(step: Step) -> None:
            stop.arm()
            shown.step(step)

        result = execute.run(
            made,
            on_note=shown.note,
            on_estimate=shown.estimate,
            on_step=on_step,
            stop=lambda: bool(stop.received),
        )
    if int(os.environ.get("RANK", "0")):
        pass  # one of several processes that torchrun started: the first tells and writes it
    elif given["as_json"]:
        terminal.emit_json(result.plain())
    else:
        for line in lines(result):
            click.echo(line)
    if result.reason == "stopped":
        message = f"Stopped at step {result.steps} and saved. To go on: loquent train {made.out}"
        click.echo(message, err=True)
        raise click.exceptions.Exit(128 + stop.received)


def plan_of(path: Path | None, given: Mapping[str, Any]) -> Plan:
    """The plan of a file and of options; raises ConfigError with all that is wrong with it."""
    from loquent.errors import UsageError
    from loquent.runs.folder import CARD, read_card
    from loquent.runs.plan import planned
    from loquent.runs.values import assigned, over, read_values

    values: dict[str, Any] = {}
    if path is not None and (path / CARD).is_file():
        values = {**read_card(path).get("plan", {}), "out": str(path)}
    elif path is not None and path.is_dir():
        raise UsageError("is no folder of a run.", where=str(path))
    elif path is not None:
        values = read_values(path)
    values = over(values, options(given))
    for text in given["settings"]:
        values = over(values, assigned(text))
    if not values:
        fix = "For example: loquent train --task generate --data text.txt --minutes 5 --out run"
        raise UsageError("nothing says what to train.", fix=fix)
    return planned(values, str(path) if path is not None else "")


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the flags ask for, as a plan spells them."""
    from loquent.runs.values import merged

    made: dict[str, Any] = {}
    for flag, (name, _, _) in FLAGS.items():
        value = given.get(_name(flag))
        if value is not None and value != ():
            plain = list(value) if isinstance(value, tuple) else value
            made = merged(made, _nested(name.split("."), plain))
    if tokenizer := given["tokenizer"]:
        kind = "kind" if tokenizer in TOKENIZERS else "model"
        made = merged(made, {"tokenizer": {kind: tokenizer}})
    return made


class Stop:
    """Whether a signal asked to save and end; before the first step it ends at once."""

    def __init__(self) -> None:
        self.received = 0
        self._armed = False

    def arm(self) -> None:
        """There is something to save from now on."""
        self._armed = True

    def take(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; a second one does not wait for the end of the step."""
        if not self._armed or self.received:
            raise KeyboardInterrupt
        self.received = number
        click.echo("\nSaving at the end of this step; once more ends at once.", err=True)


@contextmanager
def stopping() -> Iterator[Stop]:
    """Within, Ctrl-C and SIGTERM save and end the run."""
    stop = Stop()
    before = {each: signal.signal(each, stop.take) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def lines(result: Result) -> Iterator[str]:
    """A result in words."""
    for part, scores in (("validation", result.validation), ("test", result.test)):
        if scores:
            yield f"{part}: {', '.join(map(_score, scores.values()))}"
    speed = result.tokens / result.seconds if result.seconds else 0.0
    yield (
        f"{result.steps:,} steps, {terminal.count(result.tokens)} tokens in "
        f"{terminal.duration(result.seconds)} ({terminal.count(speed)} tokens/s)"
    )
    if result.model is not None:
        yield f"model of step {result.best_step:,}: {result.model}"
    if result.reason == "patience":
        yield "ended early: it did not become better any more"


def _score(score: Score) -> str:
    return f"{score.name} {score.value:.4f} ({score.low:.4f} to {score.high:.4f})"


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    return {keys[0]: _nested(keys[1:], value) if keys[1:] else value}
