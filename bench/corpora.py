"""The texts and sounds of ../shared/data, brought into the shape of records."""

import csv
import gzip
import json
import random
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import formants
import pairs
import sounds

SHARED = 16  # letters in a row by which two texts are told to have a sentence in common


def shakespeare(data: Path, folder: Path) -> None:
    """The first nine tenths to learn, the last to judge by, as nanoGPT divides it."""
    text = (data / "input.txt").read_text(encoding="utf-8")
    cut = int(len(text) * 0.9)
    (folder / "train.txt").write_text(text[:cut], encoding="utf-8")
    (folder / "validation.txt").write_text(text[cut:], encoding="utf-8")


def imdb(data: Path, folder: Path) -> None:
    """The reviews, every twentieth of the training part set aside to judge by while training."""

    def rows(part: str) -> Iterator[dict[str, Any]]:
        with gzip.open(data / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                yield {"text": row["text"].replace("<br />", " "), "label": str(row["label"])}

    train = list(rows("train"))[1:]  # the first row is foreign, as the data's page says
    write(folder / "train.jsonl", (row for at, row in enumerate(train) if at % 20))
    write(folder / "validation.jsonl", (row for at, row in enumerate(train) if not at % 20))
    write(folder / "test.jsonl", rows("test"))


def sst2(data: Path, folder: Path) -> None:
    """Sentences with 0 or 1 behind a tab."""
    for part, theirs in (("train", "train"), ("validation", "dev"), ("test", "test")):
        with (data / f"{theirs}.tsv").open(encoding="utf-8") as file:
            rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            write(folder / f"{part}.jsonl", ({"text": text, "label": kind} for text, kind in rows))


def chnsenticorp(data: Path, folder: Path) -> None:
    """Chinese reviews; the labelled `dev` is the test, since that of the data has no labels.

    A training text that is in the test too, but for signs, is left out: 339 of the test's are. One
    that is there several times is taken once, so that none to judge by is learned.
    """
    held = list(_labeled(data / "dev.tsv"))
    seen = {bare(row["text"]) for row in held}
    once = {key: row for row in _labeled(data / "train.tsv") if (key := bare(row["text"]))}
    rows = [row for key, row in once.items() if key not in seen]
    write(folder / "train.jsonl", (row for at, row in enumerate(rows) if at % 20))
    write(folder / "validation.jsonl", (row for at, row in enumerate(rows) if not at % 20))
    write(folder / "test.jsonl", held)


def chnsenticorp_split(data: Path, folder: Path) -> None:
    """The same as the data come, as published figures have it: with what is on both sides."""
    rows = list(_labeled(data / "train.tsv"))
    write(folder / "train.jsonl", (row for at, row in enumerate(rows) if at % 20))
    write(folder / "validation.jsonl", (row for at, row in enumerate(rows) if not at % 20))
    write(folder / "test.jsonl", _labeled(data / "dev.tsv"))


def online_reviews(data: Path, folder: Path) -> None:
    """Chinese shop reviews, each text once; none that begins as one of ChnSentiCorp does.

    Half of the lines are there twice, and most of ChnSentiCorp's are among them. A twentieth of the
    rest is to judge by while training, another the test; `chnsenticorp.jsonl` is a test, too: what
    of ChnSentiCorp has no SHARED letters in a row with what is learned, where long reviews are
    there line by line, so that 208 of 1,200 begin otherwise and are learned in part.
    """
    other = data.parent / SOURCES["chnsenticorp"]
    theirs = list(_labeled(other / "dev.tsv"))
    unlabeled = [line.split("\t")[1] for line in _lines(other / "test.tsv")[1:]]
    starts = {bare(text)[:20] for text in (*(row["text"] for row in theirs), *unlabeled)}
    rows = [row for row in _shop_reviews(data) if bare(row["text"])[:20] not in starts]
    random.Random(0).shuffle(rows)
    learned = [row for at, row in enumerate(rows) if at % 20 > 1]
    write(folder / "train.jsonl", learned)
    write(folder / "validation.jsonl", (row for at, row in enumerate(rows) if at % 20 == 1))
    write(folder / "test.jsonl", (row for at, row in enumerate(rows) if at % 20 == 0))
    known = {part for row in learned for part in runs(row["text"])}
    new = (row for row in theirs if known.isdisjoint(runs(row["text"])))
    write(folder / "chnsenticorp.jsonl", new)


def chnsenticorp_more(data: Path, folder: Path) -> None:
    """ChnSentiCorp with the reviews of shops learned too, but for what is judged by.

    None that is learned has SHARED letters in a row with a text to judge by, or is a part of one.
    """
    chnsenticorp(data, folder)
    rows = [
        [json.loads(line) for line in _lines(folder / f"{part}.jsonl")]
        for part in ("train", "validation", "test")
    ]
    held = [row["text"] for part in rows[1:] for row in part]
    known = {part for text in held for part in runs(text)}
    whole = "\n".join(map(bare, held))
    more = [
        row
        for row in _shop_reviews(data.parent / SOURCES["online-reviews"])
        if known.isdisjoint(runs(row["text"])) and bare(row["text"]) not in whole
    ]
    seen = {bare(row["text"])[:20] for row in rows[0]}
    new = [row for row in more if bare(row["text"])[:20] not in seen]
    write(folder / "train.jsonl", [*rows[0], *new])


def _shop_reviews(data: Path) -> list[dict[str, str]]:
    """Each review once, but for those that are there with both labels."""
    kinds: dict[str, set[str]] = {}
    texts: dict[str, str] = {}
    for label in ("negative", "positive"):
        for line in _lines(data / f"{label[:3]}.txt"):
            kinds.setdefault(bare(line), set()).add(label)
            texts.setdefault(bare(line), line.strip())
    return [
        {"text": texts[key], "label": next(iter(labels))}
        for key, labels in kinds.items()
        if key and len(labels) == 1
    ]


def thucnews(data: Path, folder: Path) -> None:
    """Titles of news with the number of one of ten classes behind a tab."""
    names = [name for name in _lines(data / "class.txt") if name]
    for part, theirs in (("train", "train"), ("validation", "dev"), ("test", "test")):
        rows = (line.rsplit("\t", 1) for line in _lines(data / f"{theirs}.txt") if line)
        write(
            folder / f"{part}.jsonl",
            ({"text": text, "label": names[int(kind)]} for text, kind in rows),
        )


def sms(data: Path, folder: Path) -> None:
    """Short messages, each once: of ten in a row one is the test, one to judge by."""
    seen: dict[str, str] = {}
    for line in _lines(data / "SMSSpamCollection")[1:]:
        label, text = line.split("\t", 1)
        seen.setdefault(text, label)
    rows = [{"text": text, "label": label} for text, label in seen.items()]
    write(folder / "train.jsonl", (row for at, row in enumerate(rows) if at % 10 > 1))
    write(folder / "validation.jsonl", (row for at, row in enumerate(rows) if at % 10 == 1))
    write(folder / "test.jsonl", (row for at, row in enumerate(rows) if at % 10 == 0))


def bare(text: str) -> str:
    """Only letters and digits, by which texts are told apart."""
    return re.sub(r"\W+", "", text)


def runs(text: str) -> set[str]:
    """All SHARED letters and digits in a row, and shorter texts as they are."""
    plain = bare(text)
    return {plain[at : at + SHARED] for at in range(max(len(plain) - SHARED, 0) + 1)}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _labeled(path: Path) -> Iterator[dict[str, Any]]:
    """Lines of a text, a tab and its class."""
    for line in _lines(path):
        text, label = line.rsplit("\t", 1)
        yield {"text": text, "label": label}


def multi30k(data: Path, folder: Path) -> None:
    """German and English lines side by side, in lower case as the published figures are."""
    for part, theirs in (("train", "train"), ("validation", "val"), ("test", "test_2016_flickr")):
        sides = [
            (data / f"{theirs}.{language}").read_text(encoding="utf-8").splitlines()
            for language in ("de", "en")
        ]
        pairs = zip(*sides, strict=True)
        rows = ({"de": de.strip().lower(), "en": en.strip().lower()} for de, en in pairs)
        write(folder / f"{part}.jsonl", rows)


def squad(data: Path, folder: Path) -> None:
    """The files of the re-split as they are; the largest is to be learned."""
    parts = {
        "train": "test-v1.1.a0041e9d",
        "validation": "dev-v1.1.b590986a",
        "test": "test-v1.1.0763051d",
    }
    for part, theirs in parts.items():
        shutil.copyfile(data / f"{theirs}.json", folder / f"{part}.json")


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write records."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


SETS: Mapping[str, Callable[[Path, Path], None]] = {
    "shakespeare": shakespeare,
    "imdb": imdb,
    "sst2": sst2,
    "multi30k": multi30k,
    "chnsenticorp": chnsenticorp,
    "chnsenticorp-more": chnsenticorp_more,
    "chnsenticorp-split": chnsenticorp_split,
    "online-reviews": online_reviews,
    "thucnews": thucnews,
    "sms": sms,
    "squad": squad,
    "tatoeba-zh": pairs.tatoeba_zh,
    "tatoeba-de": pairs.tatoeba_de,
    "libreoffice-help": pairs.libreoffice_help,
    "wmt-flores": pairs.wmt_flores,
    "scitldr": pairs.scitldr,
    "fsdd": sounds.fsdd,
    "spoken-digits": sounds.spoken_digits,
    "espeak-digits": formants.espeak_digits,
    "accent-digits": formants.accent_digits,
}
SOURCES = {
    "shakespeare": "tinyshakespeare",
    "imdb": "imdb",
    "sst2": "sst2",
    "multi30k": "multi30k",
    "chnsenticorp": "zh_ChnSentiCorp",
    "chnsenticorp-more": "zh_ChnSentiCorp",
    "chnsenticorp-split": "zh_ChnSentiCorp",
    "online-reviews": "zh_online_reviews",
    "thucnews": "zh_thucnews_titles",
    "sms": "sms_spam",
    "squad": "squad_v1_qgsplit",
    "tatoeba-zh": "tatoeba_cmn_eng",
    "tatoeba-de": "tatoeba_deu_eng",
    "libreoffice-help": "libreoffice_help",
    "wmt-flores": "wmt_flores",
    "scitldr": "scitldr",
    "fsdd": "fsdd",
    "spoken-digits": "",  # made here
    "espeak-digits": "",
    "accent-digits": "",
}
