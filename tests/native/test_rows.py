"""Logits of a row do not depend on what is computed beside it, nor on how it came there."""

import numpy as np
import pytest

from loquent.architecture import ModelConfig, StackConfig
from loquent.engine.network import Tokens
from loquent.native import instruction_sets

LENGTH = 150
CONFIGS = {
    "llama": ModelConfig(
        vocabulary=90,
        decoder=StackConfig(
            layers=2,
            width=70,
            length=LENGTH,
            heads=6,
            kv_heads=2,
            head_width=20,
            feedforward=130,
            gated=True,
            activation="silu",
            norm="rms",
            positions="rotary",
        ),
    ),
    "post": ModelConfig(
        vocabulary=90,
        tied=False,
        decoder=StackConfig(
            layers=2,
            width=64,
            length=LENGTH,
            heads=4,
            feedforward=100,
            norm_place="post",
            final_norm=False,
            attention_bias=True,
            positions="relative",
        ),
    ),
}
EVERY = [
    (config, bits, name)
    for config in CONFIGS
    for bits in (4, 8, 16, 32)
    for name in instruction_sets()
]


@pytest.fixture(params=EVERY, ids=lambda each: f"{each[0]}-{each[1]}-{each[2]}")
def network(request, native, builder):
    config, bits, name = request.param
    weights = builder.weights(CONFIGS[config], 3)
    return native(CONFIGS[config], weights, bits, isa=name, threads=2)


def alone(network, builder, ids):
    return network.step(network.new_memory(1, LENGTH), builder.flat((0, 0, ids)))


def test_alone_in_a_batch_and_in_any_pieces(network, builder):
    rng = np.random.default_rng(0)
    lengths = [1, 5, 17, 64, 140]
    rows = [rng.integers(90, size=length).tolist() for length in lengths]
    expected = [alone(network, builder, ids) for ids in rows]
    memory = network.new_memory(len(rows), LENGTH)
    done = [0] * len(rows)
    got: list[list[np.ndarray]] = [[] for _ in rows]
    while any(at < length for at, length in zip(done, lengths, strict=True)):
        parts = []
        for row in rng.permutation(len(rows)):
            count = min(int(rng.choice([0, 1, 1, 2, 7, 40])), lengths[row] - done[row])
            if count:
                parts.append((int(row), done[row], rows[row][done[row] : done[row] + count]))
                done[row] += count
        if not parts:
            continue
        out = network.step(memory, builder.flat(*parts))
        for row, _, ids in parts:
            got[row].append(out[: len(ids)])
            out = out[len(ids) :]
    for row, pieces in enumerate(got):
        assert np.array_equal(np.concatenate(pieces), expected[row])


def test_rows_may_be_interleaved_and_only_some_wanted(network, builder):
    rng = np.random.default_rng(1)
    first, second = rng.integers(90, size=(2, 20)).tolist()
    mixed = Tokens(
        ids=np.array([each for pair in zip(first, second, strict=True) for each in pair], np.int32),
        rows=np.array([1, 0] * 20, np.int32),
        positions=np.repeat(np.arange(20), 2).astype(np.int32),
        wanted=np.array([False] * 37 + [True, False, True]),
    )
    got = network.step(network.new_memory(2, LENGTH), mixed)
    assert np.array_equal(got[0], alone(network, builder, second)[-2])
    assert np.array_equal(got[1], alone(network, builder, second)[-1])


def test_forked_rows_go_their_own_ways(network, builder):
    rng = np.random.default_rng(2)
    start = rng.integers(90, size=21).tolist()
    ends = rng.integers(90, size=(3, 15)).tolist()
    memory = network.new_memory(4, LENGTH)
    network.step(memory, builder.flat((2, 0, start)))
    before = memory.memory.used_blocks
    for row in (0, 3):
        memory.copy(2, row)
    assert memory.memory.used_blocks == before  # shared, not copied
    for row, ids in zip((0, 2, 3), ends, strict=True):
        got = network.step(memory, builder.flat((row, 21, ids)))
        assert np.array_equal(got, alone(network, builder, start + ids)[21:])
    memory.reorder([0, 1, 2, 3], [3, 0, 0, 2])
    for row, ids in zip(range(4), (ends[2], ends[0], ends[0], ends[1]), strict=True):
        got = network.step(memory, builder.flat((row, 36, [7])))
        assert np.array_equal(got[0], alone(network, builder, [*start, *ids, 7])[-1])


def test_cleared_rows_leave_nothing_behind(network, builder):
    rng = np.random.default_rng(3)
    memory = network.new_memory(2, LENGTH)
    for _ in range(4):
        ids = rng.integers(90, size=int(rng.integers(1, LENGTH))).tolist()
        got = network.step(memory, builder.flat((1, 0, ids)))
        assert np.array_equal(got, alone(network, builder, ids))
        memory.clear(1)
        assert memory.memory.used_blocks == 0
    assert memory.memory.allocated_blocks >= LENGTH // 16


def test_a_row_may_go_back(network, builder):
    """Tokens that turn out wrong are written over: the row ends where it was continued."""
    rng = np.random.default_rng(4)
    ids, other = rng.integers(90, size=(2, 50)).tolist()
    memory = network.new_memory(1, LENGTH)
    network.step(memory, builder.flat((0, 0, ids)))
    got = network.step(memory, builder.flat((0, 19, other[19:])))
    assert np.array_equal(got, alone(network, builder, ids[:19] + other[19:])[19:])
