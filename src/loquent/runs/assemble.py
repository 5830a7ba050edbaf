"""From a plan to what is trained: tokenizer, examples on disk, batches and a network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loquent.architecture import ModelConfig
from loquent.checkpoints import hub
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.data.order import Batches, OrderConfig
from loquent.data.settings import Order
from loquent.data.split import Part
from loquent.data.store import Store
from loquent.errors import CheckpointError, ConfigError
from loquent.model.model import Model
from loquent.runs.asking import Asked, asked_of
from loquent.runs.changes import changed, started
from loquent.runs.hearing import aligner_of, frames_of, front_of, hearing_of, task_of, voice_of
from loquent.runs.networks import NETWORKS
from loquent.runs.plan import Plan
from loquent.runs.presets import LENGTHS, batch_default, dropout_default, model_config
from loquent.runs.sources import Note, Sources
from loquent.runs.stores import PARTS, labels_of, receipt, stored
from loquent.runs.tokenizers import conversing, learned
from loquent.tasks import Reading, Task
from loquent.text.folder import open_tokenizer
from loquent.text.tokenizer import Tokenizer

_JUDGED = 64  # examples of one batch of held-out data
_LEAST_LENGTH = 512  # tokens that a new network's input may have at least


@dataclass(frozen=True)
class Ready:
    """All that a run needs before its first step."""

    task: Task
    reading: Reading
    model: Model
    train: Batches
    held_out: Mapping[Part, Batches]  # validation and test, where there are any
    origin: Checkpoint | None  # the model that is tuned
    words: Checkpoint | None  # the model with whose vectors of tokens it begins
    asked: Asked  # how that is asked
    receipts: tuple[str, ...]  # what was done to the data, in words


def assembled(plan: Plan, folder: Path, note: Note) -> Ready:
    """Prepare a run in its folder; what is there from before and still fits is used again.

    Raises DataError, ConfigError and CheckpointError for whatever does not fit together.
    """
    origin, words = _opened(plan.start.model), _words(plan.start.embedding)
    task, signs = task_of(plan, origin)
    sources = Sources(plan.data, task, note)
    tokenizer, source = _tokenizers(plan, folder, sources, origin or words, note)
    conversing(tokenizer, task, sources)
    asked = asked_of(plan, task, origin)
    voice = voice_of(plan, task, origin)
    reading = Reading(
        tokenizer=tokenizer,
        source=source,
        labels=labels_of(task, sources, origin.config.labels if origin else (), folder),
        length=plan.data.length or LENGTHS[plan.network.size],
        seed=plan.training.seed,
        start=asked.start,
        prefix=asked.prefix,
        front=front_of(plan, task, origin),
        frames=frames_of(origin.config) if origin else 0,
        room=origin.config.decoder.length if origin and origin.config.decoder else 0,
        speech=signs,
        language=plan.start.language,
        moved=bool(plan.sound.speed or plan.sound.silence),
        voice=voice,
        aligner=aligner_of(sources, voice, note),
    )
    stores, counted = stored(task, sources, reading, folder, note)
    config = config_of(plan, task, reading, stores, origin, words=words)
    order = _order(plan, task, config)
    batches = {
        part: Batches(
            store,
            order if part == "train" else _held_out(order),
            shift=task.shift,
            hearing=hearing_of(plan, reading, part),
        )
        for part, store in stores.items()
    }
    return Ready(
        task=task,
        reading=reading,
        model=started(config, plan.start, origin, plan.training.seed, words),
        train=batches["train"],
        held_out={part: each for part, each in batches.items() if part != "train"},
        origin=origin,
        words=words,
        asked=asked,
        receipts=(
            *(receipt(part, batches[part], counted.get(part)) for part in PARTS if part in batches),
            *asked.receipts,
            *([_begun(plan, config)] if words else []),
        ),
    )


def _opened(name: str) -> Checkpoint | None:
    """A model that a plan begins with; an empty name is none."""
    if not name:
        return None
    opened = Checkpoint.open(hub.resolve(name))
    if opened.card.executor != "loquent":
        what = f"networks of the family {opened.card.family!r} are not trained here."
        raise ConfigError(what, where=name)
    return opened


def _words(name: str) -> Checkpoint | None:
    """A model with whose vectors of tokens a new network begins; an empty name is none."""
    opened = _opened(name)
    if opened is not None and opened.config.reads_sound:
        raise ConfigError("hears sounds: a network for texts cannot begin with it.", where=name)
    if opened is not None and opened.source_tokenizer is not None:
        what = "has two tokenizers: whose vectors are meant is not clear."
        raise ConfigError(what, where=name, fix="Begin with a model that has one.")
    return opened


def width_of(plan: Plan) -> int:
    """The width that a plan gives its new network: its own, that of its vectors; 0: the preset's.

    Raises ConfigError and CheckpointError as `assembled` does.
    """
    words = _words(plan.start.embedding)
    return plan.network.width if words is None else _width(plan, words)


def _begun(plan: Plan, config: ModelConfig) -> str:
    count, width = config.vocabulary, config.top.width
    return f"the network begins with {count:,} vectors of {width} of {plan.start.embedding}."


def _tokenizers(
    plan: Plan, folder: Path, sources: Sources, origin: Checkpoint | None, note: Note
) -> tuple[Tokenizer, Tokenizer | None]:
    """Those of the model that is tuned, of another that the plan names, or new ones."""
    if origin is not None:
        return _own(origin, plan.start.model or plan.start.embedding), origin.source_tokenizer
    if not plan.tokenizer.model:
        return learned(plan, folder, sources, note)
    path = hub.resolve(plan.tokenizer.model)
    if path.is_dir():
        return open_tokenizer(path), None
    return _own(Checkpoint.open(path), plan.tokenizer.model), None


def _own(checkpoint: Checkpoint, name: str) -> Tokenizer:
    if checkpoint.tokenizer is None:
        raise CheckpointError("has no tokenizer.", where=name)
    return checkpoint.tokenizer


def config_of(
    plan: Plan,
    task: Task,
    reading: Reading,
    stores: Mapping[Part, Store],
    origin: Checkpoint | None,
    *,
    words: Checkpoint | None = None,
) -> ModelConfig:
    """The network of a plan for these examples: a new one, or the changed `origin`.

    A new one that begins with the vectors of `words` has their width. Raises ConfigError.
    """
    if origin is not None:
        return changed(origin, task, reading.labels, plan.network.dropped, plan.start.pooling)
    kind, size = plan.network.kind, plan.network.size
    asked = {
        name: value
        for name in ("layers", "width", "heads", "feedforward")
        if (value := getattr(plan.network, name))
    }
    if words is not None:
        asked["width"] = _width(plan, words)
    dropped = {"dropout": dropout_default(task.name, kind, size), **plan.network.dropped}
    return model_config(
        kind,
        replace(NETWORKS[kind].shapes[size], **asked),
        task.stacks,
        output=task.output,
        vocabulary=reading.tokenizer.vocabulary,
        source_vocabulary=reading.source.vocabulary if reading.source is not None else 0,
        length=_longest(plan, task, stores),
        dropped=dropped,
        labels=reading.labels,
        front=reading.front,
        speech=reading.voice,
        pooling=plan.network.pooling,
        ngrams=plan.network.ngrams,
        buckets=plan.network.buckets,
    )


def _width(plan: Plan, words: Checkpoint) -> int:
    """That of the vectors with which a network begins."""
    width = (words.config.encoder or words.config.top).width
    if plan.network.width not in (0, width):
        what = f"network.width is {plan.network.width}, but the vectors have {width} values."
        raise ConfigError(what, where=plan.start.embedding, fix="Leave it out.")
    return width


def _longest(plan: Plan, task: Task, stores: Mapping[Part, Store]) -> int:
    """The longest input that a new network is made for."""
    order = task.order if plan.data.order == "auto" else plan.data.order
    if plan.data.length or order in ("windows", "pack"):
        return plan.data.length or LENGTHS[plan.network.size]
    return max(_LEAST_LENGTH, *(int(store.lengths.max()) for store in stores.values()))


def _order(plan: Plan, task: Task, config: ModelConfig) -> OrderConfig:
    data, limit = plan.data, _limit(config)
    order = task.order if data.order == "auto" else data.order
    batch, tokens = data.batch, data.batch_tokens
    if not batch and not tokens:
        batch, tokens = batch_default(task.name, plan.network.size)
    length = data.length or limit
    if order in ("windows", "pack"):  # a tuned model's limit may be more than one step should have
        most = LENGTHS["base" if plan.start.model else plan.network.size]
        length = data.length or min(limit or most, most)
    return OrderConfig(
        batch=batch or 1,
        batch_tokens=tokens,
        order=order,
        length=length,
        long=data.long,
        seed=plan.training.seed,
    )


def _held_out(order: OrderConfig) -> OrderConfig:
    """Running text from its start to its end, examples as they are stored."""
    kind: Order = "slices" if order.order == "windows" else "sequence"
    return replace(order, order=kind, batch=_JUDGED, batch_tokens=0)


def _limit(config: ModelConfig) -> int:
    """The longest input that the network takes, in frames where that is a sound; 0: any."""
    if config.reads_sound:
        return frames_of(config)
    stacks = (config.encoder, config.decoder)
    return min((stack.length for stack in stacks if stack and stack.length), default=0)
