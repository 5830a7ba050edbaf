"""`loquent speak`: into files, pipes and players, with what was read out; rows of a file."""

import io
import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from loquent.audio.playing import PLAYERS, Player
from loquent.commands import run as command
from loquent.errors import UserError
from loquent.voices.silence import silence

Said = Callable[..., tuple[int, str, str]]
TEXT = "Twenty-three new rules cost $4.50."


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], tiny_voice: Path) -> Said:
    """Speak with the tiny voice: the status, the output and what was told."""

    def made(*arguments: object) -> tuple[int, str, str]:
        status = command(["speak", "--voice", str(tiny_voice), *map(str, arguments)])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return status, told.out, told.err

    return made


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_the_ending_decides_the_format(said: Said, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"
    status, out, err = said(TEXT, "-o", path)
    assert (status, out) == (0, f"{path}\n")
    assert "read out: $4.50 → four dollars and fifty cents" in err
    found = soundfile.info(path)
    assert found.samplerate == 24_000
    assert found.duration > 1


def test_json_tells_how(said: Said, tmp_path: Path) -> None:
    status, out, _ = said(TEXT, "-o", tmp_path / "out.wav", "--json", "-q")
    made = json.loads(out)
    assert status == 0
    assert made["said"].endswith("four dollars and fifty cents.")
    assert made["seconds"] == pytest.approx(soundfile.info(tmp_path / "out.wav").duration, abs=0.01)
    assert made["real_time_factor"] > 0
    assert made["readings"] == [
        {"kind": "money", "written": "$4.50", "said": "four dollars and fifty cents"}
    ]


def test_wav_on_standard_output(tiny_voice: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "loquent", "speak", "-", "--voice", str(tiny_voice), "-o", "-"]
    done = subprocess.run(words, input=b"The dog. The rule.", capture_output=True, check=True)
    with wave.open(io.BytesIO(done.stdout)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
    (tmp_path / "out.wav").write_bytes(done.stdout)
    samples, _ = soundfile.read(tmp_path / "out.wav")
    assert len(samples) == (len(done.stdout) - 44) // 2


def test_a_player_gets_the_sound(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program called aplay, which keeps what it is given."""
    program = tmp_path / "aplay"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncat > {tmp_path}/played\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    status, out, _ = said(TEXT, "--play", "-o", tmp_path / "out.wav")
    assert (status, out) == (0, f"{tmp_path / 'out.wav'}\n")
    assert (tmp_path / "words").read_text().split() == ["-q", "-"]
    played = (tmp_path / "played").read_bytes()
    assert played.startswith(b"RIFF")
    assert (len(played) - 44) // 2 == soundfile.info(tmp_path / "out.wav").frames


def test_a_player_of_files_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "afplay"
    program.write_text(f'#!/bin/sh\nPATH=/bin:/usr/bin\ncp "$1" {tmp_path}/played\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with Player(8_000) as player:
        player.write(silence(0.5, 8_000))
        player.write(silence(0.5, 8_000))
    assert (tmp_path / "played").stat().st_size == 44 + 16_000


def test_no_player_and_a_player_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"no player was found.*write a file with -o"):
        Player(8_000)
    program = tmp_path / "aplay"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(UserError, match="aplay could not play"), Player(8_000) as player:
        for _ in range(100):
            player.write(silence(1, 8_000))
    assert set(PLAYERS) >= {"aplay", "afplay"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([TEXT], "where does the sound go? Say -o FILE, or --play."),
        ([TEXT, "-o", "-", "--json"], "both write to standard output"),
        ([TEXT, "-o", "a.txt"], "txt"),
        ([TEXT, "-o", "a.wav", "--speed", "9"], "a speed of 9 is not from 0.25 to 4"),
        ([TEXT, "-o", "a.wav", "--sounds", "x"], "--sounds belongs to --in and --out"),
        (["--in", "a.jsonl"], "--in and --out belong together"),
        (["--in", "a.jsonl", "--out", "b.jsonl", "--play"], "-o and --play are for one text"),
    ],
)
def test_what_is_worded_wrongly(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = said(*arguments)
    assert (status, out) == (2, "")
    assert told in err


def test_what_cannot_be_said(said: Said, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    status, _, err = said("The dog. The 中文 dog.", "-o", path)
    assert status == 1
    assert "cannot say 中文" in err
    assert list(tmp_path.iterdir()) == []  # no half of a file
    status, _, err = said("The 中文 dog.", "-o", path, "--skip-unknown")
    assert status == 0
    assert "left out: 中文" in err
    status, _, err = said("", "-o", path)
    assert (status, "the text is empty" in err) == (1, True)


def test_rows_of_a_file_go_on_where_they_stopped(said: Said, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    texts = ["The dog.", "Four rules.", "", "中文", "The apple."]
    source.write_text("".join(json.dumps({"text": each}) + "\n" for each in texts))
    status, _, err = said("--in", source, "--out", target)
    assert status == 1
    assert "2 of 5 rows have no answer" in err
    made = [json.loads(line) for line in target.read_text().splitlines()]
    assert [sorted(each)[:1] for each in made].count(["error"]) == 2
    assert "cannot say 中文" in made[3]["error"]
    for row in (0, 1, 4):
        path = Path(made[row]["sound"])
        assert path.name == f"{row + 1:06}.wav"
        assert path.parent == tmp_path / "out-sounds"
        assert soundfile.info(path).duration == pytest.approx(made[row]["seconds"], abs=0.01)


def test_rows_into_lines(said: Said, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("The dog.\nThe rule.\n")
    where = ("--sounds", tmp_path / "sounds")
    status, _, _ = said("--in", tmp_path / "in.txt", "--out", tmp_path / "out.txt", *where)
    assert status == 0
    names = [Path(line).name for line in (tmp_path / "out.txt").read_text().splitlines()]
    assert names == ["000001.wav", "000002.wav"]
    assert sorted(each.name for each in (tmp_path / "sounds").iterdir()) == names
