"""The models that come with Loquent: what they say, by the command and in Python, without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

import loquent
from loquent.checkpoints.catalogue import CATALOGUE
from loquent.errors import UserError

MODELS = Path(loquent.__file__).parent / "models"
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


def test_each_is_in_the_catalogue_and_none_is_large() -> None:
    assert {path.name for path in MODELS.iterdir()} == set(SAID)
    assert all(CATALOGUE[name].tasks == ("classify",) for name in SAID)
    assert sum(path.stat().st_size for path in MODELS.rglob("*")) < 5_000_000


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
