"""Sentences said one behind the other, on a thread: in order, as they come, until it is to stop."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest

from loquent.audio import loudspeaker
from loquent.audio.sound import Samples
from loquent.errors import UserError
from loquent.voices.aloud import Aloud, SaidAloud
from loquent.voices.opening import open_voice
from loquent.voices.speaking import speak, stream
from loquent.voices.voice import Manner, Voice

TEXTS = ["The dog.", "Four new rules.", "The apple."]


class Heap:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.samples = np.zeros(0, np.float32)
        self.dropped = self.open = 0

    def write(self, samples: Samples) -> None:
        assert self.open
        self.samples = np.concatenate([self.samples, samples])

    def drop(self) -> None:
        self.dropped += 1

    def opened(self) -> AbstractContextManager["Heap"]:
        @contextmanager
        def inside() -> Iterator["Heap"]:
            self.open += 1
            yield self
            self.open -= 1

        return inside()


@pytest.fixture(scope="module")
def voice(tiny_voice: Path) -> Voice:
    return open_voice(str(tiny_voice))


Begun = Callable[..., tuple[Aloud, Heap, threading.Event, list[SaidAloud]]]


@pytest.fixture
def begun(voice: Voice) -> Begun:
    def made(*, paced: bool = False) -> tuple[Aloud, Heap, threading.Event, list[SaidAloud]]:
        heap, stopped, said = Heap(), threading.Event(), list[SaidAloud]()
        aloud = Aloud(voice, heap.opened, stopped=stopped, told=said.append, paced=paced)
        return aloud, heap, stopped, said

    return made


def test_all_is_said_in_order(begun: Begun, voice: Voice) -> None:
    aloud, heap, _, said = begun()
    for text in TEXTS:
        aloud.say(text)
        aloud.say(" * ")  # nothing to say
    aloud.finish()
    assert [each.text for each in said] == TEXTS
    assert all(each.whole for each in said)
    assert not aloud.cut
    assert (heap.open, heap.dropped) == (0, 0)
    whole = speak(" ".join(TEXTS), voice=voice)
    spoken = sum(each.seconds for each in said)
    assert len(heap.samples) / voice.rate == pytest.approx(spoken + 2 * 0.35 + 0.1, abs=0.01)
    first = round(said[0].seconds * voice.rate)
    np.testing.assert_allclose(heap.samples[:first], whole.sound.samples[:first], atol=1e-6)


def test_a_long_first_sentence_is_heard_early(begun: Begun, voice: Voice) -> None:
    text = (
        "The dog read the rule, and the apple and the dog cost fifty dollars, and he read twenty."
    )
    aloud, heap, _, _ = begun()
    aloud.say(text)
    aloud.finish()
    pieces = list(stream(voice, text, manner=Manner(), early=True))
    assert len(pieces) > 1
    made = np.concatenate([each.samples for each in pieces])
    np.testing.assert_array_equal(heap.samples[: len(made)], made)


def test_what_cannot_be_said_is_named(begun: Begun) -> None:
    aloud, _, _, said = begun()
    aloud.say("The 中文 dog blorp.")
    aloud.finish()
    assert said[0].skipped == ("中文",)
    assert said[0].guessed == ("blorp",)


def test_nothing_is_opened_for_nothing(begun: Begun) -> None:
    aloud, heap, _, said = begun()
    aloud.say("…")
    aloud.finish()
    assert (len(heap.samples), said, aloud.first_at) == (0, [], None)


def test_it_stops_at_once_and_its_sound_is_dropped(begun: Begun, voice: Voice) -> None:
    aloud, heap, stopped, said = begun(paced=True)
    for text in TEXTS * 20:
        aloud.say(text)
    while aloud.first_at is None:
        time.sleep(0.01)
    time.sleep(0.7)
    stopped.set()
    at = time.perf_counter()
    aloud.finish()
    assert time.perf_counter() - at < 1
    assert aloud.cut
    assert heap.dropped == 1
    assert 0.4 < len(heap.samples) / voice.rate < 1.4  # no faster than it is heard
    assert [each.whole for each in said[:-1]] == [True] * (len(said) - 1)
    assert len(said) < 10


def test_what_goes_wrong_is_raised(voice: Voice) -> None:
    @contextmanager
    def none() -> Iterator[Heap]:
        raise UserError("no room.")
        yield Heap()

    stopped = threading.Event()
    aloud = Aloud(voice, none, stopped=stopped, told=lambda _: None)
    aloud.say("The dog.")
    with pytest.raises(UserError, match="no room"):
        aloud.finish()
    assert stopped.is_set()  # so that nobody goes on writing


class Device:
    """What the package sounddevice has, as far as it is used."""

    log: list[str] = []  # noqa: RUF012

    class OutputStream:
        def __init__(self, rate: int, channels: int, dtype: str) -> None:
            Device.log.append(f"{rate} {channels} {dtype}")

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *given: Device.log.append(f"{name} {[each.shape for each in given]}")


def test_the_loudspeaker_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudspeaker, "sounddevice", lambda: Device)
    loudspeaker.check_loudspeaker(24_000)
    Device.log.clear()
    with loudspeaker.loudspeaker(24_000) as sink:
        sink.write(np.zeros(10, np.float32))
        sink.drop()
    told = ["24000 1 float32", "start []", "write [(10, 1)]", "abort []", "stop []", "close []"]
    assert Device.log == told


def test_a_program_that_plays_is_silent_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise UserError("there is no package.")

    monkeypatch.setattr(loudspeaker, "sounddevice", missing)
    program = tmp_path / "aplay"
    program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    begun = time.monotonic()
    with loudspeaker.loudspeaker(8_000) as sink:
        sink.write(np.zeros(1000, np.float32))
        sink.drop()
    assert time.monotonic() - begun < 5
    program.rename(tmp_path / "afplay")  # it plays whole files only
    with pytest.raises(UserError, match="no player was found"):
        loudspeaker.check_loudspeaker(8_000)
