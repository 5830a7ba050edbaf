"""Open the tokenizer of a folder, whichever files describe it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from loquent.errors import CheckpointError, nearest
from loquent.text.documents import SETTINGS_BYTES, read_settings, read_text
from loquent.text.guard import guarded
from loquent.text.readers import fast, gpt2, letters, marian, sentencepiece, tiktoken
from loquent.text.readers.assemble import finish
from loquent.text.readers.draft import Draft
from loquent.text.template import ChatTemplate
from loquent.text.tokenizer import Tokenizer

# Named special tokens of tokenizer_config.json; what follows them are lists of further ones.
NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
FURTHER = ("additional_special_tokens", "extra_special_tokens")

# Which begin and end a class of tokenizers adds where no flag says so; other classes give the
# pieces of a SentencePiece model other ids than the file does, and need a tokenizer.json.
CLASSES = {
    "LlamaTokenizer": (True, False),
    "CodeLlamaTokenizer": (True, False),
    "GemmaTokenizer": (True, False),
    "T5Tokenizer": (False, True),
    "MT5Tokenizer": (False, True),
}


def _model(path: Path) -> Draft:
    """`tokenizer.model` is SentencePiece's, or tiktoken ranks as Llama 3 ships them."""
    with path.open("rb") as file:
        start = file.read(1)
    return sentencepiece.read(path) if start == b"\n" else tiktoken.read(path)


def _vocabulary(path: Path) -> Draft:
    """`vocab.json` is that of a byte-level BPE beside its merges, or one of letters."""
    return letters.read(path) if letters.fits(path) else gpt2.read(path)


READERS: dict[str, Callable[[Path], Draft]] = {
    "tokenizer.json": fast.read,
    "tokenizer.model": _model,
    "spiece.model": sentencepiece.read,
    "*.spm": marian.read,
    "vocab.json": _vocabulary,
    "*.tiktoken": tiktoken.read,
    "*.model": sentencepiece.read,
}


def open_tokenizer(path: Path, settings: Mapping[str, Any] | None = None) -> Tokenizer:
    """The tokenizer of a folder, or of one file; the first of READERS that fits is taken.

    `settings` are what its config.json says, or would say where there is none.

    Raises CheckpointError that names the file and what is wrong with it.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and marian.is_folder(path):
        return finish(marian.read(path / marian.TARGET))
    for pattern, reader in READERS.items():
        fitting = sorted(folder.glob(pattern)) if path.is_dir() else [path]
        found = [each for each in fitting if each.match(pattern)]
        if found:
            made = reader(found[0])
            return _settled(made, folder, settings) if path.is_dir() else finish(made)
    what = "has no tokenizer." if path.exists() else "is not there."
    raise CheckpointError(what, where=str(path), fix=f"Known files: {', '.join(READERS)}.")


def open_source_tokenizer(folder: Path) -> Tokenizer | None:
    """The tokenizer of what an encoder reads, where the folder's files say that it has its own.

    Raises CheckpointError as `open_tokenizer` does.
    """
    if not marian.is_folder(folder):
        return None
    return finish(marian.read(folder / marian.SOURCE))


def _settled(made: Draft, folder: Path, given: Mapping[str, Any] | None) -> Tokenizer:
    """Add what the files beside the tokenizer's own say."""
    config = read_settings(folder / "tokenizer_config.json")
    settings = dict(config)
    if "added_tokens_decoder" not in config:
        settings.update(read_settings(folder / "special_tokens_map.json"))
    _check_class(made, config, folder)
    _add(made, settings, folder)
    named = {name: _content(settings.get(name)) for name in NAMES}
    made.names = {**made.names, **{name: piece for name, piece in named.items() if piece}}
    if "add_bos_token" in config or "add_eos_token" in config:
        made.adds = (config.get("add_bos_token") is True, config.get("add_eos_token") is True)
    model = given or read_settings(folder / "config.json")
    generation = read_settings(folder / "generation_config.json")
    for name in ("bos", "eos", "pad"):
        id = generation.get(f"{name}_token_id", model.get(f"{name}_token_id"))
        piece = made.library.id_to_token(id) if type(id) is int and 0 <= id < 2**32 else None
        if piece is not None and f"{name}_token" not in made.names:
            made.names = {**made.names, f"{name}_token": piece}
    said = generation.get("eos_token_id", model.get("eos_token_id"))
    ends = [id for id in (said if isinstance(said, list) else [said]) if type(id) is int]
    known = [id for id in ends if 0 <= id < 2**32 and made.library.id_to_token(id) is not None]
    return finish(made, ends=known, template=_template(folder, config, made.names))


