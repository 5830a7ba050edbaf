"""`loquent transcribe` as a process: files, standard input, folders, live."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from loquent.audio.reading import read_sound
from loquent.checkpoints import hub
from loquent.errors import UserError
from loquent.metrics.normalizing import english

JFK = (
    "And so my fellow Americans ask not what your country can do for you "
    "ask what you can do for your country."
)
pytestmark = pytest.mark.weights


@pytest.fixture(scope="module", autouse=True)
def model() -> None:
    """Whisper tiny.en and what tells speech; skips where they cannot be had."""
    try:
        hub.resolve("whisper-tiny.en")
        hub.resolve("silero-vad")
    except UserError as error:
        pytest.skip(f"whisper-tiny.en cannot be had here: {error}")


@pytest.fixture(scope="module")
def jfk(data: Path) -> Path:
    return data / "jfk" / "jfk.flac"


def test_a_recording_is_written_in_every_format(run, jfk, tmp_path):
    done = run("transcribe", jfk, "--words", "--json", "-q", "--offline")
    assert done.returncode == 0, done.stderr.decode()
    made = json.loads(done.stdout)
    assert english(made["text"]) == english(JFK)
    assert made["segments"][0]["words"]
    assert done.stderr == b""
    target = tmp_path / "talk.srt"
    done = run("transcribe", "-", "--out", target, given=jfk.read_bytes())
    assert done.returncode == 0, done.stderr.decode()
    assert target.read_text().startswith("1\n00:00:00,000 --> 00:00:")
    assert done.stdout == b""
    again = run("transcribe", jfk, "--out", target)
    assert again.returncode == 2
    assert b"there already" in again.stderr


def test_faults_are_told_before_a_model_is_opened(run, jfk, tmp_path):
    cases = {
        ("nothing.wav",): b"no file",
        (): b"name a recording",
        (jfk, "--live"): b"not a file",
        (tmp_path,): b"--out",
        (jfk, "--out", tmp_path / "x.pdf"): b"format",
        ("-", "--live", "--json"): b"--live writes lines",
    }
    for arguments, told in cases.items():
        done = run("transcribe", *arguments)
        assert done.returncode in (1, 2)
        assert told in done.stderr, done.stderr
    (tmp_path / "no.wav").write_bytes(b"%PDF-1.4 and more")
    done = run("transcribe", tmp_path / "no.wav", "-q", "--offline")
    assert done.returncode == 1
    assert b"PDF" in done.stderr
    english_only = run("transcribe", jfk, "--language", "de", "-m", "whisper-tiny.en", "--offline")
    assert english_only.returncode == 1
    assert b"English only" in english_only.stderr


def test_a_folder_has_transcripts_and_named_faults_and_goes_on(run, jfk, tmp_path):
    source, target = tmp_path / "talks", tmp_path / "texts"
    (source / "more").mkdir(parents=True)
    for name in ("a.flac", "b.flac", "more/c.flac"):
        shutil.copy(jfk, source / name)
    (source / "broken.wav").write_bytes(b"RIFF, but no more")
    (source / "notes.txt").write_text("no recording")
    first = run("transcribe", source, "--out", target, "--offline")
    assert first.returncode == 1
    assert b"1 of 4 recordings" in first.stderr
    assert b"broken.wav" in first.stderr
    texts = sorted(target.rglob("*.txt"))
    assert [str(each.relative_to(target)) for each in texts] == ["a.txt", "b.txt", "more/c.txt"]
    assert all(english(each.read_text()) == english(JFK) for each in texts)
    part = target / "transcribe.part"
    lines = part.read_text().splitlines()
    part.write_text("\n".join(lines[:2]) + '\n{"file": "b.fl')  # as where it was killed
    (target / "a.txt").write_text("stays")
    (target / "b.txt").unlink()
    again = run("transcribe", source, "--out", target, "--offline")
    assert again.returncode == 1
    assert b"1 of 4 recordings are done" in again.stderr
    assert (target / "a.txt").read_text() == "stays"
    assert english((target / "b.txt").read_text()) == english(JFK)
    other = run("transcribe", source, "--out", target, "--words", "--offline")
    assert other.returncode == 2
    assert b"words" in other.stderr
    (source / "broken.wav").unlink()
    fresh = run("transcribe", source, "--out", target, "--overwrite", "--offline")
    assert fresh.returncode == 0
    assert not part.exists()


def raw(jfk: Path) -> bytes:
    return np.asarray(read_sound(jfk).samples * 32767, "<i2").tobytes()


def test_a_pipe_is_written_down_while_it_comes(run, jfk):
    done = run("transcribe", "-", "--live", "--offline", given=raw(jfk))
    assert done.returncode == 0, done.stderr.decode()
    told = english(done.stdout.decode())
    assert "ask what you can do for your country" in told
    assert "fellow americans" in told
    part = run("transcribe", "-", "--live", "-q", given=raw(jfk)[: 2 * 16_000 * 2 + 1])
    assert "fellow" in part.stdout.decode()
    assert part.stderr == b""


def test_the_end_by_the_keyboard_keeps_the_text(jfk):
    command = [sys.executable, "-m", "loquent", "transcribe", "-", "--live", "--offline"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(raw(jfk)[: 3 * 32_000])
        process.stdin.flush()
        for line in process.stderr:  # something was heard
            if b"fellow" in line or b"Americans" in line:
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        text = process.stdout.read()
    assert process.returncode == 0
    assert b"fellow" in text
