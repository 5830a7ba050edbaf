"""Commands over files of rows: order, resumption after a kill, formats, and what is refused."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.commands import run as command

ROWS = 10_000


def texts(count: int) -> list[str]:
    """Texts of a few sentences, all of them different."""
    return [
        f"Row {number} begins here. It has {number % 7} parts! Is it the last? No. "
        + "More follows. " * (number % 5)
        for number in range(count)
    ]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.jsonl"
    lines = [json.dumps({"id": number, "text": text}) for number, text in enumerate(texts(ROWS))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def started(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "loquent", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def killed(part: Path, behind: int, *arguments: object) -> int:
    """Start a job, kill it when over `behind` lines are there; how many there are then."""
    process = started(*arguments)
    end = time.monotonic() + 100
    while lines_of(part) <= behind:
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < end
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    return lines_of(part)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "txt"])
def test_a_killed_job_of_10000_rows_goes_on_and_its_output_is_the_same(
    run, many: Path, tmp_path: Path, ending: str
) -> None:
    whole, broken = tmp_path / f"whole.{ending}", tmp_path / f"broken.{ending}"
    part = broken.with_name(f"{broken.name}.part")
    arguments = ("summarize", "--how", "central", "--sentences", 2, "--in", many, "--out")
    done = run(*arguments, whole)
    assert done.returncode == 0, done.stderr
    first = killed(part, 2000, *arguments, broken)
    assert 2000 < first < ROWS
    assert not broken.exists()
    second = killed(part, first + 2000, *arguments, broken)
    assert first < second < ROWS
    with part.open("ab") as file:  # a line that was being written when the power went
        file.write(b'{"summary": "Row ')
    done = run(*arguments, broken)
    assert done.returncode == 0, done.stderr
    assert b"rows are answered" in done.stderr
    assert broken.read_bytes() == whole.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        [many.name, whole.name, broken.name]
    )


def test_a_killed_job_of_a_model_goes_on_and_its_output_is_the_same(
    run, tmp_path: Path, tiny_bert: Callable[..., Path]
) -> None:
    folder = tiny_bert("BertForSequenceClassification", num_labels=3)
    given = tmp_path / "some.txt"
    given.write_text("\n".join(texts(3000)) + "\n", encoding="utf-8")
    arguments = ("classify", "--model", folder, "--in", given, "--out")
    whole, broken = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"
    done = run(*arguments, whole)
    assert done.returncode == 0, done.stderr
    killed(broken.with_name("broken.jsonl.part"), 300, *arguments, broken)
    assert run(*arguments, broken).returncode == 0
    assert broken.read_bytes() == whole.read_bytes()
    rows = [json.loads(line) for line in whole.read_text().splitlines()]
    assert [row["text"] for row in rows] == texts(3000)
    alone = loquent.classify(texts(3000)[17], model=folder)
    assert rows[17]["label"] == alone.label
    assert rows[17]["probability"] == pytest.approx(alone.probability, abs=1e-5)


def summarized(given: Path, out: Path, *more: object) -> int:
    arguments = ["summarize", "--how", "lead", "--sentences", "1", "--in", given, "--out", out]
    return command([*map(str, arguments), *map(str, more)])


def test_rows_keep_their_order_and_their_columns(tmp_path: Path) -> None:
    given, out = tmp_path / "in.csv", tmp_path / "out.csv"
    given.write_text('id,text,words\n7,"One, two. Three.",a\n3,"Four.\nFive.",b\n', "utf-8")
    assert summarized(given, out) == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["text"], row["words"]) for row in rows] == [
        ("7", "One, two. Three.", "a"),
        ("3", "Four.\nFive.", "b"),
    ]
    assert [row["summary"] for row in rows] == ["One, two.", "Four."]
    assert [row["summarize_words"] for row in rows] == ["2", "1"]  # the input has such a column


def test_lines_stand_beside_their_lines(tmp_path: Path) -> None:
    given, out = tmp_path / "in.txt", tmp_path / "out.txt"
    given.write_text("One. Two.\n\nThree. Four.\n", encoding="utf-8")
    assert summarized(given, out) == 0
    assert out.read_text(encoding="utf-8") == "One.\n\nThree.\n"


def test_embeddings_of_rows_become_a_matrix(tmp_path: Path, tiny_bert) -> None:
    folder = tiny_bert("BertModel")
    given = tmp_path / "in.txt"
    given.write_text("the work\nthe license\n", encoding="utf-8")
    for name in ("out.npy", "out.jsonl"):
        arguments = ["embed", "-m", folder, "--in", given, "--out", tmp_path / name]
        assert command(list(map(str, arguments))) == 0
    wanted = loquent.open(folder).embed(["the work", "the license"])
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy", allow_pickle=False), wanted)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    read = np.array([json.loads(line)["embedding"] for line in lines], np.float32)
    np.testing.assert_array_equal(read, wanted)


def test_every_wrong_row_is_named_before_anything_is_asked(tmp_path: Path, capsys) -> None:
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text('{"text": "a"}\n{"txt": "b"}\n{"text": 3}\n', encoding="utf-8")
    assert summarized(given, out) == 1
    told = capsys.readouterr().err
    assert "in.jsonl:2: has no column 'text'. It has txt" in told
    assert "in.jsonl:3: 'text' is 3, not text" in told
    assert not list(tmp_path.glob("out*"))
    assert summarized(given, out, "--column", "tex") == 1
    assert "Did you mean 'text'" in capsys.readouterr().err


def test_damaged_lines_are_named(tmp_path: Path, capsys) -> None:
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text('{"text": "a"}\n{"text": \n', encoding="utf-8")
    assert summarized(given, out) == 1
    assert "in.jsonl:2" in capsys.readouterr().err
    given.write_bytes(b"")
    assert summarized(given, out) == 1
    assert "holds no records" in capsys.readouterr().err


def test_a_row_that_cannot_be_answered_costs_no_other(tmp_path: Path, tiny_bert, capsys) -> None:
    folder = tiny_bert("BertForSequenceClassification", num_labels=3)
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = ["the work", "", "license " * 130_000, "the license"]  # the third has over 1 MB
    given.write_text("".join(json.dumps({"text": each}) + "\n" for each in rows), "utf-8")
    arguments = list(map(str, ["classify", "-m", folder, "--in", given, "--out", out]))
    assert command(arguments) == 1
    told = capsys.readouterr().err
    assert "2 of 4 rows have no answer" in told
    assert "in.jsonl:2: the text is empty" in told
    assert "in.jsonl:3: text 1 has 130002 tokens, but the model reads 96 at most" in told
    made = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert ["error" in row for row in made] == [False, True, True, False]
    assert [row["text"] for row in made] == rows
    alone = loquent.classify(["the work", "the license"], model=folder)
    assert [made[0]["label"], made[3]["label"]] == [each.label for each in alone]
    assert command([*arguments, "--overwrite", "--truncate", "right"]) == 1
    made = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert ["error" in row for row in made] == [False, True, False, False]
    assert made[2]["dropped_tokens"] == 130_002 - 96


def test_other_settings_do_not_go_on(run, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ("summarize", "--how", "lead", "--in", many, "--out", out)
    killed(tmp_path / "out.jsonl.part", 500, *arguments)
    done = run(*arguments, "--sentences", 2)
    assert done.returncode == 2
    assert b"was begun with sentences 3, now 2" in done.stderr
    with many.open("a") as file:
        file.write('{"text": "one more"}\n')
    done = run(*arguments)
    assert done.returncode == 2
    assert b"was begun with another input" in done.stderr
    done = run(*arguments, "--sentences", 2, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert lines_of(out) == ROWS + 1


def test_two_processes_do_not_write_the_same_output(run, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ("summarize", "--how", "central", "--in", many, "--out", out)
    process = started(*arguments)
    while lines_of(tmp_path / "out.jsonl.part") < 100:
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        done = run(*arguments)
        assert done.returncode == 2
        assert b"another process is writing" in done.stderr
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.communicate()
    assert process.returncode == 0
    assert lines_of(out) == ROWS


@pytest.mark.parametrize(
    ("out", "more", "message"),
    [
        ("out.xlsx", (), "must end with one of"),
        ("nowhere/out.jsonl", (), "folder of"),
        ("in.jsonl", (), "the same file"),
        ("there.jsonl", (), "is there already"),
        ("out.jsonl", ("A text.",), "not both"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, capsys, out: str, more: tuple[str, ...], message: str
) -> None:
    given = tmp_path / "in.jsonl"
    given.write_text('{"text": "One. Two."}\n', encoding="utf-8")
    (tmp_path / "there.jsonl").write_text("mine", encoding="utf-8")
    assert summarized(given, tmp_path / out, *more) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "there.jsonl").read_text(encoding="utf-8") == "mine"
    assert command(["summarize", "--in", str(given)]) == 2
    assert command(["summarize", "--how", "lead", "--in", "i.jsonl", "--out", "o.jsonl"]) == 1


def test_progress_tells_rate_and_time_left() -> None:
    from loquent.commands.terminal import Progress  # noqa: PLC0415

    times = iter([0.0, 1.0, 2.0, 3.0])
    progress = Progress("classify rows.jsonl", clock=lambda: next(times), unit="rows")
    progress(0, 1000)
    progress(100, 1000)
    assert progress.line() == (
        "classify rows.jsonl   10%  100 rows of 1000 rows  100 rows/s  0:09 left"
    )


def test_an_output_that_cannot_be_written_is_told(tmp_path: Path, capsys) -> None:
    given = tmp_path / "in.jsonl"
    given.write_text('{"text": "One. Two."}\n', encoding="utf-8")
    (tmp_path / "out.jsonl.part").mkdir()
    assert summarized(given, tmp_path / "out.jsonl") == 1
    assert "out.jsonl.part: cannot be written: Is a directory" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is full")
def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path, capsys) -> None:
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text('{"text": "One. Two."}\n', encoding="utf-8")
    part = tmp_path / "out.jsonl.part"
    part.symlink_to("/dev/full")
    assert summarized(given, out) == 1
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert not out.exists()
    part.unlink()
    assert summarized(given, out) == 0
