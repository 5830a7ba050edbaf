"""Tokenizers inside GGUF files, against llama.cpp on the same file."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loquent.errors import CheckpointError
from loquent.text.readers.gguf import PRE, from_gguf
from loquent.text.readers.sentencepiece import parse
from loquent.text.readers.tiktoken import END

Trained = tuple[dict[str, int], list[tuple[str, str]]]

# llama.cpp cuts these without marks, such as Thai vowels; the models themselves do not.
WITHOUT_MARKS = {"o200k", "tekken"}


def write(path: Path, metadata: dict[str, Any]) -> Path:
    """A GGUF file with nothing but a vocabulary."""
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in metadata.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    writer.add_vocab_size(len(metadata["tokenizer.ggml.tokens"]))
    writer.add_context_length(512)
    for add in (writer.add_embedding_length, writer.add_feed_forward_length):
        add(8)
    for add in (writer.add_block_count, writer.add_head_count):
        add(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def byte_level_metadata(trained: Trained, pre: str) -> dict[str, Any]:
    vocab, merges = trained
    tokens = [*vocab, END, "<|im_end|>", "<tool>"]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [1] * len(vocab) + [3, 3, 4],
        "tokenizer.ggml.merges": [" ".join(merge) for merge in merges],
        "tokenizer.ggml.bos_token_id": len(vocab),
        "tokenizer.ggml.eos_token_id": len(vocab) + 1,
    }


def is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def llama_cpp(path: Path) -> Any:
    module = pytest.importorskip("llama_cpp")
    return module.Llama(str(path), vocab_only=True, verbose=False)


@pytest.mark.parametrize("name", PRE)
def test_every_pre_tokenizer_cuts_as_llama_cpp_does(
    name: str, train_bytes: Callable[[str], Trained], lines: list[str], tmp_path: Path
) -> None:
    metadata = byte_level_metadata(train_bytes(PRE[name].cut), name)
    theirs = llama_cpp(write(tmp_path / "v.gguf", metadata))
    ours = from_gguf(metadata)
    few = lines if name in ("gpt-2", "llama-bpe") else lines[:400]
    differing = [
        line
        for line in few
        if ours.encode(line, special=False) != theirs.tokenize(line.encode(), False, True)
    ]
    if PRE[name].cut in WITHOUT_MARKS:
        differing = [line for line in differing if not any(map(is_mark, line))]
    assert not differing, differing[:3]
    assert ours.encode("a")[:1] == theirs.tokenize(b"a", True, True)[:1]
    special = "a<|im_end|><tool> b<tool>"
    for parse_special in (True, False):
        expected = theirs.tokenize(special.encode(), False, parse_special)
        assert ours.encode(special, special=False, parse_special=parse_special) == expected


def sentencepiece_metadata(data: bytes) -> dict[str, Any]:
    said = parse(data, "test")
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": said.pieces,
        "tokenizer.ggml.scores": said.scores,
        "tokenizer.ggml.token_type": said.kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }


@pytest.mark.parametrize("prefix", [True, False])
def test_sentencepiece_vocabularies_are_as_llama_cpp_has_them(
    prefix: bool, train_sentencepiece: Callable[..., bytes], lines: list[str], tmp_path: Path
) -> None:
    data = train_sentencepiece(
        vocab_size=1500,
        model_type="bpe",
        normalization_rule_name="identity",
        byte_fallback=True,
        remove_extra_whitespaces=False,
        user_defined_symbols=["<tool>"],
    )
    metadata = {**sentencepiece_metadata(data), "tokenizer.ggml.add_space_prefix": prefix}
    theirs = llama_cpp(write(tmp_path / "v.gguf", metadata))
    ours = from_gguf(metadata)
    differing = [
        line
        for line in [*lines, "a<tool>b", "<tool> b", "</s>a<s> b</s>"]
        if ours.encode(line) != theirs.tokenize(line.encode(), True, True)
    ]
    assert not differing, differing[:3]
    assert ours.adds_begin
    assert (ours.begin, ours.end, ours.unknown, ours.pad) == (1, 2, 0, None)
    assert all(ours.decode(ours.encode(line)) == line for line in lines)


@pytest.mark.weights
def test_smollm2(default_model: Path, lines: list[str]) -> None:
    gguf = pytest.importorskip("gguf")
    fields = gguf.GGUFReader(default_model).fields
    metadata = {k: field.contents() for k, field in fields.items() if k.startswith("tokenizer")}
    ours, theirs = from_gguf(metadata), llama_cpp(default_model)
    differing = [
        line
        for line in lines
        if ours.encode(line) != theirs.tokenize(line.encode(), add_bos=False, special=True)
    ]
    assert not differing, differing[:3]
    assert (ours.vocabulary, ours.begin, ours.end) == (49152, 1, 2)
    assert ours.ends == {0, 2}
    assert not ours.adds_begin
    assert ours.template is not None
    text = ours.template.render([{"role": "user", "content": "Hi"}])
    assert text.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert ours.decode(ours.encode(text), special=True) == text


def test_arrays_may_be_numpy_arrays(byte_level: Trained) -> None:
    metadata = byte_level_metadata(byte_level, "gpt-2")
    kinds = np.array(metadata["tokenizer.ggml.token_type"], dtype=np.int32)
    arrays = {
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.eos_token_id": np.uint32(metadata["tokenizer.ggml.eos_token_id"]),
    }
    ours, theirs = from_gguf({**metadata, **arrays}), from_gguf(metadata)
    assert ours.encode(f"a b{END}") == theirs.encode(f"a b{END}")
    assert ours.end == theirs.end


def test_flags_say_what_encloses_a_text(byte_level: Trained) -> None:
    metadata = byte_level_metadata(byte_level, "gpt-2")
    flags = {"tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": True}
    ours = from_gguf({**metadata, **flags, "tokenizer.ggml.padding_token_id": 2**32 - 1})
    assert ours.adds_begin
    assert ours.encode("") == [ours.begin, ours.end]
    assert ours.encode("", special=False) == []
    assert ours.pad is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "rwkv"}, ["tokenizer.ggml.model", "'rwkv'", "gpt2", "llama"]),
        ({"model": 3}, ["tokenizer.ggml.model", "int"]),
        ({"pre": "qwen3"}, ["tokenizer.ggml.pre", "'qwen3'", "'qwen2'"]),
        ({"tokens": None}, ["tokenizer.ggml.tokens", "missing"]),
        ({"tokens": [1, 2]}, ["tokenizer.ggml.tokens", "no list of texts"]),
        ({"tokens": ["a", "b", "a"]}, ["'a' is there twice"]),
        ({"merges": ["a"]}, ["tokenizer.ggml.merges", "merge 0", "'a'"]),
        ({"merges": ["Ġ nope"]}, ["tokenizer.ggml.merges", "merge 0"]),
        ({"merges": None}, ["tokenizer.ggml.merges", "missing"]),
        ({"token_type": [1, 2]}, ["tokenizer.ggml.token_type", "2 numbers"]),
        ({"token_type": "abc"}, ["tokenizer.ggml.token_type", "no list"]),
        ({"bos_token_id": 2**31, "add_bos_token": True}, ["add_bos_token"]),
    ],
)
def test_what_is_wrong_is_named(
    changes: dict[str, Any], words: list[str], byte_level: Trained
) -> None:
    metadata = byte_level_metadata(byte_level, "gpt-2")
    metadata.update({f"tokenizer.ggml.{key}": value for key, value in changes.items()})
    with pytest.raises(CheckpointError) as caught:
        from_gguf({key: value for key, value in metadata.items() if value is not None})
    for word in words:
        assert word in str(caught.value)
