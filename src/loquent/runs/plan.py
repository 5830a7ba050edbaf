"""The plan of a run: everything that decides what comes out, as frozen settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from loquent.architecture import POOLED
from loquent.errors import ConfigError, UserError, nearest, together
from loquent.runs.networks import NETWORKS, Size, ignored
from loquent.runs.parts import (
    DataPlan,
    EvaluatePlan,
    NetworkPlan,
    SavePlan,
    SoundPlan,
    StartPlan,
    TokenizerPlan,
)
from loquent.runs.presets import training_defaults
from loquent.runs.values import listed, merged, part_of
from loquent.settings import read, write
from loquent.tasks import TASKS
from loquent.training.settings import TrainingConfig

BUDGETS = ("steps", "epochs", "tokens", "minutes")
_WINDOWS_JUDGED = 400  # while a run goes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole run."""

    task: str
    out: str  # the run's folder
    data: DataPlan
    training: TrainingConfig
    tokenizer: TokenizerPlan = field(default_factory=TokenizerPlan)
    network: NetworkPlan = field(default_factory=NetworkPlan)
    sound: SoundPlan = field(default_factory=SoundPlan)
    start: StartPlan = field(default_factory=StartPlan)
    evaluate: EvaluatePlan = field(default_factory=EvaluatePlan)
    save: SavePlan = field(default_factory=SavePlan)
    device: str = field(default="auto")  # cpu, cuda or cuda:N; auto: the GPU if there is one

    def __post_init__(self) -> None:
        """Refuse what does not fit together, all at once."""
        faults: list[UserError] = []
        task = TASKS.get(self.task)
        if task is None:
            fix = nearest(self.task, TASKS)
            faults.append(ConfigError(f"there is no task {self.task!r}.", fix=fix))
        network = NETWORKS.get(self.network.kind)
        if task and network and not self.start.model and task.stacks not in network.stacks:
            able = sorted(name for name, each in NETWORKS.items() if task.stacks in each.stacks)
            what = f"the network {self.network.kind!r} cannot be trained to {self.task}."
            faults.append(ConfigError(what, fix=f"Networks that can: {', '.join(able)}."))
        if task and self.evaluate.metric not in ("", "loss", *task.metrics):
            fix = nearest(self.evaluate.metric, ("loss", *task.metrics))
            what = f"{self.task} has no metric {self.evaluate.metric!r}."
            faults.append(ConfigError(what, fix=fix))
        faults += self._network_faults()
        if task and self.start.prefix and task.stacks != "both":
            faults.append(ConfigError(f"prefix does nothing to {self.task}."))
        if task and self.start.embedding and (task.hears or task.speaks):
            faults.append(ConfigError(f"start.embedding does nothing to {self.task}."))
        if task and self.start.language and not (task.hears and self.start.model):
            faults.append(ConfigError("start.language is for a recognizer that is tuned."))
        if task and not task.hears and self.sound != SoundPlan():
            faults.append(ConfigError(f"the settings of sound do nothing to {self.task}."))
        if task and task.speaks:
            faults += [ConfigError(message) for holds, message in self._voice_rules() if not holds]
        if task and task.hears and self.data.augment:
            what = "data.augment makes variants of texts, not of sounds."
            faults.append(ConfigError(what, fix="Set sound.speed, sound.noise or sound.hide_bins."))
        if not self.out:
            faults.append(ConfigError("out: the run needs a folder."))
        if faults:
            raise together(ConfigError, faults)

    def _network_faults(self) -> list[UserError]:
        """What of a network's settings does nothing."""
        faults: list[UserError] = []
        task = TASKS.get(self.task)
        if self.network.ngrams and self.start.model:
            faults.append(ConfigError("network.ngrams is for new networks."))
        if self.network.pooling and self.start.model:
            what = "network.pooling is for new networks."
            faults.append(ConfigError(what, fix="That of a model that is there: start.pooling."))
        elif task and self.network.pooling and task.output not in POOLED:
            faults.append(ConfigError(f"network.pooling does nothing to {self.task}."))
        if self.start.model:
            sizes = [name for name in self.network.asked if name != "attention_dropout"]
            faults += [
                ConfigError(f"network.{name} is for new networks.", fix="Leave it out.")
                for name in sizes
            ]
        elif task and self.network.kind in NETWORKS:
            nothing = ignored(self.network.kind, task.stacks)
            faults += [
                ConfigError(
                    f"network.{name} does nothing to the network {self.network.kind!r}.",
                    fix="Leave it out.",
                )
                for name in self.network.asked
                if name in nothing
            ]
        return faults

    def _voice_rules(self) -> list[tuple[bool, str]]:
        """What the settings of a voice must be."""
        alone = SoundPlan(rate=self.sound.rate)
        return [
            (self.sound == alone, "of the settings of sound a voice has only sound.rate."),
            (self.network.kind == "transformer", "the encoder of a voice is a transformer."),
            (self.tokenizer.kind == "char", "the tokenizer of a voice is one of phonemes: char."),
            (not self.data.length, "data.length does nothing to speak: recordings are whole."),
            (not self.start.lora, "lora does nothing to a voice: tune it as a whole."),
        ]


