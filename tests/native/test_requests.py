"""What cannot be computed is refused, and leaves the memory as it was."""

import threading
from pathlib import Path

import numpy as np
import pytest

from loquent.architecture import ModelConfig, StackConfig
from loquent.engine.network import Tokens
from loquent.errors import ConfigError, RequestError
from loquent.native import executable, thread_count
from loquent.native import threads as threading_rules

CONFIG = ModelConfig(
    vocabulary=20, decoder=StackConfig(layers=1, width=8, length=30, heads=2, feedforward=8)
)


@pytest.fixture
def network(native, builder):
    return native(CONFIG, builder.weights(CONFIG, 0), 8)


def test_tokens_out_of_range(network, builder):
    memory = network.new_memory(2, 30)
    expected = network.step(memory, builder.flat((0, 0, [1, 2, 3])))
    for part, message in (
        ((0, 3, [20]), "the id 20 is none of the 20 tokens"),
        ((0, 3, [-1]), "the id -1 is none"),
        ((2, 0, [1]), "row 2 is not one of the memory's 2"),
        ((-1, 0, [1]), "row -1 is not"),
        ((0, 4, [1]), "row 0 has 3 tokens and cannot go on at position 4"),
        ((1, -1, [1]), "a position is negative"),
        ((0, 3, [1] * 28), "position 30 is beyond the last of 30"),
    ):
        with pytest.raises(RequestError, match=message):
            network.step(memory, builder.flat(part))
    odd = builder.flat((0, 3, [1, 2]))
    odd.positions[1] = 7
    with pytest.raises(RequestError, match="do not stand one behind the other"):
        network.step(memory, odd)
    short = Tokens(odd.ids, odd.rows[:1], odd.positions, odd.wanted)
    with pytest.raises(RequestError, match="differ in length"):
        network.step(memory, short)
    again = network.step(network.new_memory(1, 30), builder.flat((0, 0, [1, 2, 3, 4])))
    assert np.array_equal(again[:3], expected)
    assert np.array_equal(again[3:], network.step(memory, builder.flat((0, 3, [4]))))


def test_nothing_wanted_and_nothing_given(network, builder):
    memory = network.new_memory(1, 30)
    quiet = builder.flat((0, 0, [1, 2]))
    quiet.wanted[:] = False
    assert network.step(memory, quiet).shape == (0, 20)
    empty = Tokens(*(each[:0] for each in (quiet.ids, quiet.rows, quiet.positions, quiet.wanted)))
    assert network.step(memory, empty).shape == (0, 20)
    assert network.step(memory, builder.flat((0, 2, [3]))).shape == (1, 20)


def test_rows_that_are_not_there(network):
    memory = network.new_memory(2, 30)
    for call in (
        lambda: memory.memory.clear(2),
        lambda: memory.memory.reorder([0], [2]),
        lambda: memory.memory.reorder([2], [0]),
        lambda: memory.memory.reorder([0, 1], [0]),
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(RequestError, match="attends to no source"):
        memory.attach(0, [1, 2])


def test_threads_may_share_a_network(network, builder):
    """Steps of several threads wait for each other; each gets what it would get alone."""
    rows = np.random.default_rng(0).integers(20, size=(4, 25)).tolist()
    expected = [network.step(network.new_memory(1, 30), builder.flat((0, 0, ids))) for ids in rows]
    wrong = []

    def work(index: int) -> None:
        for _ in range(20):
            got = network.step(network.new_memory(1, 30), builder.flat((0, 0, rows[index])))
            if not np.array_equal(got, expected[index]):
                wrong.append(index)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_more_threads_than_processors(native, builder):
    weights = builder.weights(CONFIG, 0)
    ids = list(range(20))
    one, many = native(CONFIG, weights, threads=1), native(CONFIG, weights, threads=9)
    assert many.network.threads == 9
    for _ in range(50):
        a, b = (
            each.step(each.new_memory(1, 30), builder.flat((0, 0, ids))) for each in (one, many)
        )
        assert np.array_equal(a, b)


def test_thread_count(monkeypatch, tmp_path):
    monkeypatch.setenv("LOQUENT_THREADS", "3")
    assert thread_count() == 3
    for bad in ("0", "-1", "two", "1025"):
        monkeypatch.setenv("LOQUENT_THREADS", bad)
        with pytest.raises(ConfigError, match="LOQUENT_THREADS: must be from 1 to 1024"):
            thread_count()
    monkeypatch.delenv("LOQUENT_THREADS")
    monkeypatch.setattr(threading_rules, "_GROUP", tmp_path)
    whole = thread_count()
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert thread_count() == whole
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert thread_count() == 1
    (tmp_path / "cpu.max").unlink()
    old = tmp_path / "cpu"
    old.mkdir()
    Path(old / "cpu.cfs_quota_us").write_text("50000")
    Path(old / "cpu.cfs_period_us").write_text("100000")
    assert thread_count() == 1


def test_only_attention_is_executable():
    assert executable(CONFIG)
    lstm = StackConfig(layers=1, width=8, length=30, mixer="lstm", positions="none")
    assert not executable(ModelConfig(vocabulary=20, decoder=lstm))
