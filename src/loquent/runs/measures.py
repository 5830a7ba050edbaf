"""What a comparison measures of a run beside its quality: memory, speeds, and what it recalls.

It is kept in the run's folder, so that it is measured once.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from loquent.errors import CheckpointError
from loquent.runs.folder import write_text
from loquent.settings import write

NAME = "measures.json"


class Writing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast a network writes one text of so many tokens behind a short prompt."""

    tokens: int
    runtime: Literal["native", "torch"]
    precision: str
    tokens_per_second: float | None  # of the whole text; None: the network cannot write so much


class Recall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of the texts with a gap were answered rightly."""

    gap: int
    right: int
    texts: int


class Measures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The measures of one run; what was not measured is None or empty."""

    tokens_per_second: float | None = None  # while it learned, judging not counted
    memory_bytes: int | None = None  # at the peak of learning, of the whole process or of the GPU
    context: int = 0  # tokens that the network can read and write in one text; 0: any number
    writing: tuple[Writing, ...] = ()
    recall: tuple[Recall, ...] = ()

    def covers(self, lengths: Sequence[int], gaps: Sequence[int]) -> bool:
        """Whether all that is asked for was measured."""
        written = {each.tokens for each in self.writing}
        return written >= set(lengths) and {each.gap for each in self.recall} >= set(gaps)


def read_measures(folder: Path) -> Measures | None:
    """What was measured of a run; None where nothing was. Raises CheckpointError."""
    path = folder / NAME
    try:
        return msgspec.convert(json.loads(path.read_bytes()), Measures)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:  # of which msgspec's errors are some
        raise CheckpointError(f"cannot be read: {fault}.", where=str(path)) from fault


def write_measures(folder: Path, measures: Measures) -> None:
    """Keep them in a run's folder; raises CheckpointError."""
    values: dict[str, Any] = write(measures)
    write_text(folder / NAME, json.dumps(values, indent=1) + "\n")
