"""Texts are normalized as by Whisper, on its own tests and on thousands of others."""

import itertools
import json
import random
from pathlib import Path

import pytest

from loquent.metrics import METRICS, in_language
from loquent.metrics.normalizing import _american, english, plain
from loquent.metrics.number_words import _WORDS, digits

normalizers = pytest.importorskip("transformers.models.whisper.english_normalizer")

# What the tests of openai-whisper 20250625 expect of numbers and texts.
EXPECTED = {
    "two": "2", "thirty one": "31", "five twenty four": "524", "nineteen ninety nine": "1999",
    "twenty nineteen": "2019", "two point five million": "2500000",
    "four point two billions": "4200000000s", "200 thousand": "200000",
    "200 thousand dollars": "$200000", "$20 million": "$20000000", "€52.4 million": "€52400000",
    "£77 thousands": "£77000s", "two double o eight": "2008",
    "three thousand twenty nine": "3029", "forty three thousand two hundred sixty": "43260",
    "forty three thousand two hundred and sixty": "43260", "nineteen fifties": "1950s",
    "thirty first": "31st", "thirty three thousand and three hundred and thirty third": "33333rd",
    "three billion": "3000000000", "millions": "1000000s",
    "july third twenty twenty": "july 3rd 2020",
    "august twenty sixth twenty twenty one": "august 26th 2021", "3 14": "3 14", "3.14": "3.14",
    "3 point 2": "3.2", "3 point 14": "3.14", "fourteen point 4": "14.4",
    "two point two five dollars": "$2.25", "two hundred million dollars": "$200000000",
    "$20.1 million": "$20100000", "ninety percent": "90%", "seventy six per cent": "76%",
    "double oh seven": "007", "double zero seven": "007", "nine one one": "911",
    "nine double one": "911", "one triple oh one": "10001", "two thousandth": "2000th",
    "thirty two thousandth": "32000th", "minus 500": "-500",
    "positive twenty thousand": "+20000", "two dollars and seventy cents": "$2.70",
    "3 cents": "¢3", "$0.36": "¢36", "three euros and sixty five cents": "€3.65",
    "three and a half million": "3500000", "forty eight and a half dollars": "$48.5",
    "b747": "b 747", "10 th": "10th", "10th": "10th",
}  # fmt: skip
TEXTS = {
    "Let's": "let us", "he's like": "he is like", "she's been like": "she has been like",
    "10km": "10 km", "10mm": "10 mm", "RC232": "rc 232", "mobilisation": "mobilization",
    "cancelation": "cancellation",
    "Mr. Park visited Assoc. Prof. Kim Jr.": "mister park visited associate professor kim junior",
}  # fmt: skip

PIECES = [
    *sorted(_WORDS), "and a half", "ninth", "nineth", "$3", "£0.5", "€7.25", "¢8", "-4", "+12",
    "3.5.7", "1,000", "12", "0", "007", "1", "1s", "5th", "2nd", "10.0", "100", "1900", "2000",
    "won't", "it's", "they've been", "he'd gone", "Mr.", "Dr", "St. James", "colour", "theatre",
    "(quietly)", "[music]", "<i>", "hmm", "um", "mmm", "mhm", "naïve", "Straße", "Łódź", "æon",
    "…", "—", "%", "50%", "$", "a.b", "e.g.", "x2", "2x", "3 rd", "٣", "½", "２", "\u0301",
    "day", "cats", "'", " 's", "\t", "\n",
]  # fmt: skip


@pytest.fixture(scope="module")
def reference() -> object:
    return normalizers.EnglishTextNormalizer(_american())


@pytest.mark.parametrize("given", EXPECTED)
def test_numbers(given: str) -> None:
    assert digits(given) == EXPECTED[given]
    assert english(given) == EXPECTED[given]


@pytest.mark.parametrize("given", TEXTS)
def test_texts(given: str) -> None:
    assert english(given) == TEXTS[given].removesuffix(" ")


def test_thousands_of_texts(reference: object) -> None:
    rng = random.Random(0)
    alphabet = "abcdeorst '’.,%$£€¢0123456789-()[]<>éßÆ漢ü\n\t"
    texts = [" ".join(rng.choices(PIECES, k=rng.randint(1, 9))) for _ in range(6000)]
    texts += [" ".join(rng.choices(sorted(_WORDS), k=rng.randint(2, 7))) for _ in range(6000)]
    texts += ["".join(rng.choices(alphabet, k=rng.randint(1, 40))) for _ in range(3000)]
    texts += [" ".join(pair) for pair in itertools.product(sorted(_WORDS)[::3], PIECES[::2])]
    basic = normalizers.BasicTextNormalizer()
    for text in texts:
        assert english(text) == reference(text), text
        assert plain(text) == basic(text), text


def test_real_sentences(reference: object, data: Path) -> None:
    lines = (data / "ljspeech_lj001" / "metadata.csv").read_text(encoding="utf-8").splitlines()
    lines += (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 200
    for line in lines:
        assert english(line) == reference(line)


def test_very_long_numbers_are_no_trouble() -> None:
    assert english("9" * 6000 + " decillion").startswith("99")
    assert english("1 " * 500).split() == ["one"] * 500


def test_spelling_is_that_of_the_reference() -> None:
    whisper = pytest.importorskip("whisper")
    table = Path(whisper.__file__).parent / "normalizers" / "english.json"
    expected = json.loads(table.read_text(encoding="utf-8"))
    assert expected.pop("archaeology") == "archeology</span>"  # a slip that is not repeated
    expected.pop("flyer / flier")  # which is no word
    assert _american() == expected | {"archaeology": "archeology"}
    assert len(_american()) == 1738


def test_spelling_by_examples() -> None:
    american = {"colour": "color", "theatre": "theater", "organising": "organizing"}
    american |= {"cheque": "check", "manoeuvre": "maneuver", "aeroplanes": "airplanes"}
    for british, meant in american.items():
        assert _american()[british] == meant
    assert len(_american()) == 1738


def test_metrics() -> None:
    target = "Mr. Smith's colour costs twenty-five dollars!"
    answer = "mister smith is color costs $25"
    english_errors = in_language("wer-normalized", "en")
    assert english_errors.name == "wer-normalized-en"
    assert english_errors.count(answer, target, 0) == (0, 6)
    assert METRICS["wer"].count(answer, target, 0)[0] > 3
    assert METRICS["cer-normalized-en"].count("a colour", "the color", 0) == (3, 9)
    assert METRICS["wer-normalized"].count("Où, donc?", "ou donc", 0) == (1, 2)
    chinese = in_language("wer", "zh-CN")
    assert chinese.name == "wer-zh"
    assert chinese.count("我有 iPhone 手机", "我有iPhone手机。", 0) == (1, 6)
    assert METRICS["wer-normalized-zh"].count("我有 iphone手机", "我有iPhone手机。", 0) == (0, 5)
    assert METRICS["wer-normalized-zh"].count("我爱你", "我爱他", 0) == (1, 3)
    assert METRICS["wer-normalized-en"].count("", "um", 0) == (0, 0)
