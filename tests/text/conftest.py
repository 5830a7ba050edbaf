"""Texts in many scripts, small tokenizers trained on them, and where real files may be found."""

import io
import json
import os
import random
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from loquent.text.patterns import CUTS
from loquent.text.patterns import byte_level as cut_bytes

WORDS = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split()
HAN = (
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生"
    "自会那后能对着事其里所去行过家十用发天如然作方成者多日都三小军二无同么经法当起与"
    "好看学进种将还分此心前面又定见只主没公从知使现定理体她本长文间无向期问做真水火山"
    "石田土木金"
)
KANA = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらり"
    "るれろわをんがぎぐげござじずぜぞアイウエオカキクケコサシスセソタチツテトナニヌネ"
    "ノハヒフヘホマミムメモヤユヨラリルレロワヲンー、。「」"
)
EMOJI = ["😀", "🎉", "👍🏽", "👩‍👩‍👧‍👦", "🇩🇪", "❤️", "🤖", "🧑‍💻", "☃", "🏴‍☠️", "1️⃣", "🫠"]
CODE = [
    "def f(x, *, y=None):",
    "    return x ** 2  # square",
    "\tif (a && b) { c += 1; }",
    "}",
    "for (int i = 0; i < n; ++i)",
    '<div class="a">&nbsp;</div>',
    "SELECT * FROM t WHERE a='b';",
    "x = {'k': [1, 2, 3]}",
    "#include <vector>",
    "        // eight",
    "λ x → x + 1",
    "a\\nb\\t",
]
SCRIPTS = [
    *("Привет, мир! Как дела?", "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก"),
    *("안녕하세요 세계", "Γειά σου Κόσμε", "Xin chào thế giới", "ＦＵＬＬ　ｗｉｄｔｈ", "½ ² ™ ﬁ"),
]
CONTROL = "\x00\x01\x07\x08\t\x0b\x0c\x1b\x1f\x7f\x85\xa0\u200b\u200d\u2028\u3000\ufeff\ufffd\u202e"


def line(chance: random.Random) -> str:
    """One line of a random kind."""
    kind = chance.randrange(10)
    if kind < 3:
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 18)))
        return text.capitalize() + chance.choice([".", "!", "?", "...", "", " ", '"'])
    if kind == 3:
        return "".join(chance.choices(HAN, k=chance.randint(1, 30))) + chance.choice("。，！？ ")
    if kind == 4:
        return "".join(chance.choices(KANA + HAN, k=chance.randint(1, 30)))
    if kind == 5:
        return chance.choice(["", " "]).join(chance.choices(EMOJI + WORDS, k=chance.randint(1, 9)))
    if kind == 6:
        return chance.choice(["\n", "\r\n", "  "]).join(
            chance.choices(CODE, k=chance.randint(1, 5))
        )
    if kind == 7:
        return " ".join(chance.choices(SCRIPTS, k=chance.randint(1, 3)))
    if kind == 8:
        parts = chance.choices([*CONTROL, *WORDS, "\n\n", "   ", "\t\t"], k=chance.randint(1, 12))
        return "".join(parts)
    gap = chance.choice(["  ", "   ", "\n", "-" * chance.randint(2, 9), "=" * 5, "!!!", "aaaa"])
    return gap.join(chance.choices([*WORDS, *HAN, *EMOJI], k=chance.randint(1, 9))) + gap


@pytest.fixture(scope="session")
def lines() -> list[str]:
    """10,000 lines: English, Chinese, Japanese, emoji, code, other scripts, control characters."""
    chance = random.Random(20260101)
    return [line(chance) for _ in range(10_000)]


def package(name: str) -> Path:
    """A downloaded package in $LOQUENT_TEST_PACKAGES; the test is skipped where it is not."""
    folder = os.environ.get("LOQUENT_TEST_PACKAGES")
    found = sorted(Path(folder).glob(name)) if folder else []
    if not found:
        pytest.skip(f"{name} is not in $LOQUENT_TEST_PACKAGES")
    return found[0]


@pytest.fixture(scope="session")
def gpt2_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GPT-2's vocabulary as tiktoken ranks."""
    with tarfile.open(package("openai_whisper-*.tar.gz")) as archive:
        name = next(each for each in archive.getnames() if each.endswith("/gpt2.tiktoken"))
        file = archive.extractfile(name)
        assert isinstance(file, io.BufferedReader)
        path = tmp_path_factory.mktemp("ranks") / "gpt2.tiktoken"
        path.write_bytes(file.read())
    return path


@pytest.fixture(scope="session")
def train_bytes(lines: list[str]) -> Callable[[str], tuple[dict[str, int], list[tuple[str, str]]]]:
    """Train a byte-level BPE on words cut in one of the ways of patterns.CUTS."""

    @cache
    def train(cut: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
        library = Tokenizer(models.BPE())
        library.pre_tokenizer = cut_bytes(CUTS[cut])
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=1500, show_progress=False, initial_alphabet=alphabet
        )
        library.train_from_iterator(lines[:3000], trainer)
        model = json.loads(library.to_str())["model"]
        return model["vocab"], [tuple(merge) for merge in model["merges"]]

    return train


@pytest.fixture(scope="session")
def byte_level(
    train_bytes: Callable[[str], tuple[dict[str, int], list[tuple[str, str]]]],
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary and merges of a small byte-level BPE, as GPT-2's files have them."""
    return train_bytes("gpt2")


@pytest.fixture(scope="session")
def train_sentencepiece(lines: list[str]) -> Callable[..., bytes]:
    """Train a small SentencePiece model and give its file."""
    spm = pytest.importorskip("sentencepiece")
    texts = [each.replace("\n", " ").replace("\0", "") for each in lines[:3000]]

    def train(**options: object) -> bytes:
        file = io.BytesIO()
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=file, minloglevel=2, **options
        )
        return file.getvalue()

    return train
