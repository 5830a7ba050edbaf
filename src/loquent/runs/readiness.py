"""What is looked at before the first step of a run: device, data, time and memory."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from loquent.errors import ConfigError
from loquent.runs import folder as place
from loquent.runs.assemble import Ready, assembled
from loquent.runs.estimate import Estimate, estimate
from loquent.runs.plan import Plan
from loquent.training.losses import loss_of
from loquent.training.ranks import Ranks
from loquent.training.saved import Saved
from loquent.training.watch import memory_is_short

Note = Callable[[str], None]


def silent(_: Any) -> None:
    """Tell nobody."""


def estimated(plan: Plan, *, on_note: Note = silent) -> Estimate | None:
    """What a run would take; its data are prepared for it, but nothing is learned."""
    folder, device = Path(plan.out).expanduser(), device_of(plan)
    with place.alone(folder):
        place.check_plan(folder, plan)
        ready = assembled(plan, folder, on_note)
        for receipt in ready.receipts:
            on_note(receipt)
        return measured(plan, ready, device, on_note)


def check_data(known: Mapping[str, Any], ready: Ready, folder: Path) -> None:
    """Refuse data that are not those with which the run of a folder began."""
    batches = {"train": ready.train, **ready.held_out}
    changed = [
        name
        for name, part in known.get("data", {}).items()
        if name not in batches or batches[name].store.fingerprint != part.get("fingerprint")
    ]
    if changed:
        raise ConfigError(
            f"the data have changed since the run began: {', '.join(changed)}.",
            where=str(folder),
            fix="Bring them back, or name another folder for a new run.",
        )


def check_ranks(ready: Ready, ranks: Ranks) -> None:
    """Refuse ranks that do not all read the same data, as machines may that share no disk."""
    batches = {"train": ready.train, **ready.held_out}
    mine: dict[str, Any] = {str(name): each.store.fingerprint for name, each in batches.items()}
    first = ranks.shared(Saved({}, mine))
    same = first is not None and first.values == mine
    others = ranks.count - round(ranks.total([float(same)])[0])
    if others:
        raise ConfigError(
            f"{others} of {ranks.count} processes read other data than the first.",
            fix="Give every machine the same files.",
        )


def device_of(plan: Plan) -> str:
    """The device of a plan; raises ConfigError where the machine has no such."""
    if plan.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=plan.device)
    except (RuntimeError, AssertionError) as fault:
        reason = str(fault).splitlines()[0]
        raise ConfigError(f"the device {plan.device!r} cannot be used: {reason}") from fault
    return plan.device


def measured(plan: Plan, ready: Ready, device: str, note: Note) -> Estimate | None:
    """Time and memory of a run by its first steps; nothing where memory is short, which is told."""
    loss = loss_of(ready.model.config.output, plan.training.label_smoothing)
    try:
        return estimate(ready.model.to(device), ready.train, plan.training, loss, device)
    except (RuntimeError, MemoryError) as fault:
        if not memory_is_short(fault):
            raise
    note("The memory is too short for a whole batch: there is no estimate, and parts are taken.")
    ready.model.zero_grad(set_to_none=True)
    return None
