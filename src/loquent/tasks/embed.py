"""Pairs of texts that mean the same: the network learns to place them near each other."""

from collections.abc import Iterable, Iterator

from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.tasks.task import Reading, Task, Texts, array, only
from loquent.tasks.translate import both
from loquent.text.framing import framed


def _examples(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """Both texts of a pair; all other pairs of a batch are what they are told apart from."""
    for record in records:
        first, second = (array(framed(reading.tokenizer, text)) for text in both(record))
        yield Example(first, source=second, index=record.index)


def _texts(record: Record) -> tuple[Texts, Texts]:
    return (), both(record)


EMBED = Task(
    name="embed",
    does="place texts that mean the same near each other",
    stacks="encoder",
    output="embedding",
    network="transformer",
    order="shuffle",
    metrics=("loss",),
    batch=64,
    training={"epochs": 5},
    normal=only("pair", "prompt"),
    texts=_texts,
    examples=_examples,
)
