"""How fast a trained network writes, and what it recalls."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Literal, cast

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.pack import pack
from loquent.engine.native_network import NativeNetwork
from loquent.engine.network import Network
from loquent.engine.timing import Shape, timed
from loquent.lm.executor import DEFAULT_BITS, open_executor
from loquent.model.model import load
from loquent.native import unexecuted
from loquent.runs import folder as place
from loquent.runs.assemble import assembled
from loquent.runs.measures import Recall, Writing
from loquent.runs.plan import Plan
from loquent.runs.readiness import silent
from loquent.training.evaluate import evaluate

_PROMPT = 8  # tokens before what is written
_SOURCE = 32  # tokens that an encoder reads before
_SECONDS = 0.5  # a text is written again so long
_RUNS = 5  # but not more often
_ENOUGH = 1e9  # seconds that a text may take
_ROWS = 64  # judged at a time


def writing_speeds(
    folder: Path, lengths: Sequence[int], device: str
) -> tuple[int, tuple[Writing, ...]]:
    """How many tokens the network of a run takes, and its speed for each length and runtime.

    Torch runs all; on the CPU the native runtime too, where it executes the network, with the bits
    that it has where nobody asks for others.
    """
    checkpoint = Checkpoint.open(folder / place.MODEL)
    decoder = checkpoint.config.decoder
    assert decoder is not None
    made: list[Writing] = []
    if device == "cpu" and not unexecuted(checkpoint.config):
        with TemporaryDirectory(ignore_cleanup_errors=True) as kept:
            path = Path(kept) / "packed"
            pack(checkpoint.config, checkpoint.weights, path, cast(Literal[8], DEFAULT_BITS))
            native = cast(Network, NativeNetwork(path))
            made += _speeds(native, lengths, "native", f"int{DEFAULT_BITS}")
    torch = open_executor(checkpoint, runtime="torch", device=device)
    made += _speeds(torch.network, lengths, "torch", torch.precision)
    return decoder.length, tuple(made)


def _speeds(
    network: Network, lengths: Sequence[int], runtime: Literal["native", "torch"], precision: str
) -> Iterator[Writing]:
    decoder, encoder = network.config.decoder, network.config.encoder
    assert decoder is not None
    source = 0 if encoder is None else min(_SOURCE, encoder.length or _SOURCE)
    for number, length in enumerate(lengths):
        speed = None
        if not decoder.length or _PROMPT + length <= decoder.length:
            shape = Shape(1, _PROMPT, length, source)
            if not number:
                timed(network, shape, 0, _ENOUGH)  # memory is taken from the system
            speed = _speed(network, shape)
        yield Writing(tokens=length, runtime=runtime, precision=precision, tokens_per_second=speed)


def _speed(network: Network, shape: Shape) -> float:
    """The median of some runs."""
    values: list[float] = []
    end = perf_counter() + _SECONDS
    while not values or (len(values) < _RUNS and perf_counter() < end):
        first, later = timed(network, shape, len(values), _ENOUGH)
        seconds = first + (shape.new - 1) / later if later else first
        values.append(shape.new / seconds)
    return round(median(values), 2)


def recalled(plan: Plan, gaps: Sequence[int], device: str) -> tuple[Recall, ...]:
    """Of the judged texts of a recall run, which have the gaps in turn, how many were right."""
    folder = Path(plan.out).expanduser()
    ready = assembled(plan, folder, silent)
    checkpoint = Checkpoint.open(folder / place.MODEL)
    model = load(checkpoint.config, checkpoint.weights, device=device)
    found = evaluate(model, ready.held_out["validation"], device=device, rows=_ROWS)
    right = found.hits == found.counts  # the end of the answer belongs to it
    return tuple(
        Recall(gap=gap, right=int(right[turn].sum()), texts=int(turn.sum()))
        for number, gap in enumerate(gaps)
        for turn in [found.examples % len(gaps) == number]
    )
