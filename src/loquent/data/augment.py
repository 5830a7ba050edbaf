"""Variants of records: words changed places, were left out, repeated or mistyped; labels stay.

The operations are those of Wei and Zou 2019, section 2 ("easy data augmentation"), without the two
that need a dictionary of synonyms: random swap, random deletion, and an insertion that repeats a
word of the text; and two kinds of slips. In Chinese and Japanese a character is what a word is
elsewhere.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from loquent.data.reading import Record
from loquent.errors import ConfigError, DataError, UserError, nearest, together

Words = list[str]
Operation = Callable[[Words, int, random.Random], Words]  # words, how many change, chance

VARIED = ("text", "source")  # the field of a normal record that a variant changes

_MOST_COPIES = 100
_TRIES = 8  # draws of a variant before a text counts as one that cannot be varied
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|"
                   r"[^\s\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")  # fmt: skip
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHORTEST = 4  # letters of a word in which two may change places


def swapped(words: Words, count: int, chance: random.Random) -> Words:
    """Two words change places, `count` times."""
    made = list(words)
    for _ in range(count if len(made) > 1 else 0):
        one, other = chance.sample(range(len(made)), 2)
        made[one], made[other] = made[other], made[one]
    return made


def deleted(words: Words, count: int, chance: random.Random) -> Words:
    """Some words are left out; one at least stays."""
    gone = set(chance.sample(range(len(words)), min(count, len(words) - 1)))
    return [word for place, word in enumerate(words) if place not in gone]


def inserted(words: Words, count: int, chance: random.Random) -> Words:
    """Words of the text are said once more, anywhere."""
    made = list(words)
    for word in chance.choices(words, k=count):
        made.insert(chance.randint(0, len(made)), word)
    return made


def mistyped(words: Words, count: int, chance: random.Random) -> Words:
    """A letter of some words becomes its neighbor on the keyboard (QWERTY)."""
    able = [place for place, word in enumerate(words) if any(map(_beside, word))]
    made = list(words)
    for place in chance.sample(able, min(count, len(able))):
        word = made[place]
        at = chance.choice([number for number, letter in enumerate(word) if _beside(letter)])
        letter = chance.choice(_beside(word[at]))
        made[place] = (
            word[:at] + (letter.upper() if word[at].isupper() else letter) + word[at + 1 :]
        )
    return made


def transposed(words: Words, count: int, chance: random.Random) -> Words:
    """Two neighboring letters inside some words change places; the first and the last stay."""
    able = [place for place, word in enumerate(words) if _letters(word)]
    made = list(words)
    for place in chance.sample(able, min(count, len(able))):
        word = made[place]
        at = chance.choice(_letters(word))
        made[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return made


OPERATIONS: Mapping[str, Operation] = {
    "swap": swapped,
    "delete": deleted,
    "insert": inserted,
    "keyboard": mistyped,
    "transpose": transposed,
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Which variants are made, and how many."""

    operations: tuple[str, ...]
    share: float = 0.1  # of the words that change; one at least
    copies: int = 1  # variants of each record, by the operations in turn
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is impossible, all at once; raises ConfigError."""
        faults: list[UserError] = [
            ConfigError(f"there is no operation {name!r}.", fix=nearest(name, OPERATIONS))
            for name in self.operations
            if name not in OPERATIONS
        ]
        if not self.operations:
            faults.append(ConfigError(f"no operation is named: {', '.join(OPERATIONS)}."))
        if not 0 < self.share <= 1:
            faults.append(ConfigError(f"share must be above 0 and at most 1, not {self.share}."))
        if not 1 <= self.copies <= _MOST_COPIES:
            faults.append(ConfigError(f"copies must be from 1 to {_MOST_COPIES}."))
        if faults:
            raise together(ConfigError, faults)


def augmented(
    records: Iterable[Record], settings: Augmentation, made: Counter[str] | None = None
) -> Iterator[Record]:
    """Each record in its normal form, and behind it its variants, which keep its label or target.

    A variant depends on the seed, the record's number and its own alone. `made` counts them by
    operation, and as "none" those that could not be: texts too short to vary. Raises DataError for
    a record without a text to vary.
    """
    counted: Counter[str] = Counter() if made is None else made
    for record in records:
        yield record
        field = _field(record)
        for copy in range(settings.copies):
            chance = random.Random(f"{settings.seed} {record.index} {copy}")
            name = settings.operations[(record.index + copy) % len(settings.operations)]
            text = varied(record.values[field], name, settings.share, chance)
            counted["none" if text is None else name] += 1
            if text is not None:
                where = f"{record.where} ({name})"
                yield replace(record, values={**record.values, field: text}, where=where)


def rewritten(
    records: Iterable[Record],
    rewrite: Callable[[Sequence[str]], Sequence[str]],
    made: Counter[str],
    *,
    size: int = 32,
) -> Iterator[Record]:
    """Each record in its normal form, and behind every `size` of them what `rewrite` makes of them.

    For what a model does to a text: a translation there and back, or a paraphrase. `made` counts
    them, and as "none" those that came back as they were. Raises DataError as `augmented` does.
    """
    every = iter(records)
    while some := list(islice(every, size)):
        yield from some
        texts = [record.values[_field(record)] for record in some]
        for record, old, new in zip(some, texts, rewrite(texts), strict=True):
            same = not new.strip() or new.split() == old.split()
            made["none" if same else "rewritten"] += 1
            if not same:
                values = {**record.values, _field(record): new}
                yield replace(record, values=values, where=f"{record.where} (rewritten)")


def varied(text: str, name: str, share: float, chance: random.Random) -> str | None:
    """Another form of a text by one operation; None where it has none."""
    words = _WORD.findall(text)
    if not words:
        return None
    count = max(1, round(share * len(words)))
    for _ in range(_TRIES):
        found = OPERATIONS[name](words, count, chance)
        if found != words:
            return _joined(text, words, found)
    return None


def told(made: Mapping[str, int]) -> str:
    """What was added, in words."""
    kinds = [f"{name} {count:,}" for name, count in made.items() if name != "none" and count]
    total = sum(count for name, count in made.items() if name != "none")
    none = made.get("none", 0)
    short = f"; {none:,} had no other form" if none else ""
    return f"{total:,} variants were added ({', '.join(kinds) or 'none'}){short}."


def _joined(text: str, words: Sequence[str], found: Sequence[str]) -> str:
    """Words with the spaces of the text between them, and others where there are more words."""
    gaps, place = [], 0
    for word in words:
        start = text.index(word, place)
        gaps.append(text[place:start])
        place = start + len(word)
    usual = "" if len(gaps) > 1 and not any(gaps[1:]) else " "
    between = [*gaps[: len(found)], *[usual] * (len(found) - len(gaps))]
    return "".join(gap + word for gap, word in zip(between, found, strict=True)) + text[place:]


def _field(record: Record) -> str:
    for name in VARIED:
        if isinstance(record.values.get(name), str):
            return name
    raise DataError(
        "has no text of which variants could be made.",
        where=record.where,
        fix="Variants are made of texts, of texts with labels, and of sources of pairs.",
    )


def _beside(letter: str) -> str:
    """The neighbors of a letter in its row of the keyboard; none where it is on no key."""
    low = letter.lower()
    for row in _ROWS:
        if low in row:
            at = row.index(low)
            return row[max(at - 1, 0) : at] + row[at + 1 : at + 2]
    return ""


def _letters(word: str) -> list[int]:
    """Where a letter inside a word and the one behind it may change places."""
    if len(word) < _SHORTEST:
        return []
    places = range(1, len(word) - 2)
    return [at for at in places if word[at] != word[at + 1] and word[at : at + 2].isalpha()]
