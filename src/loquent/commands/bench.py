"""`loquent bench`: how fast a model is on this machine, in under a minute."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, cast

import click

import loquent
from loquent.checkpoints.catalogue import DEFAULT
from loquent.commands import terminal
from loquent.commands.info import cores, processor
from loquent.commands.options import executor_options
from loquent.errors import RequestError, UserError

if TYPE_CHECKING:
    from loquent.engine.network import Network

PREFILL_TOKENS = 512
PROMPT_TOKENS = 32
NEW_TOKENS = 128
TEXT_TOKENS = 32  # of a short text that is read whole
LONG_TEXT_TOKENS = 256
TEXTS = 64  # read at once
RUNS = 5  # of each figure at most; fewer where they take longer than the time for it


@click.command()
@click.argument("model", default=DEFAULT)
@executor_options
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1, max=3600),
    default=5.0,
    show_default=True,
    help="Time for each of the figures.",
)
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
def command(**given: Any) -> None:
    """Measure MODEL on this machine: loading, first token, prefill, decoding and memory.

    Every run reads a new prompt of random tokens and writes the likeliest ones. Of a model that
    reads whole texts, such as one that embeds them, texts a second are measured instead.
    """
    from loquent.engine.native_network import NativeNetwork
    from loquent.lm.reading import reading_length

    before = os.getloadavg()[0]
    # what is done only once, fetching and packing, is done before and by a process of its own, so
    # that neither the time nor the memory is counted
    first = multiprocessing.get_context("spawn").Process(target=prepare, args=(given,))
    first.start()
    first.join()
    start = time.perf_counter()
    lm = terminal.open_model({**given, "draft": None})  # every token is one of the network's own
    loaded = time.perf_counter() - start
    if lm.network.config.output == "token":
        found = figures(lm.network, lm.context, given["seconds"])
    else:
        found = reading_figures(lm.network, reading_length(lm.checkpoint), given["seconds"])
    native = lm.network if isinstance(lm.network, NativeNetwork) else None
    report = {
        "model": lm.checkpoint.card.name,
        "runtime": lm.executor.runtime,
        "precision": lm.executor.precision,
        "threads": native.network.threads if native else None,
        "instruction_set": native.network.instruction_set if native else None,
        "packed_bytes": native.bytes if native else None,
        "load_seconds": round(loaded, 4),
        **found,
        "peak_memory_bytes": peak_bytes(),
        "load_average": [round(before, 2), round(os.getloadavg()[0], 2)],
        "processor": processor(),
        "cores": cores(),
        "version": loquent.__version__,
    }
    if given["as_json"]:
        terminal.emit_json(report)
    else:
        click.echo("\n".join(lines(report)))


def prepare(given: Mapping[str, Any]) -> None:
    """Fetch and pack a model; what goes wrong is told when it is opened again."""
    with contextlib.suppress(UserError):
        terminal.open_model({**given, "draft": None})


def figures(network: Network, context: int, seconds: float) -> dict[str, Any]:
    """Each figure as the median, the least and the most of its runs, and what was measured.

    Raises RequestError for a model that reads too few tokens to be measured.
    """
    if context and context < 8:
        raise RequestError(f"the model reads {context} tokens at most, too few to be measured.")
    prompt = min(PROMPT_TOKENS, context // 2 or PROMPT_TOKENS)
    new = min(NEW_TOKENS, context - prompt or NEW_TOKENS) if context else NEW_TOKENS
    long = min(PREFILL_TOKENS, context - 1) if context else PREFILL_TOKENS
    from loquent.engine.timing import Shape, timed

    one, all_ = Shape(1, prompt, new), Shape(8, prompt, new)
    measures: dict[str, Callable[[int, float], float]] = {
        "first_token_seconds": lambda run, _: timed(network, Shape(1, prompt, 1), run)[0],
        "prefill_tokens_per_second": lambda run, _: (
            long / timed(network, Shape(1, long, 1), run)[0]
        ),
        "decode_1_row_tokens_per_second": lambda run, limit: timed(network, one, run, limit)[1],
        "decode_8_rows_tokens_per_second": lambda run, limit: timed(network, all_, run, limit)[1],
    }
    about = {"prompt_tokens": prompt, "new_tokens": new, "prefill_tokens": long}
    return about | _measured(measures, seconds)


def reading_figures(network: Network, limit: int, seconds: float) -> dict[str, Any]:
    """The same of a network that reads whole texts, of `limit` tokens at most where it is not 0."""
    from loquent.engine.network import Reader
    from loquent.engine.timing import timed_reading

    reader = cast(Reader, network)
    short, long = (min(each, limit or each) for each in (TEXT_TOKENS, LONG_TEXT_TOKENS))
    measures: dict[str, Callable[[int, float], float]] = {
        "one_text_seconds": lambda run, _: timed_reading(reader, 1, short, run),
        "short_texts_per_second": lambda run, _: TEXTS / timed_reading(reader, TEXTS, short, run),
        "long_texts_per_second": lambda run, _: TEXTS / timed_reading(reader, TEXTS, long, run),
    }
    about = {"texts": TEXTS, "short_tokens": short, "long_tokens": long}
    return about | _measured(measures, seconds)


def _measured(
    measures: Mapping[str, Callable[[int, float], float]], seconds: float
) -> dict[str, Any]:
    """Each figure from runs in about so many seconds, after one that is not counted."""
    found = {}
    for name, measure in measures.items():
        click.echo(f"measuring {name.replace('_', ' ')} …", err=True)
        measure(0, 0.0)  # caches are filled, and memory is taken from the system
        end = time.perf_counter() + seconds
        values = [measure(1, seconds)]
        while len(values) < RUNS and time.perf_counter() < end:
            values.append(measure(1 + len(values), seconds))
        found[name] = {
            "median": round(median(values), 4),
            "least": round(min(values), 4),
            "most": round(max(values), 4),
            "runs": len(values),
        }
    return found


def peak_bytes() -> int:
    """The most memory of this process that was resident so far."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2) of each system
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def lines(report: Mapping[str, Any]) -> list[str]:
    """The report for people."""
    threads = report["threads"] or "as many as torch takes"
    with_ = f", {report['instruction_set']}" if report["instruction_set"] else ""
    before, after = report["load_average"]
    named = {
        "model": f"{report['model']}, {report['precision']}, {report['runtime']} runtime",
        "machine": f"{report['processor']}, {report['cores']} cores; threads: {threads}{with_}",
        "load average": f"{before} before, {after} after; on a busy machine all figures are worse",
        "load": f"{report['load_seconds']:.2f} s (fetched and packed before)",
        **(_read(report) if "texts" in report else _written(report)),
    }
    named["peak memory"] = terminal.size(report["peak_memory_bytes"])
    if report["packed_bytes"]:
        named["peak memory"] += (
            f", of which {terminal.size(report['packed_bytes'])} are the weights"
        )
    return [f"{title:<15} {text}" for title, text in named.items()]


