"""From a piece for each moment to a text (CTC, Graves et al. 2006): repeats and blanks left out."""

from collections.abc import Sequence
from itertools import groupby

BLANK = 0


def collapsed(ids: Sequence[int]) -> list[int]:
    """The pieces that the likeliest ones of all moments say."""
    return [each for each, _ in groupby(ids) if each != BLANK]
