"""From files to what a checkpoint holds, whichever family they are of."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from loquent.checkpoints import foreign, generation
from loquent.checkpoints.contents import SOURCE, Card, Contents
from loquent.checkpoints.families import FAMILIES, GGUF_FAMILIES, t5_onnx
from loquent.checkpoints.families import whisper_files as whisper
from loquent.checkpoints.families.family import Rule
from loquent.checkpoints.families.keys import Keys
from loquent.checkpoints.files import ctranslate2, onnx
from loquent.checkpoints.files.container import Container
from loquent.checkpoints.files.open import open_container
from loquent.checkpoints.sentences import embeds, read_sentences
from loquent.checkpoints.translate import Lazy, translate
from loquent.errors import CheckpointError, UserError, nearest
from loquent.text.documents import read_settings
from loquent.text.folder import READERS, open_source_tokenizer, open_tokenizer
from loquent.text.readers.gguf import from_gguf
from loquent.text.tokenizer import Tokenizer


def open_contents(path: Path, *, allow_pickle: bool = False) -> Contents:
    """Open a Hugging Face folder, a .safetensors file beside its config.json, or a .gguf file.

    Raises CheckpointError and ConfigError as `Checkpoint.open` says.
    """
    folder = path if path.is_dir() else path.parent
    values = read_settings(folder / "config.json")
    unknown = path.is_dir() and values and str(values.get("model_type")) not in FAMILIES
    if unknown and not _is_converted(folder / ctranslate2.MODEL):
        return _open_foreign(path, values)
    container = open_container(path, allow_pickle=allow_pickle)
    if container.metadata.get("format") == ctranslate2.FORMAT:
        advice = whisper.converted_advice(values)
        with _placed(path):
            values = whisper.converted_settings(container)
        return _open_folder(path, folder, values, container, rules=whisper.CONVERTED, advice=advice)
    if not values and whisper.is_original(container):
        with _placed(path):
            values = whisper.original_settings(container)
        return _open_folder(path, folder, values, container, rules=whisper.ORIGINAL)
    if "general.architecture" in container.metadata:
        return _open_gguf(path, container)
    if not values and container.metadata == onnx.METADATA:
        with _placed(path):
            values = t5_onnx.settings(container)
    if not values:
        raise CheckpointError(
            "is missing: it says what the weights are for.", where=str(folder / "config.json")
        )
    return _open_folder(path, folder, values, container)


def _open_folder(
    path: Path,
    folder: Path,
    values: Mapping[str, Any],
    container: Container,
    *,
    rules: Mapping[str, Rule] | None = None,
    advice: Mapping[str, Any] | None = None,
) -> Contents:
    kind = str(values.get("model_type"))
    family = FAMILIES.get(kind)
    if family is None:
        raise CheckpointError(
            f"models of the family {kind!r} are not executed here.",
            where=str(folder / "config.json"),
            fix=nearest(kind, FAMILIES),
        )
    if family.heads and not values.get("architectures"):
        values = {**values, "architectures": [family.fitting(container)]}
    if family.preprocessed:
        said = read_settings(folder / "preprocessor_config.json")
        kept = {name: said[name] for name in family.preprocessed if name in said}
        values = {**values, **kept}
    if family.settled is not None:
        values = family.settled(values, container)
    with _placed(folder / "config.json"):
        config = family.config(values)
    sentences = None
    if "embedding" in family.heads and embeds(folder):
        config, sentences = read_sentences(folder, config)
    with _placed(path):
        tensors = container if family.joined is None else family.joined(container)
        weights, ignored = translate(
            tensors, rules or family.table(config), config, family.prefix, family.endings
        )
    if advice is None:
        advice = read_settings(folder / "generation_config.json")
    return Contents(
        config=config,
        weights=weights,
        stored=_stored(container, weights),
        tokenizer=_tokenizer(folder, values),
        source_tokenizer=_tokenizer(folder / SOURCE) or open_source_tokenizer(folder),
        card=Card(
            family=family.name,
            name=folder.resolve().name,
            dtype=_kind(container),
            license=_license(folder / "README.md"),
            ignored=ignored,
        ),
        generation=generation.of_config(advice, values, config.vocabulary),
        sentences=sentences,
        path=path,
        files=container.paths,
    )


def _open_gguf(path: Path, container: Container) -> Contents:
    metadata = container.metadata
    kind = str(metadata["general.architecture"])
    known = GGUF_FAMILIES.get(kind)
    if known is None:
        raise CheckpointError(
            f"models of the family {kind!r} are not executed here.",
            where=str(path),
            fix=nearest(kind, GGUF_FAMILIES),
        )
    start = f"{kind}."
    below = {
        name.removeprefix(start): _shortest(value)
        for name, value in metadata.items()
        if name.startswith(start)
    }
    with _placed(path):
        keys = Keys(below, start)
        values = known.values(keys, container)
        keys.finish()
        config = known.family.config(values)
        weights, ignored = translate(container, known.rules, config)
    has_tokenizer = "tokenizer.ggml.model" in metadata
    return Contents(
        config=config,
        weights=weights,
        stored=_stored(container, weights),
        tokenizer=from_gguf(metadata, where=str(path)) if has_tokenizer else None,
        card=Card(
            family=known.family.name,
            name=path.resolve().stem,
            dtype=_kind(container),
            license=str(metadata.get("general.license", "")),
            ignored=ignored,
        ),
        generation=generation.of_gguf(metadata, config.vocabulary),
        path=path,
        files=container.paths,
    )


def _open_foreign(folder: Path, values: Mapping[str, Any]) -> Contents:
    config = foreign.outline(folder, values, FAMILIES)
    advice = read_settings(folder / "generation_config.json")
    return Contents(
        config=config,
        weights={},
        tokenizer=_tokenizer(folder),
        card=Card(
            family=str(values.get("model_type")),
            name=folder.resolve().name,
            dtype="F32",
            license=_license(folder / "README.md"),
            executor="transformers",
        ),
        generation=generation.of_config(advice, values, config.vocabulary),
        path=folder,
        files=tuple(sorted(folder.glob("*.safetensors"))),
    )


def _is_converted(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return ctranslate2.is_ctranslate2(file.read(512))


@contextmanager
def _placed(path: Path) -> Iterator[None]:
    """Say in errors which file they are about."""
    try:
        yield
    except UserError as fault:
        raise type(fault)(str(fault), where=str(path)) from fault


def _tokenizer(folder: Path, settings: Mapping[str, Any] | None = None) -> Tokenizer | None:
    there = any(True for pattern in READERS for _ in folder.glob(pattern))
    return open_tokenizer(folder, settings) if there else None


def _kind(container: Container) -> str:
    """The type of most of the bytes."""
    sizes: Counter[str] = Counter()
    for tensor in container.tensors.values():
        sizes[tensor.kind.name] += tensor.raw.nbytes
    return next((name for name, _ in sizes.most_common(1)), "")


def _stored(container: Container, weights: Lazy) -> dict[str, str]:
    return {
        name: container.tensors[source].kind.name
        for name, source in weights.sources.items()
        if source in container.tensors
    }


def _license(card: Path) -> str:
    """What the header of a model card says."""
    if not card.is_file():
        return ""
    with card.open(encoding="utf-8", errors="replace") as file:
        found = re.search(r"\A---\n(?:.*\n)*?license:[ \t]*(\S+)", file.read(4096))
    return found[1] if found else ""


def _shortest(value: Any) -> Any:
    """GGUF keeps numbers in single precision: 9.9999997e-06 was written as 1e-05."""
    return float(str(np.float32(value))) if isinstance(value, float) else value
