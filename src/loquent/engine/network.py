"""All that the engine knows of a network: ids in, logits out, and a memory with rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.errors import RequestError

Values = NDArray[np.float32]
Logits = NDArray[np.float32]  # (N, V): one row for each token that asked for them
Source = Sequence[int] | Values  # what an encoder reads: ids, or features (F, frames) of a sound
Heads = Sequence[tuple[int, int]]  # (layer, head) each


@dataclass(frozen=True)
class Tokens:
    """The tokens of one step, of any rows in one flat list; a row's tokens stand in order."""

    ids: NDArray[np.int32]  # (N,)
    rows: NDArray[np.int32]  # (N,) row of the memory that each token continues
    positions: NDArray[np.int32]  # (N,) place of each token in its row, from 0
    wanted: NDArray[np.bool_]  # (N,) True where logits are asked for


class Memory(Protocol):
    """What a network remembers of each row: keys and values, or a recurrent state."""

    def clear(self, row: int) -> None:
        """Forget a row, so that another sequence may take it."""

    def copy(self, source: int, target: int) -> None:
        """Let row `target` continue from all that row `source` has seen."""

    def reorder(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Let each of `rows` continue from the row at the same place in `sources`, all at once."""

    def attach(self, row: int, source: Source) -> None:
        """Encode `source`, for the decoder of this row to attend to."""

    def align(self, row: int, ids: Sequence[int], heads: Heads) -> Values:
        """How much each head looks at each state of the row's source, (heads, T, M).

        The row reads ids (T,) from its start; what it held is forgotten.
        """


class Network(Protocol):
    """A network as an executor offers it; the engine drives it and knows nothing more."""

    config: ModelConfig
    position_bytes: int  # that a row remembers of each token; 0 where it cannot go back to one

    def new_memory(self, rows: int, length: int) -> Memory:
        """An empty memory for `rows` sequences of up to `length` tokens."""

    def step(self, memory: Memory, tokens: Tokens) -> Logits:
        """Read the tokens into the memory; logits (wanted, V) for those that ask for them."""


@dataclass(frozen=True)
class Text:
    """A whole text, or a sound, to be read at once."""

    ids: Sequence[int] = ()
    segments: Sequence[int] | None = None  # which text of a pair each is of; None: all the first
    wanted: Sequence[int] | None = None  # places that "masked" tells of; None: all
    features: Values | None = None  # (F, frames) of a sound, in place of ids


class Reader(Protocol):
    """A network that tells something of whole texts, as an executor offers it."""

    config: ModelConfig

    def read(self, texts: Sequence[Text]) -> list[Values]:
        """What the network's output is for each text, whatever is read beside it.

        "class" and "labels": logits (outputs,); "tags": (T, outputs); "span": (T, 2); "masked":
        (wanted, V); "ctc": (T, V); "embedding": (D,), not yet brought to unit length.
        """


def check_texts(texts: Sequence[Text], config: ModelConfig) -> None:
    """Raise RequestError for texts that a network cannot read, and for one that reads none."""
    if config.output == "token" or (config.encoder is not None and config.decoder is not None):
        raise RequestError("the network tells nothing of whole texts.")
    if config.reads_sound or any(text.features is not None for text in texts):
        _check_sounds(texts, config)
        return
    stack, words = config.top, config.source_vocabulary or config.vocabulary
    for number, text in enumerate(texts):
        faults = (
            (not len(text.ids), "it has no tokens."),
            (
                0 < stack.length < len(text.ids),
                f"it has {len(text.ids)} tokens, but the network reads {stack.length} at most.",
            ),
            (not _within(text.ids, words), f"an id is none of the {words} tokens."),
            (
                text.segments is not None
                and (
                    len(text.segments) != len(text.ids)
                    or not _within(text.segments, max(stack.segments, 1))
                ),
                f"each id needs a segment from 0 to {max(stack.segments, 1) - 1}.",
            ),
            (
                text.wanted is not None and not _within(text.wanted, len(text.ids)),
                f"a wanted place is none of its {len(text.ids)}.",
            ),
        )
        for wrong, what in faults:
            if wrong:
                raise RequestError(f"text {number + 1} cannot be read: {what}")


def _within(numbers: Sequence[int], limit: int) -> bool:
    return not len(numbers) or (min(numbers) >= 0 and max(numbers) < limit)


def _check_sounds(texts: Sequence[Text], config: ModelConfig) -> None:
    for text in texts:
        if text.features is None or len(text.ids):
            raise RequestError(
                "the network reads the features of a sound, not ids."
                if config.reads_sound
                else "the network reads ids, not a sound."
            )
        check_sound(text.features, config)


def check_sound(features: Values, config: ModelConfig) -> None:
    """Raise RequestError for features (F, frames) that an encoder cannot read."""
    encoder = config.encoder
    if encoder is None or encoder.front is None:
        raise RequestError("the network reads no sound.")
    if features.ndim != 2 or features.shape[0] != encoder.front.features or not features.shape[1]:
        raise RequestError(
            f"features of the shape {features.shape} are not those of a sound of "
            f"{encoder.front.features} values for each frame."
        )
    states = encoder.front.states(features.shape[1])
    if not states:
        raise RequestError(f"a sound of {features.shape[1]} frames is too short to be heard.")
    if encoder.length and states > encoder.length:
        raise RequestError(
            f"the sound has {features.shape[1]} frames, but the network reads "
            f"{encoder.length * encoder.front.stride} at most."
        )
    if not np.isfinite(features).all():
        raise RequestError("the features of the sound are not all finite numbers.")
