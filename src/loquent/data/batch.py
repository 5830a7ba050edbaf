"""Examples side by side: padded arrays, divided among ranks and into micro-batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.data.example import Example

PADDING = (
    0  # of `ids`, `segments` and `source`; what is padding is told by lengths, never by this id
)
NOT_LEARNED = -1  # of `targets`, `labels` and `documents`

Array = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """B rows of ids, padded at the right to the longest of them.

    The features of sounds stand in place of the ids that an encoder would read, as floats: of
    `source` before a decoder, else of `ids`; lengths count frames there.
    """

    ids: Array  # (B, T), or (B, F, frames)
    lengths: Array  # (B,)
    targets: Array | None  # (B, T) the next token, -1 where nothing is learned; None: no such task
    examples: Array  # (B,) numbers in the store; of windows their first token; for messages
    documents: Array | None = None  # (B, T) which packed document a token belongs to, -1 padding
    segments: Array | None = None  # (B, T) which text of a pair a token is of
    source: Array | None = None  # (B, S), or (B, F, frames)
    source_lengths: Array | None = None  # (B,)
    labels: Array | None = None  # (B, L) padded with -1; L = 1 for a class, T for tags
    tagged: bool = False  # `labels` has one label for each token

    @property
    def count(self) -> int:
        """The targets that count: learned tokens, else labels, else rows."""
        counted = self.targets if self.targets is not None else self.labels
        return len(self.ids) if counted is None else int(np.count_nonzero(counted >= 0))

    def shard(self, rank: int, ranks: int) -> "Batch":
        """The rows of one of `ranks` ranks: every ranks-th, which may be none."""
        return self._rows(slice(rank, None, ranks))

    def split(self, rows: int) -> "list[Batch]":
        """Micro-batches of at most `rows` rows, without the padding that all their rows have.

        With `rows` 0 all rows stay together.
        """
        step = rows or max(len(self.ids), 1)
        return [
            self._rows(slice(start, start + step))._trimmed()
            for start in range(0, len(self.ids), step)
        ]

    def _rows(self, rows: slice) -> "Batch":
        return self._each(lambda array: array[rows])

    def _trimmed(self) -> "Batch":
        width = int(self.lengths.max())
        made = replace(
            self,
            ids=self.ids[..., :width],
            targets=None if self.targets is None else self.targets[:, :width],
            documents=None if self.documents is None else self.documents[:, :width],
            segments=None if self.segments is None else self.segments[:, :width],
        )
        if self.tagged and self.labels is not None:
            made = replace(made, labels=self.labels[:, :width])
        if self.source is not None and self.source_lengths is not None:
            made = replace(made, source=self.source[..., : int(self.source_lengths.max())])
        return made

    def _each(self, change: Callable[[Array], Array]) -> "Batch":
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed: dict[str, Any] = {
            name: change(value) if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }
        return Batch(**changed)


@dataclass(frozen=True)
class Row:
    """What stands in one row of a batch before it is padded."""

    ids: Sequence[NDArray[np.int32]]  # one for each document
    targets: Sequence[Array]
    example: int
    segments: NDArray[np.int32] | None = None
    source: NDArray[np.int32] | None = None
    labels: NDArray[np.int32] | None = None
    sound: NDArray[np.float32] | None = None  # features (F, frames)


def row_of(
    examples: Sequence[Example],
    numbers: Sequence[int],
    *,
    shift: bool,
    sound: NDArray[np.float32] | None = None,
) -> Row:
    """The row of one example, or of several that are packed into one.

    `sound` are the features (F, frames) of what is heard.

    With `shift` the last id is only a target: the model reads `ids[:-1]` and learns `ids[1:]`.
    """
    pairs = [shifted(example.ids, example.learned, shift=shift) for example in examples]
    return Row(
        ids=[ids for ids, _ in pairs],
        targets=[targets for _, targets in pairs],
        example=numbers[0],
        segments=None if shift else examples[0].segments,
        source=examples[0].source,
        labels=examples[0].labels,
        sound=sound,
    )


def shifted(
    ids: NDArray[np.int32], learned: NDArray[np.bool_] | None, *, shift: bool
) -> tuple[NDArray[np.int32], Array]:
    """What is read of `ids`, and of each position what is to come next.

    A single id is read, with nothing to learn.
    """
    if not shift:
        return ids, np.zeros(0, np.int64)
    read = ids[: max(len(ids) - 1, 1)]
    targets = np.full(len(read), NOT_LEARNED, np.int64)
    targets[: len(ids) - 1] = ids[1:]
    if learned is not None:
        targets[: len(ids) - 1][~learned[1:]] = NOT_LEARNED
    return read, targets


def collate(rows: Sequence[Row], *, shift: bool, packed: bool = False, tagged: bool) -> Batch:
    """Pad rows to a batch; with `packed` it tells the documents of each row apart."""
    ids = _padded([np.concatenate(row.ids) for row in rows], PADDING)
    lengths = np.array([sum(map(len, row.ids)) for row in rows], np.int64)
    sources = [row.source for row in rows if row.source is not None]
    segments = [row.segments for row in rows if row.segments is not None]
    labels = [row.labels for row in rows if row.labels is not None]
    heard, frames = _heard([row.sound for row in rows if row.sound is not None])
    if heard is not None and not ids.size:  # nothing is written
        ids, lengths, heard = heard, frames, None
    return Batch(
        ids=ids,
        lengths=lengths,
        targets=_padded([np.concatenate(row.targets) for row in rows], NOT_LEARNED)
        if shift
        else None,
        examples=np.array([row.example for row in rows], np.int64),
        documents=_documents(rows) if packed else None,
        segments=_padded(segments, PADDING) if segments else None,
        source=_padded(sources, PADDING) if sources else heard,
        source_lengths=(
            np.array([len(each) for each in sources], np.int64)
            if sources
            else (None if heard is None else frames)
        ),
        labels=_padded(labels, NOT_LEARNED) if labels else None,
        tagged=tagged and bool(labels),
    )


def _heard(sounds: Sequence[NDArray[np.float32]]) -> tuple[Any, Array]:
    """Features side by side (B, F, frames), padded with zeros, and the frames (B,) of each."""
    lengths = np.array([each.shape[1] for each in sounds], np.int64)
    if not sounds:
        return None, lengths
    made = np.zeros((len(sounds), sounds[0].shape[0], int(lengths.max())), np.float32)
    for row, each in zip(made, sounds, strict=True):
        row[:, : each.shape[1]] = each
    return made, lengths


def _documents(rows: Sequence[Row]) -> Array:
    numbers = [np.repeat(np.arange(len(row.ids)), [len(each) for each in row.ids]) for row in rows]
    return _padded(numbers, NOT_LEARNED)


def _padded(rows: Sequence[NDArray[np.int32] | Array], value: int) -> Array:
    width = max((len(row) for row in rows), default=0)
    made = np.full((len(rows), width), value, np.int64)
    for place, row in enumerate(rows):
        made[place, : len(row)] = row
    return made
