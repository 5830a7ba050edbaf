"""The models that come with Loquent: what they say, by the command and in Python, without torch."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import loquent
from loquent.checkpoints.catalogue import CATALOGUE
from loquent.errors import UserError

MODELS = Path(loquent.__file__).parent / "models"
ABSTRACT = (
    "Graph neural networks learn from nodes and their edges. Most of them need many labels. "
    "We propose a way to train graph neural networks with few labels, in which a network teaches "
    "itself by predicting hidden edges. On five data sets it needs a tenth of the labels."
)
SAID = {
    "sentiment-en": {
        "positive": ["A wonderful film, funny and warm.", "Great acting and a moving story."],
        "negative": ["A dull film without a single idea.", "Terrible acting and a boring story."],
    },
    "sentiment-zh": {
        "positive": ["这家酒店的房间很干净，服务也好", "很好的书，孩子非常喜欢"],
        "negative": ["质量太差，后悔买了", "房间又脏又吵，服务态度很差"],
    },
}


# What is written: (how it is asked, words of which one at least must be there).
WRITTEN: dict[str, tuple[Callable[[str], str], str, str]] = {
    "summarize-papers": (
        lambda name: loquent.summarize(ABSTRACT, model=name).text, "graph|networks", "summarize"
    ),
    "translate-en-de": (
        lambda name: loquent.translate(
            "The house is wonderful.", source="en", target="de", model=name
        ).text,
        "Haus", "translate",
    ),
    "translate-en-zh": (
        lambda name: loquent.translate(
            "I like apples.", source="en", target="zh", model=name
        ).text,
        "喜欢", "translate",
    ),
}  # fmt: skip


def test_each_is_in_the_catalogue_and_none_is_large() -> None:
    assert {path.name for path in MODELS.iterdir()} == {*SAID, *WRITTEN}
    assert all(CATALOGUE[name].tasks == ("classify",) for name in SAID)
    assert all(CATALOGUE[name].tasks == (task,) for name, (*_, task) in WRITTEN.items())
    assert sum(path.stat().st_size for path in MODELS.rglob("*")) < 12_000_000


@pytest.mark.weights
@pytest.mark.parametrize("name", WRITTEN)
def test_what_they_write(name: str) -> None:
    ask, words, _ = WRITTEN[name]
    try:
        lm = loquent.open(name)
    except UserError as error:
        pytest.skip(f"its base cannot be had here: {error}")
    assert lm.executor.runtime == "native"
    told = ask(name)
    assert re.search(words, told, re.IGNORECASE), told
    assert len(told) < 400


@pytest.mark.weights
@pytest.mark.parametrize("name", SAID)
def test_what_they_say(name: str) -> None:
    try:
        lm = loquent.open(name)
    except UserError as error:
        pytest.skip(f"its base cannot be had here: {error}")
    assert lm.executor.runtime == "native"
    for label, texts in SAID[name].items():
        for told in lm.read(texts):
            assert lm.checkpoint.config.labels[int(told.values.argmax())] == label


def test_the_chinese_one_needs_no_torch_and_no_network() -> None:
    program = (
        "import sys; sys.modules['torch'] = None; import loquent; "
        "print(loquent.open('sentiment-zh', offline=True).checkpoint.config.labels)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == "('negative', 'positive')", done.stderr
