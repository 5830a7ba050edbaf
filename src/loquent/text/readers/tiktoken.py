"""tiktoken ranks: lines of a piece in base64 and its rank."""

import base64
import binascii
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tokenizers import AddedToken

from loquent.errors import CheckpointError, nearest
from loquent.text.documents import read_bytes
from loquent.text.merges import merges_of
from loquent.text.pieces import byte_characters
from loquent.text.readers.draft import Draft
from loquent.text.readers.gpt2 import END, bpe

LIMIT_BYTES = 16 * 2**20  # the largest public file has about 4 MB
_PIECE_BYTES = 256
_ALL_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Encoding:
    """How the ranks of a file are meant: where words are cut, and which special tokens follow."""

    cut: str
    special: tuple[str | None, ...]  # from the first id after the ranks on; None where none is
    begin: str | None = None
    end: str = END


_LLAMA3 = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|step_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
    *(f"<|reserved_special_token_{number}|>" for number in range(2, 247)),
)
_FILLS = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
_PROMPT = "<|endofprompt|>"

# By the name of the file. Public encodings have the names that tiktoken gives them.
ENCODINGS: dict[str, Encoding] = {
    "gpt2": Encoding("gpt2", (END,)),
    "r50k_base": Encoding("gpt2", (END,)),
    "cl100k_base": Encoding("cl100k", (None, END, *_FILLS, *(None,) * 15, _PROMPT)),
    "o200k_base": Encoding("o200k", (None, END, *(None,) * 18, _PROMPT)),
    "qwen": Encoding("qwen2", (END, "<|im_start|>", "<|im_end|>")),
    "tokenizer": Encoding("cl100k", _LLAMA3, begin=_LLAMA3[0], end=_LLAMA3[1]),  # Llama 3
}


def read(path: Path) -> Draft:
    """Read ranks, whose meaning the file's name tells; raises CheckpointError."""
    where = str(path)
    name = path.name.split(".")[0]
    if name not in ENCODINGS:
        raise CheckpointError(
            f"{name!r} is no encoding whose rules are known.",
            where=where,
            fix=f"{nearest(name, ENCODINGS)} Name the file after the encoding.",
        )
    encoding = ENCODINGS[name]
    ranks = parse_ranks(read_bytes(path, LIMIT_BYTES), where)
    pieces = sorted(ranks, key=ranks.__getitem__)
    library = bpe(ranks, merges_of(pieces, set(pieces)), encoding.cut, where, whole_words=True)
    special = [
        piece or f"<|unused_{id}|>" for id, piece in enumerate(encoding.special, start=len(ranks))
    ]
    library.add_special_tokens(
        [AddedToken(piece, special=True, normalized=False) for piece in special]
    )
    for id, piece in enumerate(special, start=len(ranks)):
        if library.token_to_id(piece) != id:
            raise CheckpointError(f"special token {piece!r} cannot have id {id}.", where=where)
    names = {"bos_token": encoding.begin or encoding.end, "eos_token": encoding.end}
    return Draft(library, where, names, (encoding.begin is not None, False), id + 1)


def parse_ranks(data: bytes, where: str) -> dict[str, int]:
    """The pieces, spelled in characters for bytes, and their ranks; raises CheckpointError."""
    spelling = {byte: character for character, byte in byte_characters().items()}
    ranks: dict[str, int] = {}
    total = 0
    for number, line in enumerate(BytesIO(data), start=1):
        if not line.strip():
            continue
        piece, rank = _line(line, f"{where}:{number}")
        total += len(piece)
        text = "".join(map(spelling.__getitem__, piece))
        if text in ranks:
            raise CheckpointError(f"piece {text!r} was there before.", where=f"{where}:{number}")
        ranks[text] = rank
    if total > _ALL_BYTES:
        raise CheckpointError(f"the pieces have over {_ALL_BYTES} bytes.", where=where)
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise CheckpointError("the ranks are not the numbers from 0 on, each once.", where=where)
    missing = [byte for byte in range(256) if spelling[byte] not in ranks]
    if missing:
        raise CheckpointError(f"byte {missing[0]} has no rank.", where=where)
    return ranks


def _line(line: bytes, place: str) -> tuple[bytes, int]:
    parts = line.split()
    if len(parts) != 2 or not parts[1].isdigit() or len(parts[1]) > 8:
        raise CheckpointError("is not a piece in base64 and its rank.", where=place)
    try:
        piece = base64.b64decode(parts[0], validate=True)
    except binascii.Error as fault:
        raise CheckpointError(f"the piece is no base64: {fault}.", where=place) from None
    if not 0 < len(piece) <= _PIECE_BYTES:
        raise CheckpointError(f"a piece has {len(piece)} bytes.", where=place)
    return piece, int(parts[1])
