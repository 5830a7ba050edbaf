"""Learned tokenizers: what they spell, give back, report, and that they are the same each time."""

import json
import random
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from loquent.errors import ConfigError, DataError
from loquent.text import corpus
from loquent.text.corpus import Thinned, repeatable
from loquent.text.folder import open_tokenizer
from loquent.text.kinds import KINDS
from loquent.text.learning import LARGEST, Coverage, LearnedReport, coverage, learn
from loquent.text.tokenizer import Tokenizer

SIZES = {"bpe": 1000, "unigram": 1500, "wordpiece": 1500, "byte": 1000, "char": 2000}
LEARNED = 3000  # lines
WHOLE = ("bpe", "byte")  # kinds that spell any text
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<mask>"]

Learn = Callable[[str], tuple[Tokenizer, LearnedReport]]


@pytest.fixture(scope="module")
def learned(lines: list[str]) -> Learn:
    """A tokenizer of each kind, learned from lines in many scripts."""

    @cache
    def one(kind: str) -> tuple[Tokenizer, LearnedReport]:
        return learn(lines[:LEARNED], kind, SIZES[kind])

    return one


def unicode_texts(count: int) -> list[str]:
    """Random characters of all planes, assigned or not; no halves of surrogate pairs."""
    chance = random.Random(7)
    planes = [(0, 0x80), (0x80, 0x800), (0x800, 0xD800), (0xE000, 0x10000), (0x10000, 0x110000)]
    return [
        "".join(chr(chance.randrange(*chance.choice(planes))) for _ in range(chance.randrange(40)))
        for _ in range(count)
    ]


def lost(tokenizer: Tokenizer, texts: list[str]) -> list[str]:
    """The texts that do not come back, at once or id by id."""
    return [text for text in texts if not comes_back(tokenizer, text)]


def comes_back(tokenizer: Tokenizer, text: str) -> bool:
    ids = tokenizer.encode(text, parse_special=False)
    stream = tokenizer.stream()
    streamed = "".join([*map(stream.push, ids), stream.finish()])
    return tokenizer.decode(ids) == streamed == text


def altered(tokenizer: Tokenizer, change: Callable[[dict[str, Any]], None]) -> Tokenizer:
    """The same with a mistake planted in its rules."""
    document = json.loads(tokenizer.document())
    change(document)
    return Tokenizer(
        tokenizers.Tokenizer.from_str(json.dumps(document)),
        begin=tokenizer.begin,
        end=tokenizer.end,
    )


@pytest.mark.parametrize("kind", WHOLE)
def test_every_text_comes_back(kind: str, learned: Learn, lines: list[str]) -> None:
    tokenizer, report = learned(kind)
    assert not lost(tokenizer, unicode_texts(400))
    assert not lost(tokenizer, lines[LEARNED : LEARNED + 600])
    assert report.coverage.unknown_characters == 0
    assert tokenizer.unknown is None


