"""Texts with hidden words: the network learns to fill them in."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.errors import DataError
from loquent.tasks.task import Reading, Task, Texts, array, only, text_of
from loquent.text.framing import framed
from loquent.text.tokenizer import MASKS, Tokenizer

Ids = NDArray[np.int32]

_HIDDEN, _MASKED, _OTHER = 0.15, 0.8, 0.1  # shares: of all ids; of those, mask and another id
_NOT_COUNTED = -1


def _examples(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """Texts, in pieces of `reading.length` where they are longer, with hidden ids."""
    tokenizer = reading.tokenizer
    mask = mask_of(tokenizer)
    special = np.array([tokenizer.is_special(id) for id in range(tokenizer.vocabulary)])
    for record in records:
        ids = array(framed(tokenizer, text_of(record, "text")))
        step = reading.length or max(len(ids), 1)
        for number, start in enumerate(range(0, len(ids), step)):
            piece = ids[start : start + step]
            generator = np.random.default_rng((reading.seed, record.index, number))
            read, labels = hidden(piece, special, mask, generator)
            yield Example(read, labels=labels, index=record.index)


def hidden(
    ids: Ids, special: NDArray[np.bool_], mask: int, generator: np.random.Generator
) -> tuple[Ids, Ids]:
    """Ids (T,) of which some are hidden, and what stood there, -1 where nothing is asked.

    Of 15 % of the ids 80 % become the mask, 10 % any other, and the rest stay (Devlin et al. 2019,
    §3.1); at least one is asked for where there is any. `special` (V,) are never hidden.
    """
    places = np.flatnonzero(~special[ids])
    chosen = places[generator.random(len(places)) < _HIDDEN]
    if not len(chosen) and len(places):
        chosen = generator.choice(places, 1)
    labels = np.full(len(ids), _NOT_COUNTED, np.int32)
    labels[chosen] = ids[chosen]
    read, drawn = ids.copy(), generator.random(len(chosen))
    read[chosen[drawn < _MASKED]] = mask
    other = chosen[(drawn >= _MASKED) & (drawn < _MASKED + _OTHER)]
    read[other] = generator.choice(np.flatnonzero(~special), len(other))
    return read, labels


def mask_of(tokenizer: Tokenizer) -> int:
    """The id that stands for a hidden one; raises DataError where the tokenizer has none."""
    if tokenizer.mask is not None:
        return tokenizer.mask
    raise DataError(
        "the tokenizer has no token for what is hidden.",
        where=tokenizer.where,
        fix=f"It must know {' or '.join(MASKS)}.",
    )


def _texts(record: Record) -> tuple[Texts, Texts]:
    return (), (text_of(record, "text"),)


FILL = Task(
    name="fill",
    does="fill in hidden words",
    stacks="encoder",
    output="masked",
    network="transformer",
    order="bucket",
    metrics=("loss", "perplexity", "accuracy"),
    training={"epochs": 10},
    normal=only("text"),
    texts=_texts,
    examples=_examples,
)
