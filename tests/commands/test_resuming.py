"""A long recording that goes on where it was stopped: the same transcript, and nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loquent.audio.reading import read_sound
from loquent.checkpoints import hub
from loquent.commands import run as command
from loquent.errors import UserError

pytestmark = [pytest.mark.weights, pytest.mark.slow]
WINDOWS = 20  # more than are heard together


@pytest.fixture(scope="module")
def talk(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some windows of speech."""
    try:
        for name in ("whisper-tiny.en", "silero-vad"):
            hub.resolve(name)
    except UserError as error:
        pytest.skip(f"a model cannot be had here: {error}")
    paths = sorted((data / "ljspeech_lj001").glob("LJ001-00*.flac"))[:WINDOWS]
    gap = np.zeros(3 * 16_000, np.float32)
    parts = [each for path in paths for each in (read_sound(path).samples, gap)]
    made = tmp_path_factory.mktemp("talks") / "talk.wav"
    soundfile.write(made, np.concatenate(parts), 16_000)
    return made


def transcribed(*arguments: object) -> int:
    return command(["transcribe", *map(str, arguments), "--offline", "-q"])


@pytest.mark.parametrize("form", ["srt", "json"])
def test_it_goes_on_behind_what_is_done(talk: Path, tmp_path: Path, form: str, capsys) -> None:
    whole, again = tmp_path / f"whole.{form}", tmp_path / f"again.{form}"
    more = ["--json", "--words"] if form == "json" else []
    assert transcribed(talk, "--out", whole, *more) == 0
    words = [sys.executable, "-m", "loquent", "transcribe", talk, "--out", again, "--offline"]
    slow = {**os.environ, "LOQUENT_THREADS": "1"}  # so that it is met before its end
    with subprocess.Popen([*words, *more], stderr=subprocess.DEVNULL, env=slow) as process:
        part = tmp_path / f"again.{form}.part"
        while not part.exists() or part.read_bytes().count(b"\n") < 4:
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert not again.exists()
    lines = part.read_text().splitlines()
    first = json.loads(lines[1])
    first["segments"][0]["text"] = " As it was."  # so that one sees that it is not heard again
    # the last line as where it was being written
    part.write_text("\n".join([lines[0], json.dumps(first), *lines[2:3]]) + '\n{"again": fal')
    other = transcribed(talk, "--out", again, *more, "--prompt", "Printing.")
    assert other == 2
    assert "prompt" in capsys.readouterr().err
    assert command([*map(str, words[3:]), *more]) == 0
    assert "1 windows" in capsys.readouterr().err
    assert not part.exists()
    made, meant = again.read_text(), whole.read_text()
    assert "As it was." in made
    assert made != meant
    if form == "json":
        one, two = json.loads(made), json.loads(meant)
        assert one["segments"][1:] == two["segments"][1:]
        assert (one["language"], one["seconds"]) == (two["language"], two["seconds"])
    else:
        assert made.splitlines()[4:] == meant.splitlines()[4:]


def test_without_an_interruption_it_is_as_on_standard_output(
    talk: Path, tmp_path: Path, capsys
) -> None:
    assert transcribed(talk, "--format", "srt") == 0
    shown = capsys.readouterr().out
    assert transcribed(talk, "--out", tmp_path / "a.srt") == 0
    assert (tmp_path / "a.srt").read_text() == shown
    assert sorted(os.listdir(tmp_path)) == ["a.srt"]  # noqa: PTH208


def test_a_broken_recording_leaves_nothing(tmp_path: Path, talk: Path, capsys) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes(talk.read_bytes()[:-100_000])
    assert transcribed(cut, "--out", tmp_path / "cut.txt") == 1
    assert "cut.wav" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["cut.wav"]  # noqa: PTH208
