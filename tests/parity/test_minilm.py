"""MiniLM on real weights: embeddings are those of the Sentence Transformers library."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import loquent
from loquent.checkpoints import hub
from loquent.errors import RequestError, UserError

pytestmark = [pytest.mark.weights, pytest.mark.slow]

TEXTS = [
    "A man is eating food.",
    "Someone is having a meal.",
    "The stock market fell for the third day in a row.",
    "Ünïcödé — “quotes”, dashes … and more",
    "这家酒店很好。",
    "",
    " ",
    "a" * 150,
    "word " * 400,  # longer than the 256 tokens that it reads
]


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return hub.resolve("minilm")
    except UserError as error:
        pytest.skip(f"MiniLM cannot be had here: {error}")


@pytest.fixture(scope="module")
def theirs(folder: Path):
    reference = pytest.importorskip("sentence_transformers")
    model = reference.SentenceTransformer(str(folder), device="cpu")
    return model.encode(TEXTS, normalize_embeddings=True)


@pytest.mark.parametrize(
    "bits, least",
    [(32, 0.99999), (16, 0.9999), (8, 0.99)],
)
def test_embeddings_are_those_of_sentence_transformers(folder, theirs, bits, least):
    lm = loquent.open("minilm", bits=bits)
    assert lm.executor.runtime == "native"
    with pytest.raises(RequestError, match=r"text 9 has 402 tokens, but the model reads 256"):
        lm.embed(TEXTS)
    cosines = (lm.embed(TEXTS, truncate="right") * theirs).sum(-1)
    assert cosines.min() >= least
    assert (lm.embed(TEXTS[::-1], truncate="right")[::-1] * theirs).sum(-1).min() >= least


def test_another_way_to_make_one_vector_would_be_seen(folder, theirs, tmp_path):
    """The first token's state in place of the mean."""
    for each in folder.iterdir():
        if each.is_file():
            (tmp_path / each.name).symlink_to(each)
    (tmp_path / "1_Pooling").mkdir()
    settings = json.loads((folder / "1_Pooling" / "config.json").read_text())
    settings |= {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    made = loquent.open(tmp_path, bits=32).embed(TEXTS, truncate="right")
    assert (made * theirs).sum(-1).max() < 0.99


def test_torch_is_not_needed(folder):
    program = (
        "import sys; sys.modules['torch'] = None; import loquent; "
        "print(loquent.open('minilm', offline=True).embed(['good', 'bad']).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "(2, 384)"), done.stderr
