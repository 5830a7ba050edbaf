"""Write a folder that Loquent and transformers open; it is there wholly or not at all."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec
from numpy.typing import NDArray

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.contents import SOURCE
from loquent.checkpoints.families.family import Family
from loquent.checkpoints.files.shards import write_shards
from loquent.checkpoints.generation import Generation, to_config, to_prefixes
from loquent.checkpoints.sentences import Sentences, embedding, sentence_files
from loquent.checkpoints.translate import spell
from loquent.errors import CheckpointError, ConfigError
from loquent.settings import write
from loquent.text.tokenizer import Tokenizer


def write_folder(
    folder: Path,
    family: Family,
    config: ModelConfig,
    weights: Mapping[str, NDArray[Any]],
    *,
    generation: Generation,
    tokenizer: Tokenizer | None,
    source_tokenizer: Tokenizer | None = None,
    sentences: Sentences | None = None,
    license: str,
    card: str = "",
    shard_bytes: int,
) -> None:
    """Write a new folder beside its place, then give it its name.

    Weights are written as float32. Raises CheckpointError where the folder exists or cannot be
    written, and ConfigError where the family cannot express the network.
    """
    values = described_by(family, config, generation)
    theirs, shapes = spell(weights, family.table(config), config)
    with new_folder(folder) as unfinished:
        if tokenizer is not None:
            tokenizer.save(unfinished)
        if source_tokenizer is not None:
            source_tokenizer.save(unfinished / SOURCE)
        write_json(unfinished / "config.json", values)
        if "embedding" in family.heads and config.output == "embedding":
            for name, contents in sentence_files(config, sentences).items():
                (unfinished / name).parent.mkdir(exist_ok=True)
                write_json(unfinished / name, contents)
        write_json(unfinished / "generation_config.json", to_config(generation))
        if card:
            (unfinished / "README.md").write_text(card, encoding="utf-8")
        elif license:
            text = f"---\nlicense: {license}\n---\n# {folder.name}\n"
            (unfinished / "README.md").write_text(text, encoding="utf-8")
        write_shards(unfinished, shapes, theirs.__getitem__, shard_bytes)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill beside its place, which is given its name once the block has ended.

    Raises CheckpointError where the name is taken or the folder cannot be written; then nothing of
    it is left.
    """
    if folder.exists():
        raise CheckpointError("exists already.", where=str(folder), fix="Choose another name.")
    unfinished = folder.parent / f".{folder.name}.{token_hex(4)}"
    try:
        unfinished.mkdir(parents=True)
        try:
            yield unfinished
            for path in (*unfinished.rglob("*"), unfinished):
                _sync(path)
            unfinished.rename(folder)
            _sync(folder.parent)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as fault:
        raise CheckpointError(f"cannot be written: {fault.strerror}.", where=str(folder)) from fault


def described_by(family: Family, config: ModelConfig, generation: Generation) -> dict[str, Any]:
    """What config.json is to hold; that it says all of the network is proven by reading it.

    Raises ConfigError where it cannot.
    """
    values = {"architectures": [family.opened_by(config)], **family.values(config)}
    again = family.config(values)
    if "embedding" in family.heads and config.output == again.output == "embedding":
        again = embedding(again, config.pooling)  # what the files beside it say
    lost = _differences(_canonical(again), _canonical(config))
    if lost:
        raise ConfigError(
            f"the family {family.name!r} cannot express {', '.join(lost)} of this network.",
            fix="Save it under the family 'loquent'.",
        )
    ids = to_config(generation)
    return {
        "model_type": family.name,
        "dtype": "float32",
        "torch_dtype": "float32",
        **{name: ids.get(name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")},
        **{name: ids[name] for name in ("decoder_start_token_id",) if name in ids},
        **to_prefixes(generation),
        **values,
    }


def _canonical(config: ModelConfig) -> Mapping[str, Any]:
    """Settings as plain values, with what stands for a default written out."""

    def full(stack: StackConfig | None) -> StackConfig | None:
        return stack and replace(
            stack,
            kv_heads=stack.key_heads,
            head_width=stack.each_head_width,
            attention_scale=stack.scale,
            norm_bias=stack.norm == "layer" and stack.norm_bias,
        )

    both = replace(config, encoder=full(config.encoder), decoder=full(config.decoder))
    return write(both)


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    found = []
    for name, value in ours.items():
        if isinstance(value, Mapping) and isinstance(theirs[name], Mapping):
            found += [f"{name}.{inner}" for inner in _differences(value, theirs[name])]
        elif value != theirs[name]:
            found.append(name)
    return found


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """A file of JSON for people to read."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(values), indent=2) + b"\n")


def _sync(path: Path) -> None:
    """Have the disk hold a file or folder before the next step."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
