"""Packed files: made whole or not at all, and read only where they are whole."""

import struct
from pathlib import Path

import numpy as np
import pytest

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints import pack as packing
from loquent.checkpoints.pack import pack, packed
from loquent.engine.native_network import NativeNetwork
from loquent.errors import CheckpointError, ConfigError, UsageError
from loquent.native import instruction_sets

CONFIG = ModelConfig(
    vocabulary=9, decoder=StackConfig(layers=1, width=8, length=12, heads=2, feedforward=8)
)


@pytest.fixture
def file(tmp_path, builder) -> Path:
    path = tmp_path / "small.loquent"
    pack(CONFIG, builder.weights(CONFIG, 0), path, 4)
    return path


def test_every_bit_counts(file):
    """Wherever one bit is wrong, the file is refused with the place."""
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    places = [*range(400), *rng.integers(len(whole), size=2600).tolist()]
    for place in places:
        bad = bytearray(whole)
        bad[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(bad)
        with pytest.raises(CheckpointError, match=r"byte \d+: ") as caught:
            NativeNetwork(file, threads=1)
        assert str(file) in str(caught.value)


def test_any_length_but_the_right_one(file):
    whole = file.read_bytes()
    for length in [*range(0, 700, 3), *range(700, len(whole), 97), len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            NativeNetwork(file, threads=1)
    file.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="goes on behind its last section"):
        NativeNetwork(file, threads=1)


def forged(file: Path, change) -> None:
    """Rewrite the directory with a right checksum, as one who means harm would."""
    from loquent.native._core import checksum  # noqa: PLC0415

    data = bytearray(file.read_bytes())
    description, directory = struct.unpack_from("<QQ", data, 16)
    change(data, 64 + description)
    end = 64 + description + directory
    struct.pack_into("<Q", data, 32, checksum(np.frombuffer(bytes(data[64:end]), np.uint8)))
    file.write_bytes(data)


@pytest.mark.parametrize("field, size", [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8)])
@pytest.mark.parametrize("value", [0, 1, 7, 65, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 64])
def test_forged_sizes_reach_nothing(field, size, value, file):
    kind = "<I" if size == 4 else "<Q"

    def change(data, entry):
        if struct.unpack_from(kind, data, entry + field)[0] != value % 2 ** (8 * size):
            struct.pack_into(kind, data, entry + field, value % 2 ** (8 * size))
        else:
            struct.pack_into(kind, data, entry + field, 3)

    forged(file, change)
    with pytest.raises(CheckpointError):
        NativeNetwork(file, threads=1)


def test_names_that_are_no_text_are_told(file):
    def change(data, entry):
        struct.pack_into("<I", data, entry + 4, 99)
        data[entry + 48] = 0xFF

    forged(file, change)
    told = r"byte \d+: section '\\xffecoder\.\S+' has the unknown form 99"
    with pytest.raises(CheckpointError, match=told):
        NativeNetwork(file)


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"positions": "relative", "relative_distance": 2**30}, "relative_distance is 1073741824"),
        ({"positions": "rotary", "head_width": 2**30}, "rotary_width is 1073741824"),
        ({"segments": -1}, "incompatible function arguments"),
        ({"layers": "x"}, "config.decoder.layers"),
    ],
    ids=str,
)
def test_descriptions_of_what_cannot_be(changed, words, tmp_path, builder, monkeypatch):
    real = packing.write

    def wrong(config):
        values = real(config)
        return {**values, "decoder": {**values["decoder"], **changed}}

    monkeypatch.setattr(packing, "write", wrong)
    pack(CONFIG, builder.weights(CONFIG, 0), tmp_path / "x", 8)
    with pytest.raises(CheckpointError, match=f"byte 64: the description cannot be read.*{words}"):
        NativeNetwork(tmp_path / "x")


def test_another_version_and_another_file(file):
    data = bytearray(file.read_bytes())
    data[8] += 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="byte 8: has the layout version 2, not 1"):
        NativeNetwork(file)
    file.write_bytes(b"x" * 100)
    with pytest.raises(CheckpointError, match="byte 0: is no packed model"):
        NativeNetwork(file)
    with pytest.raises(CheckpointError, match="No such file"):
        NativeNetwork(file.with_name("none"))
    with pytest.raises(CheckpointError):
        NativeNetwork(file.parent)


def test_sections_of_another_network(tmp_path, builder, monkeypatch):
    """The description is not believed: what it needs must be there."""
    other = ModelConfig(
        vocabulary=9, decoder=StackConfig(layers=2, width=8, length=12, heads=2, feedforward=8)
    )
    path = tmp_path / "x.loquent"
    real = packing.write
    monkeypatch.setattr(packing, "write", lambda config: real(other))
    pack(CONFIG, builder.weights(CONFIG, 0), path, 8)
    with pytest.raises(CheckpointError, match=r"'decoder\.layers\.1\.\S+' is missing"):
        NativeNetwork(path)
    monkeypatch.setattr(packing, "write", lambda config: real(CONFIG))
    pack(other, builder.weights(other, 0), path, 8)
    with pytest.raises(CheckpointError, match=r"'decoder\.layers\.1\.\S+' is left over"):
        NativeNetwork(path)


def test_faults_of_weights_are_told_together(tmp_path, builder):
    weights = builder.weights(CONFIG, 0)
    weights["decoder.norm.wieght"] = weights.pop("decoder.norm.weight")
    weights["decoder.layers.0.feedforward.up.weight"] = np.zeros((3, 8), np.float32)
    with pytest.raises(CheckpointError) as caught:
        pack(CONFIG, weights, tmp_path / "x", 8)
    assert "2 faults" in str(caught.value)
    assert "'decoder.norm.wieght'" in str(caught.value)
    assert "(3, 8), not (8, 8)" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_a_pack_that_fails(tmp_path, builder):
    weights = builder.weights(CONFIG, 0)
    weights["decoder.layers.0.feedforward.up.weight"][2, 3] = np.nan
    with pytest.raises(CheckpointError, match=r"feedforward\.up\.weight' has values that are not"):
        pack(CONFIG, weights, tmp_path / "x", 8)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="4, 8, 16, 32 bits, not in 5"):
        pack(CONFIG, builder.weights(CONFIG, 0), tmp_path / "x", 5)


def test_packed_once(tmp_path, builder, monkeypatch):
    monkeypatch.setenv("LOQUENT_HOME", str(tmp_path))
    told = []
    weights = builder.weights(CONFIG, 0)
    first = packed(CONFIG, weights, "abc", 8, lambda done, of: told.append((done, of)))
    assert first.parent == tmp_path / "packed" and told[-1][0] == told[-1][1] > 0
    stamp = first.stat().st_mtime_ns
    assert packed(CONFIG, {}, "abc", 8) == first
    assert first.stat().st_mtime_ns == stamp
    assert packed(CONFIG, weights, "abc", 4) != first
    assert packed(CONFIG, weights, "abd", 8) != first
    assert NativeNetwork(first).bits == 8


def test_instruction_sets_by_name(file, monkeypatch):
    for name in instruction_sets():
        monkeypatch.setenv("LOQUENT_ISA", name)
        assert NativeNetwork(file).network.instruction_set == name
    monkeypatch.setenv("LOQUENT_ISA", "avx9")
    with pytest.raises(
        ConfigError, match=r"'avx9' is none of those that this machine runs: .*scalar"
    ):
        NativeNetwork(file)
