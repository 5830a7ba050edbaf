"""Readers where their own references can be asked: json, csv, pyarrow, datasets."""

import csv
import io
import json
import random
from pathlib import Path

import pytest

from loquent.data.reading import Limits
from loquent.data.records import records
from loquent.errors import DataError

PIECES = ["a", "ß", "你", '"', ",", "\n", "\r\n", " ", "\t", "'", ";", "😀", "\\", "\u2028"]


def texts(seed: int, count: int) -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices(PIECES, k=generator.randrange(1, 12))) for _ in range(count)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("seed", range(5))
def test_what_the_csv_module_writes_is_read_again(tmp_path: Path, seed: int, encoding: str) -> None:
    rows = list(zip(texts(seed, 60), texts(seed + 100, 60), strict=True))
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows([("text", "label"), *rows])
    path = tmp_path / "a.csv"
    path.write_bytes(written.getvalue().encode(encoding))
    found = [(each.values["text"], each.values["label"]) for each in records(path)]
    # a line end is a line end: CR LF in a cell is read as LF
    assert found == [tuple(cell.replace("\r\n", "\n") for cell in row) for row in rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-be"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_the_json_module_writes_is_read_again(
    tmp_path: Path, encoding: str, ascii_only: bool
) -> None:
    values = [{"text": text, "n": [1, {"x": None}]} for text in texts(9, 200)]
    path = tmp_path / "a.jsonl"
    body = "".join(json.dumps(each, ensure_ascii=ascii_only) + "\n" for each in values)
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    path.write_bytes(mark + body.encode(encoding))
    assert [each.values for each in records(path)] == values
    listed = tmp_path / "b.json"
    listed.write_bytes(
        mark + json.dumps(values, indent=1, ensure_ascii=ascii_only).encode(encoding)
    )
    assert [each.values for each in records(listed)] == values


def test_a_json_list_is_read_piece_by_piece(tmp_path: Path) -> None:
    values = [{"text": letter * 700_000} for letter in "abcdefgé"]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    assert [each.values for each in records(path)] == values
    with pytest.raises(DataError, match="one object has over 1000 characters"):
        list(records(path, limit=Limits(line_bytes=1000)))


def test_damage_in_a_json_list_is_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    good = '{"text": "' + "x" * 100 + '"},\n'
    path.write_text("[" + good * 50 + '{"text": nul},\n' + good * 200_000 + "]")
    with pytest.raises(DataError, match=r"a.json:51: the object is damaged: Expecting value"):
        list(records(path, limit=Limits(line_bytes=1 << 30)))
    path.write_bytes(b'[{"text": "a"}, {"text": "\xff"}]')
    with pytest.raises(DataError, match="byte 0xff at byte 26"):
        list(records(path))


def test_lines_are_numbered_through_quoted_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,label\n"a\nb\nc",1\nd,2\n"e\nf",3\n')
    assert [each.where for each in records(path)] == ["a.csv:2", "a.csv:5", "a.csv:6"]


def test_tables_of_other_forms_are_read_as_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text#label\nx#y\n")
    (first,) = records(path, delimiter="#")
    assert first.values == {"text": "x", "label": "y"}
    (one, two) = records(path, delimiter="#", header=False, columns=("a", "b"))
    assert one.values == {"a": "text", "b": "label"} and two.where == "a.csv:2"
    with pytest.raises(DataError, match="has 2 columns, and 3 names"):
        list(records(path, delimiter="#", columns=("a", "b", "c")))
    (tmp_path / "a.tsv").write_text("x\ty\n1\t2\n")
    with pytest.raises(DataError, match=r"there is no format 'tvs'. Did you mean 'tsv'"):
        list(records(tmp_path / "a.tsv", format="tvs"))


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([("spam" if n % 3 else "ham", f"a text {n}") for n in range(40)], ["label", "text"]),
        ([(f"one {n}", f"eins {n}") for n in range(40)], ["source", "target"]),
        ([("a 1", "b 2"), ("c 3", "d 4")], ["column 1", "column 2"]),
        ([("1", "2", f"{n}") for n in range(9)], ["column 1", "column 2", "column 3"]),
    ],
)
def test_columns_without_names_are_named_by_what_they_hold(
    tmp_path: Path, rows: list[tuple[str, ...]], names: list[str]
) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    notes: list[str] = []
    found = list(records(path, on_note=notes.append))
    assert list(found[0].values) == names
    assert len(found) == len(rows) and notes


def test_running_text_comes_back_whole(tmp_path: Path) -> None:
    body = "".join(f"line {n}: größer\n" if n % 7 else "\n" for n in range(5000))
    path = tmp_path / "a.txt"
    path.write_text(body, encoding="utf-8")
    pieces = list(records(path, limit=Limits(text_bytes=4000)))
    assert len(pieces) > 10
    assert "".join(each.values["text"] for each in pieces) == body.removesuffix("\n")
    assert [each.values.get("continued", False) for each in pieces] == [
        number > 0 for number in range(len(pieces))
    ]
    assert [each.values.get("continues", False) for each in pieces][-1] is False
    number = int(pieces[1].where.partition(":")[2])
    assert pieces[1].values["text"].startswith(body.split("\n")[number - 1])
    (whole,) = records(path)
    assert whole.values == {"text": body.removesuffix("\n")}


