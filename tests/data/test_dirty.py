"""Dirty data sets, each with what docs/data.md says of it: read, refused or warned of."""

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from loquent.data.check import check
from loquent.data.reading import USUAL_LIMITS, Limits
from loquent.data.records import records
from loquent.errors import DataError

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
SMALL = Limits(line_bytes=1000, text_bytes=1000)


@dataclass(frozen=True)
class Reads:
    """All is read: so many records, what stands in the first, and what is noted."""

    count: int
    first: Mapping[str, object] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Fails:
    """Reading ends with an error of these words; `check` still reads `left` records."""

    words: tuple[str, ...]
    left: int | None = None  # None: nothing can be read at all


@dataclass(frozen=True)
class Warns:
    """All is read, and `check` warns in these words."""

    words: tuple[str, ...]
    test: str = ""
    length: int = 0


@dataclass(frozen=True)
class Case:
    """Files, and what comes of reading the first or the named one."""

    name: str  # as in docs/data.md
    files: Mapping[str, bytes]
    outcome: Reads | Fails | Warns
    path: str = ""
    limit: Limits = USUAL_LIMITS


def lines(*values: object) -> bytes:
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in values).encode()


def labeled(*pairs: tuple[str, object]) -> bytes:
    return lines(*({"text": text, "label": label} for text, label in pairs))


def many(label: str, count: int, word: str = "text") -> list[tuple[str, str]]:
    return [(f"{word} {label} {number}", label) for number in range(count)]


GOOD = lines({"text": "Grüße"}, {"text": "你好"})
TABLE = "text,label\nschön,yes\nübel,no\n"
ROW = {"text": "schön", "label": "yes"}

ENCODINGS = [
    Case("UTF-8", {"a.jsonl": GOOD}, Reads(2, {"text": "Grüße"})),
    Case(
        "UTF-8 with a byte order mark",
        {"a.csv": b"\xef\xbb\xbf" + TABLE.encode()},
        Reads(2, ROW, "byte order mark"),
    ),
    Case(
        "UTF-16 with a mark, little-endian",
        {"a.csv": b"\xff\xfe" + TABLE.encode("utf-16-le")},
        Reads(2, ROW, "UTF-16 little-endian"),
    ),
    Case(
        "UTF-16 with a mark, big-endian",
        {"a.jsonl": b"\xfe\xff" + GOOD.decode().encode("utf-16-be")},
        Reads(2, {"text": "Grüße"}, "UTF-16 big-endian"),
    ),
    Case(
        "UTF-16 without a mark, little-endian",
        {"a.csv": TABLE.encode("utf-16-le")},
        Reads(2, ROW, "NUL bytes"),
    ),
    Case(
        "UTF-16 without a mark, big-endian",
        {"a.csv": TABLE.encode("utf-16-be")},
        Reads(2, ROW, "NUL bytes"),
    ),
    Case(
        "UTF-32 with a mark",
        {"a.csv": b"\xff\xfe\0\0" + TABLE.encode("utf-32-le")},
        Reads(2, ROW, "UTF-32"),
    ),
    Case(
        "UTF-16 with characters whose half is an end of line",
        {"a.jsonl": b"\xff\xfe" + '{"text": "\u0a0a\u0a00\u010a"}\n'.encode("utf-16-le") * 2},
        Reads(2, {"text": "\u0a0a\u0a00\u010a"}),
    ),
    Case(
        "Windows-1252",
        {"a.csv": "text,label\nschön,yes\n".encode("windows-1252")},
        Fails(("a.csv:2: is not UTF-8: byte 0xf6 at byte 14", "-f WINDOWS-1252"), left=0),
    ),
    Case(
        "One Latin-1 line among lines of UTF-8",
        {"a.jsonl": GOOD + '{"text": "é"}\n'.encode("latin-1") + GOOD},
        Fails(("a.jsonl:3: is not UTF-8: byte 0xe9 at byte 49",), left=4),
    ),
    Case(
        "GB18030",
        {"a.tsv": "text\tlabel\n你好吗\t好\n".encode("gb18030")},
        Fails(("a.tsv:2: is not UTF-8", "-f GB18030"), left=0),
    ),
    Case(
        "A character cut at the file's end",
        {"a.txt": b"fine\nGr" + "ü".encode()[:1]},
        Fails(("a.txt:2: is not UTF-8: byte 0xc3 at byte 7",), left=1),
    ),
    Case(
        "UTF-16 cut within a character",
        {"a.csv": b"\xff\xfe" + TABLE.encode("utf-16-le")[:-1]},
        Fails(("is not UTF-16", "damaged"), left=1),
    ),
    Case(
        "A surrogate written as UTF-8",
        {"a.jsonl": b'{"text": "\xed\xa0\x80"}\n' + GOOD},
        Fails(("a.jsonl:1: is not UTF-8: byte 0xed at byte 10",), left=2),
    ),
    Case(
        "UTF-8 that was read as Latin-1 before",
        {"a.jsonl": lines({"text": "GrÃ¼Ã\x9fe"}, {"text": "fine"})},
        Warns(("1 record (50.00%) has characters damaged by a wrong encoding: a.jsonl:1",)),
    ),
    Case(
        "Replacement characters",
        {"a.txt": "Gr\ufffde".encode()},
        Warns(("damaged by a wrong encoding: a.txt:1",)),
    ),
    Case(
        "A NUL in a table",
        {"a.csv": b"text,label\ngood,yes\nba\0d,no\n"},
        Fails(("a.csv:3: holds a NUL character at byte 22",), left=1),
    ),
    Case(
        "A NUL in running text",
        {"a.txt": b"one\n\0two\nthree\n"},
        Fails(("a.txt:2: holds a NUL character at byte 4",), left=1),
    ),
    Case(
        "An escaped NUL in JSON",
        {"a.jsonl": lines({"text": "a\0b"})},
        Reads(1, {"text": "a\0b"}),
    ),
    Case(
        "Half a surrogate pair in JSON",
        {"a.jsonl": b'{"text": "\\ud83d"}\n{"text": "\\ud83d\\ude00"}\n'},
        Fails(("a.jsonl:1: holds half a surrogate pair, \\ud83d",), left=1),
    ),
]

