"""`loquent bench`: its figures are measured, complete and honest about what they are."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from click.testing import CliRunner

from loquent import lm as language
from loquent.commands import bench
from loquent.engine.network import Logits, Memory, Tokens
from loquent.errors import RequestError

FIGURES = (
    "first_token_seconds",
    "prefill_tokens_per_second",
    "decode_1_row_tokens_per_second",
    "decode_8_rows_tokens_per_second",
)
STEP_SECONDS = 0.004


class Slow:
    """A real network that takes a known time longer for every step."""

    def __init__(self, folder: Path) -> None:
        self._network = language.open(folder).network
        self.config = self._network.config
        self.position_bytes = self._network.position_bytes
        self.tokens: list[int] = []

    def new_memory(self, rows: int, length: int) -> Memory:
        return self._network.new_memory(rows, length)

    def step(self, memory: Memory, tokens: Tokens) -> Logits:
        self.tokens.append(len(tokens.ids))
        time.sleep(STEP_SECONDS)
        return self._network.step(memory, tokens)


def test_a_report_as_json(run: "Callable[..., CompletedProcess[bytes]]", tiny_gpt2: Path) -> None:
    done = run("bench", tiny_gpt2, "--json", "--seconds", "0.2", LOQUENT_THREADS="1")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["model"] == "tiny-gpt2"
    assert (report["runtime"], report["precision"], report["threads"]) == ("native", "int8", 1)
    assert report["prompt_tokens"] == 32
    assert report["new_tokens"] == 96  # the model reads 128
    assert report["prefill_tokens"] == 127
    assert report["load_seconds"] > 0
    assert report["peak_memory_bytes"] > 10**7
    assert len(report["load_average"]) == 2
    for name in FIGURES:
        figure = report[name]
        assert 0 < figure["least"] <= figure["median"] <= figure["most"]
        assert 1 <= figure["runs"] <= bench.RUNS
    assert b"measuring prefill" in done.stderr


def test_a_report_for_people_in_another_precision(tiny_gpt2: Path) -> None:
    done = CliRunner().invoke(
        bench.command, [str(tiny_gpt2), "--seconds", "0.1", "--runtime", "torch"]
    )
    assert done.exit_code == 0, done.output
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert shown["model"] == "tiny-gpt2, f32, torch runtime"
    assert "as many as torch takes" in shown["machine"]
    assert "over 127 tokens" in shown["prefill"]
    assert len(done.stdout.splitlines()) == 9


def test_speeds_are_those_of_the_network(tiny_gpt2: Path) -> None:
    network = Slow(tiny_gpt2)
    found = bench.figures(network, 128, 0.5)
    assert found["first_token_seconds"]["least"] >= STEP_SECONDS
    assert found["prefill_tokens_per_second"]["most"] <= 127 / STEP_SECONDS
    for rows, name in ((1, "decode_1_row"), (8, "decode_8_rows")):
        speed = found[f"{name}_tokens_per_second"]["most"]
        assert 0.2 * rows / STEP_SECONDS < speed <= rows / STEP_SECONDS
    assert max(network.tokens) == 8 * 32


def test_a_model_that_reads_whole_texts_is_measured_by_texts(
    run: "Callable[..., CompletedProcess[bytes]]", tiny_bert: Callable[..., Path]
) -> None:
    folder = tiny_bert("BertModel")
    done = run("bench", folder, "--json", "--seconds", "0.2", "--bits", "32", LOQUENT_THREADS="1")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert (report["runtime"], report["precision"]) == ("native", "f32")
    assert (report["texts"], report["short_tokens"], report["long_tokens"]) == (64, 32, 96)
    for name in ("one_text_seconds", "short_texts_per_second", "long_texts_per_second"):
        assert 0 < report[name]["least"] <= report[name]["median"] <= report[name]["most"]
    shown = "\n".join(bench.lines(report))
    assert "texts/s, 64 at once of 96 tokens each" in shown
    assert "decode" not in shown


def test_speeds_of_reading_are_those_of_the_network(tiny_bert: Callable[..., Path]) -> None:
    network = language.open(tiny_bert("BertModel")).network
    inner, seen = network.read, []

    def read(texts: list) -> list:
        seen.append([each.ids for each in texts])
        time.sleep(0.1)
        return inner(texts)

    network.read = read
    found = bench.reading_figures(network, 20, 0.3)
    assert (found["short_tokens"], found["long_tokens"]) == (20, 20)
    assert found["one_text_seconds"]["least"] >= 0.1
    assert found["short_texts_per_second"]["most"] <= 64 / 0.1
    assert {len(each) for each in seen} == {1, 64}
    assert {len(ids) for each in seen for ids in each} == {20}
    assert seen[0] != seen[1]


def test_a_slow_model_keeps_to_the_time(tiny_gpt2: Path) -> None:
    network = Slow(tiny_gpt2)
    start = time.perf_counter()
    found = bench.figures(network, 128, 0.05)
    assert found["decode_8_rows_tokens_per_second"]["runs"] == 1
    assert time.perf_counter() - start < 10
    assert len(network.tokens) < 96


def test_every_run_reads_a_new_prompt(tiny_gpt2: Path) -> None:
    seen: list[bytes] = []
    network = Slow(tiny_gpt2)
    inner = network.step

    def step(memory: Memory, tokens: Tokens) -> Logits:
        if len(tokens.ids) == 127:
            seen.append(np.asarray(tokens.ids).tobytes())
        return inner(memory, tokens)

    network.step = step  # type: ignore[method-assign]
    bench.figures(network, 128, 0.05)
    assert len(seen) == len(set(seen)) >= 2


def test_too_short_a_context_is_refused(tiny_gpt2: Path) -> None:
    with pytest.raises(RequestError, match="4 tokens at most"):
        bench.figures(Slow(tiny_gpt2), 4, 0.1)


def test_an_unknown_model_is_told_once(run: "Callable[..., CompletedProcess[bytes]]") -> None:
    done = run("bench", "smolm2-135m")
    assert done.returncode == 1
    assert done.stderr.decode().count("smolm2-135m") == 1
    assert "smollm2-135m" in done.stderr.decode()


def test_memory_is_that_of_this_process() -> None:
    before = bench.peak_bytes()
    held = np.ones(before // 4, np.float64)  # twice of all so far
    assert bench.peak_bytes() > before + held.nbytes // 2