def test_a_reader_that_is_left_closes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n' * 10)
    for _ in range(2000):  # more than a process may have open
        next(iter(records(path)))


def test_parquet_without_its_package_says_what_to_install(tmp_path: Path) -> None:
    if _has("pyarrow"):
        pytest.skip("pyarrow is installed")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"needs the package pyarrow.*pip install"):
        list(records(tmp_path / "a.parquet"))


def test_parquet_is_read_as_it_was_written(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import Table, parquet  # noqa: PLC0415  # the extra package

    values = [{"text": f"ß {n}", "label": n % 3, "tags": ["a", None]} for n in range(3000)]
    path = tmp_path / "a.parquet"
    parquet.write_table(Table.from_pylist(values), path, row_group_size=700)
    found = list(records(path))
    assert [each.values for each in found] == values
    assert found[2999].where == "a.parquet:3000"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"a.parquet: cannot be read"):
        list(records(path))


def test_hub_names_without_their_package_say_what_to_install() -> None:
    if _has("datasets"):
        pytest.skip("datasets is installed")
    with pytest.raises(DataError, match=r"hf:org/name: needs the package datasets.*pip install"):
        list(records("hf:org/name"))


def test_hub_names_are_read_by_datasets(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n')
    (folder / "test.jsonl").write_text('{"text": "c", "label": 1}\n')
    assert [each.values["text"] for each in records(f"hf:{folder}")] == ["a", "b"]
    assert [each.values["text"] for each in records(f"hf:{folder}:test")] == ["c"]
    with pytest.raises(DataError, match="cannot be read"):
        list(records(f"hf:{folder}:nothing"))


def test_a_name_that_is_no_data_set_is_refused() -> None:
    for name in ("hf:", "hf:a:b:c:d"):
        with pytest.raises(DataError, match="is no name of a data set"):
            list(records(name))


def _has(package: str) -> bool:
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec(package) is not None


@pytest.mark.parametrize(
    ("body", "words", "left"),
    [
        ('{"text": "a"}\n{"text": "b"}\n', "", 2),  # lines, called .json
        ('{"text": "a"}', "", 1),
        ('[{"text": "a"}, {"text": "b", "text": "c"}]', "a.json:1: the key 'text' stands twice", 1),
        ('[{"text": "a"}] more', "a.json:1: expected nothing more, found 'more'", 1),
        ('[{"text": "a"},]', "a.json:1: expected an object, found ']'", 1),
        ('[{"text": "a"}', "a.json:1: ends before a comma or the list's end", 1),
        ('[{"text": "a\0"}]', "a.json: holds a NUL character", None),
        ('"text"', "is neither a list of objects nor", None),
        ('{"a": ' + "[" * 50_000 + "\n", "is neither a list of objects nor", None),
        ('[{"a": ' + "[" * 50_000, "a.json:1: the object is damaged: its values are nested", None),
    ],
)
def test_json_files_of_other_forms(tmp_path: Path, body: str, words: str, left: int | None) -> None:
    path = tmp_path / "a.json"
    path.write_text(body)
    faults: list[DataError] = []
    try:
        assert sum(1 for _ in records(path, on_fault=faults.append)) == left
    except DataError as fault:
        assert left is None
        faults.append(fault)
    assert words in "".join(map(str, faults)) and bool(words) == bool(faults)


def test_a_damaged_file_does_not_hide_the_others_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"%PDF")
    (tmp_path / "b.lines.txt").write_text("one\n\ntwo\n")
    faults: list[DataError] = []
    found = list(records(tmp_path, on_fault=faults.append))
    assert [each.where for each in found] == ["b.lines.txt:1"]
    assert "a.jsonl: is a PDF" in str(faults[0])
    with pytest.raises(DataError, match=r"a.jsonl: is a PDF"):
        list(records(tmp_path))


def test_damaged_lines_are_told_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.de").write_bytes(b"eins\nzw\xffei\n\ndrei\n")
    (tmp_path / "a.en").write_bytes(b"one\ntwo\n\nthree\n")
    faults: list[DataError] = []
    notes: list[str] = []
    path = tmp_path / "a.de"
    lines = list(records(path, format="lines", on_fault=faults.append, on_note=notes.append))
    assert [each.values["text"] for each in lines] == ["eins", "drei"]
    assert "1 empty lines" in notes[0]
    pairs = list(records(tmp_path / "a.{de,en}", on_fault=faults.append))
    assert [each.values["en"] for each in pairs] == ["one", "three"]
    assert ["a.de:2: is not UTF-8" in str(each) for each in faults] == [True, True]
    with pytest.raises(DataError, match=r"a.fr: is not there"):
        list(records(tmp_path / "a.{de,fr}"))


def test_a_table_whose_first_line_is_damaged_has_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"te\xffxt,label\na,b\n")
    with pytest.raises(DataError, match=r"a.csv:1: is not UTF-8"):
        list(records(path, on_fault=lambda fault: None))
    path.write_bytes(b'text,label\na,b\n"c\xff",d\n')
    faults: list[DataError] = []
    assert len(list(records(path, on_fault=faults.append))) == 1
    assert "a.csv:3: is not UTF-8" in str(faults[0])
