"""The tokenizer inside a GGUF file, as llama.cpp understands its metadata."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from tokenizers import AddedToken

from loquent.errors import CheckpointError, nearest
from loquent.text.readers.assemble import finish
from loquent.text.readers.draft import Draft
from loquent.text.readers.gpt2 import bpe
from loquent.text.readers.sentencepiece import CONTROL, UNKNOWN, USER, SentencePiece, check, draft
from loquent.text.template import ChatTemplate
from loquent.text.tokenizer import Tokenizer

_ALL_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Pre:
    """What the name in `tokenizer.ggml.pre` stands for."""

    cut: str  # of patterns.CUTS
    whole_words: bool = False  # a word in the vocabulary is not put together from parts
    adds_begin: bool = False  # where the metadata do not say


_LLAMA3 = Pre("cl100k", whole_words=True, adds_begin=True)

PRE: dict[str, Pre] = {
    "default": Pre("default"),
    **dict.fromkeys(("gpt-2", "phi-2", "mpt", "olmo", "jais", "exaone4", "mellum"), Pre("gpt2")),
    **dict.fromkeys(("gigachat", "a.x-4.0", "trillion", "granite-docling"), Pre("gpt2")),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r", "codeshell"), Pre("digits")),
    **dict.fromkeys(("exaone", "minerva-7b"), Pre("digits")),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "lfm2"), _LLAMA3),
    **dict.fromkeys(("dbrx", "smaug-bpe", "glm4", "chatglm-bpe"), Pre("cl100k")),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan"), Pre("qwen2")),
    "qwen35": Pre("qwen35"),
    **dict.fromkeys(("gpt-4o", "llama4", "kanana2"), Pre("o200k")),
    "tekken": Pre("tekken", whole_words=True, adds_begin=True),
    **dict.fromkeys(("deepseek-v3", "hunyuan-dense"), Pre("deepseek3")),
    "falcon": Pre("falcon"),
    **dict.fromkeys(("bloom", "gpt3-finnish", "poro-chat"), Pre("bloom")),
}


def from_gguf(metadata: Mapping[str, object], *, where: str = "GGUF metadata") -> Tokenizer:
    """The tokenizer that a GGUF file's metadata describe.

    Raises CheckpointError that names the key; an unknown model or pre-tokenizer is refused by name.
    """
    said = _Metadata(metadata, where)
    model = said.text("model", "")
    if model not in MODELS:
        raise CheckpointError(
            f"tokenizer model {model!r} is not executed here.",
            where=f"{where}: tokenizer.ggml.model",
            fix=nearest(model, MODELS),
        )
    made = MODELS[model](said)
    ids = {name: said.id(key) for name, key in _NAMES.items()}
    pieces = said.pieces
    names = {name: pieces[id] for name, id in ids.items() if id is not None}
    ends = [said.id(key) for key in ("eot_token_id", "eom_token_id")]
    adds = made.adds or (False, False)
    made.names = {**made.names, **names}
    made.adds = (said.flag("add_bos_token", adds[0]), said.flag("add_eos_token", adds[1]))
    for key, name in (("add_bos_token", "bos_token"), ("add_eos_token", "eos_token")):
        if said.flag(key, False) and name not in made.names:
            raise said.fault(key, f"is set, but {_NAMES[name]} names no token.")
    template = said.metadata.get("tokenizer.chat_template")
    chat = None
    if isinstance(template, str):
        chat = ChatTemplate(template, pieces=made.names, where=f"{where}: tokenizer.chat_template")
    return finish(made, ends=[id for id in ends if id is not None], template=chat)


_NAMES = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}


class _Metadata:
    """The keys under `tokenizer.ggml.`, each checked for its kind."""

    def __init__(self, metadata: Mapping[str, object], where: str) -> None:
        self.metadata = metadata
        self.where = where

    def fault(self, key: str, what: str) -> CheckpointError:
        return CheckpointError(what, where=f"{self.where}: tokenizer.ggml.{key}")

    def text(self, key: str, default: str) -> str:
        value = self.metadata.get(f"tokenizer.ggml.{key}", default)
        if not isinstance(value, str):
            raise self.fault(key, f"is no text but {type(value).__name__}.")
        return value

    def flag(self, key: str, default: bool) -> bool:
        return bool(self.metadata.get(f"tokenizer.ggml.{key}", default))

    def id(self, key: str) -> int | None:
        value = self.metadata.get(f"tokenizer.ggml.{key}")
        if value is None:
            return None
        id = int(value) if isinstance(value, int) or hasattr(value, "__index__") else -1
        # llama.cpp's converters write 2**32 - 1 for "none"
        return id if 0 <= id < len(self.pieces) else None

    def numbers(self, key: str, default: float, count: int) -> list[float]:
        value = self.metadata.get(f"tokenizer.ggml.{key}")
        if value is None:
            return [default] * count
        if not isinstance(value, Iterable) or isinstance(value, str | bytes):
            raise self.fault(key, "is no list of numbers.")
        numbers = value.tolist() if hasattr(value, "tolist") else list(value)
        if len(numbers) != count or not all(isinstance(each, int | float) for each in numbers):
            raise self.fault(key, f"has {len(numbers)} numbers for {count} tokens.")
        return numbers

    def texts(self, key: str) -> list[str]:
        value = self.metadata.get(f"tokenizer.ggml.{key}")
        if not isinstance(value, Iterable) or isinstance(value, str | bytes):
            raise self.fault(key, "is missing." if value is None else "is no list of texts.")
        texts = list(value)
        if not all(isinstance(each, str) for each in texts):
            raise self.fault(key, "is no list of texts.")
        if sum(map(len, texts)) > _ALL_BYTES:
            raise self.fault(key, f"has over {_ALL_BYTES} characters.")
        return texts

    @cached_property
    def pieces(self) -> list[str]:
        return [text or f"[EMPTY_{id}]" for id, text in enumerate(self.texts("tokens"))]


def _gpt2(said: _Metadata) -> Draft:
    """A byte-level BPE with its merges."""
    name = said.text("pre", "default")
    if name not in PRE:
        raise said.fault(
            "pre", f"pre-tokenizer {name!r} is not known here. {nearest(name, PRE)}".rstrip()
        )
    pre = PRE[name]
    pieces = said.pieces
    vocab = {piece: id for id, piece in enumerate(pieces)}
    if len(vocab) < len(pieces):
        twice = next(piece for id, piece in enumerate(pieces) if vocab[piece] != id)
        raise said.fault("tokens", f"token {twice!r} is there twice.")
    merges = []
    for number, text in enumerate(said.texts("merges")):
        cut = text.find(" ", 1)  # the left part may itself be a space
        left, right = text[:cut], text[cut + 1 :]
        if cut < 0 or left not in vocab or right not in vocab or left + right not in vocab:
            raise said.fault("merges", f"merge {number}, {text[:80]!r}, is no merge of tokens.")
        merges.append((left, right))
    library = bpe(vocab, merges, pre.cut, said.where, whole_words=pre.whole_words)
    kinds = said.numbers("token_type", 1, len(pieces))
    library.add_tokens(
        [
            AddedToken(piece, normalized=False, special=kind != USER)
            for piece, kind in zip(pieces, kinds, strict=True)
            if kind in (UNKNOWN, CONTROL, USER)
        ]
    )
    return Draft(library, said.where, {}, (pre.adds_begin, False), len(pieces))


def _llama(said: _Metadata) -> Draft:
    """A SentencePiece BPE, whose merges follow from the scores."""
    pieces = said.pieces
    kinds = [int(kind) for kind in said.numbers("token_type", 1, len(pieces))]
    model = SentencePiece(
        said.where,
        pieces,
        [float(score) for score in said.numbers("scores", 0, len(pieces))],
        kinds,
        model="bpe",
        byte_fallback={f"<0x{byte:02X}>" for byte in range(256)} <= set(pieces),
        dummy_prefix=said.flag("add_space_prefix", True),
        trim=False,
    )
    check(model)
    made = draft(model, everywhere=True)
    made.adds = (True, False)
    return made


MODELS = {"gpt2": _gpt2, "llama": _llama}
