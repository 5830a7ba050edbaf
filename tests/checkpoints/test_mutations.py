"""Damaged and hostile settings: an error with the place, soon and in little memory, or no harm."""

import json
import random
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import transformers

from loquent.architecture import ModelConfig
from loquent.checkpoints.checkpoint import Card, Checkpoint
from loquent.checkpoints.families import FAMILIES
from loquent.errors import UserError
from loquent.model.names import shapes

SETTINGS = {
    "gpt2": {"vocab_size": 20, "n_positions": 16, "n_embd": 8, "n_layer": 2, "n_head": 2},
    "llama": {
        "vocab_size": 20, "max_position_embeddings": 16, "hidden_size": 8, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 12, "num_key_value_heads": 1,
        "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.0},
    },
    "loquent": {
        "vocabulary": 20, "encoder": None,
        "decoder": {"layers": 2, "width": 8, "length": 16, "heads": 2, "feedforward": 12},
    },
}  # fmt: skip
HOSTILE = [
    "-1", "0", "1e9", "1000000000", "9223372036854775807", "18446744073709551616", "1" * 5000,
    "1.5", "-0.0", "1e-400", "1e400", "NaN", "Infinity", '"nan"', '"../../etc/passwd"', '""',
    '"\\u0000"', '"\\ud800"', "[]", "[1]", "{}", '{"a": {}}', "true", "null",
    '"' + "x" * 10**6 + '"', "[" * 50_000 + "]" * 50_000, "[" * 100_000,
]  # fmt: skip
# What is left as it was, or says of itself that it is absent, may open.
HARMLESS = {"null", "true", "[]", "{}", "0", "-0.0"}
SECONDS = 1.0
MEGABYTES = 256


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    # Asked about unknown families, transformers takes its second of imports the first time.
    transformers.AutoConfig.for_model("opt")
    made = {}
    for kind, settings in SETTINGS.items():
        made[kind] = tmp_path_factory.mktemp(kind) / "model"
        config: ModelConfig = FAMILIES[kind].config(settings)
        weights = {name: np.ones(shape, np.float32) for name, shape in shapes(config).items()}
        card = Card(family=kind, name=kind, dtype="F32")
        checkpoint = Checkpoint(config=config, weights=weights, tokenizer=None, card=card)
        checkpoint.save(made[kind], shard_bytes=1000)
    return made


def attempt(folder: Path) -> str:
    """What opening a folder says: nothing, or a UserError; any other error fails the test."""
    start = time.perf_counter()
    told = ""
    try:
        opened = Checkpoint.open(folder)
        for name in opened.weights:
            assert opened.weights[name].nbytes < 10_000
    except UserError as fault:
        told = str(fault)
        assert str(folder) in told
        assert len(told) < 20_000
    assert time.perf_counter() - start < SECONDS
    return told


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) / 1024 < MEGABYTES


@pytest.fixture
def copy(folders: dict[str, Path], tmp_path: Path):
    def make(kind: str) -> Path:
        return Path(shutil.copytree(folders[kind], tmp_path / kind))

    return make


def keys(values: dict, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from keys(value, (*path, name))


def replaced(values: dict, path: tuple[str, ...], text: str) -> str:
    """JSON of the values with one of them put as raw text."""
    marked = json.loads(json.dumps(values))
    inner = marked
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = "\N{CHECK MARK}here"
    return json.dumps(marked, ensure_ascii=False).replace('"\N{CHECK MARK}here"', text)


@pytest.mark.parametrize("kind", SETTINGS)
def test_each_size_replaced_by_each_hostile_value(kind: str, copy) -> None:
    folder = copy(kind)
    file = folder / "config.json"
    values = json.loads(file.read_text())
    assert attempt(folder) == ""
    sizes = [path for path in keys(values) if path[-1] in sized(SETTINGS[kind])]
    count = 0
    for path in sizes:
        for hostile in HOSTILE:
            file.write_text(replaced(values, path, hostile))
            told = attempt(folder)
            count += 1
            assert told or hostile in HARMLESS or path[-1] in ("rope_theta", "rope_scaling"), (
                path,
                hostile[:30],
            )
            if told:
                assert "config.json" in told or "tensor" in told
    assert count >= 100


def sized(settings: dict) -> set[str]:
    return {path[-1] for path in keys(settings)}


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json"])
def test_bytes_changed_at_random(kind: str, name: str, copy) -> None:
    folder, chance = copy(kind), random.Random(0)
    file = folder / name
    whole = file.read_bytes()
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data))
            match chance.randrange(5):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randint(1, 20)]
                case 2:
                    data[at:at] = chance.randbytes(chance.randint(1, 9))
                case 3:
                    del data[at:]
                case _:
                    data[at:at] = data[at : at + 30]
            data = data or bytearray(b" ")
        file.write_bytes(data)
        refused += bool(attempt(folder))
    assert refused > 40


@pytest.mark.parametrize("name", ["config.json", "generation_config.json"])
@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b"[]", b"{", b'{"a":', b"null", b"{}{}",
     b'{"model_type": "llama"}', b'{"model_type": null}', b'{"model_type": ["llama"]}',
     b'{"a": ' * 50_000, b"version https://git-lfs.github.com/spec/v1\noid"],
)  # fmt: skip
def test_files_that_are_no_settings(name: str, data: bytes, copy) -> None:
    folder = copy("llama")
    (folder / name).write_bytes(data)
    told = attempt(folder)
    harmless = name == "generation_config.json" and data.startswith(b'{"model_type')
    assert bool(told) != harmless


@pytest.mark.parametrize("hostile", HOSTILE)
def test_advice_on_generation_does_no_harm(hostile: str, copy) -> None:
    folder = copy("gpt2")
    for name in ("eos_token_id", "temperature", "max_new_tokens"):
        (folder / "generation_config.json").write_text(
            f'{{"do_sample": true, "{name}": {hostile}}}'
        )
        attempt(folder)


@pytest.mark.parametrize(
    "shard",
    ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "", ".", "..", "x\0.safetensors",
     "C:\\x", "\\\\host\\x", "x" * 10_000, "no-such.safetensors", "config.json", 3, None, [], {}],
)  # fmt: skip
def test_an_index_names_only_files_of_its_folder(shard: object, copy) -> None:
    folder = copy("gpt2")
    file = folder / "model.safetensors.index.json"
    index = json.loads(file.read_text())
    index["weight_map"]["transformer.wte.weight"] = shard
    file.write_text(json.dumps(index))
    assert "index.json" in attempt(folder) or "config.json" in attempt(folder)