LINES = [
    Case("Lines ended by CR LF", {"a.csv": TABLE.replace("\n", "\r\n").encode()}, Reads(2, ROW)),
    Case(
        "Lines ended by CR alone",
        {"a.csv": TABLE.replace("\n", "\r").encode()},
        Fails(("a.csv: has lines that end with CR alone, the first at byte 10", "tr")),
    ),
    Case("No end of line at the end", {"a.jsonl": GOOD[:-1]}, Reads(2)),
    Case(
        "Empty lines",
        {"a.jsonl": b"\n" + GOOD + b"  \n\n"},
        Reads(2, note="3 empty lines were left out"),
    ),
    Case("Empty lines in a table", {"a.csv": (TABLE + "\n\n").encode()}, Reads(2, ROW, "2 empty")),
    Case(
        "Line separators of Unicode",
        {"a.lines.jsonl": lines({"text": "a\u2028b\x85c"})},
        Reads(1, {"text": "a\u2028b\x85c"}),
    ),
]

EMPTY = [
    Case("An empty file", {"a.jsonl": b""}, Fails(("a.jsonl: holds no records",))),
    Case("Only white space", {"a.csv": b" \n\n"}, Fails(("a.csv: holds no records",))),
    Case("An empty gzip", {"a.jsonl.gz": gzip.compress(b"")}, Fails(("holds no records",))),
    Case(
        "Only a header",
        {"a.csv": b"text,label\n"},
        Fails(("a.csv: has a header and no rows",), left=0),
    ),
    Case("An empty JSON list", {"a.json": b"[]"}, Fails(("a.json: holds no records",))),
    Case(
        "A folder without data",
        {"set/README.md": b"hello"},
        Fails(("holds no files of data",)),
        path="set",
    ),
    Case(
        "An empty file in a folder",
        {"set/a.jsonl": GOOD, "set/b.jsonl": b""},
        Reads(2, note="1 files hold no records: b.jsonl"),
        path="set",
    ),
    Case(
        "Empty texts",
        {"a.jsonl": labeled(("good", "x"), (" ", "y"), ("bad", "y"))},
        Warns(("1 record (33.33%) has an empty text: a.jsonl:2",)),
    ),
    Case(
        "A file that is not there",
        {"train.jsonl": GOOD},
        Fails(("tran.jsonl: is not there", "Did you mean 'train.jsonl'?")),
        path="tran.jsonl",
    ),
]

