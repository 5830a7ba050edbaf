"""Models that come with Loquent: whole, or merged with the model that they were learned on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loquent.checkpoints import hub
from loquent.checkpoints.adapters.writing import save_adapter
from loquent.checkpoints.catalogue import CATALOGUE
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.families import FAMILIES
from loquent.checkpoints.sources import names, own
from loquent.checkpoints.sources.names import OwnSource
from loquent.errors import CheckpointError
from loquent.model.adapter import Adapter, Update
from loquent.model.names import shapes

MERGED, WHOLE = "loquent:learned", "loquent:whole"
QUERY = "encoder.layers.0.attention.query"


@pytest.fixture
def models(tmp_path: Path, tiny_bert: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Loquent's with a whole model and an adapter for another."""
    folder = tmp_path / "models"
    base = tiny_bert("BertModel")
    Checkpoint.open(base).save(folder / "whole")
    learn(folder / "learned", base, 1)
    monkeypatch.setattr(own, "_HERE", folder)
    return folder


def learn(folder: Path, base: Path, seed: int) -> None:
    checkpoint = Checkpoint.open(base)
    plain = replace(checkpoint.config, output="class", outputs=2, labels=("bad", "good"))
    config = FAMILIES["bert"].headed(plain)
    chance = np.random.default_rng(seed)
    head = {name: shape for name, shape in shapes(config).items() if name.startswith("head.")}
    adapter = Adapter(
        updates={QUERY: Update(chance.normal(size=(2, 32)), chance.normal(size=(32, 2)), 0.5)},
        replaced={name: chance.normal(size=shape) for name, shape in head.items()},
    )
    save_adapter(folder, adapter, family="bert", config=config, base=str(base))


def refusal(name: str, call: Callable[[str], object] = hub.resolve) -> str:
    with pytest.raises(CheckpointError) as caught:
        call(name)
    return str(caught.value)


def test_names(models: Path) -> None:
    assert names.parse("loquent:sentiment-en") == OwnSource("sentiment-en")
    for name in ("loquent:", "loquent:../x", "loquent:a/b", "loquent:A", "loquent:-a"):
        assert name in refusal(name)
    assert "Did you mean 'learned'?" in refusal("loquent:learnt")


def test_a_whole_model_is_where_it_is(models: Path, home: Path) -> None:
    assert hub.resolve(WHOLE, offline=True) == hub.locate(WHOLE) == models / "whole"
    assert "nothing was removed" in refusal(WHOLE, hub.remove)
    assert (models / "whole" / "config.json").is_file()
    assert not (home / "models").exists()


def test_what_was_learned_is_merged_with_its_base(models: Path, home: Path, tiny_bert) -> None:
    assert hub.locate(MERGED) is None
    path = hub.resolve(MERGED, offline=True)
    assert home in path.parents
    assert hub.resolve(MERGED) == hub.locate(MERGED) == path
    made, base = Checkpoint.open(path), Checkpoint.open(tiny_bert("BertModel"))
    assert (made.config.output, made.config.labels) == ("class", ("bad", "good"))
    moved = {
        name for name in base.weights if not np.array_equal(made.weights[name], base.weights[name])
    }
    assert moved == {f"{QUERY}.weight"}
    assert hub.remove(MERGED) > 10_000
    assert hub.locate(MERGED) is None


def test_another_version_is_merged_anew(models: Path, tiny_bert) -> None:
    first = Checkpoint.open(hub.resolve(MERGED)).weights["head.weight"]
    for path in (models / "learned").iterdir():
        path.unlink()
    (models / "learned").rmdir()
    learn(models / "learned", tiny_bert("BertModel"), 2)
    assert hub.locate(MERGED) is None
    second = Checkpoint.open(hub.resolve(MERGED)).weights["head.weight"]
    assert not np.array_equal(first, second)


def test_without_its_base_that_one_is_named(models: Path) -> None:
    text = (models / "learned" / "adapter_config.json").read_text()
    base = own.base_of(models / "learned")
    (models / "learned" / "adapter_config.json").write_text(text.replace(base, "minilm"))
    with pytest.raises(CheckpointError, match="minilm: is not on this machine"):
        hub.resolve(MERGED, offline=True)


def test_all_of_the_catalogue_come_with_this_version() -> None:
    for entry in CATALOGUE.values():
        source = names.parse(entry.source)
        if isinstance(source, OwnSource):
            folder = own.folder_of(source)
            assert source.name == entry.name
            assert (folder / "README.md").is_file()
            assert sum(path.stat().st_size for path in folder.rglob("*")) < 5_000_000
            assert own.base_of(folder) in ("", *CATALOGUE)
