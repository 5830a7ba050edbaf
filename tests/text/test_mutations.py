"""Damaged files: no crash, no hang, little memory, and errors that name the file."""

import base64
import copy
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from loquent.errors import CheckpointError, RequestError
from loquent.text.folder import open_tokenizer
from loquent.text.pieces import byte_characters
from loquent.text.readers.gguf import from_gguf
from loquent.text.readers.sentencepiece import parse
from loquent.text.tokenizer import Tokenizer as Ours

Trained = tuple[dict[str, int], list[tuple[str, str]]]
TEXT = "Once upon a time 从前 😀 <s>\x00 \t\n aaaaaaaa 12345"
LIMIT_SECONDS = 1.0
MEMORY_BYTES = 128 * 2**20
WEIRD: list[Any] = [
    *(None, True, -1, 0, 3, 2**31, 2**32, 2**63, 10**30, -(2**63), 1.5, -1e308),
    *("", "x", "▁", "\x00", "é" * 300, "<0x41>", "Sequence", "Replace", "BPE", "(", "a" * 10_000),
    *([], [[]], [0], ["a", "b"], [1] * 1000, {}, {"": {}}, {"a": 1}, {"type": "Sequence"}),
]


def damage(data: bytes, chance: random.Random) -> bytes:
    """Bytes with a few faults in them."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at]
        elif kind == 2:
            data = data[:at] + chance.randbytes(chance.randint(1, 20)) + data[at:]
        elif kind == 3:
            data = data[:at] + data[at + chance.randint(1, 200) :]
        elif kind == 4:
            data = data[:at] + data[at // 2 : at // 2 + 500] + data[at:]
        else:
            data = data[:at] + b"\xff\xff\xff\xff\x7f" + data[at + 5 :]
    return data


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document, with each key or index in it."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in list(keys)[:200]:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def twist(data: bytes, chance: random.Random) -> bytes:
    """A JSON document with a few values or keys replaced."""
    document = json.loads(data)
    for _ in range(chance.randint(1, 3)):
        container, key = chance.choice(list(places(document)))
        if isinstance(container, dict) and chance.random() < 0.2:
            container[str(chance.choice(WEIRD))[:50]] = container.pop(key)
        else:
            container[key] = copy.deepcopy(chance.choice(WEIRD))
    return json.dumps(document).encode()


def peak_reset() -> int | None:
    """Let the kernel forget the peak of this process's memory; what is in use now, in bytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return status("VmRSS")


def status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


def survive(open_it: Callable[[], Ours], names: str, size: int) -> bool:
    """Open and use what may be damaged; whether it opened."""
    before = peak_reset()
    begin = time.thread_time()  # other work may share the machine
    opened = False
    try:
        tokenizer = open_it()
        opened = True
        ids = tokenizer.encode(TEXT)
        assert all(0 <= id < tokenizer.vocabulary for id in ids)
        text = tokenizer.decode(ids)
        stream = tokenizer.stream()
        assert "".join([*map(stream.push, ids), stream.finish()]) == text
        if tokenizer.template is not None:
            tokenizer.template.render([{"role": "user", "content": "Hi"}])
    except CheckpointError as error:
        assert names in str(error)
    except RequestError:
        pass
    assert time.thread_time() - begin < LIMIT_SECONDS
    if before is not None:
        assert status("VmHWM") - before < size + MEMORY_BYTES
    return opened


def rich_json(lines: list[str]) -> bytes:
    """A tokenizer.json with as many kinds of parts as fit into one."""
    library = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    library.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Prepend("▁")]
    )
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\d"), "isolated"), pre_tokenizers.Metaspace()]
    )
    library.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    library.train_from_iterator(lines[:200], trainer)
    library.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", None, [("<s>", 1), ("</s>", 2)]
    )
    return library.to_str().encode()


def unigram_json(lines: list[str]) -> bytes:
    library = Tokenizer(models.Unigram())
    library.pre_tokenizer = pre_tokenizers.Metaspace()
    library.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    library.train_from_iterator([line for line in lines[:500] if line.isascii()], trainer)
    return library.to_str().encode()


CONFIG = {
    "bos_token": {"content": "<s>", "special": True},
    "eos_token": "</s>",
    "add_bos_token": True,
    "added_tokens_decoder": {"0": {"content": "<unk>", "special": True, "normalized": False}},
    "additional_special_tokens": ["<more>"],
    "chat_template": "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}",
    "tokenizer_class": "PreTrainedTokenizerFast",
}