TABLES = [
    Case(
        "A line end in a quoted cell",
        {"a.csv": b'text,label\n"two\nlines",yes\none,no\n'},
        Reads(2, {"text": "two\nlines", "label": "yes"}),
    ),
    Case(
        "Doubled quotes",
        {"a.csv": b'text,label\n"say ""no""",yes\n'},
        Reads(1, {"text": 'say "no"', "label": "yes"}),
    ),
    Case(
        "A quote in the middle of a cell",
        {"a.csv": b'text,label\n6" long,yes\n'},
        Reads(1, {"text": '6" long', "label": "yes"}),
    ),
    Case(
        "A quote that is not closed",
        {"a.csv": b'text,label\ngood,yes\n"bad,no\nworse,no\n'},
        Fails(("a.csv:3: a quote is opened and not closed in the record at byte 20",), left=1),
    ),
    Case(
        "A quote that is not closed in a long file",
        {"a.csv": b'text,label\n"bad,no\n' + b"good,yes\n" * 200},
        Fails(("a.csv:2: a quote that is opened at byte 11 is not closed within 1000",)),
        limit=SMALL,
    ),
    Case(
        "Text after a closing quote",
        {"a.csv": b'text,label\n"bad"one,no\ngood,yes\n'},
        Fails(("a.csv:2: something follows a closing quote", "byte 11"), left=1),
    ),
    Case(
        "Too many columns",
        {"a.csv": b"text,label\ngood,yes\na comma, here,no\n"},
        Fails(("a.csv:3: has 3 columns, not 2 (byte 20)", "text, label"), left=1),
    ),
    Case(
        "Too few columns",
        {"a.csv": b"text,label\ngood,yes\nno label\n"},
        Fails(("a.csv:3: has 1 columns, not 2 (byte 20)",), left=1),
    ),
    Case(
        "Semicolons",
        {"a.csv": b"text;label\na, b;yes\nc, d, e;no\n"},
        Reads(2, {"text": "a, b", "label": "yes"}, "divided by ';'"),
    ),
    Case(
        "Two columns of one name",
        {"a.csv": b"text,text\na,b\n"},
        Fails(("a.csv:1: two columns are called 'text'",)),
    ),
    Case(
        "No header",
        {"a.tsv": "".join(f"this is text {n} of some\t{n % 2}\n" for n in range(20)).encode()},
        Reads(20, {"text": "this is text 0 of some", "label": "0"}, "were named text, label"),
    ),
    Case(
        "A header of unusual names",
        {"a.csv": b"utterance,kind\nhello,yes\n"},
        Reads(1, {"utterance": "hello", "kind": "yes"}, "first line was taken as the names"),
    ),
    Case(
        "A cell of a megabyte", {"a.csv": b"text,label\n" + b"x" * (1 << 20) + b",yes\n"}, Reads(1)
    ),
    Case(
        "Quotes in a TSV file",
        {"a.tsv": b'text\tlabel\n"open\tyes\nclosed"\tno\n'},
        Reads(2, {"text": '"open', "label": "yes"}),
    ),
    Case(
        "A tab too many",
        {"a.tsv": b"text\tlabel\na\tb\tc\nd\te\n"},
        Fails(("a.tsv:2: has 3 columns, not 2 (byte 11)",), left=1),
    ),
]

