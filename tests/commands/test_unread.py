"""What a model's makers advise and Loquent does not follow is told, once, and never in silence."""

import json
import shutil
from pathlib import Path

import pytest

from loquent.checkpoints.generation import of_config
from loquent.commands import run

ADVICE = {"suppress_tokens": [7], "guidance_scale": 1.5, "num_beam_groups": 1, "temperature": 0.5}


@pytest.fixture
def model(tiny_gpt2: Path, tmp_path: Path) -> str:
    shutil.copytree(tiny_gpt2, tmp_path / "advised")
    (tmp_path / "advised" / "generation_config.json").write_text(json.dumps(ADVICE))
    return str(tmp_path / "advised")


def test_a_command_tells_it_on_stderr(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["generate", "Once", "-m", model, "--max-tokens", "2"]
    assert not run(asked)
    told = capsys.readouterr()
    note = (
        "[advised: its makers advise guidance_scale, suppress_tokens, which is not followed here]"
    )
    assert told.err.count(note) == 1
    assert "advise" not in told.out
    assert not run([*asked, "-q"])
    assert "advise" not in capsys.readouterr().err


def test_what_is_known_of_a_model_has_it(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not run(["models", "show", model, "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown["not followed"] == ["guidance_scale", "suppress_tokens"]


def test_an_old_config_of_pairs_advises_too() -> None:
    both = {"is_encoder_decoder": True, "encoder_no_repeat_ngram_size": 3, "diversity_penalty": 0.0}
    assert of_config({}, both, 9).unread == ("encoder_no_repeat_ngram_size",)
    assert of_config({"num_beams": 2}, both, 9).unread == ()  # the newer file counts alone
    assert of_config({}, {**both, "is_encoder_decoder": False}, 9).unread == ()
    never = of_config({"early_stopping": "never"}, both, 9)
    assert never.unread == ("early_stopping",)
    heard = {"model_type": "whisper", "is_encoder_decoder": True}
    assert of_config({"suppress_tokens": [1], "stop_strings": ["x"]}, heard, 9).unread == (
        "stop_strings",
    )