MISTAKES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a space in front": lambda document: document["pre_tokenizer"]["pretokenizers"][-1].update(
        add_prefix_space=True
    ),
    "characters made one": lambda document: document.update(normalizer={"type": "NFKC"}),
    "words lost at the cut": lambda document: document["pre_tokenizer"]["pretokenizers"].insert(
        0, {"type": "Split", "pattern": {"String": "\r"}, "behavior": "Removed", "invert": False}
    ),
    "a byte without a piece": lambda document: document["model"]["vocab"].pop("ł"),
    "a decoder for words": lambda document: document.update(
        decoder={"type": "WordPiece", "prefix": "", "cleanup": True}
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("kind", WHOLE)
def test_planted_mistakes_are_found(
    kind: str, mistake: str, learned: Learn, lines: list[str]
) -> None:
    def plant(document: dict[str, Any]) -> None:
        if "byte" in mistake:  # no merge may name the piece that is gone
            merges = document["model"]["merges"]
            document["model"]["merges"] = [pair for pair in merges if "ł" not in "".join(pair)]
            vocab = document["model"]["vocab"]
            for piece in [each for each in vocab if "ł" in each and each != "ł"]:
                del vocab[piece]
        MISTAKES[mistake](document)

    wrong = altered(learned(kind)[0], plant)
    texts = [*unicode_texts(400), *lines[LEARNED : LEARNED + 600]]
    assert not all(comes_back(wrong, text) for text in texts)


@pytest.mark.parametrize("kind", ["unigram", "wordpiece", "char"])
def test_texts_of_known_characters_come_back(kind: str, learned: Learn, lines: list[str]) -> None:
    """All but the sign that stands for a space."""
    tokenizer, report = learned(kind)
    known = {character for line in lines[:LEARNED] for character in line} | {"\n"}
    others = [line for line in lines[LEARNED:] if set(line) <= known][:1000]
    chance = random.Random(3)
    mixed = ["".join(chance.choices(sorted(known), k=30)) for _ in range(300)]
    assert len(others) > 500
    assert not lost(tokenizer, [*others, *mixed, "\n\n\n", "   ", "a" * 300, "中" * 300, ""])
    assert tokenizer.unknown == 3
    assert report.coverage.unknown_characters < 0.01 * report.coverage.characters


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens(kind: str, lines: list[str]) -> None:
    tokenizer, _ = learn(lines[:200], kind, 2000, special=["<|user|>", "</s>", "[甲]"])
    names = [*SPECIAL, "<|user|>", "[甲]"]
    if kind in WHOLE:
        names.remove("<unk>")
    assert [tokenizer.piece(id) for id in range(len(names))] == names
    assert [id for id in range(tokenizer.vocabulary) if tokenizer.is_special(id)] == list(
        range(len(names))
    )
    assert (tokenizer.pad, tokenizer.begin, tokenizer.end) == (0, 1, 2)
    assert tokenizer.unknown == (None if kind in WHOLE else 3)
    assert tokenizer.ends == {2}
    assert tokenizer.adds_begin
    user, mask = tokenizer.id("<|user|>"), tokenizer.id("<mask>")
    ids = tokenizer.encode("<|user|>a<mask>")
    assert [ids[0], ids[1], ids[-1]] == [1, user, mask]
    assert tokenizer.decode(ids) == "a"
    bare, _ = learn(lines[:200], kind, 2000, begin=False)
    assert not bare.adds_begin and bare.begin == 1 and bare.begin not in bare.encode("a")
    plain = tokenizer.encode("<|user|>a<mask>", special=False, parse_special=False)
    assert not {user, mask} & set(plain)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_tokenizer_opens_everywhere(
    kind: str, learned: Learn, lines: list[str], tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer, _ = learned(kind)
    tokenizer.save(tmp_path)
    opened = open_tokenizer(tmp_path)
    other = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert len(other) == opened.vocabulary == tokenizer.vocabulary
    for name in ("begin", "end", "pad", "unknown"):
        assert getattr(opened, name) == getattr(tokenizer, name)
    assert (other.bos_token_id, other.eos_token_id) == (tokenizer.begin, tokenizer.end)
    assert (other.pad_token_id, other.unk_token_id) == (tokenizer.pad, tokenizer.unknown)
    assert tokenizer.mask is not None
    assert other.mask_token_id == opened.mask == tokenizer.mask
    for text in [*lines[LEARNED : LEARNED + 100], "", "<s>a</s> b"]:
        ids = tokenizer.encode(text)
        assert opened.encode(text) == ids
        assert other(text)["input_ids"] == ids
        assert other.decode(ids, skip_special_tokens=True) == tokenizer.decode(ids)


def test_the_same_texts_give_the_same_file(lines: list[str], tmp_path: Path) -> None:
    """In other processes, too, where hash tables have another order."""
    texts = lines[:1000]
    (tmp_path / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    program = (
        "import json, sys, pathlib; from loquent.text.learning import learn\n"
        "folder = pathlib.Path(sys.argv[1]); sizes = json.loads(sys.argv[3])\n"
        "texts = json.loads((folder / 'texts.json').read_text())\n"
        "for kind, size in sizes.items():\n"
        "    learn(texts, kind, size)[0].save(folder / sys.argv[2] / kind)\n"
    )
    for name in ("one", "two"):
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path), name, json.dumps(SIZES)], check=True
        )
    for kind, size in SIZES.items():
        learn(iter(texts), kind, size)[0].save(tmp_path / "here" / kind)
        for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            found = {
                (tmp_path / name / kind / file).read_bytes() for name in ("one", "two", "here")
            }
            assert len(found) == 1, (kind, file)
    other, _ = learn(lines[1000:2000], "unigram", 1500)
    other.save(tmp_path / "other")
    here = (tmp_path / "here" / "unigram" / "tokenizer.json").read_bytes()
    assert (tmp_path / "other" / "tokenizer.json").read_bytes() != here


