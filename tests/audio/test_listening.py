"""What is said while something else is done: turns of a sound on a thread of its own."""

import queue
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from loquent.audio.activity import ENERGY, Activity
from loquent.audio.listening import Listening, turns
from loquent.audio.sound import Sound
from loquent.errors import DataError

RATE = 16_000
RULES = Activity(least_speech_seconds=0.25, least_silence_seconds=0.5, padding_seconds=0.1)


def part(loud: bool, seconds: float, seed: int = 0) -> list[Sound]:
    level = 0.1 if loud else 1e-4
    noise = level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return [Sound(each.astype(np.float32), RATE) for each in np.split(noise, round(seconds * 10))]


def talk() -> list[Sound]:
    quiet = part(False, 1.2)
    return [*quiet, *part(True, 1.0), *quiet, *part(True, 0.1), *quiet, *part(True, 2.0), *quiet]


def test_a_sound_that_waits_and_one_that_does_not_have_the_same_turns() -> None:
    waiting = list(turns(talk(), ENERGY, RULES))
    heard = Listening(iter(talk()), ENERGY, RULES, begun=lambda: None, deaf=lambda: False)
    live = list(heard)
    assert [each.span for each in live] == [each.span for each in waiting]
    assert [round(each.sound.seconds, 1) for each in live] == [1.2, 2.2]  # and no short noise
    for one, other in zip(live, waiting, strict=True):
        np.testing.assert_array_equal(one.sound.samples, other.sound.samples)
    assert live[0].over_at <= live[1].over_at
    assert not heard.pressing


def test_it_is_told_as_soon_as_somebody_speaks() -> None:
    given: queue.SimpleQueue[Sound | None] = queue.SimpleQueue()
    began, told = threading.Event(), list[int]()

    def blocks() -> Iterator[Sound]:
        while (block := given.get()) is not None:
            yield block

    def begun() -> None:
        told.append(1)
        began.set()

    heard = Listening(blocks(), ENERGY, RULES, begun=begun, deaf=lambda: False)
    for block in [*part(False, 1.2), *part(True, 0.1), *part(False, 1.0)]:
        given.put(block)
    assert not began.wait(0.3)  # too short to count
    for block in part(True, 0.4):
        given.put(block)
    assert began.wait(5)
    assert heard.pressing
    for block in [*part(True, 1.0), *part(False, 1.0)]:
        given.put(block)
    while heard._speaking:
        time.sleep(0.01)
    assert heard.pressing  # it was said, and nobody has asked for it
    made = next(iter(heard))
    assert not heard.pressing
    assert 1.3 < made.sound.seconds < 1.8
    given.put(None)
    assert list(heard) == []
    assert told == [1]


def test_what_comes_while_it_is_deaf_is_dropped() -> None:
    deaf, blocks = False, talk()

    def slowly() -> Iterator[Sound]:
        nonlocal deaf
        for place, block in enumerate(blocks):
            deaf = place < 23
            yield block

    heard = list(Listening(slowly(), ENERGY, RULES, begun=lambda: None, deaf=lambda: deaf))
    assert [round(each.sound.seconds, 1) for each in heard] == [2.2]


def test_the_sound_may_end_while_somebody_speaks() -> None:
    blocks = [*part(False, 1.2), *part(True, 1.0)]
    (made,) = Listening(iter(blocks), ENERGY, RULES, begun=lambda: None, deaf=lambda: False)
    assert made.sound.seconds > 0.9


def test_a_fault_of_the_sound_is_raised() -> None:
    def broken() -> Iterator[Sound]:
        yield from talk()[:30]
        raise DataError("it broke.")

    heard = iter(Listening(broken(), ENERGY, RULES, begun=lambda: None, deaf=lambda: False))
    assert next(heard).sound.seconds > 1
    with pytest.raises(DataError, match="it broke"):
        next(heard)
