"""`loquent talk` as a process: a file, a pipe that interrupts, Ctrl-C, and what it makes of it."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import soundfile

import loquent
from loquent.audio.rates import resampled
from loquent.audio.wav import pcm
from loquent.checkpoints import hub
from loquent.commands import run as command
from loquent.errors import UserError

FIRST, SECOND = "What is the capital of France?", "Tell me something about the sea."
LONG = ("--max-tokens", "3000", "--ignore-end", "--temperature", "0")  # an answer without an end


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]):
    """Run `loquent talk`: the status, the output and what was told."""

    def made(*arguments: object) -> tuple[int, str, str]:
        status = command(["talk", *map(str, arguments)])
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        return status, found.out, found.err

    return made


@pytest.fixture(scope="module")
def spoken(default_model: Path) -> list[bytes]:
    """Two questions of a voice at 16 kHz with a second of silence behind each, in 16 bits."""
    del default_model  # it answers
    try:
        for name in ("hibari", "silero-vad", "whisper-tiny.en"):
            hub.resolve(name)
    except UserError as error:
        pytest.skip(f"a model cannot be had here: {error}")
    made = []
    for text in (FIRST, SECOND):
        sound = resampled(loquent.speak(text).sound, 16_000)
        made.append(pcm(sound.samples) + bytes(32_000))
    return made


@pytest.fixture
def both(spoken: list[bytes], tmp_path: Path) -> Path:
    path = tmp_path / "both.wav"
    soundfile.write(path, np.frombuffer(b"".join(spoken), "<i2"), 16_000)
    return path


def test_what_makes_no_sense_is_told_before_a_model_is_opened(told, tmp_path: Path) -> None:
    wav = tmp_path / "talk.wav"
    wav.write_bytes(b"")
    file = ("--input", wav)
    cases = [
        ((*file, "--n", "2"), "one answer at a time"),
        ((*file, "--pause", "0"), "a pause of 0 is not from 0.1 to 10"),
        ((*file, "--mute", "--output", "a.wav"), "--mute makes no sound"),
        ((*file, "--mute", "--play"), "--mute makes no sound"),
        (("--input", tmp_path, "--mute"), "is a folder"),
        ((*file, "--output", tmp_path / "a.wave"), "no format that sound is written in"),
        ((*file, "--output", tmp_path / "none" / "a.wav"), "folder of"),
    ]
    for arguments, wanted in cases:
        status, out, err = told(*arguments)
        assert (status, out) == (2, ""), arguments
        assert wanted in err
    status, _, err = told("--input", tmp_path / "talc.wav")
    assert status == 1
    assert "talk.wav" in err


def test_without_a_loudspeaker_it_is_told_at_once(
    told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "talk.wav").write_bytes(b"")
    monkeypatch.setenv("PATH", str(tmp_path))
    status, _, err = told("--input", tmp_path / "talk.wav")
    assert status == 1
    assert "no player was found" in err


@pytest.mark.weights
@pytest.mark.slow
def test_a_file_waits_for_each_answer(told, both: Path, tmp_path: Path) -> None:
    asked = ("--input", both, "--temperature", 0, "--offline")
    status, out, err = told(*asked, "--output", tmp_path / "answers", "--json", "-q")
    assert (status, err) == (0, "")
    news = [json.loads(line) for line in out.splitlines()]
    heard = [each["text"] for each in news if each["event"] == "heard"]
    assert heard == [FIRST, SECOND]
    answers = [each for each in news if each["event"] == "answered"]
    assert [each["finish"] for each in answers] == ["stop", "stop"]
    assert "Paris" in answers[0]["text"]
    assert answers[1]["prompt_tokens"] > answers[0]["prompt_tokens"] + answers[0]["tokens"]
    for number, answer in enumerate(answers, 1):
        said = [each for each in news if each["event"] == "said" and each["turn"] == number]
        assert " ".join(each["text"] for each in said) == " ".join(answer["text"].split())
        length = soundfile.info(tmp_path / "answers" / f"{number:03}.wav").duration
        least = sum(each["seconds"] for each in said)
        assert least <= length <= least + 0.36 * len(said)
        assert answer["first_sound_seconds"] > 0
    assert "Paris" in loquent.transcribe(tmp_path / "answers" / "001.wav").text
    status, out, err = told(*asked, "--mute")
    assert status == 0
    assert out.splitlines()[:2] == [f"> {FIRST}", answers[0]["text"]]
    assert "finish stop" in err


class Talk:
    """A dialog whose pipe is written while its answers are read."""

    def __init__(self, *arguments: object) -> None:
        words = [sys.executable, "-m", "loquent", "talk", "--input", "-", "--json", "--offline"]
        self.process = subprocess.Popen(
            [*words, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.errors = b""
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        self.news: list[dict[str, Any]] = []

    def _read(self, stream: IO[bytes]) -> None:
        self.errors = stream.read()

    def say(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def until(self, event: str, turn: int) -> dict[str, Any]:
        """The next news of this kind about a turn."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.news.append(json.loads(line))
            if (self.news[-1]["event"], self.news[-1].get("turn")) == (event, turn):
                return self.news[-1]
        self._reader.join()
        raise AssertionError(f"it ended before {event} {turn}: {self.errors.decode()}")

    def end(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.news += map(json.loads, self.process.stdout)
        return self.process.wait(60)


@pytest.mark.weights
@pytest.mark.slow
def test_who_speaks_interrupts(spoken: list[bytes], tmp_path: Path) -> None:
    talk = Talk("--output", tmp_path / "said.wav", *LONG)
    talk.say(spoken[0])
    assert talk.until("heard", 1)["text"] == FIRST
    assert talk.until("said", 1)["whole"]
    talk.say(spoken[1])
    cut = talk.until("answered", 1)
    assert cut["finish"] == "interrupted"
    assert 0 < cut["tokens"] < 2900
    said = [each["text"] for each in talk.news if each["event"] == "said"]
    assert cut["text"] == " ".join(said)
    assert talk.until("heard", 2)["text"] == SECOND
    talk.until("said", 2)
    talk.say(spoken[0])
    assert talk.until("answered", 2)["finish"] == "interrupted"
    talk.process.send_signal(signal.SIGINT)  # stops the third answer, or leaves it unheard
    assert talk.end() == 0, talk.errors
    assert soundfile.info(tmp_path / "said.wav").duration > 1


@pytest.mark.weights
@pytest.mark.slow
def test_the_keyboard_stops_an_answer_and_then_the_dialog(
    spoken: list[bytes], tmp_path: Path
) -> None:
    talk = Talk("--output", tmp_path / "said", *LONG)
    talk.say(spoken[0])
    talk.until("said", 1)
    talk.process.send_signal(signal.SIGINT)
    assert talk.until("answered", 1)["finish"] == "interrupted"
    assert soundfile.info(tmp_path / "said" / "001.wav").duration > 0.5
    talk.say(spoken[1])  # it still listens
    talk.until("said", 2)
    talk.process.send_signal(signal.SIGINT)
    assert talk.until("answered", 2)["finish"] == "interrupted"
    talk.process.send_signal(signal.SIGINT)
    assert talk.process.wait(30) == 0
    talk._reader.join()
    assert b"the end" in talk.errors


@pytest.mark.weights
@pytest.mark.slow
def test_without_interruption_it_is_deaf_while_it_answers(
    spoken: list[bytes], tmp_path: Path
) -> None:
    talk = Talk("--output", tmp_path / "said.wav", "--no-interrupt", "--temperature", "0",
                "--max-tokens", "200", "--ignore-end")  # fmt: skip
    talk.say(spoken[0])
    talk.until("said", 1)
    talk.say(spoken[1][: len(spoken[1]) // 2])
    assert talk.until("answered", 1)["finish"] == "length"
    talk.say(bytes(64_000))
    assert talk.end() == 0, talk.errors
    assert [each["event"] for each in talk.news].count("answered") in (1, 2)
    assert all(each.get("finish") != "interrupted" for each in talk.news)