@pytest.mark.parametrize("make", [rich_json, unigram_json])
def test_tokenizer_json(
    make: Callable[[list[str]], bytes], lines: list[str], tmp_path: Path
) -> None:
    chance = random.Random(1)
    whole = make(lines)
    path = tmp_path / "tokenizer.json"
    path.write_bytes(whole)
    assert survive(lambda: open_tokenizer(tmp_path), "tokenizer.json", len(whole))
    opened = 0
    for number in range(400):
        data = twist(whole, chance) if number % 2 else damage(whole, chance)
        path.write_bytes(data)
        opened += survive(lambda: open_tokenizer(tmp_path), "tokenizer.json", len(data))
    assert 10 < opened < 390  # some faults are in what does not matter


def test_settings(lines: list[str], tmp_path: Path) -> None:
    chance = random.Random(2)
    (tmp_path / "tokenizer.json").write_bytes(rich_json(lines))
    whole = json.dumps(CONFIG).encode()
    others = [b'{"eos_token_id": [1, 2]}', b'{"bos_token": "<s>"}', b'{"chat_template": "x"}']
    files = ["generation_config.json", "special_tokens_map.json", "chat_template.json"]
    for number in range(300):
        data = twist(whole, chance) if number % 3 else damage(whole, chance)
        (tmp_path / "tokenizer_config.json").write_bytes(data)
        for name, content in zip(files, others, strict=True):
            changed = chance.random() < 0.2
            (tmp_path / name).write_bytes(damage(content, chance) if changed else content)
        survive(lambda: open_tokenizer(tmp_path), str(tmp_path), len(data))


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_sentencepiece(
    kind: str, train_sentencepiece: Callable[..., bytes], tmp_path: Path
) -> None:
    chance = random.Random(3)
    whole = train_sentencepiece(vocab_size=1500, model_type=kind, byte_fallback=True)
    path = tmp_path / "tokenizer.model"
    path.write_bytes(whole)
    assert survive(lambda: open_tokenizer(tmp_path), "tokenizer.model", len(whole))
    for _ in range(200):
        data = damage(whole, chance)
        path.write_bytes(data)
        survive(lambda: open_tokenizer(tmp_path), "tokenizer.model", len(data))


def test_a_damaged_character_map(train_sentencepiece: Callable[..., bytes], tmp_path: Path) -> None:
    """The map is an array of offsets into itself, which the library follows."""
    chance = random.Random(4)
    whole = train_sentencepiece(vocab_size=1500, model_type="unigram")
    charsmap = parse(whole, "whole").charsmap
    start = whole.index(charsmap)
    path = tmp_path / "tokenizer.model"
    for _ in range(100):
        changed = bytearray(charsmap)
        for _ in range(200):
            changed[chance.randrange(4, len(changed))] = chance.randrange(256)
        path.write_bytes(whole[:start] + changed + whole[start + len(charsmap) :])
        survive(lambda: open_tokenizer(tmp_path), "tokenizer.model", len(whole))


def test_gpt2_files_and_ranks(byte_level: Trained, tmp_path: Path) -> None:
    chance = random.Random(5)
    vocab, merges = byte_level
    bytes_of = byte_characters()
    whole = {
        "vocab.json": json.dumps(vocab, ensure_ascii=False).encode(),
        "merges.txt": "".join(f"{left} {right}\n" for left, right in merges).encode(),
    }
    ranks = b"".join(
        b"%s %d\n" % (base64.b64encode(bytes(map(bytes_of.__getitem__, piece))), rank)
        for piece, rank in vocab.items()
    )
    (tmp_path / "ranks").mkdir()
    for number in range(200):
        for name, content in whole.items():
            (tmp_path / name).write_bytes(content)
        name = ("vocab.json", "merges.txt")[number % 2]
        (tmp_path / name).write_bytes(damage(whole[name], chance))
        survive(lambda: open_tokenizer(tmp_path), str(tmp_path), 100_000)
        (tmp_path / "ranks" / "gpt2.tiktoken").write_bytes(damage(ranks, chance))
        survive(lambda: open_tokenizer(tmp_path / "ranks"), "gpt2.tiktoken", len(ranks))


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_gguf_metadata(
    kind: str, byte_level: Trained, train_sentencepiece: Callable[..., bytes]
) -> None:
    chance = random.Random(6)
    vocab, merges = byte_level
    said = parse(train_sentencepiece(vocab_size=1500, model_type="bpe", byte_fallback=True), "")
    keys = {
        "gpt2": {
            "tokens": list(vocab),
            "token_type": [1] * len(vocab),
            "merges": [" ".join(merge) for merge in merges],
            "pre": "smollm",
        },
        "llama": {"tokens": said.pieces, "scores": said.scores, "token_type": said.kinds},
    }[kind]
    whole = {"model": kind, "bos_token_id": 1, "eos_token_id": 2, "add_bos_token": True, **keys}
    text = json.dumps({f"tokenizer.ggml.{key}": value for key, value in whole.items()}).encode()
    for _ in range(200):
        metadata = json.loads(twist(text, chance))
        survive(lambda: from_gguf(metadata, where="x.gguf"), "x.gguf", len(text))  # noqa: B023