JSON = [
    Case(
        "A key that stands twice",
        {"a.jsonl": b'{"text": "a", "text": "b"}\n' + GOOD},
        Fails(("a.jsonl:1: the key 'text' stands twice at byte 0",), left=2),
    ),
    Case(
        "A comma too many",
        {"a.jsonl": GOOD + b'{"text": "a",}\n'},
        Fails(("a.jsonl:3: is not JSON", "column 14", "(byte 52)"), left=2),
    ),
    Case(
        "Not a number",
        {"a.jsonl": b'{"text": "a", "label": NaN}\n' + GOOD},
        Fails(("a.jsonl:1: NaN is no JSON",), left=2),
    ),
    Case(
        "A list on a line",
        {"a.jsonl": GOOD + b'["text"]\n'},
        Fails(("a.jsonl:3: is a list, not an object",), left=2),
    ),
    Case(
        "A line that is cut off",
        {"a.jsonl": GOOD + b'{"text": "abc'},
        Fails(("a.jsonl:3: is not JSON: Unterminated string",), left=2),
    ),
    Case(
        "Lists in lists in lists",
        {"a.jsonl": b'{"a": ' + b"[" * 100_000 + b"\n" + GOOD},
        Fails(("a.jsonl:1: its values are nested too deep",), left=2),
    ),
    Case(
        "A number of 5,000 digits",
        {"a.jsonl": b'{"a": ' + b"1" * 5000 + b"}\n" + GOOD},
        Fails(("a.jsonl:1: Exceeds the limit",), left=2),
    ),
    Case(
        "A control character in a string",
        {"a.jsonl": b'{"text": "a\tb"}\n' + GOOD},
        Fails(("a.jsonl:1: is not JSON: Invalid control character", "byte 11"), left=2),
    ),
    Case(
        "One JSON list",
        {"a.json": b'\xef\xbb\xbf [\n{"text": "a"},\n{"text": "b"}\n]\n'},
        Reads(2, {"text": "a"}),
    ),
    Case(
        "A JSON list that is cut off",
        {"a.json": b'[\n{"text": "a"},\n{"text": "b"'},
        Fails(("a.json:3: the object is damaged",), left=1),
    ),
    Case(
        "A JSON list with a comma missing",
        {"a.json": b'[{"text": "a"}\n{"text": "b"}]'},
        Fails(("a.json:2: expected a comma or the list's end",), left=1),
    ),
    Case(
        "One object over many lines",
        {"a.json": b'{\n "data": []\n}\n'},
        Fails(("a.json: is neither a list of objects nor one object a line",)),
    ),
    Case(
        "Columns that say nothing",
        {"a.jsonl": lines({"x": "a", "y": "b"})},
        Fails(("its columns are 'x', 'y'; what they hold cannot be told",), left=1),
    ),
    Case(
        "A text that is a number",
        {"a.jsonl": lines({"text": 5}, {"text": "fine"})},
        Fails(("a.jsonl:1: 'text' is int 5, not text",), left=2),
    ),
]

SIZES = [
    Case(
        "A line that is too long",
        {"a.jsonl": GOOD + lines({"text": "x" * 5000}) + GOOD},
        Fails(("a.jsonl:3: the line at byte 39 has 5013 bytes, over the limit of 1000",), left=4),
        limit=SMALL,
    ),
    Case(
        "A long running text",
        {"a.txt": b"".join(b"line %d\n" % number for number in range(1000))},
        Reads(9, {"continues": True}),
        limit=SMALL,
    ),
]

