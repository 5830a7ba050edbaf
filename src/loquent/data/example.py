"""What a model reads and learns of one record, as ids."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Example:
    """One record as ids: what is read, what is learned of it, and what is to be told of it."""

    ids: NDArray[np.int32]  # (T,) what the decoder, or an encoder alone, reads; with begin and end
    learned: NDArray[np.bool_] | None = None  # (T,) which of `ids` are targets; None: all
    source: NDArray[np.int32] | None = None  # (S,) what an encoder reads before a decoder
    labels: NDArray[np.int32] | None = None  # class (1,); labels (L,) of 0/1; tags (T,); span (2,)
    index: int = 0  # the number of its record
    segments: NDArray[np.int32] | None = None  # (T,) which text of a pair each of `ids` is of
    sound: NDArray[np.int16] | None = None  # (N,) samples that an encoder hears in place of ids
    frames: int = 0  # that come of the sound, and count as tokens
