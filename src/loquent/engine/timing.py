"""How fast a network writes, or reads whole texts: of random tokens, continued by the likeliest."""

import random
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.engine.engine import Engine
from loquent.engine.network import Network, Reader, Text
from loquent.engine.request import Request, Sampling


@dataclass(frozen=True)
class Shape:
    """So many rows, each with a prompt of so many tokens and so many new ones."""

    rows: int
    prompt: int
    new: int
    source: int = 0  # tokens that an encoder reads before


def timed(network: Network, shape: Shape, seed: int, seconds: float = 0.0) -> tuple[float, float]:
    """Seconds until every row has its first token, and tokens a second of all rows after it.

    So many `seconds` after the first tokens it ends after one more step, complete or not.
    """
    engine = Engine(network, rows=shape.rows, length=shape.prompt + shape.new)
    chance = random.Random(seed)
    sampling = Sampling(max_tokens=shape.new, temperature=0, seed=0)
    config = network.config
    waiting = set()
    for _ in range(shape.rows):
        request = Request(
            [chance.randrange(config.vocabulary) for _ in range(shape.prompt)],
            sampling,
            source=_source(chance, config, shape.source),
        )
        engine.submit(request)
        waiting.add(request)
    start = time.perf_counter()
    while waiting:
        waiting -= {event.request for event in engine.step()}
    first = now = time.perf_counter()
    later = 0
    while not engine.idle and now - first <= seconds:
        later += len(engine.step())
        now = time.perf_counter()
    return first - start, later / (now - first) if later else 0.0


def timed_reading(network: Reader, texts: int, tokens: int, seed: int) -> float:
    """Seconds in which so many texts of so many tokens each are read, all at once."""
    chance = random.Random(seed)
    config = network.config
    words = config.source_vocabulary or config.vocabulary
    given = [Text([chance.randrange(words) for _ in range(tokens)]) for _ in range(texts)]
    start = time.perf_counter()
    network.read(given)
    return time.perf_counter() - start


def _source(
    chance: random.Random, config: ModelConfig, count: int
) -> list[int] | NDArray[np.float32] | None:
    """So many tokens, or as many states of a sound."""
    front = config.encoder.front if config.encoder is not None else None
    if front is not None:
        noise = np.random.default_rng(chance.getrandbits(32))
        made: NDArray[np.float32] = noise.standard_normal(
            (front.features, max(count, 1) * front.stride), np.float32
        )
        return made
    words = config.source_vocabulary or config.vocabulary
    return [chance.randrange(words) for _ in range(count)] if count else None
