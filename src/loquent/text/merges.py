"""The merges of a byte-pair encoding, where a file gives only the order of its pieces."""

from collections.abc import Iterable, Sequence


def merges_of(pieces: Iterable[str], allowed: frozenset[str] | set[str]) -> list[tuple[str, str]]:
    """Every pair of allowed pieces that makes a piece, in the order of the pieces they make.

    An encoder that joins the two neighbors whose union comes first in that order (SentencePiece,
    tiktoken) does the same as one that follows these merges. Pairs of one union stand with the
    longest left part first: where two overlap, the encoder takes the left one.
    """
    return [
        (piece[:cut], piece[cut:])
        for piece in pieces
        for cut in range(len(piece) - 1, 0, -1)
        if piece[:cut] in allowed and piece[cut:] in allowed
    ]


def by_score(pieces: Sequence[str], scores: Sequence[float], ids: Iterable[int]) -> list[str]:
    """The pieces of `ids` with the highest score first; of equal ones the first in the file."""
    return [pieces[id] for id in sorted(ids, key=lambda each: (-scores[each], each))]