@pytest.mark.parametrize("kind", KINDS)
def test_a_size_that_cannot_be_is_told_with_the_smallest_that_can(
    kind: str, lines: list[str]
) -> None:
    texts = lines[:500]
    with pytest.raises(ConfigError, match="size: 40 is too small for kind") as caught:
        learn(texts, kind, 40)
    assert caught.value.exit_status == 2
    found = re.search(r"smallest possible.* is (\d+)\.", caught.value.fix)
    assert found is not None
    smallest = int(found[1])
    tokenizer, _ = learn(texts, kind, smallest)
    assert tokenizer.vocabulary == smallest
    with pytest.raises(ConfigError, match="too small"):
        learn(texts, kind, smallest - 1)
    if kind in WHOLE:
        assert smallest == 256 + 4
    elif kind != "wordpiece":
        assert smallest == len({*"".join(texts), "\n"} | {" "}) + 5
    with pytest.raises(ConfigError, match="at most"):
        learn(texts, kind, LARGEST + 1)


@pytest.mark.parametrize("kind", ["bpe", "unigram", "wordpiece"])
def test_a_vocabulary_has_the_size_asked_for(kind: str, learned: Learn) -> None:
    tokenizer, report = learned(kind)
    assert tokenizer.vocabulary == report.vocabulary == report.size == SIZES[kind]
    pieces = tokenizer.pieces(range(tokenizer.vocabulary))
    assert len(set(pieces)) == len(pieces)
    few, told = learn(["abab abab"], kind, 5000)
    assert few.vocabulary == told.vocabulary < 300


