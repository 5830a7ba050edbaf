"""What a task is: how its records become ids, and what a network is trained to tell of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import FrontConfig, Output, SpeechConfig
from loquent.audio.aligning import Aligner
from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.data.shapes import Columns, Kind, kind_of, normal
from loquent.errors import DataError, nearest
from loquent.tasks.speech_tokens import SpeechTokens
from loquent.text.template import ChatTemplate
from loquent.text.tokenizer import Tokenizer

Stacks = Literal["decoder", "encoder", "both"]
Order = Literal["shuffle", "bucket", "pack", "windows", "sequence"]
Texts = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """With what a task turns the text of its records into ids."""

    tokenizer: Tokenizer
    source: Tokenizer | None = None  # of what an encoder reads before a decoder; None: the same
    labels: tuple[str, ...] = ()  # names of classes or tags, in the order of the outputs
    length: int = 0  # of the pieces that long texts are cut into; 0: they stay whole
    seed: int = 0  # of what is hidden
    start: int | None = None  # id that a tuned decoder behind an encoder begins with
    prefix: str = ""  # before every text that an encoder reads before a decoder
    front: FrontConfig | None = None  # what hears the sounds of the records
    frames: int = 0  # of a sound that a tuned recognizer hears at most
    room: int = 0  # tokens that it writes at most; 0: any number
    speech: SpeechTokens | None = None  # the signs among its tokens
    language: str = ""  # that is spoken, where it knows several
    moved: bool = False  # times of a sound change while it is learned
    voice: SpeechConfig | None = None  # what is learned to make sound
    aligner: Callable[[], Aligner] | None = None  # made of the training data when first asked for


@dataclass(frozen=True, kw_only=True)
class Task:
    """A job that a network learns from records."""

    name: str
    does: str  # in words, for --help
    stacks: Stacks
    output: Output
    network: str  # the kind that is made where a plan does not say
    order: Order
    metrics: Texts  # the first decides which weights are the best
    batch: int = 32  # examples of one step
    batch_tokens: int = 0  # above 0: as many examples as padded tokens fit instead
    training: Mapping[str, Any] = field(default_factory=dict)  # fields of TrainingConfig
    hears: bool = False  # its records are sounds
    speaks: bool = False  # and what is learned is to make such
    pieces: Literal["bpe", "char"] = "bpe"  # kind of tokenizer, where a plan does not say
    special: Texts = ()  # pieces that a tokenizer for it must know
    normal: Callable[[Record, Columns], Record] = normal  # the form that the rest reads
    texts: Callable[[Record], tuple[Texts, Texts]]
    # of (an encoder before a decoder, all else), which tokenizers are learned from
    examples: Callable[[Iterable[Record], Reading], Iterator[Example]]
    labels: Callable[[Record], Iterable[str]] | None = None  # of one record; None: it has none
    template: Callable[[Tokenizer], ChatTemplate] | None = None  # for conversations

    @property
    def shift(self) -> bool:
        """Whether the targets are the next tokens."""
        return self.output == "token"


def only(*kinds: Kind) -> Callable[[Record, Columns], Record]:
    """Records in their normal form, if they are of one of these kinds; raises DataError if not."""

    def checked(record: Record, columns: Columns) -> Record:
        kind = kind_of(record, columns)
        if kind not in kinds:
            raise DataError(
                f"is a record of the kind {kind!r}, where {' or '.join(kinds)} is needed.",
                where=record.where,
                fix=_has(record),
            )
        return normal(record, columns)

    return checked


def array(ids: Iterable[int]) -> NDArray[np.int32]:
    """Ids as examples hold them."""
    return np.fromiter(ids, np.int32)


def text_of(record: Record, name: str) -> str:
    """One text of a record; raises DataError with its place where it is none."""
    value = record.values.get(name)
    if not isinstance(value, str):
        what = "is missing." if value is None else f"is no text but {type(value).__name__}."
        raise DataError(f"{name!r} {what}", where=record.where, fix=_has(record))
    return value


def number_of(labels: Mapping[str, int], name: str, record: Record) -> int:
    """The number of a class; raises DataError with the nearest name where there is no such."""
    if name not in labels:
        what = f"the label {name!r} is not one of the {len(labels)} of the training data."
        raise DataError(what, where=record.where, fix=nearest(name, labels))
    return labels[name]


def _has(record: Record) -> str:
    names = ", ".join(repr(name) for name in record.values)
    return f"The record has {names}." if names else "The record is empty."
