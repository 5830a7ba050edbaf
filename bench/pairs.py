"""Data of pairs of texts for bench/quality.py: translations and summaries, as records.

Beside what docs name, two sets are used that anybody can fetch: Tatoeba's German pairs (CC BY 2.0
FR; the file `deu.txt` of www.manythings.org/anki, in a folder tatoeba_deu_eng), and LibreOffice's
help in both languages (MPL 2.0; the Debian packages libreoffice-help-en-us and libreoffice-help-de,
whose folders en-US and de belong into a folder libreoffice_help). Chinese in traditional characters
is brought to simplified ones by `hanziconv`, a package of PyPI.
"""

import html
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from loquent.text.sentences import sentences

_HELD = 1000  # pairs to judge by, and as many as the test
_PARAGRAPH = re.compile(
    r'<(?:p|h\d|li) id="((?:par|hd)_[^"]+)"[^>]*>(.*?)</(?:p|h\d|li)>', re.DOTALL
)
_LEAST_WORDS, _MOST_CHARACTERS, _MOST_RATIO = 4, 250, 1.6


def tatoeba_zh(data: Path, folder: Path) -> None:
    """Everyday sentences, English and Chinese; those of one English sentence stay in one part."""
    from hanziconv import HanziConv  # noqa: PLC0415  # asked for by this set alone

    rows = (
        (en, HanziConv.toSimplified(zh))
        for en, zh, *_ in (line.split("\t") for line in _lines(data / "cmn.txt"))
    )
    _divided(folder, rows, "zh")


def tatoeba_de(data: Path, folder: Path) -> None:
    """The same in German; only short ones are there."""
    rows = (line.split("\t") for line in _lines(data / "deu.txt")[1:])
    _divided(folder, ((row[0], row[1]) for row in rows if len(row) > 1), "de")


def libreoffice_help(data: Path, folder: Path) -> None:
    """Sentences of pages of help, which are paired by the names of their paragraphs."""
    _divided(folder, _of_help(data), "de", judged=300)


def wmt_flores(data: Path, folder: Path) -> None:
    """The sentences of FLORES' dev part and of WMT's, as they are; nothing of them is learned."""
    for path in sorted(data.glob("*.en-*.tsv")):
        code = path.stem.rpartition("-")[2]
        rows = (line.split("\t") for line in _lines(path))
        write(folder / f"{path.stem}.jsonl", ({"en": en, code: other} for en, other in rows))


def scitldr(data: Path, folder: Path) -> None:
    """Abstracts of papers with one sentence about each, of which there may be several.

    In the training part each is an example, in the others the first, with all as `targets`.
    """
    for part, theirs in (("train", "train"), ("validation", "dev"), ("test", "test")):
        write(folder / f"{part}.jsonl", _of_papers(data / f"{theirs}.jsonl", part == "train"))


def _of_papers(path: Path, each: bool) -> Iterator[dict[str, Any]]:
    for line in _lines(path):
        row = json.loads(line)
        text, targets = " ".join(map(str.strip, row["source"])), list(map(str.strip, row["target"]))
        if each:
            yield from ({"text": text, "summary": target} for target in targets)
        else:
            yield {"text": text, "summary": targets[0], "targets": targets}


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write records."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _divided(
    folder: Path, rows: Iterable[tuple[str, str]], code: str, *, judged: int = _HELD
) -> None:
    """Parts by chance; of those that are judged by, each text once."""
    known: dict[str, dict[str, None]] = {}
    for en, other in rows:
        known.setdefault(en, {})[other] = None
    pairs = list(known.items())
    random.Random(0).shuffle(pairs)
    parts = {"test": pairs[:_HELD], "validation": pairs[_HELD : _HELD + judged]}
    for name, some in parts.items():
        write(folder / f"{name}.jsonl", ({"en": en, code: next(iter(all))} for en, all in some))
    rest = ({"en": en, code: other} for en, others in pairs[_HELD + judged :] for other in others)
    write(folder / "train.jsonl", rest)


def _of_help(data: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((data / "en-US").rglob("*.html")):
        other = data / "de" / path.relative_to(data / "en-US")
        theirs = _paragraphs(other) if other.exists() else {}
        for name, text in _paragraphs(path).items():
            yield from _pairs(text, theirs.get(name, ""))


def _paragraphs(path: Path) -> dict[str, str]:
    """The text of each, but for those that say one thing on a Mac and another elsewhere."""
    made: dict[str, str] = {}
    for name, body in _PARAGRAPH.findall(path.read_text(encoding="utf-8")):
        if "hidden=" not in body:
            bare = html.unescape(re.sub(r"<[^>]+>", "", body))
            made.setdefault(name, " ".join(bare.split()))
    return made


def _pairs(text: str, other: str) -> Iterator[tuple[str, str]]:
    """Sentence by sentence, where both have as many and each looks like one."""
    ours, theirs = sentences(text), sentences(other)
    if text == other or len(ours) != len(theirs):
        return
    for one, two in zip(ours, theirs, strict=True):
        en, de = one.of(text).strip(), two.of(other).strip()
        whole = len(en.split()) >= _LEAST_WORDS and en[0].isupper() and en[-1] in ".!?:"
        ratio = len(en) / max(len(de), 1)
        if whole and len(en) < _MOST_CHARACTERS and 1 / _MOST_RATIO < ratio < _MOST_RATIO:
            yield en, de


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