@pytest.mark.parametrize(
    ("special", "message"),
    [
        ("", "cannot be a special token"),
        (" <a>", "cannot be"),
        ("<a>\n", "cannot be"),
        ("<" + "a" * 80 + ">", "cannot be"),
        ("user", r"may also be a word.*'<\|user\|>'"),
        ("中", "may also be a word"),
        ("##ab", "may also be a word"),
    ],
)
def test_special_tokens_that_cannot_be(special: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        learn(["a b"], "wordpiece", 300, special=[special])


def test_faults_of_texts_and_of_the_kind() -> None:
    with pytest.raises(ConfigError, match=r"no kind 'bpee'.*'bpe'"):
        learn(["a"], "bpee", 300)
    with pytest.raises(DataError, match="no text"):
        learn(["", ""], "bpe", 300)
    with pytest.raises(
        DataError, match="line 3 of all texts: half a surrogate pair at character 3"
    ):
        learn(["fine\nfine", "", "ab\ud800"], "bpe", 300)


def test_lower_case(lines: list[str]) -> None:
    for kind in KINDS:
        tokenizer, _ = learn([*lines[:300], "ΑΣ İ"], kind, 2000, lowercase=True)
        assert tokenizer.encode("HELLO WoRLD Σ") == tokenizer.encode("hello world σ")
        assert tokenizer.decode(tokenizer.encode("Hello İ")) == "hello i̇"
        if kind == "char":
            assert not set("ABCÄΣ") & set(tokenizer.pieces(range(tokenizer.vocabulary)))


def test_the_report_is_about_every_twentieth_text(lines: list[str]) -> None:
    texts = [text for text in lines if text and "\n" not in text][:LEARNED]
    tokenizer, report = learn(["", *texts, ""], "wordpiece", 1500)
    held_out = texts[19::20]
    others = {character for n, text in enumerate(texts) if n % 20 != 19 for character in text}
    assert report.held_out and report.coverage == coverage(tokenizer, held_out)
    assert report.texts == LEARNED and report.alphabet == len(set("".join(texts)))
    assert report.characters == sum(map(len, texts)) and report.seconds > 0
    found = report.coverage
    ids = [tokenizer.encode(text, special=False) for text in held_out]
    assert found.texts == len(held_out) and found.characters == sum(map(len, held_out))
    assert found.bytes == sum(len(text.encode()) for text in held_out)
    assert found.tokens == sum(map(len, ids))
    assert found.bytes_per_token == pytest.approx(found.bytes / found.tokens)
    assert found.unknown_tokens == sum(each.count(3) for each in ids) == 0
    new = [character for text in held_out for character in text if character not in others]
    assert report.unseen_characters == len(new)
    texts[19], texts[39] = "ௐௐ and", "ௐ"
    tokenizer, report = learn(texts, "char", 1500)
    assert report.unseen_characters == len(new) + 3
    assert report.coverage.unknown_characters == 0  # but the vocabulary has every character


def test_held_out_texts_are_not_learned_from() -> None:
    texts = ["Zyxwvutsrq" if n % 20 == 19 else "a plain line" for n in range(400)]
    assert len(learn(texts, "bpe", 400)[0].encode("Zyxwvutsrq", special=False)) > 5
    # A planted leak: where they are learned from, the word is one piece.
    assert len(learn(texts[::-1], "bpe", 400)[0].encode("Zyxwvutsrq", special=False)) == 1


def test_rare_pieces_are_told() -> None:
    texts = ["low lower lowest low"] * 15 + ["newest"] * 2
    tokenizer, report = learn(texts, "bpe", 300)
    uses = dict(report.rarest)
    ids = [id for text in texts for id in tokenizer.encode(text, special=False)]
    assert not report.held_out and report.coverage == coverage(tokenizer, texts)
    assert uses and all(ids.count(tokenizer.id(piece) or 0) == n for piece, n in uses.items())
    assert [*uses.values()] == sorted(uses.values())
    assert all(len(piece) > 1 and piece not in SPECIAL for piece in uses)
    _, of_characters = learn(["aab"] * 3, "char", 300)
    assert of_characters.rarest == (("\n", 0), ("b", 3), ("a", 6))
    assert of_characters.unused == 1


@pytest.mark.parametrize("kind", ["unigram", "wordpiece", "char"])
def test_the_sign_for_a_space(kind: str) -> None:
    tokenizer, _ = learn(["a ▁b"] * 3, kind, 300)
    assert tokenizer.decode(tokenizer.encode("a▁b")) == ("a▁b" if kind == "char" else "a b")


@pytest.mark.parametrize("kind", ["unigram", "wordpiece", "char"])
def test_coverage_counts_characters_and_not_only_tokens(kind: str) -> None:
    tokenizer, _ = learn(["abc cab bac " * 3], kind, 300)
    found = coverage(tokenizer, ["abc", "aXYZb", "é"])
    assert isinstance(found, Coverage)
    assert (found.characters, found.bytes) == (9, 10)
    # WordPiece knows a word or does not; Unigram has one token for unknown neighbors.
    assert found.unknown_characters == {"unigram": 4, "wordpiece": 6, "char": 4}[kind]
    assert found.unknown_tokens == {"unigram": 2, "wordpiece": 2, "char": 4}[kind]
    assert found.known_characters == pytest.approx(1 - found.unknown_characters / 9)
    assert found.known_tokens == pytest.approx(1 - found.unknown_tokens / found.tokens)
    none = coverage(tokenizer, [])
    assert (none.tokens, none.bytes_per_token, none.known_characters) == (0, 0, 1)
    assert (none.characters_per_token, none.known_tokens) == (0, 1)


def test_chinese_is_cut_as_each_kind_says() -> None:
    chance = random.Random(5)
    words = ["北京大学", "我们", "学习", "中文", "老师", "喜欢", "苹果", "今天", "他", "在", "的"]
    texts = ["".join(chance.choices(words, k=chance.randint(3, 9))) + "，好。" for _ in range(400)]
    unigram, _ = learn(texts, "unigram", 50)
    wordpiece, _ = learn(texts, "wordpiece", 100)
    bpe, _ = learn(texts, "bpe", 340)
    assert unigram.pieces(unigram.encode("我们喜欢北京大学")) == ["<s>", "我们", "喜欢", "北京大学"]
    learned = unigram.pieces(range(unigram.vocabulary))
    assert not any("，" in piece and len(piece) > 1 for piece in learned)
    assert wordpiece.pieces(wordpiece.encode("北京，好")) == ["<s>", "北", "京", "，", "好"]
    assert wordpiece.id("##北") is None
    assert len(bpe.encode("北京大学", special=False)) == 1


def test_a_line_goes_on_in_the_next() -> None:
    running, _ = learn(["a:\n", "\n", "b\n"] * 40, "bpe", 300)
    assert ":ĊĊ" in running.pieces(range(running.vocabulary))
    apart, _ = learn(["a:", "", "b"] * 40, "bpe", 300)
    assert ":ĊĊ" not in apart.pieces(range(apart.vocabulary))


def test_progress_is_told_in_both_readings() -> None:
    told: list[tuple[int, int | None]] = []
    learn(["text"] * 2500, "byte", 300, progress=lambda *each: told.append(each))
    assert told == [(0, None), (1000, None), (2000, None)]
    told.clear()
    learn(["text"] * 2500, "bpe", 300, progress=lambda *each: told.append(each))
    assert told[3:] == [(0, 2500), (1000, 2500), (2000, 2500), (2500, 2500)]


def test_texts_are_never_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "SAMPLE_CHARACTERS", 10_000)

    def stream() -> Iterator[str]:
        for number in range(20_000):
            yield f"{number % 1000} " * 40  # 3 MB

    learn(["warm"], "char", 300)
    tracemalloc.start()
    tokenizer, report = learn(stream(), "char", 300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.texts == 20_000 and 0 < report.coverage.texts < 1000
    assert peak < 1_000_000
    assert tokenizer.vocabulary == 5 + 10 + 2


def test_a_thinned_stream_is_spread_evenly() -> None:
    kept = Thinned(100)
    for number in range(10_000):
        kept.offer(f"{number:04}")
    numbers = [int(text) for text in kept.texts]
    steps = {after - before for before, after in pairwise(numbers)}
    assert len(steps) == 1 and 12 < len(numbers) <= 25 and numbers[0] == 0
    kept = Thinned(5)
    kept.offer("a long text")
    assert kept.texts == ["a lon"]


def test_an_iterator_can_be_read_twice() -> None:
    texts = ["a\nb", "中", "\ud800", ""]
    with repeatable(iter(texts)) as again:
        assert list(again) == list(again) == texts
    with repeatable(texts) as again:
        assert again is texts


# Held-out bytes a token at 8,000 pieces, or as many as there are characters.
FIGURES = {
    "tinyshakespeare/input.txt": {
        "bpe": 3.75,
        "unigram": 3.75,
        "wordpiece": 3.3,
        "byte": 1.0,
        "char": 1.0,
    },
    "zh_thucnews_titles/dev.txt": {
        "bpe": 3.25,
        "unigram": 3.1,
        "wordpiece": 2.45,
        "byte": 1.0,
        "char": 2.45,
    },
}


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", FIGURES)
def test_bytes_per_token_of_real_texts(file: str, kind: str, data: Path) -> None:
    text = (data / file).read_text(encoding="utf-8")
    tokenizer, report = learn([text], kind, 8000)
    found, least = report.coverage.bytes_per_token, FIGURES[file][kind]
    assert least <= found < 1.06 * least, found
    assert report.coverage.known_characters == 1
    assert report.unseen_characters < 0.003 * report.coverage.characters
    assert not lost(tokenizer, [line for line in text.split("\n")[19::20] if "▁" not in line])
