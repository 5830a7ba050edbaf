"""From a draft to a tokenizer: special tokens, what encloses a text, what ends an answer."""

from collections.abc import Iterable

from tokenizers import AddedToken

from loquent.errors import CheckpointError
from loquent.text.guard import guarded
from loquent.text.readers.draft import Draft, encloses
from loquent.text.template import ChatTemplate
from loquent.text.tokenizer import Tokenizer


def finish(
    made: Draft, *, ends: Iterable[int] = (), template: ChatTemplate | None = None
) -> Tokenizer:
    """The tokenizer of a draft; special tokens that it names and lacks are added at the end."""
    library = made.library
    with guarded(made.where, "adding special tokens"):
        library.add_special_tokens(
            [
                AddedToken(piece, special=True, normalized=False)
                for piece in dict.fromkeys(made.names.values())
            ]
        )
    ids = {name: library.token_to_id(piece) for name, piece in made.names.items()}
    if made.adds is not None:
        begin = made.names.get("bos_token") if made.adds[0] else None
        end = made.names.get("eos_token") if made.adds[1] else None
        library.post_processor = encloses(library, begin, end, made.where)
    last = max((id for id in ids.values() if id is not None), default=-1)
    tokenizer = Tokenizer(
        library,
        begin=ids.get("bos_token"),
        end=ids.get("eos_token"),
        pad=ids.get("pad_token"),
        unknown=ids.get("unk_token"),
        ends=ends,
        vocabulary=None if made.vocabulary is None else max(made.vocabulary, last + 1),
        template=template,
        where=made.where,
    )
    around = tokenizer.encode("")
    outside = [id for id in (*around, *tokenizer.ends) if not 0 <= id < tokenizer.vocabulary]
    if outside:
        raise CheckpointError(
            f"a special token has id {outside[0]}, but ids end at {tokenizer.vocabulary - 1}.",
            where=made.where,
        )
    return tokenizer
