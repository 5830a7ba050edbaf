"""From words to phonemes: a dictionary, endings, small words in context, parts of speech."""

import pytest

from loquent.text.lexicon import Lexicon
from loquent.text.pronouncing import Pronouncer
from loquent.text.stress import joined, lessened, marked, spelled
from loquent.text.tagging import Tagger

WORDS = {
    "dog": "dˈɔɡ", "rule": "ɹˈul", "rose": "ɹˈOz", "city": "sˈɪɾi", "cost": "kˈɔst",
    "wait": "wˈAt", "stop": "stˈɑp", "note": "nˈOt", "walk": "wˈɔk", "add": "ˈæd", "try": "tɹˈI",
    "twenty": "twˈɛnti", "three": "θɹˈi", "apple": "ˈæpᵊl", "cafe": "kæfˈA", "and": "ænd",
    "can't": "kˈænt", "A": "ˈA", "B": "bˈi", "D": "dˈi", "F": "ˈɛf", "I": "ˈI", "P": "pˈi",
    "H": "ˈAʧ", "used": {"DEFAULT": "jˈuzd", "VBD": "jˈust"}, "go": "ɡˌO", "up": "ˌʌp",
    "read": {"DEFAULT": "ɹˈid", "VBD": "ɹˈɛd"}, "by": {"DEFAULT": "bI", "None": "bˈI"},
    "close": {"DEFAULT": "klˈOs", "VERB": "klˈOz"}, "he": "hi", "James": "ʤˈAmz",
}  # fmt: skip
ALPHABET = ";:,.!?—…“”() ˈˌAIOWYaiuæɑɔəɛɜɪʊʌᵊᵻɐbdfhjklmnpstvwzðŋɡɹʃʒʤʧθT"
TAGGER = Tagger(
    ["NN", "VB", "VBD"],
    {"he": "PRP"},
    frozenset({"he"}),
    {"w-1=he": {"VBD": 2.0}, "i0": {"VB": 1.0}},
)


@pytest.fixture
def words() -> Pronouncer:
    return Pronouncer(
        Lexicon(WORDS),
        ALPHABET,
        lambda word: "zˈɔɹɡ" * word.lower().startswith("zorg"),
        lambda: TAGGER,
    )


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("dog", "dˈɔɡ"),
        ("Dog", "dˈɔɡ"),
        ("dogs", "dˈɔɡz"),
        ("costs", "kˈɔsts"),
        ("roses", "ɹˈOzᵻz"),
        ("cities", "sˈɪTiz"),
        ("dog's", "dˈɔɡz"),
        ("dogs'", "dˈɔɡz"),
        ("James's", "ʤˈAmzᵻz"),
        ("ruled", "ɹˈuld"),
        ("stopped", "stˈɑpt"),
        ("walked", "wˈɔkt"),
        ("waited", "wˈATᵻd"),
        ("added", "ˈædᵻd"),
        ("tried", "tɹˈId"),
        ("noting", "nˈOTɪŋ"),
        ("stopping", "stˈɑpɪŋ"),
        ("ruling", "ɹˈulɪŋ"),
        ("can’t", "kˈænt"),
        ("café", "kæfˈA"),
        ("twenty-three", "twˈɛntiθɹˌi"),
        ("F B I", "ˌɛfbˌiˈI"),
        ("A dog", "ɐ dˈɔɡ"),
        ("A B", "ˌAbˈi"),
        ("C D's", "dˈiz"),
        ("PhD", "pˌiˌAʧdˈi"),
        ("the dog", "ðə dˈɔɡ"),
        ("the apple", "ði ˈæpᵊl"),
        ("an apple", "ɐn ˈæpᵊl"),
        ("to dog, to apple, to", "tə dˈɔɡ, tʊ ˈæpᵊl, tu"),
        ("by dog. by.", "bI dˈɔɡ. bˈI."),
        ("used to go, used dog", "jˈust tə ɡˌO, jˈuzd dˈɔɡ"),
        ("he read", "hi ɹˈɛd"),
        ("close dog", "klˈOz dˈɔɡ"),
        ("dog (rule) — stop…", "dˈɔɡ (ɹˈul) — stˈɑp…"),
        ('"dog" - rule...', "dˈɔɡ — ɹˈul…"),
        ("zorg", "zˈɔɹɡ"),
        ("Zorg's", "zˈɔɹɡz"),
        ("zorgs'", "zˈɔɹɡ"),
        ("d'zorg", "dˌizˈɔɹɡ"),
        ("", ""),
    ],
)
def test_how_it_is_said(words: Pronouncer, text: str, phonemes: str) -> None:
    assert words.pronounced(text).phonemes == phonemes


def test_what_is_guessed_and_what_is_not_known_is_told(words: Pronouncer) -> None:
    made = words.pronounced("zorg Fab, 中 dog ж 5 qq")
    assert made.guessed == ("zorg", "Fab")  # the second is spelled, as a last resort
    assert made.unknown == ("中", "ж", "5", "qq")


def test_the_tagger_is_made_when_a_word_needs_it() -> None:
    made: list[int] = []

    def tagger() -> Tagger:
        made.append(1)
        return TAGGER

    words = Pronouncer(Lexicon(WORDS), ALPHABET, lambda _: "", tagger)
    words.pronounced("the dog and by")
    assert not made
    words.pronounced("he read")
    words.pronounced("he read")
    assert made == [1]


def test_stress() -> None:
    assert lessened("twˈɛnti") == "twˌɛnti"
    assert marked("ænd", "ˌ") == "ˌænd"
    assert marked("sˈɛnt", "ˌ") == "sˈɛnt"
    assert marked("n", "ˌ") == "n"
    assert joined(["stˈAt", "ʌv", "ði", "ˈɑɹt"]) == "stˈAtʌvðiˈɑɹt"
    assert spelled(["ˈɛf", "bˈi", "ˈI"]) == "ˌɛfbˌiˈI"