def planned(values: Mapping[str, Any], where: str = "") -> Plan:
    """The plan of some settings, with the presets of its task and network where they are silent.

    Raises ConfigError that names every unknown key, wrong value and contradiction.
    """
    name = str(values.get("task", ""))
    task = TASKS.get(name)
    if task is None and name:
        what = f"there is no task {name!r}."
        raise ConfigError(what, where=where, fix=nearest(name, TASKS))
    chosen = part_of(values, "network")
    size = chosen.get("size", "tiny")
    kind = chosen.get("kind", task.network if task else "transformer")
    defaults: dict[str, Any] = {"training": {}}
    if task and kind in NETWORKS and size in get_args(Size):
        start = part_of(values, "start")
        defaults = {
            "network": {"kind": kind},
            "tokenizer": {"kind": task.pieces},
            "training": training_defaults(
                task.name, kind, size, fine=bool(start.get("model")), lora=bool(start.get("lora"))
            ),
        }
    if task and task.order == "windows":  # more would take a share of the time that is felt
        defaults["evaluate"] = {"examples": _WINDOWS_JUDGED}
    faults = _unread(values, where, kind=task.network, pieces=task.pieces) if task else []
    if any(part_of(values, "training").get(name) for name in BUDGETS):
        for name in BUDGETS:
            defaults["training"].pop(name, None)
    try:
        plan = read(Plan, listed(merged(defaults, values)), where)
    except ConfigError as fault:
        faults.append(fault)
    if faults:
        raise together(ConfigError, faults)
    return plan


def _unread(values: Mapping[str, Any], where: str, *, kind: str, pieces: str) -> list[UserError]:
    """Settings that say something else than nothing, where a model that is there decides."""
    start, tokenizer = part_of(values, "start"), part_of(values, "tokenizer")
    faults: list[UserError] = []
    if start.get("model") and part_of(values, "network").get("kind", kind) != kind:
        what = "network.kind is for new networks."
        faults.append(ConfigError(what, where=where, fix="Leave it out."))
    source = next((name for name in ("model", "embedding") if start.get(name)), "")
    own = f"start.{source}" if source else "tokenizer.model" if tokenizer.get("model") else ""
    plain = {**write(TokenizerPlan()), "kind": pieces}
    faults += [
        ConfigError(
            f"tokenizer.{name} does nothing beside {own}.", where=where, fix="Leave it out."
        )
        for name, value in tokenizer.items()
        if own and own != f"tokenizer.{name}" and plain.get(name, value) != value
    ]
    return faults


def plain(plan: Plan) -> dict[str, Any]:
    """A plan as values that JSON and TOML have."""
    return write(plan)


def paths(names: Sequence[str]) -> list[Path]:
    """The files that a list of names means, in its order."""
    return [Path(name).expanduser() for name in names]
