"""Texts as networks expect them: between the tokens that begin and end them."""

from loquent.errors import DataError
from loquent.text.encoding import encoded
from loquent.text.tokenizer import Tokenizer


def ids_of(tokenizer: Tokenizer, text: str, *, begin: bool = False, end: bool = False) -> list[int]:
    """The ids of a text, between the begin and the end token where they are asked for and known.

    The names of special tokens inside the text are text like any other.
    """
    ids = tokenizer.encode(text, special=False, parse_special=False)
    first = [tokenizer.begin] if begin and tokenizer.begin is not None else []
    last = [tokenizer.end] if end and tokenizer.end is not None else []
    return [*first, *ids, *last]


def framed(tokenizer: Tokenizer, *texts: str) -> list[int]:
    """The ids of one text or a pair, with the special tokens that an encoder expects around it."""
    first, *second = texts
    return encoded(tokenizer, [(first, second[0]) if second else first])[0].ids


def target_of(tokenizer: Tokenizer, text: str, start: int) -> list[int]:
    """The ids of a text that a decoder behind an encoder writes: `start`, then the text framed.

    Some families frame it by a begin token too, which they write behind the start (BART); where the
    start is that token, it stands there once.
    """
    ids = framed(tokenizer, text)
    return ids if ids[:1] == [start] and len(ids) > 1 else [start, *ids]


def start_of(tokenizer: Tokenizer) -> int:
    """The id that a decoder's text begins with where its makers name none: begin, pad or end.

    Raises DataError where the tokenizer has none of them.
    """
    for id in (tokenizer.begin, tokenizer.pad, tokenizer.end):
        if id is not None:
            return id
    raise DataError("has no token that a text could begin with.", where=tokenizer.where)
