"""`vocab.json` and `merges.txt`: the byte-level BPE of GPT-2 (Radford et al. 2019, §2.2)."""

from pathlib import Path

import tokenizers
from tokenizers import decoders, models

from loquent.errors import CheckpointError
from loquent.text.documents import parse, read_bytes, read_text
from loquent.text.guard import guarded
from loquent.text.patterns import CUTS, byte_level
from loquent.text.readers.draft import Draft
from loquent.text.readers.fast import MAXIMAL_ID

END = "<|endoftext|>"


def read(path: Path) -> Draft:
    """Read a `vocab.json` and the `merges.txt` beside it; raises CheckpointError."""
    beside = path.with_name("merges.txt")
    vocab = parse(read_bytes(path), dict[str, int], str(path))
    if not vocab or not 0 <= min(vocab.values()) <= max(vocab.values()) < MAXIMAL_ID:
        raise CheckpointError(f"an id is not from 0 to {MAXIMAL_ID - 1}.", where=str(path))
    merges = []
    for number, line in enumerate(read_text(beside).split("\n"), start=1):
        text = line.rstrip("\r")
        if not text or (number == 1 and text.startswith("#version")):
            continue
        left, _, right = text.partition(" ")
        missing = [piece for piece in (left, right, left + right) if piece not in vocab]
        if not left or not right or missing:
            raise CheckpointError(
                f"{text[:80]!r} is no merge of pieces in {path.name}.", where=f"{beside}:{number}"
            )
        merges.append((left, right))
    names = {name: END for name in ("bos_token", "eos_token", "unk_token") if END in vocab}
    library = bpe(vocab, merges, "gpt2", str(path))
    return Draft(library, str(path), names, (False, False), max(vocab.values()) + 1)


def bpe(
    vocab: dict[str, int],
    merges: list[tuple[str, str]],
    cut: str,
    where: str,
    *,
    whole_words: bool = False,
) -> tokenizers.Tokenizer:
    """A byte-level BPE; with `whole_words` a word in the vocabulary is not put together."""
    with guarded(where, "building the tokenizer"):
        model = models.BPE(vocab=vocab, merges=merges, ignore_merges=whole_words)
        library = tokenizers.Tokenizer(model)
        library.pre_tokenizer = byte_level(CUTS[cut])
        library.decoder = decoders.ByteLevel()
    return library
