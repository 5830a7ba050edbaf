"""What a comparison compares: plans that differ in their network, each with several seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from loquent.errors import ConfigError, UserError, nearest, together
from loquent.metrics import METRICS
from loquent.runs.networks import NETWORKS, Size, ignored
from loquent.runs.parts import NetworkPlan
from loquent.runs.plan import BUDGETS, Plan, plain, planned
from loquent.runs.presets import LENGTHS, PIECES
from loquent.runs.values import merged, over, read_values
from loquent.tasks import TASKS, Task

NETWORKS_COMPARED = ("rnn", "gru", "lstm", "conv", "attention", "transformer")
SEEDS = 3
GAPS = (4, 16, 64)
LENGTHS_WRITTEN = (16, 128, 512)

Source = Mapping[str, Any] | str | Path  # a plan as nested settings, or its TOML file

_MOST_GAP = 100_000  # tokens


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Which networks of which sizes, with how many seeds, and what is measured of them."""

    networks: tuple[str, ...] = ()  # none: those of NETWORKS_COMPARED that the task can have
    sizes: tuple[Size, ...] = ()  # none: the plan's
    seeds: int = SEEDS  # from the plan's seed up
    parameters: int = 0  # that every network is brought to by its width; 0: as the sizes are
    gaps: tuple[int, ...] = GAPS  # of the long-range test; none: it is left out
    lengths: tuple[int, ...] = LENGTHS_WRITTEN  # tokens whose writing is timed; none: it is not

    def __post_init__(self) -> None:
        """Refuse what cannot be compared, all at once."""
        unknown = [name for name in self.networks if name not in NETWORKS]
        faults: list[UserError] = [
            ConfigError(f"there is no network {name!r}.", fix=nearest(name, NETWORKS))
            for name in unknown
        ]
        faults += [
            ConfigError(f"there is no size {size!r}.", fix=nearest(size, get_args(Size)))
            for size in self.sizes
            if size not in get_args(Size)
        ]
        for name in ("networks", "sizes", "gaps", "lengths"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                faults.append(ConfigError(f"{name} has the same twice: {_words(given)}."))
        for name in ("gaps", "lengths"):
            if not all(1 <= each <= _MOST_GAP for each in getattr(self, name)):
                faults.append(ConfigError(f"{name} must be from 1 to {_MOST_GAP:,} tokens."))
        if self.seeds < 1:
            faults.append(ConfigError(f"seeds must be 1 or more, not {self.seeds}."))
        if self.parameters < 0:
            faults.append(ConfigError(f"parameters must not be negative: {self.parameters}."))
        if faults:
            raise together(ConfigError, faults)


@dataclass(frozen=True)
class Entry:
    """One network of a comparison; its seeds are runs of their own."""

    label: str
    plan: Plan  # with the first seed; its folder is the comparison's

    def seeded(self, number: int) -> Plan:
        """The plan of the run with one of the seeds, counted from 0."""
        seed = self.plan.training.seed + number
        return replace(
            self.plan,
            out=str(Path(self.plan.out) / f"{self.label}-{seed}"),
            training=replace(self.plan.training, seed=seed),
        )


def entries(
    sources: Sequence[Source], grid: Grid, above: Mapping[str, Any] | None = None
) -> tuple[Entry, ...]:
    """The networks that are compared: of several plans each one, of one plan those of the grid.

    A plan that names its network is compared with none but what the grid names. Sizes that a
    network of the grid does not have, such as heads, are for those that have them.

    The settings `above` count more than those of each plan. Raises ConfigError where the plans are
    not alike in all but their network and how it is trained.
    """
    if not sources:
        raise ConfigError("there is no plan to compare.")
    values = [over(_values(each), above or {}) for each in sources]
    if len(sources) > 1:
        if grid.networks or grid.sizes:
            what = "several plans say themselves which networks and sizes are compared."
            raise ConfigError(what, fix="Give one plan for a grid, or no grid.")
        made = [
            Entry(_label(source, plan), plan)
            for source, plan in zip(sources, map(planned, values), strict=True)
        ]
    else:
        made = _gridded(values[0], grid)
    labels = [entry.label for entry in made]
    if len(set(labels)) < len(labels):
        what = f"several networks have the same name: {_words(labels)}."
        raise ConfigError(what, fix="Write each plan into a file with a name of its own.")
    _check_alike(made, grid)
    return _alike(made)


def _values(source: Source) -> dict[str, Any]:
    """The settings of a plan, wherever it is."""
    if isinstance(source, str | Path):
        return read_values(Path(source))
    return dict(source)


def _label(source: Source, plan: Plan) -> str:
    return Path(source).stem if isinstance(source, str | Path) else plan.network.kind


def _gridded(values: Mapping[str, Any], grid: Grid) -> list[Entry]:
    """Every network of every size of one plan."""
    if isinstance(values.get("start"), Mapping) and values["start"].get("model"):
        what = "a plan that tunes a model has one network."
        raise ConfigError(what, fix="Compare it with others: give each a plan of its own.")
    task = TASKS.get(str(values.get("task", "")))
    able = [
        name for name in NETWORKS_COMPARED if task is None or task.stacks in NETWORKS[name].stacks
    ]
    part = values.get("network")
    named = part.get("kind") if isinstance(part, Mapping) else None
    networks: Sequence[str] = grid.networks or ([named] if named else able)
    if task is not None and set(networks) <= set(NETWORKS):
        _check_had(part if isinstance(part, Mapping) else {}, networks, task)
    made = []
    for size in grid.sizes or (None,):
        for name in networks:
            chosen = {"kind": name} | ({} if size is None else {"size": size})
            label = name if len(grid.sizes) < 2 else f"{name}-{size}"
            settings = merged(values, {"network": chosen})
            if task is not None and name in NETWORKS and name != named:
                nothing = ignored(name, task.stacks)  # which is for those that have it
                kept = {
                    key: value for key, value in settings["network"].items() if key not in nothing
                }
                settings |= {"network": kept}
            made.append(Entry(label, planned(settings)))
    return made


def _check_had(settings: Mapping[str, Any], networks: Sequence[str], task: Task) -> None:
    """Raise ConfigError for settings that change nothing about any of the networks."""
    nothing = set.intersection(*(set(ignored(name, task.stacks)) for name in networks))
    faults = [
        ConfigError(f"network.{name} does nothing to {_words(networks)}.", fix="Leave it out.")
        for name, value in settings.items()
        if name in nothing and value != getattr(NetworkPlan(), name)
    ]
    if faults:
        raise together(ConfigError, faults)


def _check_alike(made: Sequence[Entry], grid: Grid) -> None:
    """Raise ConfigError that names all in which the plans may not differ."""
    first = min(made, key=lambda entry: bool(_pieces(entry.plan)))
    settings = plain(first.plan)
    faults: list[UserError] = []
    for entry in made:
        other = plain(entry.plan)
        pairs = [(name, settings[name], other[name]) for name in ("out", "task", "device")]
        pairs += [
            (f"{part}.{name}", settings[part][name], other[part][name])
            for part, names in (
                ("data", settings["data"]),
                ("tokenizer", () if _pieces(entry.plan) else settings["tokenizer"]),
                ("evaluate", ("metric",)),
                ("training", BUDGETS),
            )
            for name in names
            if (part, name) not in _FREE
        ]
        faults += [
            ConfigError(f"{entry.label} has {name} {theirs!r}, but {first.label} has {ours!r}.")
            for name, ours, theirs in pairs
            if ours != theirs
        ]
    others = [entry.label for entry in made if _pieces(entry.plan) != _pieces(first.plan)]
    metric = METRICS[first.plan.evaluate.metric or TASKS[first.plan.task].metrics[0]]
    output = TASKS[first.plan.task].output
    if others and metric.reads == "likelihood" and output in ("token", "masked"):
        what = f"the {metric.name} of {_words(others)} is that of other tokens."
        raise ConfigError(what, fix="Models with tokenizers of their own need another metric.")
    for entry in made:
        asked = entry.plan.network.width or _pieces(entry.plan)
        if grid.parameters and asked:
            what = f"the width of {entry.label} is given, so parameters cannot decide it."
            faults.append(ConfigError(what, fix="Leave out network.width, or parameters."))
    if faults:
        raise together(ConfigError, faults)


def _pieces(plan: Plan) -> str:
    """The model that brings a plan its tokenizer as it begins; empty: the plan's own."""
    return plan.start.model or plan.start.embedding


_FREE = (("data", "batch"), ("data", "batch_tokens"))  # how it is trained, not on what


def _alike(made: Sequence[Entry]) -> tuple[Entry, ...]:
    """The same, where sizes would decide about tokens and windows with the first one's."""
    size = made[0].plan.network.size
    if all(entry.plan.network.size == size for entry in made):
        return tuple(made)
    task = TASKS[made[0].plan.task]
    order = made[0].plan.data.order
    cut = (task.order if order == "auto" else order) in ("windows", "pack")
    shared: list[Entry] = []
    for entry in made:
        data, tokenizer = entry.plan.data, entry.plan.tokenizer
        if cut or task.output == "masked":
            data = replace(data, length=data.length or LENGTHS[size])
        if not _pieces(entry.plan) and not tokenizer.model:
            tokenizer = replace(tokenizer, size=tokenizer.size or PIECES[size])
        shared.append(replace(entry, plan=replace(entry.plan, data=data, tokenizer=tokenizer)))
    return tuple(shared)


def step_of(heads: int) -> int:
    """Widths are multiples of this: of 8, and of two values for each head."""
    return math.lcm(8, 2 * max(heads, 1))


def _words(given: Sequence[object]) -> str:
    return ", ".join(map(str, given))
