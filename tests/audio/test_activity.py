"""Where somebody speaks: the rules of spans, the energy rule, and silero's network as it is."""

import math
from pathlib import Path

import numpy as np
import pytest

from loquent.audio.activity import ENERGY, Activity, Detector, spans_of, speech_spans
from loquent.audio.reading import read_sound
from loquent.audio.silero import SHAPES, Silero
from loquent.checkpoints import detectors, hub
from loquent.checkpoints.detectors import open_silero, speech_detector
from loquent.errors import CheckpointError, ConfigError, UserError

RATE = 16_000


@pytest.fixture(scope="session")
def silero_file() -> Path:
    try:
        return hub.resolve("silero-vad")
    except UserError as error:
        pytest.skip(f"silero's network cannot be had here: {error}")


@pytest.fixture(scope="session")
def silero(silero_file: Path) -> Silero:
    return open_silero(silero_file)


@pytest.fixture(scope="session")
def jfk(data: Path) -> np.ndarray:
    return read_sound(data / "jfk" / "jfk.flac").samples


def random_silero() -> Silero:
    rng = np.random.default_rng(0)
    return Silero({name: 0.1 * rng.standard_normal(shape) for name, shape in SHAPES.items()})


def times(spans: list) -> list[tuple[float, float]]:
    return [(round(span.start_seconds, 3), round(span.end_seconds, 3)) for span in spans]


def test_rules_of_spans() -> None:
    plain = Activity(least_speech_seconds=0.2, least_silence_seconds=0.2, padding_seconds=0)
    chances = np.array([0, 0, 0.6, 0.4, 0.6, 0, 0.9, 0, 0, 0, 0.9, 0, 0, 0.9, 0.9], np.float32)
    # 0.4 is no end; one silent frame is too few; one frame of speech is too short.
    assert times(spans_of(chances, 0.1, 1.5, plain)) == [(0.2, 0.7), (1.3, 1.5)]
    padded = Activity(least_speech_seconds=0.2, least_silence_seconds=0.2, padding_seconds=0.4)
    assert times(spans_of(chances, 0.1, 1.45, padded)) == [(0.0, 1.0), (1.0, 1.45)]
    assert spans_of(np.zeros(0, np.float32), 0.1, 0.0, plain) == []
    assert times(spans_of(np.ones(5, np.float32), 0.1, 0.42, plain)) == [(0, 0.42)]


def test_long_spans_are_cut_where_speech_is_least_likely() -> None:
    chances = np.full(1000, 0.9, np.float32)
    chances[[70, 95, 180]] = [0.6, 0.5, 0.6]
    rules = Activity(longest_seconds=1.0, padding_seconds=0)
    spans = spans_of(chances, 0.01, 10.0, rules)
    assert times(spans)[:2] == [(0, 0.95), (0.95, 1.8)]
    assert all(span.seconds <= 1.0 + 1e-9 for span in spans)
    assert math.isclose(sum(span.seconds for span in spans), 10.0)


def test_impossible_rules_are_refused() -> None:
    with pytest.raises(ConfigError, match="chances"):
        Activity(start_chance=0.2)
    with pytest.raises(ConfigError, match="too short"):
        Activity(longest_seconds=0.1)


@pytest.mark.parametrize("detector", [ENERGY, random_silero()], ids=["energy", "silero"])
def test_blocks_are_heard_as_the_whole(detector: Detector) -> None:
    sound = np.random.default_rng(2).standard_normal(3 * RATE).astype(np.float32)
    if detector is ENERGY:  # its floor is that of what it has heard so far
        sound[:] = 0.1
    whole = detector.begin().next(sound)
    assert whole.shape == (len(sound) // detector.frame,)
    for size in (100, 512, 7000):
        hearing = detector.begin()
        parts = [hearing.next(sound[at : at + size]) for at in range(0, len(sound), size)]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_the_energy_rule_hears_bursts_and_not_noise() -> None:
    rng = np.random.default_rng(3)
    noise = 0.002 * rng.standard_normal(10 * RATE).astype(np.float32)
    assert speech_spans(noise, RATE) == []
    assert speech_spans(100 * noise, RATE) == []  # as loud as may be, but always so
    assert speech_spans(0 * noise, RATE) == []
    spoken = noise.copy()
    for second in (2, 5):
        moments = np.arange(RATE) / RATE
        spoken[second * RATE : (second + 1) * RATE] += 0.1 * np.sin(
            2 * np.pi * 200 * moments
        ).astype(np.float32)
    for rate, sound in ((RATE, spoken), (8000, spoken[::2])):
        found = times(speech_spans(sound, rate))
        np.testing.assert_allclose(found, [(2, 3), (5, 6)], atol=0.06)


def test_silero_is_its_own_reference(silero: Silero, silero_file: Path, jfk: np.ndarray) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415

    reference = ReferenceEvaluator(onnx.load(silero_file))
    frames = jfk[: 40 * 512].reshape(-1, 512)
    state, before = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
    expected = []
    names = [each.name for each in onnx.load(silero_file).graph.input]
    for frame in frames:
        given = np.concatenate([before, frame[None]], axis=1)
        values = {"input": given, "state": state, "sr": np.array(RATE, np.int64)}
        chance, state = reference.run(None, {name: values[name] for name in names})
        before = given[:, -64:]
        expected.append(float(chance[0, 0]))
    made = silero.begin().next(frames.reshape(-1))
    assert np.abs(made - expected).max() < 1e-5
    assert max(expected) > 0.9
    assert min(expected) < 0.1


def test_silero_hears_speech_and_nothing_else(silero: Silero, jfk: np.ndarray) -> None:
    spans = speech_spans(jfk, RATE, silero)
    assert 6 < sum(span.seconds for span in spans) < 10
    assert spans[0].start_seconds < 0.4
    rng = np.random.default_rng(4)
    moments = np.arange(5 * RATE) / RATE
    hum = 0.3 * np.sin(2 * np.pi * 220 * moments).astype(np.float32)
    for other in (0.1 * rng.standard_normal(5 * RATE).astype(np.float32), hum, 0 * hum):
        assert speech_spans(other, RATE, silero) == []


def test_what_is_on_this_machine_is_taken_and_told(
    silero_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert speech_detector().name == "silero"
    monkeypatch.setattr(detectors.hub, "locate", lambda _: None)
    assert speech_detector().name == "energy"


def test_another_file_is_no_silero(tmp_path: Path, silero_file: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(silero_file)
    first = model.graph.initializer[1]
    array = onnx.numpy_helper.to_array(first)
    first.CopyFrom(onnx.numpy_helper.from_array(array[:-1], first.name))
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(CheckpointError, match="wanted"):
        open_silero(tmp_path / "other.onnx")
    weights = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    del weights["head.bias"]
    with pytest.raises(CheckpointError, match=r"'head\.bias' of silero is missing"):
        Silero(weights)
