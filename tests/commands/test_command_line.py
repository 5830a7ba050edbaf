"""The command line from the outside: outputs, exit statuses, signals, a real terminal."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loquent import commands
from loquent.commands import COMMANDS
from loquent.commands.options import SAMPLING
from loquent.engine.request import Sampling

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture(scope="module")
def chatty(tiny_gpt2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a chat template."""
    folder = tmp_path_factory.mktemp("chatty") / "model"
    folder.mkdir()
    for file in tiny_gpt2.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return folder


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, *arguments: object) -> None:
        self.process, self.fd = pty.fork()
        if self.process == 0:
            os.execv(sys.executable, [sys.executable, "-m", "loquent", *map(str, arguments)])
        self.seen = ""

    def wait_for(self, pattern: str, seconds: float = 60) -> None:
        """Read until the pattern stands in what was shown since the last call."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, self.seen
            try:
                self.seen += os.read(self.fd, 4096).decode("utf-8", "replace")
            except OSError:  # the other end has closed
                assert re.search(pattern, self.seen), self.seen
        self.seen = self.seen[re.search(pattern, self.seen).end() :]  # type: ignore[union-attr]

    def send(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def status(self) -> int:
        """Wait for the end and give the exit status."""
        while True:
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def test_help_names_every_command_and_imports_none(run) -> None:
    done = run("--help")
    assert done.returncode == 0
    for name, summary in COMMANDS.items():
        assert name in done.stdout.decode()
        assert summary in done.stdout.decode()
    probe = "import sys; from loquent.commands import run; run(['--help']); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    ).stdout
    assert not {"numpy", "torch", "tokenizers", "huggingface_hub"} & set(loaded.split())


def test_importing_loquent_is_light() -> None:
    probe = "import sys, loquent; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    ).stdout
    assert not {"numpy", "torch", "click", "msgspec"} & set(loaded.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(name: str, run) -> None:
    done = run(name, "--help")
    probe = f"import sys; from loquent.commands import run; run(['{name}', '--help'])"
    probe += "; sys.exit('numpy' in sys.modules or 'tokenizers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
    assert done.returncode == 0
    group = re.search(rb"^Commands:\n((?:  .*\n)+)", done.stdout, re.MULTILINE)
    told = [done.stdout]  # of a group at least one of its commands writes JSON
    if group and b"--json" not in done.stdout:
        parts = re.findall(rb"^  (\w+)  ", group[1], re.MULTILINE)
        told = [run(name, part.decode(), "--help").stdout for part in parts]
    assert any(b"--json" in each for each in told)


def test_every_field_of_sampling_is_an_option() -> None:
    assert set(SAMPLING) == set(Sampling.__dataclass_fields__)


def test_generate_writes_the_text_to_stdout_and_the_receipt_to_stderr(run, tiny_gpt2) -> None:
    done = run("generate", "-m", tiny_gpt2, "--max-tokens", 8, "--temperature", 0, "Once upon")
    assert done.returncode == 0, done.stderr
    assert re.search(
        rb"8 written in .* s \(.* tokens/s, native int8(, .* right)?\), finish length, seed \d+\]",
        done.stderr,
    )
    quiet = run(
        "generate", "-m", tiny_gpt2, "--max-tokens", 8, "--temperature", 0, "-q", "Once upon"
    )
    assert quiet.stdout == done.stdout
    assert quiet.stderr == b""
    echo = run(
        "generate", "-m", tiny_gpt2, "--max-tokens", 8, "--temperature", 0, "--echo", "Once upon"
    )
    assert echo.stdout == b"Once upon" + done.stdout


def test_generate_reads_standard_input_and_writes_json(run, tiny_gpt2) -> None:
    options = ("--max-tokens", 5, "--seed", 3, "--logprobs", 2, "--n", 2, "--json")
    done = run("generate", "-m", tiny_gpt2, *options, given=b"Once upon a time")
    answer = json.loads(done.stdout)
    assert answer["seed"] == 3
    assert answer["finish"] == "length"
    assert len(answer["ids"]) == len(answer["logprobs"]) == 5
    assert len(answer["others"]) == 1
    dash = run("generate", "-m", tiny_gpt2, *options, "-", given=b"Once upon a time")
    assert json.loads(dash.stdout)["ids"] == answer["ids"]
    bias = run("generate", "-m", tiny_gpt2, *options, "--logit-bias", "7=900", "Once")
    assert set(json.loads(bias.stdout)["ids"]) == {7}


@pytest.mark.parametrize(
    ("arguments", "given", "status", "message"),
    [
        (["genrate", "x"], b"", 2, "no command 'genrate'. Did you mean 'generate'?"),
        (["generate", "--temprature", "1", "x"], b"", 2, "--temperature"),
        (["generate", "--top-p", "7", "x"], b"", 2, "top_p: must be above 0, up to 1, not 7.0."),
        (["generate", "--truncate", "middle", "x"], b"", 2, "'left', 'right'"),
        (["generate", "--logit-bias", "a=1", "x"], b"", 2, "is not ID=VALUE"),
        (["generate", "--runtime", "jax", "x"], b"", 2, "no runtime 'jax'"),
        (["generate"], b"ab\xff", 1, "byte 0xff at position 2"),
        (["generate", "-m", "smolm2-135m", "x"], b"", 1, "Did you mean 'smollm2-135m"),
        (["generate", "word " * 300], b"", 1, "tokens, but the model reads 128 at most"),
        (["chat", "--n", "2"], b"", 2, "one answer at a time"),
    ],
)
def test_mistakes_get_a_sentence_and_a_status(
    arguments: list[str], given: bytes, status: int, message: str, run, tiny_gpt2
) -> None:
    if arguments[0] in ("generate", "chat") and "-m" not in arguments:
        arguments = [arguments[0], "-m", str(tiny_gpt2), *arguments[1:]]
    done = run(*arguments, given=given)
    assert done.returncode == status
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert done.stdout == b""


def test_truncation_is_said(run, tiny_gpt2) -> None:
    done = run("generate", "-m", tiny_gpt2, "--max-tokens", 4, "--truncate", "left", "word " * 300)
    assert done.returncode == 0
    assert re.search(rb"\d+ tokens of the prompt dropped", done.stderr)


def test_debug_shows_the_traceback(run) -> None:
    done = run("generate", "-m", "no-such-model", "x", "--debug")
    assert done.returncode == 1
    assert b"Traceback" in done.stderr


def test_a_reader_that_leaves_is_no_error(tiny_gpt2) -> None:
    command = f"{sys.executable} -m loquent models --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert b"Traceback" not in done.stderr


def test_tokens_shows_ids_and_pieces(run, tiny_gpt2) -> None:
    done = run("tokens", "-m", tiny_gpt2, "Once upon", "--json")
    found = json.loads(done.stdout)
    assert "".join(found["pieces"]) in ("Once upon", "OnceĠupon")
    plain = run("tokens", "-m", tiny_gpt2, "Once upon")
    assert str(found["ids"][0]) in plain.stdout.decode()


def test_info_tells_machine_and_versions(run) -> None:
    found = json.loads(run("info", "--json").stdout)
    assert {"loquent", "python", "cpu_features", "home", "packages"} <= set(found)
    assert b"cpu features" in run("info").stdout


def test_ctrl_c_leaves_with_130(tiny_gpt2) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "loquent", "generate", "-m", str(tiny_gpt2)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(1.0)  # it waits for its input
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()


def test_generate_streams_to_a_terminal(tiny_gpt2) -> None:
    terminal = Terminal("generate", "-m", tiny_gpt2, "--max-tokens", 30, "--echo", "Once upon")
    terminal.wait_for("Once upon")
    terminal.wait_for(r"written in")
    assert terminal.status() == 0


def test_chat_remembers_stops_saves_and_clears(chatty: Path, tmp_path: Path) -> None:
    saved = tmp_path / "chat.jsonl"
    terminal = Terminal("chat", "-m", chatty, "--max-tokens", 4, "--system", "Be brief.")
    terminal.wait_for("> ")
    terminal.send("Hello\n")
    terminal.wait_for(r"written in")
    terminal.wait_for("> ")
    terminal.send(f"/save {saved}\n")
    terminal.wait_for("saved in")
    terminal.send("/nothing\n")
    terminal.wait_for("There is no /nothing")
    terminal.send("/help\n")
    terminal.wait_for("forget the conversation")
    terminal.send("/clear\n")
    terminal.wait_for("forgotten")
    terminal.send(f"/save {saved}\n")
    terminal.wait_for("saved in")
    terminal.send("word " * 100 + "\n")
    terminal.wait_for("/clear starts anew")
    terminal.send("/exit\n")
    assert terminal.status() == 0
    first, second = (json.loads(line)["messages"] for line in saved.read_text().splitlines())
    assert [message["role"] for message in first] == ["system", "user", "assistant"]
    assert [message["role"] for message in second] == ["system"]


@pytest.mark.weights
@pytest.mark.slow
def test_ctrl_c_stops_an_answer_and_keeps_the_chat(default_model: Path) -> None:
    terminal = Terminal("chat", "--max-tokens", 2000, "--temperature", 0, "--ignore-end")
    terminal.wait_for("> ")
    terminal.send("Tell me a long story about the sea.\n")
    terminal.wait_for(r"sea\.\r\n.{40}")
    terminal.send("\x03")
    terminal.wait_for(r"finish cancelled")
    terminal.wait_for("> ")
    terminal.send("/exit\n")
    assert terminal.status() == 0


def test_run_tells_interruption_and_exit(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.group, "main", interrupted)
    assert commands.run(["info"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_what_is_published_of_a_machine_names_no_path_of_it() -> None:
    from loquent.commands.info import collected, machine  # noqa: PLC0415

    told, published = collected(), json.dumps(machine())
    for path in (sys.executable, str(told["home"])):
        assert path in json.dumps(told)
        assert path not in published
