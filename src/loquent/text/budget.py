"""How much time and memory a chat template may still take."""

import time
from collections.abc import Mapping, MappingView
from typing import Any

LIMIT_BYTES = 24 * 2**20  # of all values made; with copies in transit a rendering stays under 64 MB
LIMIT_SECONDS = 0.5  # of processor time of this thread
STEP_BYTES = 32  # what one step costs, so that their number is limited too
_NODE_BYTES = 96  # a container, and each value in it
_STEPS = 2048  # values after which the clock is looked at


class Exhausted(Exception):  # noqa: N818 - a word, as StopIteration is
    """A template wants more than its limit."""


class Budget:
    """Counts down; every value that a template makes is paid for, and none is given back.

    A container is paid with all that is in it, however often: so nothing that a template can make
    takes more than the limit when it is compared, copied or written out later.
    """

    def __init__(self, limit: int = LIMIT_BYTES, seconds: float = LIMIT_SECONDS) -> None:
        self._left = limit
        self._end = time.thread_time() + seconds

    def spend(self, amount: int = STEP_BYTES) -> None:
        """Pay for memory that is about to be taken; raises Exhausted where too little is left."""
        self._left -= amount
        if self._left < 0:
            raise Exhausted("more memory")
        if time.thread_time() > self._end:
            raise Exhausted("more time")

    def pay(self, value: Any) -> Any:
        """Pay for a value that was made, and hand it on."""
        self.spend(STEP_BYTES + self.weight(value))
        return value

    def weight(self, value: Any) -> int:
        """Bytes of a value with all that is in it; stops counting where too little is left."""
        total = steps = 0
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, str):
                total += _NODE_BYTES + size(each)
            elif isinstance(each, list | tuple):
                total += _NODE_BYTES + 8 * len(each)
                waiting.extend(each)
            elif isinstance(each, Mapping):
                total += 2 * _NODE_BYTES + 16 * len(each)
                waiting.extend(each.keys())
                waiting.extend(each.values())
            elif isinstance(each, MappingView):
                total += _NODE_BYTES + 16 * len(each)
                waiting.extend(each)  # type: ignore[arg-type]
            elif isinstance(each, int):
                total += _NODE_BYTES + each.bit_length() // 8
            else:
                total += _NODE_BYTES
            steps += 1
            if total > self._left or not steps % _STEPS:
                self.spend(0)
                if total > self._left:
                    break
        return total


def size(text: str) -> int:
    """Bytes that a text takes, at most: its widest character is not looked for in a short one."""
    if text.isascii():
        return len(text)
    return 4 * len(text)
