"""Pairs of texts on which metrics and their references must agree."""

import random

import pytest

LINES = {
    "en": "the a an cat sat on mat dog ran fast It's U.S. 3.5 x-ray hello, world! The end . ; A",
    "de": "der Hund läuft über die Straße Größe schön und ÄRGER ß naïve café",
    "zh": "我 们 今 天 去 北京 看 电影 ， 很 好 。 GPT-4 2024 年 吗 ？ 「 」",
    "odd": "\u200b 😀 👩\u200d👧 e\u0301 é İ ﬁ ٣ _ &amp; <b>",
}
WORDS = {script: line.split(" ") for script, line in LINES.items()}
WORDS["odd"] += ["\u00a0", "\u3000", "\t"]
EDGES = [
    *("", " ", "\n", "\n\n", "a\tb", "a \t b", "a  b", "a\nb", "\na b\n\nb a\n", " a", "a "),
    *(
        "a",
        "the",
        "The",
        "a.",
        "...",
        "，",
        "我",
        "我们",
        "é",
        "e\u0301",
        "\u00a0",
        "A an the",
        "-",
    ),
    *("😀", "_", "-", "0", "１", "İ", "a b c d", "d c b a", "x" * 300, "a " * 200, "b a " * 130),
]


def text(generator: random.Random, script: str) -> str:
    words = [*WORDS[script], *generator.choices(WORDS["odd"], k=2)]
    chosen = generator.choices(words, k=generator.choice([0, 1, 2, 3, 5, 8, 13, 40, 90]))
    join = "" if script == "zh" and generator.random() < 0.7 else " "
    lines = [join.join(chosen[i : i + 11]) for i in range(0, len(chosen), 11)]
    return ("\n" if generator.random() < 0.5 else join).join(lines)


def changed(generator: random.Random, given: str) -> str:
    """The same text with some words and characters left out, doubled or moved."""
    words = given.split(" ")
    for _ in range(generator.randint(0, 6)):
        place = generator.randrange(len(words))
        other = generator.randrange(len(words))
        match generator.randint(0, 3):
            case 0:
                words.insert(other, words[place])
            case 1 if len(words) > 1:
                del words[place]
            case 2:
                words[place], words[other] = words[other], words[place]
            case _:
                letters = list(words[place])
                generator.shuffle(letters)
                words[place] = "".join(letters)
    return " ".join(words)


@pytest.fixture(scope="session")
def pairs() -> list[tuple[str, str]]:
    """3,000 pairs of an answer and a target: random, near to each other, and out of the way."""
    generator = random.Random(17)
    made = [(one, other) for one in EDGES for other in EDGES]
    while len(made) < 3000:
        script = generator.choice(["en", "en", "de", "zh", "zh"])
        target = text(generator, script)
        near = generator.random() < 0.7
        made.append((changed(generator, target) if near else text(generator, script), target))
    return made
