"""How a tuned model that turns a text into another is asked, now and once it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from msgspec import structs

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.generation import Generation
from loquent.data.names import is_language
from loquent.errors import ConfigError
from loquent.runs.parts import DataPlan
from loquent.runs.plan import Plan
from loquent.tasks import Task
from loquent.tasks.asking import SUMMARIZATION, TRANSLATION, Manner, manner_of
from loquent.text.framing import start_of

AUTO = "auto"
_KEPT = ("beams", "early_stopping", "repetition_penalty")
# of the makers' advice on writing; lengths and what goes with them were for other texts


@dataclass(frozen=True)
class Asked:
    """What stands before a source and a target, and what is said of that."""

    start: int | None = None  # id that a decoder behind an encoder begins with
    prefix: str = ""
    receipts: tuple[str, ...] = ()


def asked_of(plan: Plan, task: Task, origin: Checkpoint | None) -> Asked:
    """How the model of a plan is asked; raises ConfigError where its makers do not say."""
    if origin is None or origin.tokenizer is None or task.stacks != "both" or task.hears:
        return Asked()
    generation = origin.generation
    start = generation.start if generation.decoder_start is None else generation.decoder_start
    start = start_of(origin.tokenizer) if start is None else start
    prefix = plan.start.prefix
    if prefix == AUTO:
        prefix = _of_makers(plan, task, manner_of(origin))
    dropped = [name for name in generation.sampling if name not in _KEPT]
    told = (
        f"every source begins with {prefix!r}." if prefix else "",
        f"a target begins with {origin.tokenizer.piece(start)!r}.",
        f"the advice of the model's makers on {', '.join(dropped)} is left out." if dropped else "",
    )
    return Asked(start, prefix, tuple(each for each in told if each))


def languages_of(data: DataPlan) -> tuple[str, ...]:
    """From which language to which, where the columns are called by them; else nothing."""
    pair = (data.source, data.target)
    return tuple(map(_code, pair)) if all(map(is_language, pair)) else ()


def generation_of(plan: Plan, origin: Checkpoint, asked: Asked) -> Generation:
    """How a tuned model is to be asked."""
    generation = origin.generation
    if asked.start is None:
        return generation
    sampling = {name: each for name, each in generation.sampling.items() if name in _KEPT}
    return structs.replace(
        generation,
        decoder_start=asked.start,
        sampling=MappingProxyType(sampling),
        prefixes=_prefixes(plan, asked.prefix),
        unread=(),
    )


def _of_makers(plan: Plan, task: Task, how: Manner) -> str:
    pair = languages_of(plan.data)
    if task.name == "summarize":
        prefix = how.summary_prefix()
    elif pair:
        prefix = how.translation_prefix(*pair)
    else:
        what = "which languages are translated is not known, so the model's own prefix neither."
        fix = "Call data.source and data.target by them, as en and de, or write the prefix itself."
        raise ConfigError(what, fix=fix)
    if not prefix:
        what = f"the makers of {plan.start.model} name no prefix for {task.name}."
        raise ConfigError(what, fix="Write it, or leave start.prefix out.")
    return prefix


def _prefixes(plan: Plan, prefix: str) -> Mapping[str, str]:
    """By the names that config.json has for tasks."""
    if not prefix:
        return MappingProxyType({})
    pair = languages_of(plan.data)
    name = f"{TRANSLATION}_{'_to_'.join(pair)}" if pair else TRANSLATION
    return MappingProxyType({SUMMARIZATION if plan.task == "summarize" else name: prefix})


def _code(language: str) -> str:
    return language.lower().replace("-", "_").partition("_")[0]
