"""Commands and transcripts are learned from sounds, and what was learned is used."""

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.audio.activity import ENERGY, Span
from loquent.audio.rates import resampled
from loquent.audio.sound import Sound
from loquent.audio.writing import write_sound
from loquent.commands import run as command_line
from loquent.errors import ConfigError, DataError, RequestError, UsageError
from loquent.evaluation.settings import Settings
from loquent.runs import execute
from loquent.runs.plan import Plan, planned
from loquent.tasks import spelling
from loquent.tasks.listening import Listener
from loquent.tasks.speech_decoding import Hearing
from loquent.tasks.speech_windows import Window
from loquent.tasks.transcribing import transcribe

RATE = 8000
TONES = {"low": 300, "mid": 800, "high": 2000}
SPELLED = {"a": 300, "b": 800, "c": 2000}


def tone(hertz: float, seconds: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    moments = np.arange(int(seconds * RATE)) / RATE
    pitch = hertz * random.uniform(0.95, 1.05)
    made = random.uniform(0.05, 0.5) * np.sin(2 * np.pi * pitch * moments)
    return (made + 0.005 * random.standard_normal(len(made))).astype(np.float32)


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each command."""
    folder = tmp_path_factory.mktemp("commands")
    for name, hertz in TONES.items():
        (folder / name).mkdir()
        for number in range(30):
            sound = Sound(tone(hertz, 0.2 + 0.01 * (number % 10), number), RATE)
            write_sound(folder / name / f"{number}.wav", sound)
    return folder


@pytest.fixture(scope="session")
def spelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of sounds in which two or three letters are played."""
    folder = tmp_path_factory.mktemp("spelled")
    random = np.random.default_rng(0)
    rows = []
    for number in range(60):
        text = "".join(random.choice(list(SPELLED), 1 + number % 2))
        parts = [tone(SPELLED[letter], 0.12, 10 * number + at) for at, letter in enumerate(text)]
        write_sound(folder / f"{number}.wav", Sound(np.concatenate(parts), RATE))
        rows.append({"audio": f"{number}.wav", "sentence": text})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def small(**values: object) -> Plan:
    return planned({"save": {"every": 0.5}, "device": "cpu", **values})


def hearing(plan: Callable[..., Plan], **changes: object) -> Plan:
    return plan(
        data={"length": 0, "batch": 16, "validation_share": 0.2, **changes.pop("data")},
        network={"kind": "conv", "layers": 1, "width": 24, "dropout": 0},
        sound={"rate": RATE, "bins": 20, "speed": 0.02, "noise": 0.3, "hide_bins": 2},
        evaluate={"every": 0, "examples": 0},
        **changes,
    )


@pytest.fixture(scope="session")
def learned(commands: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = partial(small, out=str(tmp_path_factory.mktemp("learned") / "run"))
    made = execute.run(
        hearing(
            plan,
            task="command",
            data={"train": str(commands)},
            training={"steps": 40, "rate": 0.02},
        )
    )
    assert made.model is not None
    assert made.validation["accuracy"].value > 0.9
    return made.model


def test_commands(learned: Path, commands: Path) -> None:
    lm = loquent.open(str(learned))
    assert lm.checkpoint.config.labels == ("high", "low", "mid")
    listener = Listener(lm)
    for name, hertz in TONES.items():
        heard = listener.hear(Sound(tone(hertz, 0.25, 99), RATE))
        assert heard.label == name
        assert heard.chance > 0.6
    quiet = np.zeros(RATE, np.float32)
    line = [quiet, tone(300, 0.4, 1), quiet, tone(2000, 0.4, 2), quiet, tone(800, 0.4, 3), quiet]
    noisy = np.concatenate(line) + 0.0005 * np.random.default_rng(5).standard_normal(
        sum(map(len, line))
    ).astype(np.float32)
    blocks = [Sound(part, RATE) for part in np.array_split(noisy, 50)]
    found = list(listener.listen(blocks, ENERGY))
    assert [each.span.start_seconds // 0.7 for each in found] == [1, 3, 5]
    some = Listener(lm, ["low"], threshold=0.5)
    assert some.hear(Sound(tone(2000, 0.25, 3), RATE)).label == ""
    assert some.hear(Sound(tone(300, 0.25, 3), RATE)).label == "low"
    with pytest.raises(UsageError, match=r"the command 'hihg'\. Did you mean 'high'"):
        Listener(lm, ["hihg"])
    with pytest.raises(UsageError, match="threshold"):
        Listener(lm, threshold=1.0)


def test_commands_are_judged_and_what_is_none_is_right_where_none_is_heard(
    learned: Path, commands: Path, tmp_path: Path
) -> None:
    report = loquent.evaluate(str(learned), "command", commands)
    assert report.main.name == "accuracy"
    assert report.main.value > 0.95
    assert report.examples == 90
    rows = [{"audio": str(commands / "low" / "0.wav"), "label": "low"}]
    write_sound(tmp_path / "other.wav", Sound(tone(2000, 0.25, 3), RATE))
    rows.append({"audio": "other.wav", "label": "hum"})
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    some = loquent.evaluate(
        str(learned), "command", tmp_path / "rows.jsonl", settings=Settings(labels=("low",))
    )
    assert some.main.value == 1.0
    assert any("'hum' (1)" in note for note in some.notes)
    rows[1]["label"] = "low"
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    wrong = loquent.evaluate(
        str(learned), "command", tmp_path / "rows.jsonl", settings=Settings(labels=("low",))
    )
    assert wrong.main.value == 0.5


def test_the_command_line_hears_files_and_pipes(
    learned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "high.wav"
    write_sound(path, Sound(tone(2000, 0.3, 7), RATE))
    assert command_line(["listen", "-m", str(learned), "--whole", str(path)]) == 0
    out = capsys.readouterr()
    assert out.out.split("\t")[2] == "high"
    assert "listening for high, low, mid" in out.err
    quiet = 0.0005 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    file = io.BytesIO()
    write_sound(file, Sound(np.concatenate([quiet, tone(300, 0.4, 8), quiet]), RATE))
    reader, writer = os.pipe()
    os.write(writer, file.getvalue())
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(pipe))
        options = ["--activity", "energy", "--json", "--all", "-"]
        assert command_line(["listen", "-m", str(learned), *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert 0.7 < told["start"] < 1.0
    assert set(told["chances"]) == set(TONES)
    assert command_line(["listen", str(path)]) == 2
    assert "loquent train --task command" in capsys.readouterr().err


def test_letters(plan: Callable[..., Plan], spelled: Path) -> None:
    made = execute.run(
        hearing(
            plan, task="transcribe", data={"train": str(spelled / "rows.jsonl")},
            training={"steps": 80, "rate": 0.02},
        )
    )  # fmt: skip
    assert made.model is not None
    assert made.validation["cer"].value < 0.2
    assert set(made.validation) >= {"wer", "cer", "accuracy", "loss"}
    lm = loquent.open(str(made.model))
    quiet = np.zeros(8000, np.float32)
    line = np.concatenate([quiet, tone(300, 0.12, 1), tone(2000, 0.12, 2), quiet])
    noisy = line + 0.0005 * np.random.default_rng(0).standard_normal(len(line)).astype("f4")
    heard = resampled(Sound(noisy, RATE), 16_000)
    window = Window(2.0, heard.samples, (Span(3.0, 3.24),))
    ((_, (segment,)),) = spelling.spelled(lm, [window], Hearing(words=True, beams=3))
    assert segment.text == "ac"
    assert 3.0 <= segment.start_seconds < 3.1 < segment.end_seconds <= 3.24
    assert [word.text for word in segment.words] == ["ac"]
    assert transcribe(lm, Sound(0.001 * heard.samples[:8000], 16_000), detector=ENERGY).text == ""
    with pytest.raises(RequestError, match="does not know hotwords"):
        transcribe(lm, heard, Hearing(hotwords=("a",)))
    listener = Listener(lm, ["ac", "ca"])
    parts = [tone(SPELLED[letter], 0.12, at) for at, letter in enumerate("ca")]
    heard = listener.hear(Sound(np.concatenate(parts), RATE))
    assert heard.chances["ca"] > heard.chances["ac"]
    with pytest.raises(UsageError, match="name the commands"):
        Listener(lm)
    with pytest.raises(UsageError, match="has not the letters of 'xyz'"):
        Listener(lm, ["xyz", "ab"])


def test_a_run_goes_on_bit_by_bit(
    plan: Callable[..., Plan], commands: Path, tmp_path: Path
) -> None:
    def asked(out: str) -> Plan:
        data = {"train": str(commands)}
        made = hearing(
            plan, task="command", data=data, training={"steps": 8}, out=str(tmp_path / out)
        )
        return replace(made, sound=replace(made.sound, level="loud", tempo=0.2))

    whole = execute.run(asked("whole"))
    steps = iter(range(100))
    execute.run(asked("parts"), stop=lambda: next(steps) == 3)
    again = execute.run(asked("parts"))
    assert whole.validation["loss"].value == again.validation["loss"].value
    weights = [
        (folder.model / "model.safetensors").read_bytes()
        for folder in (whole, again)
        if folder.model is not None
    ]
    assert weights[0] == weights[1]


def test_what_cannot_be_is_told(
    plan: Callable[..., Plan], spelled: Path, corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="the settings of sound do nothing to generate"):
        plan(sound={"noise": 0.5})
    with pytest.raises(ConfigError, match=r"sound\.speed must be"):
        plan(task="command", sound={"speed": 2.0})
    with pytest.raises(ConfigError, match=r"sound\.tempo must be"):
        plan(task="command", sound={"tempo": 0.6})
    heard = plan(task="command", sound={"level": "loud", "rate": RATE}).sound.front
    assert heard.spectrum == "loud_banks"
    with pytest.raises(ConfigError, match="variants of texts, not of sounds"):
        plan(task="command", data={"augment": ["swap"]})
    rows = (spelled / "rows.jsonl").read_text().splitlines()
    long = {"audio": str(spelled / "0.wav"), "text": "abc" * 40}
    (tmp_path / "long.jsonl").write_text("\n".join([*rows, json.dumps(long)]))
    (tmp_path / "long.jsonl").write_text(json.dumps(long) + "\n" + json.dumps(long))
    data = {"train": str(tmp_path / "long.jsonl"), "validation_share": 0.0}
    with pytest.raises(DataError, match="too few for the 120 pieces"):
        execute.run(hearing(plan, task="transcribe", data=data, training={"steps": 2}))
    (tmp_path / "lost.jsonl").write_text('{"audio": "no.wav", "text": "a"}')
    data = {"train": str(tmp_path / "lost.jsonl"), "validation_share": 0.0}
    with pytest.raises(DataError, match="No such file"):
        execute.run(hearing(plan, task="transcribe", data=data, training={"steps": 2}))


def test_a_model_of_texts_hears_nothing(tiny_gpt2: Path) -> None:
    with pytest.raises(RequestError, match="hears no commands"):
        Listener(loquent.open(str(tiny_gpt2)))
