"""Labels that look like a slip of another one."""

from collections.abc import Mapping
from dataclasses import dataclass

_RARE_SHARE = 0.05  # of the other label's count: a slip is rare beside what was meant
_SHORT = 4  # characters; in shorter labels a slip cannot be told from another label
_MOST = 1000  # labels compared: beyond, they are no classes


@dataclass(frozen=True)
class Suggestion:
    """A label, how often it stands, and what was likely meant."""

    label: str
    count: int
    meant: str
    meant_count: int


def suggestions(counts: Mapping[str, int]) -> list[Suggestion]:
    """Labels that differ from a frequent one by case, white space, a slip or an abbreviation."""
    if len(counts) > _MOST:
        return []
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    found = []
    for place, name in enumerate(ordered):
        meant = next((each for each in ordered[:place] if _is_slip(name, each, counts)), None)
        if meant is not None:
            found.append(Suggestion(name, counts[name], meant, counts[meant]))
    return found


def _is_slip(name: str, meant: str, counts: Mapping[str, int]) -> bool:
    if _plain(name) == _plain(meant):
        return True
    if counts[name] > _RARE_SHARE * counts[meant] or any(map(str.isdigit, name + meant)):
        return False
    if meant.lower().startswith(name.lower()):
        return True
    if min(len(name), len(meant)) < _SHORT:
        return False
    most = 1 if len(name) <= 5 else 2
    return distance(_plain(name), _plain(meant)) <= most


def _plain(name: str) -> str:
    return "".join(each for each in name.casefold() if each.isalnum())


def distance(one: str, other: str) -> int:
    """Edits between two words: insert, delete, replace, swap neighbors.

    The "optimal string alignment" form of Damerau 1964.
    """
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        line = [row]
        for column, against in enumerate(other, 1):
            least = min(above[column] + 1, line[-1] + 1, above[column - 1] + (letter != against))
            swapped = (
                row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == against
            )
            line.append(min(least, before[column - 2] + 1) if swapped else least)
        before, above = above, line
    return above[-1]
