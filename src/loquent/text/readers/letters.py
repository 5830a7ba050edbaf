"""`vocab.json` without merges: the letters of a network that tells one for each moment (CTC)."""

from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

from loquent.errors import CheckpointError
from loquent.text.documents import parse, read_bytes, read_settings
from loquent.text.guard import guarded
from loquent.text.readers.draft import Draft
from loquent.text.readers.fast import MAXIMAL_ID

_SPACE = "|"
_NAMES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def fits(path: Path) -> bool:
    """Whether a `vocab.json` is one of letters: no merges beside it, letters and signs in it."""
    if path.with_name("merges.txt").is_file():
        return False
    vocab = parse(read_bytes(path), dict[str, int], str(path))
    signs = {piece for piece in vocab if piece[:1] + piece[-1:] in ("<>", "[]")}
    letters = vocab.keys() - signs
    return bool(signs or _SPACE in letters) and all(len(piece) == 1 for piece in letters)


def read(path: Path) -> Draft:
    """Read a `vocab.json` whose pieces are letters; raises CheckpointError.

    Letters that it knows in one case alone are read in both.
    """
    where = str(path)
    vocab = parse(read_bytes(path), dict[str, int], where)
    if not vocab or not 0 <= min(vocab.values()) <= max(vocab.values()) < MAXIMAL_ID:
        raise CheckpointError(f"an id is not from 0 to {MAXIMAL_ID - 1}.", where=where)
    said = read_settings(path.with_name("tokenizer_config.json"))
    space = said.get("word_delimiter_token", _SPACE)
    unknown = said.get("unk_token", _NAMES["unk_token"])
    steps: list[normalizers.Normalizer] = []
    if isinstance(space, str) and space in vocab:
        steps.append(normalizers.Replace(" ", space))
    for piece in vocab:
        other = piece.swapcase()
        if len(piece) == len(other) == 1 and other not in vocab:
            steps.append(normalizers.Replace(other, piece))
    with guarded(where, "building the tokenizer"):
        library = tokenizers.Tokenizer(models.WordLevel(vocab=vocab, unk_token=str(unknown)))
        library.normalizer = normalizers.Sequence(steps)
        library.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        spaces = [decoders.Replace(space, " ")] if isinstance(space, str) and space else []
        library.decoder = decoders.Sequence([*spaces, decoders.Fuse()])
    names = {name: piece for name, piece in _NAMES.items() if piece in vocab}
    last = max(vocab.values())
    return Draft(library, where, names, (False, False), last + 1, complete=True)