def _check_class(made: Draft, config: Mapping[str, Any], folder: Path) -> None:
    name = str(config.get("tokenizer_class") or "").removesuffix("Fast")
    if not made.where.endswith(".model") or not name:
        return
    if name in CLASSES:
        made.adds = CLASSES[name]
    elif name not in ("PreTrainedTokenizer", "TokenizersBackend"):
        raise CheckpointError(
            f"tokenizer class {name!r} gives the pieces of {Path(made.where).name} other ids.",
            where=str(folder / "tokenizer_config.json"),
            fix=f"Add its tokenizer.json. {nearest(name, CLASSES)}",
        )


def _add(made: Draft, settings: Mapping[str, Any], folder: Path) -> None:
    """Add the tokens that the settings know and the vocabulary lacks, each under its own id."""
    wanted = dict(_wanted(settings, read_settings(folder / "added_tokens.json")))
    known = made.library.get_added_tokens_decoder()
    special = {_content(settings.get(name)) for name in NAMES}
    for id, (piece, flags) in sorted(wanted.items()):
        if id in known and known[id].content == piece:
            continue
        if made.complete and made.library.token_to_id(piece) == id:
            continue
        flags.setdefault("special", piece in special)
        flags.setdefault("normalized", not flags["special"])
        with guarded(str(folder), "adding tokens"):
            made.library.add_tokens([AddedToken(piece, **flags)])
        found = made.library.token_to_id(piece)
        if found != id:
            raise CheckpointError(
                f"added token {piece!r} should have id {id}, but gets {found}.", where=str(folder)
            )
        made.vocabulary = None
    further = [_content(each) for name in FURTHER for each in _list(settings.get(name))]
    if any(further):
        with guarded(str(folder), "adding tokens"):
            made.library.add_special_tokens([piece for piece in further if piece])
        made.vocabulary = None


def _wanted(
    settings: Mapping[str, Any], added: Mapping[str, Any]
) -> Iterator[tuple[int, tuple[str, dict[str, bool]]]]:
    decoder = settings.get("added_tokens_decoder")
    for id, token in decoder.items() if isinstance(decoder, dict) else ():
        piece = _content(token)
        if piece and id.isdigit() and len(id) < 9:
            names = ("special", "normalized", "lstrip", "rstrip", "single_word")
            flags = token if isinstance(token, dict) else {}
            yield int(id), (piece, {name: flags.get(name) is True for name in names})
    for piece, id in added.items():
        if type(id) is int and id >= 0 and piece:
            yield id, (piece, {})


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _content(token: object) -> str | None:
    """The spelling of a special token, which files give as it is or with flags around it."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) and content else None


def _template(
    folder: Path, config: Mapping[str, Any], names: Mapping[str, str]
) -> ChatTemplate | None:
    """The chat template: a file of its own, or a key of the config, with one for tools perhaps."""
    said = config.get("chat_template")
    sources = {
        each["name"]: each["template"]
        for each in _list(said)
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    }
    if isinstance(said, str):
        sources["default"] = said
    where = folder / "tokenizer_config.json"
    alone = read_settings(folder / "chat_template.json").get("chat_template")
    if isinstance(alone, str):
        sources["default"], where = alone, folder / "chat_template.json"
    if (folder / "chat_template.jinja").is_file():
        where = folder / "chat_template.jinja"
        sources["default"] = read_text(where, SETTINGS_BYTES)
    beside = folder / "additional_chat_templates" / "tool_use.jinja"
    if beside.is_file():
        sources["tool_use"] = read_text(beside, SETTINGS_BYTES)
    if not isinstance(sources.get("default"), str):
        return None
    tools = sources.get("tool_use")
    return ChatTemplate(
        sources["default"],
        tools=tools if isinstance(tools, str) else None,
        pieces=names,
        where=str(where),
    )
