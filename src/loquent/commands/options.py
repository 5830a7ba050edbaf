"""Options that several commands share, made from the tables they belong to."""

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

import click

from loquent.engine.request import Sampling
from loquent.errors import DataError

Function = Callable[..., Any]

# What each field of `Sampling` does, for --help; a test holds the two to each other.
SAMPLING = {
    "max_tokens": "Write this many tokens at most.",
    "temperature": "0: always the likeliest token; higher: more varied.",
    "top_k": "Choose from the k likeliest tokens; 0: all.",
    "top_p": "Choose from the smallest set of tokens with this probability.",
    "min_p": "Leave out tokens below this share of the likeliest one's probability.",
    "typical_p": "Choose tokens of about expected surprise; 1: all.",
    "repetition_penalty": "Divide the logits of tokens seen before; 1: off.",
    "presence_penalty": "Subtract from the logits of tokens written before.",
    "frequency_penalty": "The same, for each time that they were written.",
    "logit_bias": "Add to the logit of a token, as ID=VALUE; may be repeated.",
    "seed": "Seed of the choices; without it a new one, which is told.",
    "n": "Write this many answers.",
    "beams": "Width of beam search; 1: off.",
    "length_penalty": "Beam search: divide scores by length to this power.",
    "early_stopping": "Beam search: stop at as many finished answers as beams.",
    "renormalize": "Log-probabilities and scores of those tokens only that may be written.",
    "min_tokens": "Write this many tokens at least.",
    "no_repeat_ngram": "Write no run of so many tokens twice; 0: off.",
    "banned": "Never write this token, or these in a row, as ID or ID,ID,…; may be repeated.",
    "forced_first": "Begin every answer with this token.",
    "forced_last": "End an answer that has no room for more with this token.",
    "logprobs": "Tell log-probabilities with this many alternatives.",
    "ignore_end": "Go on past the token that ends an answer.",
}


def sampling_options(function: Function) -> Function:
    """Add an option for each field of `Sampling`."""
    types = get_type_hints(Sampling)
    for field in reversed(dataclasses.fields(Sampling)):
        name, text = field.name, SAMPLING[field.name]
        flag = f"--{name.replace('_', '-')}"
        if name == "logit_bias":
            option = click.option(flag, multiple=True, metavar="ID=VALUE", help=text)
        elif name == "banned":
            option = click.option(flag, multiple=True, metavar="ID,…", help=text)
        elif types[name] is bool:
            option = click.option(flag, is_flag=True, help=text)
        else:
            kind = float if types[name] is float else int
            default = field.default
            option = click.option(flag, type=kind, default=default, help=text, show_default=True)
        function = option(function)
    return function


def sampling_of(given: Mapping[str, Any]) -> Sampling:
    """The sampling that the options of `sampling_options` ask for; raises ConfigError."""
    return Sampling(**_fields(given, [field.name for field in dataclasses.fields(Sampling)]))


def asked_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Sampling` that the command line names; the model chooses the others."""
    context = click.get_current_context()
    names = (field.name for field in dataclasses.fields(Sampling))
    default = click.core.ParameterSource.DEFAULT
    return _fields(given, [each for each in names if context.get_parameter_source(each) != default])


def _fields(given: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    made = {name: given[name] for name in names}
    if "logit_bias" in made:
        made["logit_bias"] = dict(map(_bias, made["logit_bias"]))
    if "banned" in made:
        made["banned"] = tuple(map(_sequence, made["banned"]))
    return made


def model_options(function: Function) -> Function:
    """Add the options that choose a model and how it is run."""
    option = click.option(
        "-m",
        "--model",
        default="smollm2-135m",
        show_default=True,
        help="A name from `loquent models`, a folder, a file, hf:ORG/NAME or package:…",
    )
    draft = click.option(
        "--draft",
        metavar="MODEL",
        default="lookup",
        show_default=True,
        callback=lambda _context, _option, value: None if value == "none" else value,
        help="Who guesses tokens ahead in the native runtime, which changes the speed only: lookup "
        "(the text itself), a smaller model of the same tokens, or none.",
    )
    return option(draft(executor_options(function)))


def executor_options(function: Function) -> Function:
    """Add the options that say how a model is run."""
    for option in (
        click.option(
            "--allow-pickle", is_flag=True, help="Also read .bin and .pt files, in a child process."
        ),
        click.option("--offline", is_flag=True, help="Use only what is on this machine."),
        click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N."),
        click.option(
            "--bits",
            type=click.Choice(["auto", "4", "8", "16", "32"]),
            callback=lambda _context, _option, value: value if value == "auto" else int(value),
            default="auto",
            show_default=True,
            help="Of the weights, in the native runtime.",
        ),
        click.option(
            "--runtime",
            default="auto",
            show_default=True,
            help="Which executor: native (CPU, no torch) or torch.",
        ),
    ):
        function = option(function)
    return function


def read_text(given: str | None) -> str:
    """A text from the command line, or from standard input for `-` or where none is given.

    Raises DataError with the byte position where the input is not UTF-8.
    """
    if given is not None and given != "-":
        return given
    if given is None and sys.stdin.isatty():
        raise click.UsageError("give a text, or - to read it from standard input.")
    raw = sys.stdin.buffer.read()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise DataError(
            f"is not UTF-8: byte 0x{raw[fault.start]:02x} at position {fault.start}.",
            where="standard input",
            fix="Convert it first, for example with iconv.",
        ) from fault


def _bias(text: str) -> tuple[int, float]:
    token, separator, value = text.partition("=")
    try:
        if separator:
            return int(token), float(value)
    except ValueError:
        pass
    problem = f"{text!r} is not ID=VALUE, such as 50256=-100."
    raise click.BadParameter(problem, param_hint="--logit-bias")


def _sequence(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        problem = f"{text!r} is not ID or ID,ID,…, such as 0 or 50256,198."
        raise click.BadParameter(problem, param_hint="--banned") from None
