"""Answers that are shared, guessed and cancelled leave nothing behind (bench/endurance.py)."""

import random
from pathlib import Path

import loquent


def test_every_block_is_returned(tiny_gpt2: Path) -> None:
    generator = random.Random(3)
    lm = loquent.open(tiny_gpt2, rows=4, kept_bytes=200_000)
    words = (Path(__file__).parents[2] / "LICENSE").read_text(encoding="utf-8").split()[:60]
    streams, started, cancelled = [], 0, 0
    while started < 300 or streams:
        while len(streams) < 6 and started < 300:
            prompt = " ".join(words[: generator.randrange(1, 20)])
            streams.append(
                lm.stream(
                    prompt, max_tokens=generator.randrange(1, 9), seed=started, truncate="left"
                )
            )
            started += 1
        lm.advance(streams[0])
        for stream in list(streams):
            if not stream.done and generator.random() < 0.1:
                stream.cancel()
                cancelled += 1
            if stream.done:
                streams.remove(stream)
    assert cancelled > 50
    assert lm._engine.idle
    memory, prefixes = lm._engine._memory, lm._engine._prefixes
    assert 0 < prefixes.tokens * lm.network.position_bytes <= 200_000
    assert 0 < memory.memory.used_blocks < memory.memory.allocated_blocks + 1
    for row in list(prefixes._kept):
        memory.clear(row)
    assert memory.memory.used_blocks == 0
