"""A tokenizer as a reader leaves it: the rules, before names and flags are settled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import tokenizers

from loquent.errors import CheckpointError


@dataclass
class Draft:
    """What a reader found, and what its kind of file means where no setting says otherwise."""

    library: tokenizers.Tokenizer
    where: str
    names: Mapping[str, str] = field(default_factory=dict)  # "bos_token": "<s>", …
    adds: tuple[bool, bool] | None = None  # begin and end around a text; None: as the library does
    vocabulary: int | None = None  # None: to be counted
    complete: bool = False  # settings add no token that it has already


def encloses(
    library: tokenizers.Tokenizer, begin: str | None, end: str | None, where: str
) -> tokenizers.processors.PostProcessor:
    """What puts `begin` and `end` around a text; either may be None."""
    special = []
    for piece in dict.fromkeys(piece for piece in (begin, end) if piece is not None):
        id = library.token_to_id(piece)
        if id is None:
            raise CheckpointError(f"token {piece!r} is not in the vocabulary.", where=where)
        special.append((piece, id))
    front = [f"{begin}:0"] if begin is not None else []
    back = [f"{end}:0"] if end is not None else []
    return tokenizers.processors.TemplateProcessing(
        single=[*front, "$A:0", *back], pair=None, special_tokens=special
    )
