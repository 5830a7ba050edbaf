"""A voice is trained by the one loop, and says in NumPy what it says in torch."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from loquent.audio.sound import Sound
from loquent.audio.voicing import hertz_of, pitch_values, pitches, placed
from loquent.audio.writing import write_sound
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import CheckpointError, ConfigError, DataError, RequestError
from loquent.model.model import load
from loquent.runs import execute
from loquent.runs.plan import Plan, planned
from loquent.runs.result import Result
from loquent.voices.own import OwnVoice, filters_of, framed, is_own, open_own
from loquent.voices.speaking import speak
from loquent.voices.voice import Manner

RATE = 8000
PITCHES = {"a": 150.0, "i": 220.0, "u": 300.0}


def vowel(hertz: float, seconds: float) -> np.ndarray:
    moments = np.arange(round(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * hertz * k * moments) / k for k in range(1, 8)) * 0.1


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of phonemes, each sung at a pitch of its own."""
    folder = tmp_path_factory.mktemp("sung")
    random = np.random.default_rng(0)
    rows = []
    for number in range(10):
        signs = "".join(random.choice(list(PITCHES), 5))
        parts = [vowel(PITCHES[each], random.uniform(0.12, 0.2)) for each in signs]
        quiet = np.zeros(800)
        wave = np.concatenate([quiet, *parts[:3], quiet, *parts[3:], quiet])
        wave += 0.001 * random.standard_normal(len(wave))
        write_sound(folder / f"{number}.wav", Sound(wave.astype(np.float32), RATE))
        rows.append({"audio": f"{number}.wav", "phonemes": f"{signs[:3]}, ˈ{signs[3:]}"})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def plan(recordings: Path, out: Path, **changes: object) -> Plan:
    values = {
        "task": "speak",
        "data": {"train": str(recordings / "rows.jsonl"), "validation_share": 0.2, "batch": 4},
        "network": {"layers": 1, "width": 32, "heads": 2, "feedforward": 48},
        "sound": {"rate": RATE},
        "training": {"steps": 6, "rate": 1e-3},
        "evaluate": {"every": 0.5},
        "out": str(out),
        "device": "cpu",
    }
    return planned({**values, **changes})


