"""Texts: the network learns to continue them."""

from collections.abc import Iterable, Iterator

from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.tasks.task import Reading, Task, Texts, array, only, text_of
from loquent.text.framing import ids_of


def _examples(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """Each text, with the end token behind it; pieces of one running text go on in each other."""
    tokenizer = reading.tokenizer
    for record in records:
        begun = record.values.get("continued") is True
        open = record.values.get("continues") is True
        begin = tokenizer.adds_begin and not begun
        ids = ids_of(tokenizer, text_of(record, "text"), begin=begin, end=not open)
        if ids:
            yield Example(array(ids), index=record.index)


def _texts(record: Record) -> tuple[Texts, Texts]:
    return (), (text_of(record, "text"),)


GENERATE = Task(
    name="generate",
    does="continue texts",
    stacks="decoder",
    output="token",
    network="transformer",
    order="windows",
    metrics=("loss", "perplexity"),
    training={"epochs": 10},
    normal=only("text"),
    texts=_texts,
    examples=_examples,
)
