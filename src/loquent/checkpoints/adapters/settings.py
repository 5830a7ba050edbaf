"""adapter_config.json as the PEFT library writes it: settings are executed or refused by name."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from loquent.checkpoints.families.keys import Keys
from loquent.errors import CheckpointError, ConfigError, together
from loquent.text.documents import read_settings

CONFIG = "adapter_config.json"

# What says nothing of the numbers: bookkeeping, and how the base stores its maps, which its own
# family knows. `eva_config` belongs to a way of beginning that leaves the base alone.
_INERT = (
    "auto_mapping",
    "base_model_name_or_path",
    "eva_config",
    "fan_in_fan_out",
    "inference_mode",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
)
_UNEXECUTED = {
    "alora_invocation_tokens": "an adapter that begins in the middle of a text.",
    "arrow_config": "several adapters at once.",
    "corda_config": "it was begun from a changed base.",
    "enable_lora": "adapters of parts of a fused map in an old format.",
    "layer_replication": "a base with repeated layers is another network.",
    "loftq_config": "it was begun from a rounded base.",
    "lora_bias": "updates with a bias.",
    "megatron_config": "maps split over machines.",
    "merge_weights": "an old format, in which the base's weights may be changed already.",
    "target_parameters": "updates of parameters that are no linear maps.",
    "trainable_token_indices": "rows of an embedding learned by themselves.",
    "use_dora": "magnitudes learned apart from directions (DoRA).",
    "use_qalora": "updates of rounded weights (QA-LoRA).",
}
_STARTS = (True, False, "gaussian", "eva", "orthogonal")  # that leave the base's weights alone
_TASKS = ("CAUSAL_LM", "SEQ_2_SEQ_LM", "FEATURE_EXTRACTION")  # of networks that write
_HEADS = ("classifier", "score")  # PEFT stores whichever the network has, and names both
_ALL = ("all-linear",)  # every linear map but the head

# Patterns come from files of others: without groups and with few repetitions, a match is quick.
_PLAIN = re.compile(r"[\w.^$*+\\\[\]-]{1,1000}")
_REPETITIONS = 4


@dataclass(frozen=True, kw_only=True)
class PeftConfig:
    """Where an adapter changes a network, and by how much; names are those of the base's family."""

    rank: int
    alpha: float
    dropout: float
    stabilized: bool  # divided by √rank, not by rank
    targets: tuple[str, ...] | None  # ends of modules' names; None: the tensors themselves say it
    excluded: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()  # only these; none: all
    layer_names: tuple[str, ...] = ()  # what stands before a layer's number; none: anything
    ranks: Mapping[re.Pattern[str], float]  # the first pattern that fits holds
    alphas: Mapping[re.Pattern[str], float]
    saved: tuple[str, ...] = ()  # ends of names of modules that are stored whole
    bias: str = "none"  # "all", "lora_only": which biases are stored whole
    tying: bool = False  # a tied head follows an embedding that is stored whole

    def targeted(self, module: str) -> bool:
        """Whether a list of targets asks for an update of this linear map."""
        if self.targets is None or fits(self.excluded, module):
            return False
        if self.layers and self._layer(module) not in self.layers:
            return False
        return self.targets == _ALL or fits(self.targets, module)

    def rank_of(self, module: str) -> int:
        """The rank of this module's update."""
        return int(_first(self.ranks, module, self.rank))

    def scale_of(self, module: str) -> float:
        """What B · A of this module is multiplied by."""
        rank = self.rank_of(module)
        divisor = math.sqrt(rank) if self.stabilized else rank
        return _first(self.alphas, module, self.alpha) / divisor

    def _layer(self, module: str) -> int | None:
        parts = module.split(".")
        for before, part in pairwise(parts):
            if part.isdecimal() and (not self.layer_names or before in self.layer_names):
                return int(part)
        return None


