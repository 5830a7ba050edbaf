"""`loquent evaluate` as a user runs it: results, files, kills, and wrong calls."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def rows(count: int) -> str:
    texts = {"positive": "房间很干净，服务也好", "negative": "质量太差，后悔买了"}
    names = list(texts)
    return "".join(
        json.dumps(
            {"text": f"{texts[names[n % 2]]}，第{n}条", "label": names[(n + n % 5 // 4) % 2]},
            ensure_ascii=False,
        )
        + "\n"
        for n in range(count)
    )


def test_a_report_in_the_terminal_and_as_files(run, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(rows(60), encoding="utf-8")
    out = tmp_path / "out"
    done = run("evaluate", "sentiment-zh", "--task", "classify", "--data", data, "--out", out)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "accuracy" in text and "95 %" in text and "bootstrap:1000" in text
    assert {path.name for path in out.iterdir()} == {
        "answers.jsonl", "report.html", "report.json", "report.md",
    }  # fmt: skip
    plain = run("evaluate", "sentiment-zh", "--task", "classify", "--data", data, "--json")
    scores = json.loads(plain.stdout)["scores"]
    stored = json.loads((out / "report.json").read_text(encoding="utf-8"))["scores"]
    assert scores == stored


def test_several_models_and_likelihood_tasks(run, tiny_gpt2: Path, tmp_path: Path) -> None:
    texts, choices = tmp_path / "texts.txt", tmp_path / "choices.jsonl"
    texts.write_text("You may reproduce and distribute copies of the Work. " * 10, "utf-8")
    choices.write_text('{"question": "You may", "choices": ["reproduce", "no"], "answer": 0}\n')
    done = run("evaluate", tiny_gpt2, "--tasks", f"{texts},{choices}", "--json", "-q")
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["task"] == "generate" and second["task"] == "choose"
    out = tmp_path / "out"
    both = run("evaluate", tiny_gpt2, tiny_gpt2, "--task", "generate", "--data", texts,
               "--bits", "32", "--out", out)  # fmt: skip
    assert both.returncode == 0, both.stderr
    assert b"p (Holm)" in both.stdout and (out / "comparison.html").is_file()


def test_a_kill_loses_nothing(run, tmp_path: Path) -> None:
    data, out, whole = tmp_path / "data.jsonl", tmp_path / "out", tmp_path / "whole"
    data.write_text(rows(3_000), encoding="utf-8")
    common = ("evaluate", "sentiment-zh", "--task", "classify", "--data", str(data), "--batch", "8")
    process = subprocess.Popen(
        [sys.executable, "-m", "loquent", *common, "--out", str(out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    answers, until = out / "answers.jsonl", time.monotonic() + 60
    while not (answers.exists() and answers.stat().st_size > 100_000) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert answers.stat().st_size > 100_000 and not (out / "report.json").exists()
    assert run(*common, "--out", out).returncode == 0
    assert run(*common, "--out", whole).returncode == 0
    assert answers.read_bytes() == (whole / "answers.jsonl").read_bytes()
    made = [json.loads((each / "report.json").read_text("utf-8")) for each in (out, whole)]
    assert made[0]["scores"] == made[1]["scores"] and made[0]["asked"] < made[1]["asked"] == 3_000


def test_wrong_calls_say_what_to_do(run, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(rows(4), encoding="utf-8")
    good = ("--task", "classify", "--data", data)
    for arguments, status, told in (
        (("evaluate", "sentiment-zh"), 2, "--data"),
        (("evaluate", "sentiment-zh", "--data", data), 2, "--task"),
        (("evaluate", "sentiment-zh", *good, "--tasks", data), 2, "--tasks"),
        (("evaluate", "sentiment-zh", *good, "--metrics", "acuracy"), 2, "accuracy"),
        (("evaluate", "sentiment-zh", *good, "--beams", "4"), 2, "beams"),
        (("evaluate", "sentiment-zh", *good, "--columns", "texts=a"), 2, "text"),
        (("evaluate", "sentiment-zh", *good, "--by", "lable"), 1, "label"),
        (("evaluate", "sentiment-zh", "--tasks", "wikitxt"), 2, "wikitext"),
        (("evaluate", "sentiment-zh", "--task", "classify", "--data", tmp_path / "no"), 1, "no"),
    ):
        done = run(*arguments)
        assert done.returncode == status, (arguments, done.stderr)
        assert told in done.stderr.decode() and b"Traceback" not in done.stderr, done.stderr