CONTAINERS = [
    Case("gzip", {"a.jsonl.gz": gzip.compress(GOOD)}, Reads(2, {"text": "Grüße"})),
    Case(
        "gzip that is cut off",
        {"a.txt.gz": gzip.compress(b"some text\n" * 50_000)[:-40]},
        Fails(("a.txt.gz: is not whole",)),
    ),
    Case(
        "gzip that is damaged",
        {"a.jsonl.gz": gzip.compress(GOOD)[:12] + b"\xff\xff\xff" + gzip.compress(GOOD)[15:]},
        Fails(("a.jsonl.gz: is not whole",)),
    ),
    Case("Text called .gz", {"a.jsonl.gz": GOOD}, Fails(("a.jsonl.gz: is not whole",))),
    Case(
        "gzip not called .gz",
        {"a.jsonl": gzip.compress(GOOD)},
        Fails(("a.jsonl: is compressed by gzip, not text",)),
    ),
    Case(
        "Excel called .csv",
        {"a.csv": b"PK\x03\x04" + b"\0" * 50},
        Fails(("a.csv: is a ZIP archive or an Excel file",)),
    ),
    Case("A PDF called .txt", {"a.txt": b"%PDF-1.7\n"}, Fails(("a.txt: is a PDF, not text",))),
    Case(
        "A binary file",
        {"a.txt": bytes(range(256)) * 20 + b"\0\0\0" * 500},
        Fails(("a.txt: is binary, not text",)),
    ),
    Case("An unknown ending", {"a.neg": GOOD}, Fails(("by the ending '.neg'", "lines"))),
    Case(
        "Folders of texts",
        {"set/neg/1.txt": b"bad", "set/pos/1.txt": b"good", "set/pos/.hidden.txt": b"no"},
        Reads(2, {"text": "bad", "label": "neg"}),
        path="set",
    ),
    Case(
        "Other files in a folder",
        {"set/a.jsonl": GOOD, "set/LICENSE": b"free", "set/run.py": b"pass"},
        Reads(2, note="left out as no data: LICENSE, run.py"),
        path="set",
    ),
    Case(
        "Lines of two files",
        {"train.de": "Hallo\n\nTschüs\n".encode(), "train.en": b"hello\n\nbye\n"},
        Reads(2, {"de": "Hallo", "en": "hello"}, "1 pairs with an empty line"),
        path="train.{de,en}",
    ),
    Case(
        "Two files of unlike length",
        {"train.de": b"eins\nzwei\n", "train.en": b"one\n"},
        Fails(("train.en: has 1 lines, and train.de has more",), left=1),
        path="train.{de,en}",
    ),
]

BALANCED = [*many("good", 30), *many("bad", 30)]

SETS = [
    Case(
        "One class",
        {"a.jsonl": labeled(*many("good", 3))},
        Warns(("all records have one label, 'good'",)),
    ),
    Case(
        "A slip in a label",
        {"a.jsonl": labeled(*many("positive", 60), *many("negative", 60), ("one more", "positve"))},
        Warns(("label 'positve' (1, first at a.jsonl:121): is 'positive' (60) meant?",)),
    ),
    Case(
        "A label in another case",
        {"a.jsonl": labeled(*BALANCED, *many("Good", 20, "more"))},
        Warns(("label 'Good' (20, first at a.jsonl:61): is 'good' (30) meant?",)),
    ),
    Case(
        "A label cut short",
        {"a.jsonl": labeled(*many("positive", 60), ("more", "p"))},
        Warns(("label 'p' (1, first at a.jsonl:61): is 'positive' (60) meant?",)),
    ),
    Case(
        "A label that is missing",
        {"a.jsonl": labeled(("one", None), ("two", "x"))},
        Fails(("a.jsonl:1: has no label",), left=2),
    ),
    Case(
        "Uneven classes",
        {"a.jsonl": labeled(*many("good", 300), *many("bad", 12))},
        Warns(("the classes are uneven: always the most frequent is right 96.2%",)),
    ),
    Case(
        "Classes of few examples",
        {"a.jsonl": labeled(*BALANCED, *BALANCED, ("x", "other"))},
        Warns(("labels with under 10 examples: 'other' (1)",)),
    ),
    Case(
        "Records that stand twice",
        {"a.jsonl": labeled(("One  text", "a"), ("two", "b"), ("one text", "a"))},
        Warns(("1 record (33.33%) stands there again: a.jsonl:3 (as a.jsonl:1)",)),
    ),
    Case(
        "One text with two labels",
        {"a.jsonl": labeled(("one", "a"), ("two", "b"), ("one", "b"))},
        Warns(
            (
                "1 record (33.33%) has the text of another one but not its answer: a.jsonl:3 (as "
                "a.jsonl:1)",
            )
        ),
    ),
    Case(
        "Test records in the training data",
        {
            "a.jsonl": labeled(("one", "a"), ("two", "b")),
            "test.jsonl": labeled(("Two", "b"), ("three", "a")),
        },
        Warns(
            (
                "1 record (50.00%) of the test set is in the training set: test.jsonl:1 (as "
                "a.jsonl:2)",
            ),
            test="test.jsonl",
        ),
    ),
    Case(
        "Records that stand twice in the test set",
        {
            "a.jsonl": labeled(("one", "a"), ("two", "b")),
            "test.jsonl": labeled(("three", "b"), ("three", "b")),
        },
        Warns(
            (
                "1 record (50.00%) of the test set stands there again: test.jsonl:2 (as "
                "test.jsonl:1)",
            ),
            test="test.jsonl",
        ),
    ),
    Case(
        "A label of the test set alone",
        {"a.jsonl": labeled(*BALANCED), "test.jsonl": labeled(("x", "fine"))},
        Warns(("label 'fine' is in the test set only (first at test.jsonl:1)",), test="test.jsonl"),
    ),
    Case(
        "Texts over a model's length",
        {"a.jsonl": lines({"text": "abcdef"}, {"text": "abc"}, {"text": "abcdefg"})},
        Warns(("2 records (66.67%) are longer than 5 characters. Much is lost.",), length=5),
    ),
]

