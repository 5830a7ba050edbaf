"""A comparison from its plan to its page, with real runs in processes of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import loquent
from loquent.errors import DataError
from loquent.runs.comparison import Comparison, opened
from loquent.runs.comparison_page import drawn
from loquent.runs.plan import planned
from loquent.runs.recall import DIGITS, QUESTION, written
from loquent.training import plots

GAPS, LENGTHS = (2, 4), (4, 8)


def values(corpus: Path, out: Path, **training: Any) -> dict[str, Any]:
    return {
        "task": "generate",
        "out": str(out),
        "data": {"train": str(corpus / "text.txt"), "batch": 4, "length": 16},
        "tokenizer": {"kind": "char"},
        "network": {"layers": 1, "width": 16},
        "training": {"steps": 4, "rate": 0.01, **training},
        "evaluate": {"examples": 32},
        "device": "cpu",
    }


def child(parent: int) -> int:
    """The one process that a process has started."""
    (found,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(found)


@pytest.fixture(scope="module")
def found(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Two networks with two seeds."""
    out = tmp_path_factory.mktemp("comparison") / "few"
    made = loquent.compare(
        values(corpus, out), networks=("gru", "transformer"), seeds=2, gaps=GAPS, lengths=LENGTHS
    )
    assert made is not None
    return made


def test_every_network_is_measured_alike(found) -> None:
    assert not found.unfinished
    assert {row.label for row in found.rows} == {"gru", "transformer"}
    for row in found.rows:
        assert len(row.seeds) == 2
        assert row.steps == 4
        assert row.scores["loss"].examples > 0
        assert row.scores["loss"].low < row.scores["loss"].value < row.scores["loss"].high
        assert row.tokens_per_second > 0
        assert row.memory_bytes > 50e6  # torch alone takes so much
        assert {each.tokens for each in row.writing} == set(LENGTHS)
        assert set(row.recall) == set(GAPS)
    assert len({row.tokens for row in found.rows}) == 1
    runtimes = {row.label: {each.runtime for each in row.writing} for row in found.rows}
    assert runtimes == {"gru": {"torch"}, "transformer": {"torch", "native"}}
    losses = [row.scores["loss"].value for row in found.rows]
    assert losses == sorted(losses)


def test_all_runs_share_one_tokenizer_and_the_same_examples(found) -> None:
    cards = [json.loads(path.read_text()) for path in found.folder.glob("*-*/run.json")]
    cards = [card for card in cards if card["plan"]["task"] == "generate"]
    assert len(cards) == 4
    assert len({json.dumps(card["data"], sort_keys=True) for card in cards}) == 1
    files = {
        (found.folder / name / "tokenizer" / "tokenizer.json").stat().st_ino
        for name in ("gru-0", "transformer-0")
        if (found.folder / name / "tokenizer" / "tokenizer.json").exists()
    }
    assert len(files) <= 1


def test_the_page_the_figures_and_the_drawings_are_beside_the_runs(found) -> None:
    card = json.loads((found.folder / "comparison.json").read_text())
    assert [row["label"] for row in card["rows"]] == [row.label for row in found.rows]
    text = (found.folder / "comparison.md").read_text()
    for part in ("## Quality (validation) and cost", "Recall of a token", "## What follows"):
        assert part in text
    assert (found.folder / "comparison.svg").read_text().startswith("<svg")
    assert (found.folder / "comparison.png").read_bytes()[1:4] == b"PNG"
    assert opened(found.folder).plain() == found.plain()


def test_what_is_finished_is_not_run_again(corpus, found) -> None:
    models = sorted(found.folder.rglob("model.safetensors"))
    before = [path.stat().st_mtime_ns for path in models]
    assert models
    again = loquent.compare(
        values(corpus, found.folder),
        networks=("gru", "transformer"),
        seeds=2,
        gaps=GAPS,
        lengths=LENGTHS,
    )
    assert again.plain() == found.plain()
    assert [path.stat().st_mtime_ns for path in models] == before


def test_a_stopped_comparison_goes_on_to_the_same_weights(corpus, tmp_path, found) -> None:
    told: list[float] = []
    asked: dict[str, Any] = {"networks": ("gru",), "seeds": 2, "gaps": (), "lengths": ()}
    plan = values(corpus, tmp_path / "few")
    stopped = loquent.compare(
        plan,
        **asked,
        on_progress=lambda progress: told.append(progress.share),
        stop=lambda: bool(told),
    )
    assert stopped is None
    assert told
    made = loquent.compare(plan, **asked)
    assert made is not None
    assert made.rows[0].seeds == (0, 1)
    for seed in (0, 1):
        ours, unbroken = (
            (folder / f"gru-{seed}" / "model" / "model.safetensors").read_bytes()
            for folder in (made.folder, found.folder)
        )
        assert ours == unbroken


def test_a_run_whose_process_is_killed_is_named_and_the_next_one_starts(corpus, tmp_path) -> None:
    plan = values(corpus, tmp_path / "few", steps=1_000_000)
    code = (
        "import json, sys, loquent; loquent.compare(json.loads(sys.argv[1]), seeds=1, gaps=(), "
        "networks=('gru', 'conv'), on_progress=lambda told: print(told.run, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(plan)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for name in ("gru-0", "conv-0"):
        for line in process.stdout:
            if line.strip() == name:
                break
        os.kill(child(process.pid), signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "there is no finished run to compare" in errors
    with pytest.raises(DataError, match="no finished run") as told:
        opened(tmp_path / "few")
    for name in ("gru-0", "conv-0"):
        assert f"{name}: its process was ended by SIGKILL" in str(told.value)


def test_recall_asks_for_the_digit_that_stood_so_many_tokens_ago(corpus, tmp_path) -> None:
    written(planned(values(corpus, tmp_path)), (1, 7), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "validation.jsonl").read_text().splitlines()]
    for number, record in enumerate(rows):
        text, gap = record["prompt"], (1, 7)[number % 2]
        assert text.endswith(QUESTION)
        assert text[-1 - gap] == record["completion"]
        assert sum(each in DIGITS for each in text) == 1
    assert {record["completion"] for record in rows} == set(DIGITS)


def test_drawings_have_every_network(found) -> None:
    panels = drawn(found)
    assert len(panels) >= 3
    assert isinstance(panels[0], plots.Panel)
    assert {curve.name for curve in panels[0].curves} == {"gru", "transformer"}
