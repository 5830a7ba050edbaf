"""Every snippet in the documents is run; the two READMEs hold the same ones, run once."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- run on: (\w+) -->\n)?```(python|sh)\n(.*?)```", re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """(model that stands in, language, code) of each block."""
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield match[1] or "", match[2], match[3]


def snippets(language: str) -> list[object]:
    return [
        pytest.param(stand_in, code, id=f"{page.name}-{index}")
        for page in PAGES
        for index, (stand_in, kind, code) in enumerate(blocks(page))
        if kind == language
    ]


@pytest.mark.weights
@pytest.mark.parametrize(("stand_in", "code"), snippets("python"))
def test_python_snippets_run(
    stand_in: str, code: str, default_model: Path, tmp_path: Path, tiny_gpt2: Path
) -> None:
    if stand_in:  # a model that no package carries: a tiny one of the real format stands in
        code = code.replace(f'"{stand_in}"', repr(str(tiny_gpt2)))
    path = tmp_path / "snippet.py"
    path.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.weights
@pytest.mark.parametrize(("stand_in", "code"), snippets("sh"))
def test_commands_run(stand_in: str, code: str, default_model: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "README.md", tmp_path / "README.txt")  # what the pages train on
    lines = [line.strip() for line in code.splitlines()]
    commands = [line for line in lines if re.search(r"(^|\| )loquent ", line)]
    if not commands:
        assert all(re.match(r"make |\.venv/bin/|python3 -m venv", line) for line in lines)
        pytest.skip("set-up commands: this very test is run by them")
    for line in commands:
        command = re.sub(r"\bloquent ", f"{sys.executable} -m loquent ", line)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_both_readmes_hold_the_same_code_and_headings() -> None:
    english, chinese = (ROOT / "README.md", ROOT / "README.zh-CN.md")
    strip = re.compile(r"\s*#.*")

    def code(page: Path) -> list[str]:
        return [strip.sub("", text) for _, _, text in blocks(page)]

    assert code(english) == code(chinese)
    assert len(re.findall("^## ", english.read_text("utf-8"), re.MULTILINE)) == len(
        re.findall("^## ", chinese.read_text("utf-8"), re.MULTILINE)
    )


def test_the_reference_is_what_the_commands_say() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "reference.py"], capture_output=True, text=True, check=True
    ).stdout
    assert made == (ROOT / "docs" / "reference.md").read_text("utf-8"), "run `make docs`"


def test_the_tree_of_files_is_up_to_date() -> None:
    probe = "import runpy; print(runpy.run_path('docs/tree.py')['page'](), end='')"
    made = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert made == (ROOT / "CONTRIBUTING.md").read_text("utf-8"), "run `make docs`"
