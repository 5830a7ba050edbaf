"""Film reviews, good or bad: a bag of embeddings of ours and fastText's, each trained here before.

Both have learned IMDB's training reviews: ours by bench/recipes/imdb-bag.toml, fastText with words
alone, as in Joulin et al. 2016, 10 dimensions, 5 epochs. The speed is that of the test reviews,
from text to class. MiniLM, whose head is tuned to films, is there to compare with.
"""

import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from peers.texts_home import HOME

Classify = Callable[[Sequence[str]], list[str]]


def sentences(data: Path, count: int) -> list[str]:
    """Reviews of the test."""
    return [text for text, _ in reviews(data, "test")][:count]


def reviews(data: Path, part: str) -> list[tuple[str, str]]:
    """Texts with their labels, in an order in which neither label comes first."""
    with gzip.open(data / "imdb" / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    pairs = [(row["text"].replace("<br />", " "), str(row["label"])) for row in rows]
    return sorted(pairs, key=lambda pair: hash_of(pair[0]))


def labels(data: Path, count: int) -> list[str]:
    """Their labels."""
    return [label for _, label in reviews(data, "test")][:count]


def hash_of(text: str) -> int:
    """The same number on every machine."""
    import zlib  # noqa: PLC0415  only here

    return zlib.crc32(text.encode())


def near(made: Sequence[str], true: Sequence[str]) -> str:
    """The accuracy."""
    hits = sum(one == other for one, other in zip(made, true, strict=True))
    return f"accuracy {hits / len(made):.4f}"


def ours(threads: int) -> Classify:
    """Loquent's bag of embeddings."""
    import os  # noqa: PLC0415  so for all that only one system needs

    os.environ["LOQUENT_THREADS"] = str(threads)
    run = HOME.parent / "quality" / "runs" / "imdb-bag-1"
    return classifier(str(run))


def minilm(threads: int) -> Classify:
    """Loquent's sentiment-en: MiniLM with updates of low rank, in 8 bits."""
    import os  # noqa: PLC0415

    os.environ["LOQUENT_THREADS"] = str(threads)
    names = {"negative": "neg", "positive": "pos"}
    classify = classifier("sentiment-en")
    return lambda texts: [names[each] for each in classify(texts)]


def classifier(model: str) -> Classify:
    """As `loquent classify` does it; long texts are cut."""
    import loquent  # noqa: PLC0415
    from loquent.tasks.classifying import classify  # noqa: PLC0415

    opened = loquent.open(model)
    return lambda texts: [each.label for each in classify(opened, texts, truncate="end")]


def fasttext(threads: int) -> Classify:
    """fastText, on one thread as it always predicts."""
    import fasttext as library  # noqa: PLC0415

    path = HOME / "imdb-fasttext.bin"
    if not path.exists():
        lines = HOME / "imdb-fasttext.txt"
        data = Path(__file__).parents[3] / "shared" / "data"
        rows = (f"__label__{label} {plain(text)}\n" for text, label in reviews(data, "train"))
        lines.write_text("".join(rows), encoding="utf-8")
        model = library.train_supervised(str(lines), dim=10, epoch=5, lr=0.25, thread=threads)
        model.save_model(str(path))
    model = library.load_model(str(path))

    def predict(texts: Sequence[str]) -> list[str]:
        found, _ = model.predict([plain(text) for text in texts])
        return [each[0].removeprefix("__label__") for each in found]

    return predict


def plain(text: str) -> str:
    """Small letters, signs apart, in one line, as fastText's makers prepare reviews."""
    return " ".join(re.sub(r"([.!?,'/()\"])", r" \1 ", text.lower()).split())


SYSTEMS: Mapping[str, Callable[[int], Classify]] = {
    "loquent bag": ours,
    "fasttext words": fasttext,
    "loquent sentiment-en": minilm,
}
