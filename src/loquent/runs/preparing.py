"""What the runs of a comparison share: a tokenizer and examples that are made once, and widths."""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from loquent.data.split import Part
from loquent.data.store import Store
from loquent.errors import ConfigError
from loquent.model.cost import cost
from loquent.runs.assemble import Ready, assembled, config_of
from loquent.runs.grid import Entry, step_of
from loquent.runs.networks import NETWORKS
from loquent.runs.parts import NetworkPlan
from loquent.runs.plan import Plan
from loquent.runs.stores import DATA, LABELS
from loquent.runs.tokenizers import OWN, SOURCE

SHARED = "shared"

_MOST_OFF = 0.2  # share by which the parameters may be others than was asked for
_MOST_WIDTH = 1 << 16

Note = Callable[[str], None]


def prepared(plan: Plan, folder: Path, note: Note) -> Ready:
    """Learn the tokenizer and write the examples in a folder; what is there already is used again.

    Raises whatever is wrong with the data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ready = assembled(replace(plan, out=str(folder)), folder, note)
    for receipt in ready.receipts:
        note(receipt)
    return ready


def shared(source: Path, target: Path) -> None:
    """Give a run's folder what was prepared, as names of the same files; what it has it keeps."""
    for name in (OWN, SOURCE, DATA, LABELS):
        old, new = source / name, target / name
        if not old.exists() or new.exists():
            continue
        target.mkdir(parents=True, exist_ok=True)
        unfinished = target / f".{name}.unfinished"
        with suppress(FileNotFoundError):
            shutil.rmtree(unfinished) if unfinished.is_dir() else unfinished.unlink()
        if old.is_dir():
            shutil.copytree(old, unfinished, copy_function=_linked)
        else:
            _linked(old, unfinished)
        unfinished.rename(new)


def _linked(source: str | Path, target: str | Path) -> None:
    """The same file under another name; a copy where the disk cannot have that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def widened(entries: Sequence[Entry], ready: Ready, parameters: int) -> tuple[Entry, ...]:
    """The same networks, each as wide as gives it about so many parameters.

    Raises ConfigError where one cannot be brought within a fifth of that.
    """
    return tuple(
        replace(
            entry,
            plan=replace(entry.plan, network=_widened(entry, ready, parameters)),
        )
        for entry in entries
    )


def _widened(entry: Entry, ready: Ready, parameters: int) -> NetworkPlan:
    """The network of an entry with the width whose parameters are the nearest."""
    plan = entry.plan.network
    shape = NETWORKS[plan.kind].shapes[plan.size]
    heads = plan.heads or shape.heads
    share = 0.0 if plan.feedforward else shape.feedforward / shape.width
    step = step_of(heads)
    before: tuple[int, NetworkPlan] | None = None
    for width in range(step, _MOST_WIDTH, step):
        feedforward = plan.feedforward or round(share * width / 8) * 8
        made = replace(plan, width=width, feedforward=feedforward)
        found = abs(_parameters(replace(entry.plan, network=made), ready) - parameters)
        if before is not None and found >= before[0]:
            break
        before = (found, made)
    assert before is not None
    off, best = before
    if off > _MOST_OFF * parameters:
        nearest = _parameters(replace(entry.plan, network=best), ready)
        what = f"{entry.label} cannot have about {parameters:,} parameters: the nearest it has"
        raise ConfigError(f"{what} are {nearest:,}.", fix="Ask for another number, or layers.")
    return best


def _parameters(plan: Plan, ready: Ready) -> int:
    stores: dict[Part, Store] = {part: each.store for part, each in ready.held_out.items()}
    stores["train"] = ready.train.store
    return cost(config_of(plan, ready.task, ready.reading, stores, None)).parameters
