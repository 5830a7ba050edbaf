"""Long texts under a model that reads so many tokens at most: windows that overlap.

What is counted are stretches of the text, which do not depend on a model's tokens, so that models
with different tokenizers can be compared on the same ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loquent.engine.sampling import log_softmax
from loquent.errors import UsageError
from loquent.lm.likelihood import read
from loquent.lm.lm import LM

CONTEXT = 1024  # tokens of a window
_STRETCH = 1000  # characters, and on to the end of a line
_LONGEST = 4000
_ROWS = 64  # whose logits are made wide together


@dataclass(frozen=True)
class Window:
    """How many tokens are read together, and by how many the next window is farther on."""

    context: int
    stride: int
    begin: int | None  # id that stands before a text

    @property
    def setting(self) -> str:
        """As a part of a signature."""
        told = "yes" if self.begin is not None else "no, the first token is not scored"
        return f"context:{self.context}|stride:{self.stride}|begin token:{told}"


def window_of(lm: LM, context: int, stride: int) -> Window:
    """The window that is asked for, or fits; raises UsageError where the model reads less."""
    most = lm.context or max(context, CONTEXT)
    if context > most:
        raise UsageError(f"a window of {context} tokens, but the model reads {most} at most.")
    size = context or min(CONTEXT, most)
    tokenizer = lm.tokenizer
    begin = tokenizer.begin if tokenizer.begin is not None else tokenizer.end
    return Window(size, stride or max(size // 2, 1), begin)


def token_nats(lm: LM, text: str, window: Window) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The -log p of each token (T,) behind those before it, and its first character (T,).

    Each is told with `context - stride` tokens before it at least, where the text has them.
    """
    encoding = lm.tokenizer.encodings([text], special=False)[0]
    ids, starts = list(encoding.ids), [start for start, _ in encoding.offsets]
    first = 1
    if window.begin is not None:
        ids, starts = [window.begin, *ids], [-1, *starts]
    nats = np.zeros(max(len(ids) - 1, 0))
    while first < len(ids):
        begin = max(min(first - 1, first + window.stride - window.context), 0)
        last = min(begin + window.context, len(ids)) if first == 1 else first + window.stride
        last = min(last, len(ids))
        for place, logits in read(lm.network, ids[begin : last - 1], first - 1 - begin):
            for row in range(0, len(logits), _ROWS):
                at = begin + place + row
                logs = log_softmax(logits[row : row + _ROWS])
                targets = ids[at + 1 : at + 1 + len(logs)]
                nats[at : at + len(logs)] = -logs[np.arange(len(logs)), targets]
        first = last
    return nats, np.array(starts[1:], np.int64)


def stretches(text: str) -> Iterator[tuple[int, int]]:
    """The first character of each stretch, and the one behind its last."""
    start = 0
    while start < len(text):
        stop = min(start + _STRETCH, len(text))
        if stop < len(text):
            line = text.find("\n", stop, start + _LONGEST)
            space = text.find(" ", stop, start + _LONGEST)
            found = line if line >= 0 else space
            stop = found + 1 if found >= 0 else min(start + _LONGEST, len(text))
        if len(text) - stop < _STRETCH // 2:
            stop = len(text)
        yield start, stop
        start = stop
