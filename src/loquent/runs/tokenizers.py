"""The tokenizers of a run: learned from its training data, and kept in its folder."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from secrets import token_hex

from loquent.digest import sha256
from loquent.errors import CheckpointError
from loquent.runs.plan import Plan
from loquent.runs.presets import PIECES
from loquent.runs.sources import Note, Sources
from loquent.tasks import TASKS, Task
from loquent.text.folder import open_tokenizer
from loquent.text.learning import learn
from loquent.text.tokenizer import Tokenizer

OWN, SOURCE = "tokenizer", "source_tokenizer"  # folders in a run's folder

_RECEIPT = "learned.json"  # beside a tokenizer: of what it was learned

Choose = Callable[[tuple[tuple[str, ...], tuple[str, ...]]], Iterator[str]]


def learned(
    plan: Plan, folder: Path, sources: Sources, note: Note
) -> tuple[Tokenizer, Tokenizer | None]:
    """The tokenizer, and that of the encoder's side where it has its own.

    What was learned of the same data before is opened, so that a run which goes on has its ids.
    """
    task = TASKS[plan.task]
    if task.stacks != "both" or plan.tokenizer.joint:
        return _one(plan, folder / OWN, sources, note, lambda each: chain(*each)), None
    return (
        _one(plan, folder / OWN, sources, note, lambda each: iter(each[1])),
        _one(plan, folder / SOURCE, sources, note, lambda each: iter(each[0])),
    )


def conversing(tokenizer: Tokenizer, task: Task, sources: Sources) -> None:
    """Give a tokenizer without a chat template one, where the data are conversations."""
    if task.template is None or tokenizer.template is not None:
        return
    first = next(sources.records("train"), None)
    if first is not None and "messages" in first.values:
        tokenizer.template = task.template(tokenizer)


def _one(plan: Plan, folder: Path, sources: Sources, note: Note, choose: Choose) -> Tokenizer:
    task, settings = TASKS[plan.task], plan.tokenizer
    size = settings.size or PIECES[plan.network.size]
    decided = json.dumps([sources.state, asdict(settings), size, folder.name])
    inputs = sha256(decided.encode()).hexdigest()
    if _learned_from(folder) == inputs:
        return open_tokenizer(folder)
    made, report = learn(
        _Texts(task, sources, choose),
        settings.kind,
        size,
        special=task.special,
        lowercase=settings.lowercase,
        begin=not sources.running,  # a window of running text begins anywhere
    )
    unknown = report.unseen_characters / max(report.coverage.characters, 1)
    note(
        f"{folder.name.replace('_', ' ')}: {made.vocabulary:,} pieces ({settings.kind}) of "
        f"{report.texts:,} texts, {report.coverage.bytes_per_token:.2f} bytes a token, "
        f"{unknown:.2%} of the characters of held-out texts nowhere else."
    )
    _save(made, folder, inputs)
    return open_tokenizer(folder)


class _Texts:
    """The texts of the training data, as often as they are asked for."""

    def __init__(self, task: Task, sources: Sources, choose: Choose) -> None:
        self._task, self._sources, self._choose = task, sources, choose

    def __iter__(self) -> Iterator[str]:
        """Each text in its order."""
        for record in self._sources.records("train"):
            yield from self._choose(self._task.texts(record))


def _learned_from(folder: Path) -> str:
    """What a folder's tokenizer was learned of; nothing where there is none."""
    try:
        return (folder / _RECEIPT).read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def _save(tokenizer: Tokenizer, folder: Path, inputs: str) -> None:
    """Write a folder at once."""
    unfinished = folder.with_name(f".{folder.name}.{token_hex(4)}")
    try:
        tokenizer.save(unfinished)
        (unfinished / _RECEIPT).write_text(inputs, encoding="ascii")
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    except OSError as fault:
        raise CheckpointError(f"cannot be written: {fault.strerror}.", where=str(folder)) from fault
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