def _written(report: Mapping[str, Any]) -> dict[str, str]:
    """The figures of a network that writes."""
    named = {
        "first token": f"{_spread(report['first_token_seconds'], 3)} s, "
        f"after a prompt of {report['prompt_tokens']} tokens",
        "prefill": f"{_spread(report['prefill_tokens_per_second'])} tokens/s "
        f"over {report['prefill_tokens']} tokens",
    }
    for rows, title in (("1_row", "decode, 1 row"), ("8_rows", "decode, 8 rows")):
        value = _spread(report[f"decode_{rows}_tokens_per_second"])
        named[title] = f"{value} tokens/s, up to {report['new_tokens']} new tokens a row"
    return named


def _read(report: Mapping[str, Any]) -> dict[str, str]:
    """The figures of a network that reads whole texts."""
    named = {
        "one text": f"{_spread(report['one_text_seconds'], 4)} s, "
        f"of {report['short_tokens']} tokens"
    }
    for kind in ("short", "long"):
        value, tokens = _spread(report[f"{kind}_texts_per_second"]), report[f"{kind}_tokens"]
        named[f"{kind} texts"] = (
            f"{value} texts/s, {report['texts']} at once of {tokens} tokens each"
        )
    return named


def _spread(value: Mapping[str, float], digits: int = 1) -> str:
    if value["runs"] == 1:
        return f"{value['median']:.{digits}f} (one run)"
    least, most = (f"{value[name]:.{digits}f}" for name in ("least", "most"))
    return f"{value['median']:.{digits}f} ({least}–{most}, {value['runs']} runs)"
