"""The examples of a run on disk, the names of their classes, and what became of the records."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from loquent.data import augment
from loquent.data.example import Example
from loquent.data.order import Batches
from loquent.data.reading import Record
from loquent.data.split import Part, hash_of
from loquent.data.store import Store
from loquent.digest import sha256
from loquent.errors import DataError
from loquent.runs.folder import write_text
from loquent.runs.sources import Note, Sources
from loquent.settings import write
from loquent.tasks import Reading, Task

DATA = "data"
LABELS = "labels.json"
PARTS: tuple[Part, ...] = ("train", "validation", "test")

_PATIENCE_SECONDS = 10.0  # between two notes of how much is read
_MOST_HASHES = 5_000_000  # records looked through for those that are there twice: about 400 MB


@dataclass
class Counts:
    """What was seen while examples were written."""

    records: int = 0
    duplicates: int = 0
    unknown: int = 0  # ids that stand for pieces which the tokenizer does not have
    hashes: set[int] = field(default_factory=set)


def labels_of(
    task: Task, sources: Sources, known: tuple[str, ...], folder: Path
) -> tuple[str, ...]:
    """The names of the classes in the training data, in the order of the `known` ones.

    Raises DataError where there are none, or only one to tell apart.
    """
    if task.labels is None:
        return ()
    inputs = _digest(sources.state, known)
    kept = _read_labels(folder / LABELS)
    if kept.get("inputs") == inputs:
        return tuple(kept["labels"])
    found = {name for record in sources.records("train") for name in task.labels(record)}
    if not found:
        raise DataError("the training data have no labels.")
    if len(found) < 2 and task.output != "labels":
        what = f"all training data have the label {min(found)!r}: there is nothing to tell apart."
        raise DataError(what)
    names = known if found <= set(known) else tuple(sorted(found, key=_in_order(found)))
    write_text(folder / LABELS, json.dumps({"inputs": inputs, "labels": names}, indent=1))
    return names


def stored(
    task: Task, sources: Sources, reading: Reading, folder: Path, note: Note
) -> tuple[dict[Part, Store], dict[Part, Counts]]:
    """The examples of each part, and what was counted of those that were not there before."""
    template = reading.tokenizer.template
    inputs = _digest(
        sources.state,
        reading.tokenizer.document(),
        reading.source.document() if reading.source is not None else "",
        template.source if template is not None else "",
        reading.labels,
        [reading.length, reading.seed] if task.output in ("masked", "span") else [],
        *([reading.start, reading.prefix] if reading.start is not None else []),
        *([write(reading.front)] if reading.front is not None else []),
        *([write(reading.voice)] if reading.voice is not None else []),
        *([task.stacks, reading.language, reading.moved] if reading.speech is not None else []),
    )
    stores: dict[Part, Store] = {}
    counted: dict[Part, Counts] = {}
    for part in PARTS:
        if not sources.has(part):
            continue
        counts = Counts()
        records = _seen(sources.records(part, varied=True), counts, part, note)
        examples = task.examples(records, reading)
        counting = _unknown(examples, reading, counts)
        try:
            stores[part] = Store.build(counting, folder / DATA / part, inputs=inputs)
        except DataError:
            if part == "train" or counts.records or sources.names(part):
                raise
            note(f"{part}: no record of the training data fell into this part.")
        if counts.records:
            counted[part] = counts
            if part == "train" and sources.variants:
                note(f"train: {augment.told(sources.variants)}")
    return stores, counted


def receipt(part: Part, batches: Batches, counts: Counts | None) -> str:
    """What became of the records of a part, in words; what did not happen is left out."""
    made: Mapping[str, Any] = batches.receipt
    told = [f"{made['examples']:,} examples", f"{made['tokens']:,} tokens"]
    happened = {
        "cut": f"{made['cut']:,} cut ({made['cut_tokens']:,} tokens lost)",
        "skipped": f"{made['skipped']:,} too long and left out",
        "empty": f"{made['empty']:,} empty and left out",
        "unlearned": f"{made['unlearned']:,} without anything to learn",
        "oversized": f"{made['oversized']:,} larger than a batch",
    }
    told += [text for name, text in happened.items() if made[name]]
    if counts is not None:
        told += [f"{counts.duplicates:,} records there twice"] if counts.duplicates else []
        told.append(f"{counts.unknown / max(batches.store.tokens, 1):.2%} unknown tokens")
    told.append(f"{made['padded']:.1%} padding")
    return f"{part}: {', '.join(told)}."


def _seen(records: Iterable[Record], counts: Counts, part: Part, note: Note) -> Iterator[Record]:
    """Count records, and those whose values were there before; tell from time to time how many."""
    told = monotonic()
    for record in records:
        if monotonic() - told > _PATIENCE_SECONDS:
            told = monotonic()
            note(f"{part}: {counts.records:,} records are read so far.")
        counts.records += 1
        if len(counts.hashes) < _MOST_HASHES:
            before = len(counts.hashes)
            counts.hashes.add(hash_of(dict(record.values)))
            counts.duplicates += len(counts.hashes) == before
        yield record
    counts.hashes.clear()


def _unknown(examples: Iterable[Example], reading: Reading, counts: Counts) -> Iterator[Example]:
    source = reading.source or reading.tokenizer
    for example in examples:
        counts.unknown += int((example.ids == reading.tokenizer.unknown).sum())
        if example.source is not None:
            counts.unknown += int((example.source == source.unknown).sum())
        yield example


def _read_labels(path: Path) -> dict[str, Any]:
    try:
        made = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return made if isinstance(made, dict) else {}


def _in_order(names: Iterable[str]) -> Any:
    """Numbers by their size, words by the alphabet."""
    if all(name.removeprefix("-").isdecimal() for name in names):
        return int
    return str


def _digest(*decided: Any) -> str:
    text = json.dumps(decided, ensure_ascii=False, default=list)
    return sha256(text.encode()).hexdigest()
