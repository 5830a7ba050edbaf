"""Damaged and hostile tokenizer files: an error with the place, soon and in little memory."""

import base64
import json
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from loquent.errors import CheckpointError
from loquent.text.folder import open_tokenizer

EACH = 160
CHILD = textwrap.dedent(
    """
    import random, resource, sys, time
    from pathlib import Path
    from loquent.errors import UserError
    from loquent.text.folder import open_tokenizer

    folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    path = folder / name
    good = path.read_bytes()
    generator = random.Random(name)
    open_tokenizer(folder).encode("warm up")

    def damaged():
        data = bytearray(good)
        if generator.random() < 0.2:
            return data[: generator.randrange(len(data))]
        for _ in range(generator.choice([1, 1, 2, 6])):
            at = generator.randrange(len(data)) if generator.random() < 0.5 else (
                generator.randrange(min(len(data), 400)))
            kind = generator.randrange(5)
            if kind == 0:
                data[at] ^= 1 << generator.randrange(8)
            elif kind == 1:
                data[at:at] = data[at : at + generator.randrange(1, 60)]
            elif kind == 2:
                del data[at : at + generator.randrange(1, 60)]
            elif kind == 3:
                data[at : at + 4] = generator.choice(
                    [b"null", b"-1", b"[[[[", b"{", b'""', b"1e999", b"99999999999999999999"])
            else:
                data[at : at + 5] = bytes(generator.randrange(256) for _ in range(5))
        return data

    told, slowest = 0, 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(count):
        path.write_bytes(damaged())
        start = time.perf_counter()
        try:
            tokenizer = open_tokenizer(folder)
            tokenizer.decode(tokenizer.encode("Hello <s> 世界 \\n x"))
        except UserError as fault:
            told += 1
            assert str(folder) in str(fault), fault
            assert len(str(fault)) < 3000
        slowest = max(slowest, time.perf_counter() - start)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(told, slowest, grown)
    """
)


