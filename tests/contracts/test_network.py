"""What every network must hold behind the engine's protocol: a memory with rows, flat lists."""

import random

import numpy as np
import pytest
import torch

from loquent.engine.network import Network, Tokens
from loquent.engine.torch_network import TorchNetwork
from loquent.model.model import Model

EXACT = 1e-12
LENGTH = 110


def sequences(model: Model, rows: int, length: int = LENGTH) -> list[list[int]]:
    generator = random.Random(5)
    return [
        [generator.randrange(model.config.vocabulary) for _ in range(length)] for _ in range(rows)
    ]


def sources(model: Model, rows: int) -> list[list[int]]:
    words = model.config.source_vocabulary or model.config.vocabulary
    generator = random.Random(6)
    return [[generator.randrange(words) for _ in range(7 + 9 * row)] for row in range(rows)]


def expected(model: Model, ids: list[int], source: list[int] | None) -> np.ndarray:
    read = None if source is None else torch.tensor([source])
    return model(torch.tensor([ids]), None, read)[0].numpy()


def feed(network: Network, memory, parts: list[tuple[int, int, list[int]]]) -> np.ndarray:
    """Parts (row, start, ids) in one step, every token's logits wanted."""
    ids = np.concatenate([np.asarray(part, np.int32) for _, _, part in parts])
    rows = np.concatenate([np.full(len(part), row, np.int32) for row, _, part in parts])
    places = [np.arange(start, start + len(part), dtype=np.int32) for _, start, part in parts]
    wanted = np.ones(len(ids), np.bool_)
    return network.step(memory, Tokens(ids, rows, np.concatenate(places), wanted))


def attached(model: Model, rows: int):
    network = TorchNetwork(model)
    memory = network.new_memory(rows, 160)
    read: list[list[int] | None] = [None] * rows
    if model.config.encoder is not None:
        read = list(sources(model, rows))
        for row, source in enumerate(read):
            memory.attach(row, source)
    return network, memory, read


def test_step_by_step_as_in_chunks_as_all_at_once(writer: Model) -> None:
    (ids,) = sequences(writer, 1)
    network, memory, read = attached(writer, 3)
    whole = expected(writer, ids, read[0])
    assert np.abs(feed(network, memory, [(0, 0, ids)]) - whole).max() < EXACT
    memory.clear(0)
    if read[0] is not None:
        memory.attach(0, read[0])
    for start, end in ((0, 1), (1, 33), (33, 34), (34, 100), (100, LENGTH)):
        made = feed(network, memory, [(0, start, ids[start:end])])
        assert np.abs(made - whole[start:end]).max() < EXACT
    memory.clear(0)
    if read[0] is not None:
        memory.attach(0, read[0])
    for place, each in enumerate(ids):
        made = feed(network, memory, [(0, place, [each])])
        assert np.abs(made[0] - whole[place]).max() < EXACT


def test_any_mix_of_rows_and_parts(writer: Model) -> None:
    rows = 16
    texts = sequences(writer, rows, 60)
    network, memory, read = attached(writer, rows)
    wholes = [expected(writer, ids, source) for ids, source in zip(texts, read, strict=True)]
    generator = random.Random(8)
    done = [0] * rows
    while any(count < 60 for count in done):
        chosen = [row for row in range(rows) if done[row] < 60 and generator.random() < 0.6]
        generator.shuffle(chosen)
        parts = []
        for row in chosen:
            size = min(generator.choice([1, 1, 1, 5, 20]), 60 - done[row])
            parts.append((row, done[row], texts[row][done[row] : done[row] + size]))
        if not parts:
            continue
        made = feed(network, memory, parts)
        place = 0
        for row, start, ids in parts:
            want = wholes[row][start : start + len(ids)]
            assert np.abs(made[place : place + len(ids)] - want).max() < EXACT
            place += len(ids)
            done[row] += len(ids)


def test_only_the_wanted_tokens_get_logits_in_their_order(writer: Model) -> None:
    texts = sequences(writer, 2, 12)
    network, memory, read = attached(writer, 2)
    ids = np.array([texts[1][0], texts[0][0], texts[1][1], texts[0][1], texts[1][2]], np.int32)
    rows = np.array([1, 0, 1, 0, 1], np.int32)
    positions = np.array([0, 0, 1, 1, 2], np.int32)
    wanted = np.array([True, False, False, True, True])
    made = network.step(memory, Tokens(ids, rows, positions, wanted))
    first, second = (expected(writer, texts[row][:3], read[row]) for row in (0, 1))
    assert made.shape == (3, writer.config.vocabulary)
    assert np.abs(made - np.stack([second[0], first[1], second[2]])).max() < EXACT
    none = network.step(memory, Tokens(ids[:1], rows[:1], positions[:1] + 3, np.array([False])))
    assert none.shape == (0, writer.config.vocabulary)


def test_rows_fork_reorder_and_start_anew(writer: Model) -> None:
    texts = sequences(writer, 4, 40)
    network, memory, read = attached(writer, 4)
    feed(network, memory, [(row, 0, texts[row][:20]) for row in (0, 1, 3)])
    memory.copy(1, 2)
    want = expected(writer, texts[1][:20] + texts[2][20:22], read[1])
    assert np.abs(feed(network, memory, [(2, 20, texts[2][20:22])]) - want[20:]).max() < EXACT
    memory.reorder([0, 1, 3], [3, 0, 3])  # row 0 goes to 1 although 0 itself is replaced
    for row, origin in ((0, 3), (1, 0), (3, 3)):
        want = expected(writer, texts[origin][:20] + texts[row][20:30], read[origin])
        made = feed(network, memory, [(row, 20, texts[row][20:30])])
        assert np.abs(made - want[20:]).max() < EXACT
    memory.clear(3)
    if read[0] is not None:
        memory.attach(3, read[0])
    want = expected(writer, texts[2], read[0])
    assert np.abs(feed(network, memory, [(3, 0, texts[2])]) - want).max() < EXACT


def test_a_step_that_fails_can_be_made_again(writer: Model) -> None:
    texts = sequences(writer, 2, 20)
    network, memory, read = attached(writer, 2)
    feed(network, memory, [(0, 0, texts[0][:5]), (1, 0, texts[1][:9])])
    again = [(0, 5, texts[0][5:6]), (1, 9, texts[1][9:20])]
    hook = writer.decoder.layers[-1].register_forward_hook(stop_at_the_second())
    with pytest.raises(KeyboardInterrupt):
        feed(network, memory, again)
    hook.remove()
    made = feed(network, memory, again)
    wholes = [expected(writer, ids, source) for ids, source in zip(texts, read, strict=True)]
    want = np.concatenate([wholes[0][5:6], wholes[1][9:20]])
    assert np.abs(made - want).max() < EXACT


def stop_at_the_second():
    """A hook that ends the second group of a step, when the first has been read."""
    calls = []

    def hook(*_):
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt

    return hook