def read_peft(path: Path, task: str = "") -> PeftConfig:
    """Read adapter_config.json; `task` is what PEFT calls the head of the network, if it has one.

    Raises CheckpointError where it is missing or no JSON, and ConfigError that names every setting
    which is unknown, impossible or not executed here.
    """
    values = read_settings(path)
    if not values:
        raise CheckpointError("is missing or empty.", where=str(path))
    keys = Keys(values)
    keys.expect("peft_type", ["LORA"], "only LoRA adapters are executed here.")
    keys.expect(
        "task_type",
        (task,) if task else _TASKS,
        "it was trained for a head that this model does not have.",
    )
    keys.expect("bias", ("none", "all", "lora_only"), "one of none, all, lora_only is known.")
    keys.expect("init_lora_weights", _STARTS, "its base's weights were changed at the start.")
    for name, why in _UNEXECUTED.items():
        keys.expect(name, (False, [], {}), why)
    for name in ("peft_type", "target_modules"):
        if not keys.raw(name):
            keys.refuse(f"{name} is missing.")
    made = PeftConfig(
        rank=keys.whole("r", 2**16, 8),
        alpha=keys.number("lora_alpha", 8.0),
        dropout=keys.number("lora_dropout", 0.0, most=0.99),
        stabilized=keys.flag("use_rslora", False),
        targets=_targets(keys),
        excluded=_words(keys, "exclude_modules"),
        layers=_layers(keys),
        layer_names=_words(keys, "layers_pattern"),
        ranks=_numbers(keys, "rank_pattern"),
        alphas=_numbers(keys, "alpha_pattern"),
        saved=_saved(keys),
        bias=str(keys.raw("bias") or "none"),
        tying=keys.flag("ensure_weight_tying", False),
    )
    keys.known(_INERT)
    if keys.faults:
        raise ConfigError(str(together(ConfigError, keys.faults)), where=str(path))
    return made


def fits(ends: Sequence[str], module: str) -> bool:
    """Whether a name is one of these, or ends with one behind a dot."""
    return any(module == end or module.endswith(f".{end}") for end in ends)


def endings(chosen: Sequence[str], modules: Sequence[str]) -> list[str]:
    """The shortest ends of names that fit all the chosen modules and no other."""
    among = set(chosen)
    found: set[str] = set()
    for module in chosen:
        parts = module.split(".")
        for start in reversed(range(len(parts))):
            end = ".".join(parts[start:])
            if end in found or all(each in among for each in modules if fits((end,), each)):
                found.add(end)
                break
    return sorted(found)


def _first(table: Mapping[re.Pattern[str], float], module: str, default: float) -> float:
    """The value of the first pattern that fits the name, or what stands in it behind some dot."""
    parts = module.split(".")
    for pattern, value in table.items():
        starts = 1 if pattern.pattern.startswith("^") else len(parts)
        if any(pattern.fullmatch(".".join(parts[start:])) for start in range(starts)):
            return value
    return default


def _targets(keys: Keys) -> tuple[str, ...] | None:
    """Ends of names; patterns are not run, since they may be made to take forever."""
    names = ("target_modules", "exclude_modules")
    values = [keys.raw(name) for name in names]
    if any(isinstance(value, str) and value not in _ALL for value in values):
        return None
    return _words(keys, "target_modules")


def _words(keys: Keys, name: str) -> tuple[str, ...]:
    value = keys.raw(name)
    listed = [value] if isinstance(value, str) else value or []
    if isinstance(listed, list) and all(isinstance(each, str) and each for each in listed):
        return tuple(listed)
    keys.refuse(f"{name} must be a list of names, not {str(value)[:100]!r}.")
    return ()


def _saved(keys: Keys) -> tuple[str, ...]:
    named = _words(keys, "modules_to_save")
    both = set(_HEADS) <= set(named)
    return tuple(each for each in named if not (both and each == _HEADS[1]))


def _layers(keys: Keys) -> tuple[int, ...]:
    value = keys.raw("layers_to_transform")
    listed = [value] if type(value) is int else value or []
    if isinstance(listed, list) and all(type(each) is int and each >= 0 for each in listed):
        return tuple(listed)
    keys.refuse(f"layers_to_transform must be numbers of layers, not {str(value)[:100]!r}.")
    return ()


def _numbers(keys: Keys, name: str) -> dict[re.Pattern[str], float]:
    """Patterns of names and what holds for them: ranks are whole numbers, factors any."""
    table = keys.table(name)
    ranks = name == "rank_pattern"
    found: dict[re.Pattern[str], float] = {}
    for key in table.values:
        number = table.whole(key, 2**16) if ranks else table.number(key, None)
        pattern = _pattern(key)
        if pattern is None:
            keys.refuse(f"{name} holds {key[:100]!r}, which is no plain pattern of names.")
        else:
            found[pattern] = number
    return found


def _pattern(text: str) -> re.Pattern[str] | None:
    repetitions = text.count("*") + text.count("+")
    if not _PLAIN.fullmatch(text) or repetitions > _REPETITIONS:
        return None
    try:
        return re.compile(text)
    except re.error:
        return None