@pytest.fixture(scope="module")
def folders(
    byte_level: tuple[dict[str, int], list[tuple[str, str]]],
    train_sentencepiece: Callable[..., bytes],
    tiny_gpt2: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("damaged")
    for name in ("json", "gpt2", "unigram", "bpe", "tiktoken", "settings"):
        (made / name).mkdir()
    for name in ("json", "settings"):
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (made / name / file).write_bytes((tiny_gpt2 / file).read_bytes())
    vocabulary, merges = byte_level
    (made / "gpt2" / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    text = "\n".join(["#version: 0.2", *(" ".join(merge) for merge in merges)])
    (made / "gpt2" / "merges.txt").write_text(text, encoding="utf-8")
    for kind in ("unigram", "bpe"):
        model = train_sentencepiece(vocab_size=700, model_type=kind, byte_fallback=True)
        (made / kind / "tokenizer.model").write_bytes(model)
    ranks = [base64.b64encode(bytes((each,))).decode() + f" {each}" for each in range(256)]
    (made / "tiktoken" / "gpt2.tiktoken").write_text("\n".join(ranks) + "\n")
    return {each.name: each for each in made.iterdir()}


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("json", "tokenizer.json"),
        ("settings", "tokenizer_config.json"),
        ("gpt2", "vocab.json"),
        ("gpt2", "merges.txt"),
        ("unigram", "tokenizer.model"),
        ("bpe", "tokenizer.model"),
        ("tiktoken", "gpt2.tiktoken"),
    ],
)
def test_damaged_files(kind: str, file: str, folders: dict[str, Path]) -> None:
    path = folders[kind] / file
    good = path.read_bytes()
    try:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, folders[kind], file, str(EACH)],
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
    finally:
        path.write_bytes(good)
    assert done.returncode == 0, done.stderr[-3000:]
    told, slowest, grown = map(float, done.stdout.split())
    assert told > 0.2 * EACH
    assert slowest < 1.0
    assert grown < 128  # megabytes


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no tokenizer. Known files: tokenizer.json"),
        ({"tokenizer.json": b""}, "tokenizer.json: is not as it should be"),
        ({"tokenizer.json": b"[" * 100_000}, "tokenizer.json: "),
        ({"tokenizer.json": b"version https://git-lfs.github.com"}, "only a pointer"),
        ({"tokenizer.json": b"\xff\xfe{}"}, "tokenizer.json: "),
        ({"tokenizer.model": b"\n"}, "tokenizer.model: is no SentencePiece model"),
        ({"tokenizer.model": b"\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}, "over 10 bytes"),
        ({"tokenizer.model": b"\n\x7f"}, "says 127 bytes, but 0 are left"),
        ({"spiece.model": b"\x03"}, "field number 0"),
        ({"spiece.model": b"\x0b"}, "wire type 3"),
        ({"spiece.model": b"\x0a\x02\x0a"}, "says 2 bytes, but 1 are left"),
        ({"vocab.json": b"{}"}, "vocab.json: an id is not from 0"),
        ({"vocab.json": b'{"a": 0}', "merges.txt": b"\xff"}, "not UTF-8 at byte 0"),
        ({"cl1OOk_base.tiktoken": b""}, "is no encoding whose rules are known.*cl100k_base"),
        ({"gpt2.tiktoken": b"IQ== 0\nIQ== 1\n"}, "gpt2.tiktoken:2: piece '!' was there before"),
        ({"gpt2.tiktoken": b"IQ==\n"}, "gpt2.tiktoken:1: is not a piece in base64 and its rank"),
        ({"gpt2.tiktoken": b"I* 0\n"}, "gpt2.tiktoken:1: the piece is no base64"),
        ({"gpt2.tiktoken": b"IQ== 5\n"}, "ranks are not the numbers from 0"),
        ({"gpt2.tiktoken": b"IQ== 0\n"}, "byte 0 has no rank"),
    ],
    ids=range(19),
)
def test_wrong_files_are_named(files: dict[str, bytes], message: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        open_tokenizer(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_what_stands_beside_a_tokenizer_counts(tiny_gpt2: Path, tmp_path: Path) -> None:
    def opened(**files: object):
        for file in tmp_path.iterdir():
            file.unlink()
        (tmp_path / "tokenizer.json").write_bytes((tiny_gpt2 / "tokenizer.json").read_bytes())
        for name, values in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(values))
        return open_tokenizer(tmp_path)

    plain = opened()
    count = plain.vocabulary
    assert opened(config={"eos_token_id": 5}).ends >= {5}
    assert opened(generation_config={"eos_token_id": [6, 7, 10**9]}).ends >= {6, 7}
    added = opened(added_tokens={"<new>": count})
    assert added.encode("a<new>b")[1] == count
    assert added.vocabulary == count + 1
    with pytest.raises(CheckpointError, match=rf"'<new>' should have id {count + 5}"):
        opened(added_tokens={"<new>": count + 5})
    further = opened(
        tokenizer_config={"additional_special_tokens": ["<one>", {"content": "<two>"}]}
    )
    assert further.decode(further.encode("a<one>b<two>")) == "ab"
    named = opened(special_tokens_map={"eos_token": {"content": "<|endoftext|>"}})
    assert named.end == plain.id("<|endoftext|>")
    both = opened(
        tokenizer_config={
            "chat_template": [
                {"name": "default", "template": "plain"},
                {"name": "tool_use", "template": "tools"},
            ]
        }
    ).template
    assert both.render([{"role": "user", "content": "x"}]) == "plain"
    assert both.render([{"role": "user", "content": "x"}], tools=[{"a": 1}]) == "tools"
    alone = opened(chat_template={"chat_template": "old"}).template
    assert alone.render([{"role": "user", "content": "x"}]) == "old"


def test_a_class_with_other_ids_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    model = (folders["bpe"] / "tokenizer.model").read_bytes()
    (tmp_path / "tokenizer.model").write_bytes(model)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "CamembertTokenizer"}')
    with pytest.raises(CheckpointError, match="'CamembertTokenizer' gives the pieces"):
        open_tokenizer(tmp_path)


def test_random_bytes(tmp_path: Path) -> None:
    chance = random.Random(2)
    for name in ("tokenizer.json", "tokenizer.model", "spiece.model", "gpt2.tiktoken"):
        for _ in range(40):
            path = tmp_path / name
            path.write_bytes(chance.randbytes(chance.randrange(1, 200)))
            with pytest.raises(CheckpointError):
                open_tokenizer(path)
