"""`loquent data` as a user calls it."""

import json
from pathlib import Path

import pytest

from loquent import commands


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Two classes with a slip, a record that stands twice and one that is broken."""
    lines = [
        f'{{"text": "{word} {n}", "label": "{word}"}}\n'
        for word in ("positive", "negative")
        for n in range(40)
    ]
    lines += ['{"text": "one more", "label": "positve"}\n', lines[3], '{"text": "bad"\n']
    path = tmp_path / "train.jsonl"
    path.write_text("".join(lines))
    return path


def test_check_tells_all_and_ends_with_one(run, dirty: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.jsonl"
    test.write_text('{"text": "Positive 7", "label": "positive"}\n')
    done = run("data", "check", dirty, "--test", test, "--length", 8)
    told = done.stdout.decode()
    assert done.returncode == 1
    assert "train.jsonl: 82 records (82 label)" in told
    assert "label     records  share" in told
    assert "'positve' (1, first at train.jsonl:81): is 'positive' (42) meant?" in told
    assert "1 record (1.22%) stands there again: train.jsonl:82 (as train.jsonl:4)" in told
    assert "1 record (100.00%) of the test set is in the training set: test.jsonl:1" in told
    assert "longer than 8 characters: 81 (98.78%)" in told
    assert "train.jsonl:83: is not JSON" in told
    assert "train.jsonl: 1 faults; see above." in done.stderr.decode()


def test_check_writes_json(dirty: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert commands.run(["data", "check", str(dirty), "--json", "-q"]) == 1
    told = capfd.readouterr()
    report = json.loads(told.out)
    assert report["records"] == 82 and report["fault_count"] == 1
    assert report["labels"] == {"positive": 41, "negative": 40, "positve": 1}
    assert len(report["warnings"]) >= 2 and "1 faults" in told.err


def test_check_of_good_data_ends_with_zero(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("body,stars\nso good,5\nso bad,1\n")
    assert (
        commands.run(["data", "check", str(path), "-q", "--text", "body", "--label", "stars"]) == 0
    )
    told = capfd.readouterr().out
    assert "2 records (2 label)" in told and "Nothing to complain of." in told


def test_check_measures_in_a_models_tokens(
    tiny_gpt2: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Once upon a time there was a model.")
    for option in ("--tokenizer", "--model"):
        assert commands.run(["data", "check", str(path), "-q", option, str(tiny_gpt2)]) == 0
        assert "lengths in tokens" in capfd.readouterr().out
    both = ["data", "check", str(path), "--model", "x", "--tokenizer", "y"]
    assert commands.run(both) == 2
    assert "not both" in capfd.readouterr().err


def test_check_of_nothing_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert commands.run(["data", "check", str(tmp_path / "no.jsonl"), "-q"]) == 1
    assert "no.jsonl: is not there." in capfd.readouterr().err


def test_show_writes_records_as_they_are_understood(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jsonl"
    value = {"instruction": "Say hello.", "input": "", "output": "你好"}
    path.write_bytes(b"\xef\xbb\xbf" + (json.dumps(value) + "\n").encode() * 3)
    assert commands.run(["data", "show", str(path), "-n", "2"]) == 0
    told = capfd.readouterr()
    shown = [json.loads(line) for line in told.out.splitlines()]
    assert len(shown) == 2 and "byte order mark" in told.err
    assert shown[1] == {
        "where": "a.jsonl:2",
        "kind": "prompt",
        "prompt": "Say hello.",
        "completion": "你好",
    }
    assert commands.run(["data", "show", str(path), "-n", "1", "--raw"]) == 0
    assert json.loads(capfd.readouterr().out) == {"where": "a.jsonl:1", **value}


def test_show_says_where_a_record_is_not_understood(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"x": "a"}\n')
    assert commands.run(["data", "show", str(path)]) == 1
    assert "a.jsonl:1: its columns are 'x'" in capfd.readouterr().err


def test_variants_are_written_with_their_records(tmp_path, capsys) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "more.jsonl"
    source.write_text("review,stars\nthe very best film of all,5\nbad,1\n")
    given = ["data", "augment", str(source), "--out", str(out), "--text", "review"]
    given += ["--label", "stars", "--operations", "swap,delete", "--copies", "2"]
    assert commands.run(given) == 0
    assert (
        "2 variants were added (swap 1, delete 1); 2 had no other form." in capsys.readouterr().out
    )
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["label"] for row in rows] == ["5", "5", "5", "1"]
    assert rows[0]["text"] == "the very best film of all"
    assert commands.run(given) == 2
    assert "is there already" in capsys.readouterr().err


def test_options_of_variants_that_would_do_nothing_are_refused(tmp_path, capsys) -> None:
    source = tmp_path / "a.csv"
    source.write_text("text,label\na film,1\n")
    base = ["data", "augment", str(source), "--out", str(tmp_path / "b.jsonl")]
    for more, told in (
        (["--via", "de"], "--via needs --language"),
        (["--language", "en"], "belong to --via"),
        (["--via", "de", "--language", "en", "--share", "0.2"], "--share would change nothing"),
        (["--operations", "swop"], "'swap'"),
        (["--share", "2"], "share must be"),
    ):
        assert commands.run([*base, *more]) in (1, 2)
        assert told in capsys.readouterr().err
    assert not (tmp_path / "b.jsonl").exists()
