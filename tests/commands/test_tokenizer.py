"""`loquent tokenizer train`: files in, a folder and a report out."""

import gzip
import json
from pathlib import Path

import pytest

from loquent.commands import run, tokenizer
from loquent.text.folder import open_tokenizer
from loquent.text.kinds import KINDS

TEXT = "The cat sat on the mat.\nIt sat there all day.\n\n我们在北京大学学习。\n" * 30


@pytest.fixture
def train(capsys):
    """Run the command: its status, what it wrote to stdout, and to stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = run(["tokenizer", "train", *map(str, arguments)])
        written = capsys.readouterr()
        return status, written.out, written.err

    return call


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_the_kinds_are_those_of_the_library() -> None:
    assert set(tokenizer.KINDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_file_becomes_a_tokenizer(kind: str, train, text: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    status, told, progress = train(text, "--kind", kind, "--size", 330, "--out", out)
    assert status == 0
    made = open_tokenizer(out)
    assert made.decode(made.encode(TEXT)) == TEXT
    assert f"{made.vocabulary} " in told and f"pieces, {kind}" in told and " bytes" in told
    assert "120 lines of" in told and "6 lines held out" in told and "never used" in told
    assert progress.startswith("Learning: ")
    if kind == "byte":
        assert "260 of 330 pieces" in told and "1.00 bytes" in told


def test_the_report_as_json(train, text: Path, tmp_path: Path) -> None:
    arguments = (text, "--size", 300, "--out", tmp_path / "made", "--json", "-q", "--lowercase")
    status, out, err = train(*arguments, "--special", "<|a|>", "--special", "<|b|>")
    told = json.loads(out)
    assert (status, err) == (0, "")
    assert told["folder"] == str(tmp_path / "made")
    assert (told["kind"], told["size"], told["vocabulary"]) == ("bpe", 300, 300)
    found = told["coverage"]
    assert found["bytes_per_token"] == pytest.approx(found["bytes"] / found["tokens"], abs=1e-4)
    assert found["known_characters"] == 1 and len(told["rarest"]) == 10
    made = open_tokenizer(tmp_path / "made")
    assert [made.id("<|a|>"), made.id("<|b|>")] == [4, 5]
    assert made.encode("THE CAT") == made.encode("the cat")


def test_a_tokenizer_that_is_there_stays(train, text: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    assert train(text, "--size", 300, "--out", out, "-q")[0] == 0
    before = (out / "tokenizer.json").read_bytes()
    status, _, err = train(text, "--size", 310, "--out", out, "-q")
    assert status == 2 and "has a tokenizer already" in err and "--replace" in err
    assert (out / "tokenizer.json").read_bytes() == before
    assert train(text, "--size", 300, "--out", out, "-q", "--replace")[0] == 0
    assert (out / "tokenizer.json").read_bytes() == before
    assert train(text, "--size", 310, "--out", out, "-q", "--replace")[0] == 0
    assert (out / "tokenizer.json").read_bytes() != before


def test_records(train, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": "Wie geht es?"}], "id": number, "note": "ΩΩ"}
        for number in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    arguments = ("--kind", "char", "--out", tmp_path / "made", "--json", "-q")
    status, out, err = train(path, *arguments)
    assert status == 0, err
    assert json.loads(out)["alphabet"] == len(set("userWie geht es?ΩΩ"))
    status, out, err = train(path, *arguments, "--replace", "--field", "note")
    assert json.loads(out)["alphabet"] == 1
    status, _, err = train(path, *arguments, "--replace", "--field", "nota")
    assert status == 1 and "data.jsonl:1" in err and "Did you mean 'note'?" in err


def test_text_files_in_other_encodings_and_with_other_names(train, tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text(TEXT, encoding="utf-16")
    with gzip.open(tmp_path / "b.txt.gz", "wt", encoding="utf-8") as file:
        file.write("Ω\n")
    files = (tmp_path / "LICENSE", tmp_path / "b.txt.gz")
    status, out, err = train(*files, "--kind", "char", "--out", tmp_path / "made", "--json")
    assert status == 0 and json.loads(out)["alphabet"] == len(set(TEXT) | {"Ω"})
    assert err.count("UTF-16") <= 1  # it is told once, though read twice
    (tmp_path / "pos").mkdir()
    (tmp_path / "pos" / "1.txt").write_text("A\n", encoding="utf-8")
    arguments = ("--kind", "char", "--out", tmp_path / "made", "--replace", "--json", "-q")
    status, out, err = train(tmp_path / "pos", *arguments)
    assert (status, err) == (0, "") and json.loads(out)["alphabet"] == 1


def test_mistakes_get_a_sentence(train, text: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "made")
    status, _, err = train(tmp_path / "a", tmp_path / "b.jsonl", text, *out)
    assert status == 1 and "2 faults" in err and "b.jsonl: is not there." in err
    status, _, err = train(text, "--size", 100, *out)
    assert status == 2 and "The smallest possible is 260." in err
    status, _, err = train(text, "--kind", "bpee", *out)
    assert status == 2 and "'bpe'" in err
    status, _, err = train(text)
    assert status == 2 and "--out" in err
    (tmp_path / "latin").write_bytes(b"fine\ncaf\xe9\n")
    status, _, err = train(tmp_path / "latin", *out, "-q")
    assert status == 1 and "latin:2: is not UTF-8: byte 0xe9" in err
    assert not (tmp_path / "made").exists()


def test_help_names_the_kinds(run) -> None:
    done = run("tokenizer", "train", "--help")
    assert done.returncode == 0
    for kind in KINDS:
        assert kind in done.stdout.decode()
