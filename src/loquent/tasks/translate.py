"""One text becomes another: translations, and whatever else is a source and its target."""

from collections.abc import Iterable, Iterator

from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.tasks.task import Reading, Task, Texts, array, only, text_of
from loquent.text.framing import framed, ids_of, start_of


def _examples(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """The encoder reads the source; the decoder learns the target and where it ends."""
    reader = reading.source or reading.tokenizer
    start = start_of(reading.tokenizer)
    for record in records:
        source, target = both(record)
        told = [start, *ids_of(reading.tokenizer, target, end=True)]
        yield Example(array(told), source=array(framed(reader, source)), index=record.index)


def both(record: Record) -> tuple[str, str]:
    """The two texts of a record."""
    names = ("source", "target") if "source" in record.values else ("prompt", "completion")
    return text_of(record, names[0]), text_of(record, names[1])


def _texts(record: Record) -> tuple[Texts, Texts]:
    source, target = both(record)
    return (source,), (target,)


TRANSLATE = Task(
    name="translate",
    does="turn a text into another, such as its translation or summary",
    stacks="both",
    output="token",
    network="transformer",
    order="bucket",
    metrics=("loss", "perplexity", "bleu"),
    batch_tokens=4096,
    training={
        "epochs": 20,
        "label_smoothing": 0.1,
        "schedule": "inverse_sqrt",
        "warmup": 0.1,
        "weight_decay": 0.01,
        "ema": 0.998,
    },
    normal=only("pair", "prompt"),
    texts=_texts,
    examples=_examples,
)
