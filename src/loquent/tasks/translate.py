"""One text becomes another: translations, and whatever else is a source and its target."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.tasks.task import Reading, Task, Texts, array, only, text_of
from loquent.text.framing import framed, ids_of, start_of, target_of


def _examples(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """The encoder reads the source; the decoder learns the target and where it ends."""
    reader = reading.source or reading.tokenizer
    for record in records:
        source, target = both(record)
        read = array(framed(reader, reading.prefix + source))
        yield Example(array(_told(reading, target)), source=read, index=record.index)


def _told(reading: Reading, target: str) -> list[int]:
    """What a decoder learns: as a tuned model's makers frame a text, or between start and end."""
    tokenizer = reading.tokenizer
    if reading.start is None:
        return [start_of(tokenizer), *ids_of(tokenizer, target, end=True)]
    ids = target_of(tokenizer, target, reading.start)
    last = [] if tokenizer.end in (None, ids[-1]) else [tokenizer.end]
    return [*ids, *last]


def both(record: Record) -> tuple[str, str]:
    """The two texts of a record."""
    names = ("source", "target") if "source" in record.values else ("prompt", "completion")
    return text_of(record, names[0]), text_of(record, names[1])


def _texts(record: Record) -> tuple[Texts, Texts]:
    source, target = both(record)
    return (source,), (target,)


TRANSLATE = Task(
    name="translate",
    does="turn a text into another, such as its translation",
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
SUMMARIZE = replace(
    TRANSLATE,
    name="summarize",
    does="turn a text into a shorter one, such as its summary or title",
    metrics=("loss", "perplexity", "rouge1", "rouge2", "rougeL"),
)
