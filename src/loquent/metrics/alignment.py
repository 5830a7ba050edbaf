"""The longest common subsequence and the edit distance, on whole rows of bits at a time."""

from collections.abc import Hashable, Sequence

Items = Sequence[Hashable]

_RARE = 16  # a row of bits is made anew each time for items that come no more often
_SHORT_BYTES = 512  # rows of this size are all kept


def common_length(one: Items, other: Items) -> int:
    """How long the longest common subsequence is (Hyyrö 2004, §4).

    A bit of `row` is 0 where the table of lengths grows by one, so the zeros are counted.
    """
    full = (1 << len(one)) - 1
    places = _Places(one)
    row = full
    for item in other:
        found = row & places.of(item)
        row = ((row + found) | (row - found)) & full
    return len(one) - row.bit_count()


def common_places(one: Items, other: Items) -> list[int]:
    """Where in `one` a longest common subsequence stands.

    Of several the one that ROUGE-1.5.5 finds, from the ends back: an equal pair is taken, else
    `other` is shortened only where that leaves a longer one than shortening `one`.
    """
    full = (1 << len(other)) - 1
    places = _Places(other)
    rows = [full]
    for item in one:
        row = rows[-1]
        found = row & places.of(item)
        rows.append(((row + found) | (row - found)) & full)
    place, end = len(one), len(other)
    made: list[int] = []
    while place and end:
        below = (1 << (end - 1)) - 1
        if one[place - 1] == other[end - 1]:
            made.append(place - 1)
            place, end = place - 1, end - 1
        elif _zeros(rows[place], below) > _zeros(rows[place - 1], below << 1 | 1):
            end -= 1
        else:
            place -= 1
    return made[::-1]


def _zeros(row: int, below: int) -> int:
    return (below & ~row).bit_count()


def edits(one: Items, other: Items) -> int:
    """How many insertions, deletions and substitutions turn one into the other (Levenshtein 1966).

    A column of the table is two rows of bits: where it grows and where it shrinks (Myers 1999, in
    the form of Hyyrö 2003, figure 7).
    """
    one, other = _unlike(one, other)
    if not one or not other:
        return max(len(one), len(other))
    full, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    places = _Places(one)
    grows, shrinks, distance = full, 0, len(one)
    for item in other:
        equal = places.of(item)
        diagonal = ((((equal & grows) + grows) ^ grows) | equal | shrinks) & full
        more = shrinks | (full & ~(diagonal | grows))
        fewer = diagonal & grows
        distance += bool(more & last) - bool(fewer & last)
        more, fewer = more << 1 | 1, fewer << 1
        grows = (fewer | ~(diagonal | more)) & full
        shrinks = more & diagonal & full
    return distance


def _unlike(one: Items, other: Items) -> tuple[Items, Items]:
    """Both without what they begin and end with alike."""
    most = min(len(one), len(other))
    start = next((place for place in range(most) if one[place] != other[place]), most)
    most -= start
    end = next((place for place in range(most) if one[-1 - place] != other[-1 - place]), most)
    return one[start : len(one) - end], other[start : len(other) - end]


class _Places:
    """For each item a bit at each place where it stands.

    A row of bits is as long as the text, so only those of frequent items are kept: otherwise a
    text without a word that comes twice would need memory of its length squared.
    """

    def __init__(self, items: Items) -> None:
        self._places: dict[Hashable, list[int]] = {}
        for place, item in enumerate(items):
            self._places.setdefault(item, []).append(place)
        self._rows: dict[Hashable, int] = {}
        size = (len(items) + 7) // 8
        for item, places in self._places.items():
            if len(places) > _RARE or size <= _SHORT_BYTES:
                row = bytearray(size)
                for place in places:
                    row[place >> 3] |= 1 << (place & 7)
                self._rows[item] = int.from_bytes(row, "little")

    def of(self, item: Hashable) -> int:
        """The row of an item."""
        row = self._rows.get(item)
        if row is None:
            row = 0
            for place in self._places.get(item, ()):
                row |= 1 << place
        return row
