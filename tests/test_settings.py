"""Strict reading: every fault is told, with its place and the nearest valid name."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from loquent import settings
from loquent.architecture import ModelConfig, RotaryConfig, StackConfig
from loquent.errors import ConfigError, UserError, nearest, together


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer:
    size: int
    inner: Inner = Inner()
    name: str | None = None


def test_reads_nested_records_and_writes_them_back() -> None:
    values = {"size": 3, "inner": {"rate": 0.25}, "name": "a"}
    made = settings.read(Outer, values)
    assert made == Outer(size=3, inner=Inner(rate=0.25), name="a")
    assert settings.write(made) == values


def test_all_faults_are_told_at_once_with_their_places() -> None:
    with pytest.raises(ConfigError) as caught:
        settings.read(Outer, {"inner": {"rat": 1, "rate": "fast"}, "nmae": "a"}, "run.toml")
    message = str(caught.value)
    for part in (
        "4 faults",
        "run.toml.inner: unknown key 'rat'. Did you mean 'rate'?",
        "run.toml.inner.rate: Expected `float`",
        "run.toml: unknown key 'nmae'. Did you mean 'name'?",
        "run.toml: key 'size' is missing.",
    ):
        assert part in message


def test_a_fault_of_the_record_itself_has_its_place() -> None:
    values = {"vocabulary": 9, "decoder": {"layers": -1, "width": 4, "length": 8}}
    with pytest.raises(ConfigError, match=r"model\.decoder: layers must not be negative"):
        settings.read(ModelConfig, values, "model")


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("size = 3\n[inner]\nrate = 0.1\n")
    assert settings.read_toml(Outer, path).inner.rate == 0.1
    path.write_text("size = \n")
    with pytest.raises(ConfigError, match=r"run\.toml: is not TOML: .*line 1"):
        settings.read_toml(Outer, path)


def test_a_config_survives_being_written_and_read() -> None:
    stack = StackConfig(layers=2, width=8, length=16, heads=2, positions="rotary")
    config = ModelConfig(vocabulary=10, decoder=stack)
    assert settings.read(ModelConfig, settings.write(config)) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 10, "heads": 4}, "does not divide into 4 heads"),
        ({"heads": 4, "kv_heads": 3}, "do not divide into 3 key/value heads"),
        ({"length": 0}, "learned positions need a length"),
        ({"mixer": "conv"}, "needs a kernel"),
        ({"mixer": "lstm", "positions": "rotary"}, "need the mixer 'attention'"),
        ({"dropout": 1.0}, "dropout must be in"),
    ],
)
def test_impossible_stacks_are_refused(change: dict[str, object], message: str) -> None:
    values = {"layers": 2, "width": 8, "length": 16, **change}
    with pytest.raises(ConfigError, match=message):
        settings.read(StackConfig, values)


def test_impossible_models_are_refused() -> None:
    stack = StackConfig(layers=1, width=8, length=4)
    with pytest.raises(ConfigError, match="needs an encoder or a decoder"):
        ModelConfig(vocabulary=3)
    with pytest.raises(ConfigError, match="attends across exactly"):
        ModelConfig(vocabulary=3, encoder=stack, decoder=stack)
    with pytest.raises(ConfigError, match="rotary scaling 'yarn' needs original_length"):
        RotaryConfig(scaling="yarn", factor=2)


def test_nearest_names_the_close_ones_or_all() -> None:
    assert nearest("smolm2", ["smollm2-135m", "gpt2"]) == "Did you mean 'smollm2-135m'?"
    assert nearest("zzz", ["b", "a"]) == "Known: a, b."
    assert nearest("zzz", []) == ""


def test_one_fault_stays_itself_and_several_become_one_error() -> None:
    single = UserError("is bad.", where="a.txt", fix="Mend it.")
    assert together(ConfigError, [single]) is single
    assert str(single) == "a.txt: is bad. Mend it."
    assert str(together(ConfigError, [single, single])).count("a.txt: is bad.") == 2
