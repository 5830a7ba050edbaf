"""What rows have read is kept for a while: a prompt that begins alike goes on from there."""

from collections import OrderedDict
from collections.abc import Sequence

LEAST = 16  # tokens that are worth taking over


class Prefixes:
    """Rows of the memory that nobody writes in, each with what it has read; the oldest go first."""

    def __init__(self, rows: Sequence[int], position_bytes: int, limit_bytes: int) -> None:
        """At most `limit_bytes` are kept; shared blocks are counted for each row that has them."""
        self._free = list(rows)
        self._kept: OrderedDict[int, list[int]] = OrderedDict()  # the least recently used first
        self._limit = limit_bytes // position_bytes if position_bytes else 0  # tokens

    @property
    def tokens(self) -> int:
        """How many tokens are kept."""
        return sum(map(len, self._kept.values()))

    def find(self, ids: Sequence[int]) -> tuple[int, int]:
        """The row that begins with the most tokens of `ids`, and how many: 0 where none does."""
        row, shared = 0, 0
        for other, read in self._kept.items():
            count = common(ids, read)
            if count > shared:
                row, shared = other, count
        if shared:
            self._kept.move_to_end(row)
        return row, shared

    def keep(self, ids: list[int]) -> tuple[int | None, list[int]]:
        """A row to keep these tokens in, if they are worth it, and rows to forget before that."""
        row, shared = self.find(ids)
        if not LEAST <= len(ids) <= self._limit or shared == len(ids):
            return None, []
        forgotten = []
        if shared and shared == len(self._kept[row]):
            forgotten.append(row)  # the new one continues it
        room = self._limit - len(ids)
        kept = [each for each in self._kept if each not in forgotten]
        while kept and (
            sum(len(self._kept[each]) for each in kept) > room or not (self._free or forgotten)
        ):
            forgotten.append(kept.pop(0))
        for each in forgotten:
            del self._kept[each]
            self._free.append(each)
        taken = self._free.pop()
        self._kept[taken] = ids
        return taken, forgotten


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # slices are compared in C, tokens would be in Python
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