@pytest.fixture(scope="session")
def learned(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return execute.run(plan(recordings, tmp_path_factory.mktemp("learned") / "run"))


@pytest.fixture(scope="session")
def voice(learned: Result) -> OwnVoice:
    assert learned.model is not None
    assert is_own(learned.model)
    return open_own(learned.model, "sung", None)


def test_it_speaks(voice: OwnVoice, learned: Result) -> None:
    assert 0 < learned.validation["loss"].value < 10
    assert voice.rate == RATE
    made = speak("aiu, iua", voice=voice)
    assert made.sound.rate == RATE
    assert np.isfinite(made.sound.samples).all()
    assert made.plain()["phonemes_by"] == "characters as they are"
    again = voice.said("aiu", Manner(seed=3))
    np.testing.assert_array_equal(again, voice.said("aiu", Manner(seed=3)))
    assert len(voice.said("aiu", Manner(speed=0.5))) > 1.5 * len(again)
    assert not len(voice.said("  ", Manner()))


def test_what_it_never_heard_is_told(voice: OwnVoice) -> None:
    with pytest.raises(RequestError, match="has no phoneme o"):
        voice.said("ao", Manner())
    found = voice.pronounced("ao! u?")
    assert found.unknown == ("the sound o",)
    assert found.phonemes == "a u"  # no full stop was learned that could stand for the marks
    assert voice.pronounced("a; u").phonemes == "a, u"
    with pytest.raises(RequestError, match="cannot say the sound o"):
        speak("ao", voice=voice)


def test_numpy_says_what_torch_says(voice: OwnVoice, learned: Result) -> None:
    assert learned.model is not None
    checkpoint = Checkpoint.open(learned.model)
    model = load(checkpoint.config, checkpoint.weights).double()
    random = np.random.default_rng(1)
    values = {}
    with torch.no_grad():
        for name, each in model.named_parameters():
            each.add_(0.02 * torch.from_numpy(random.standard_normal(each.shape)))
            values[name] = each.numpy()
    weights = replace(voice.weights, values=values)
    speech = model.speech
    assert speech is not None
    ids = np.array([each for sign in " aiu, ˈua " for each in voice._id(sign)])
    made = framed(ids, checkpoint.config, weights)
    with torch.no_grad():
        real = torch.ones(1, len(ids), 1, dtype=torch.float64)
        x, told = speech.phonemes(model.encode(torch.from_numpy(ids)[None]), real)
        ends = told[0, :, 0].expm1().clamp(0, 120).cumsum(0).round().long().clamp(min=1)
        tokens, places = placed(np.diff(ends.numpy(), prepend=0))
        frames = speech.frames(
            x, told[..., 1:], torch.from_numpy(tokens)[None],
            torch.from_numpy(places)[None].double(), torch.ones(1, len(tokens), 1).double(),
        )  # fmt: skip
        frames[..., -1] = frames[..., -1].sigmoid()
        np.testing.assert_allclose(made, frames[0].numpy(), atol=1e-9)
        filters = speech.filters(frames)[0].numpy()
    ours = filters_of(made, speech.config, weights.at("speech"))
    np.testing.assert_allclose(ours[0], filters[:, 0], atol=1e-9)
    np.testing.assert_allclose(ours[1], filters[:, 1], atol=1e-9)


def test_padding_changes_nothing(learned: Result) -> None:
    assert learned.model is not None
    checkpoint = Checkpoint.open(learned.model)
    model = load(checkpoint.config, checkpoint.weights).double()
    assert model.speech is not None
    ids = torch.tensor([[1, 2, 3, 2, 0, 0, 0], [3, 1, 2, 1, 2, 3, 1]])
    lengths = torch.tensor([4, 7])
    real = (torch.arange(7) < lengths[:, None])[..., None].double()
    with torch.no_grad():
        both, _ = model.speech.phonemes(model.encode(ids, lengths), real)
        alone, _ = model.speech.phonemes(model.encode(ids[:1, :4]), real[:1, :4])
    torch.testing.assert_close(both[:1, :4], alone, atol=1e-12, rtol=0)


def test_a_run_goes_on_bit_by_bit(recordings: Path, learned: Result, tmp_path: Path) -> None:
    steps = iter(range(100))
    asked = plan(recordings, tmp_path / "parts")
    execute.run(asked, stop=lambda: next(steps) == 2)
    again = execute.run(asked)
    assert again.model is not None
    assert learned.model is not None
    for name in ("model.safetensors", "config.json"):
        assert (again.model / name).read_bytes() == (learned.model / name).read_bytes()


def test_a_voice_is_tuned(recordings: Path, learned: Result, tmp_path: Path) -> None:
    start = {"model": str(learned.model)}
    made = execute.run(plan(recordings, tmp_path / "tuned", start=start, network={}))
    assert made.model is not None
    assert Checkpoint.open(made.model).config == Checkpoint.open(learned.model).config


def test_wrong_files_are_told(learned: Result, tmp_path: Path) -> None:
    assert learned.model is not None
    config = json.loads((learned.model / "config.json").read_text())
    for change, told in (
        ({"speech": {**config["speech"], "hopp": 256}}, "hopp"),
        ({"speech": {**config["speech"], "hop": 300}}, "size 1024 of a voice's frames"),
        ({"encoder": {**config["encoder"], "gated": False}}, "gate"),
    ):
        folder = tmp_path / told.replace(" ", "-")
        folder.mkdir()
        for file in learned.model.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises((CheckpointError, ConfigError), match=told):
            open_own(folder, "changed", None)
    assert not is_own(tmp_path)


def test_what_cannot_be_is_told(recordings: Path, tmp_path: Path) -> None:
    for change, told in (
        ({"sound": {"noise": 0.5}}, "only sound.rate"),
        ({"network": {"kind": "lstm"}}, "is a transformer"),
        ({"tokenizer": {"kind": "bpe"}}, "one of phonemes"),
    ):
        with pytest.raises(ConfigError, match=told):
            plan(recordings, tmp_path, **change)
    row = {"audio": str(recordings / "0.wav"), "phonemes": "aiu" * 60}
    (tmp_path / "long.jsonl").write_text(json.dumps(row))
    data = {"train": str(tmp_path / "long.jsonl"), "validation_share": 0.0}
    with pytest.raises(DataError, match=r"long\.jsonl.*is too short for its text"):
        execute.run(plan(recordings, tmp_path / "long", data=data))


def test_pitches_are_kept_as_whole_numbers() -> None:
    wave = np.concatenate([vowel(150, 0.5), np.zeros(4000), vowel(300, 0.5)]).astype(np.float32)
    kept = pitches(wave, RATE, 256)
    assert len(kept) == len(wave) // 256
    values, voiced = pitch_values(kept)
    hertz = hertz_of(values)
    assert voiced[[4, 22, 42]].tolist() == [1, 0, 1]
    np.testing.assert_allclose(hertz[[4, 42]], [150, 300], rtol=0.02)
    assert 150 < hertz[22] < 300  # it goes straight on
    silent, never = pitch_values(pitches(np.zeros(4000, np.float32), RATE, 256))
    assert not silent.any()
    assert not never.any()


def test_frames_know_their_phoneme() -> None:
    tokens, places = placed(np.array([0, 2, 0, 1]))
    assert tokens.tolist() == [1, 1, 3]
    np.testing.assert_allclose(places[:, 0], [0.25, 0.75, 0.5])