CASES = [*ENCODINGS, *LINES, *EMPTY, *TABLES, *JSON, *SIZES, *CONTAINERS, *SETS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_dirty_data_comes_to_what_the_page_says(case: Case, tmp_path: Path) -> None:
    for name, raw in case.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(raw)
    path = tmp_path / (case.path or next(iter(case.files)))
    if isinstance(case.outcome, Reads):
        reads(path, case, case.outcome)
    elif isinstance(case.outcome, Fails):
        fails(path, case, case.outcome)
    else:
        test = tmp_path / case.outcome.test if case.outcome.test else None
        report = check(path, test=test, length=case.outcome.length)
        assert not report.faults
        assert sum(1 for _ in records(path)) == report.records
        for words in case.outcome.words:
            assert any(words in each for each in report.warnings()), report.warnings()


def reads(path: Path, case: Case, outcome: Reads) -> None:
    notes: list[str] = []
    found = list(records(path, limit=case.limit, on_note=notes.append))
    assert len(found) == outcome.count
    assert {name: found[0].values[name] for name in outcome.first} == dict(outcome.first)
    assert outcome.note in "\n".join(notes)
    assert [record.index for record in found] == list(range(len(found)))
    assert all(re.fullmatch(r".+:[1-9]\d*", record.where) for record in found)


def fails(path: Path, case: Case, outcome: Fails) -> None:
    try:
        list(records(path, limit=case.limit))
    except DataError as fault:
        error = str(fault)
        assert all(words in error for words in outcome.words), error
    else:  # it can be read, but not understood
        error = ""
        assert outcome.left is not None
    if outcome.left is None:
        with pytest.raises(DataError):
            check(path, limit=case.limit)
        return
    report = check(path, limit=case.limit)
    assert report.records == outcome.left
    assert report.fault_count == len(report.faults) == 1
    assert all(words in report.faults[0] for words in outcome.words), report.faults


def test_the_page_names_every_case_and_no_other() -> None:
    told = re.findall(r"^\| ([^|]+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(CASES) >= 60
    assert {case.name for case in CASES} <= set(told)


def test_faults_are_told_together_and_no_more_than_twenty(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{\n" * 3 + b'{"text": "a"}\n' + b"[\n" * 3)
    with pytest.raises(DataError) as caught:
        list(records(path))
    assert str(caught.value).startswith("6 faults:")
    assert all(f"a.jsonl:{line}:" in str(caught.value) for line in (1, 2, 3, 5, 6, 7))
    path.write_bytes(b"{\n" * 1000)
    with pytest.raises(DataError, match="what follows these 20 faults was not read") as caught:
        list(records(path))
    assert str(caught.value).count("is not JSON") == 20
