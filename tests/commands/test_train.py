"""`loquent train` from the outside."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import loquent
from loquent import commands
from loquent.commands.train import FLAGS, plan_of
from loquent.errors import UsageError
from loquent.runs.networks import NETWORKS, ignored

WORDS = "the cat sat on a mat and a dog ran to its house where it slept all day"

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # so that sums have one order


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, classes and pairs."""
    folder = tmp_path_factory.mktemp("corpus")
    chance = random.Random(0)
    lines = [
        " ".join(chance.choices(WORDS.split(), k=chance.randint(4, 12))) + "." for _ in range(300)
    ]
    (folder / "text.txt").write_text("\n".join(lines) + "\n")
    rows = [json.dumps({"text": line, "label": len(line) % 2}) for line in lines]
    (folder / "classes.jsonl").write_text("\n".join(rows))
    (folder / "pairs.a").write_text("\n".join(lines) + "\n")
    (folder / "pairs.b").write_text("\n".join(line.upper() for line in lines) + "\n")
    return folder


def flags(corpus: Path, out: Path, *more: object) -> list[str]:
    """A run of a few steps of a small network."""
    chosen = (
        "--task", "generate", "--data", corpus / "text.txt", "--tokenizer", "char", "--out", out,
        "--steps", 3, "--batch", 4, "--length", 16, "--device", "cpu",
    )  # fmt: skip
    kind = str(more[more.index("--network") + 1]) if "--network" in more else "transformer"
    sizes = {"layers": 1, "width": 16, "heads": 2}
    for name in sizes.keys() - set(ignored(kind, "decoder")):
        chosen += ("--set", f"network.{name}={sizes[name]}")
    return ["train", *map(str, chosen), *map(str, more)]


@pytest.mark.parametrize(
    "kind", [name for name, each in NETWORKS.items() if "decoder" in each.stacks]
)
def test_every_network_learns_to_generate(kind: str, corpus, tmp_path, capfd) -> None:
    status = commands.run(flags(corpus, tmp_path / "run", "--network", kind, "--json"))
    shown = capfd.readouterr()
    assert status == 0, shown.err
    assert json.loads(shown.out)["steps"] == 3
    assert "The run takes about 3 steps" in shown.err
    assert "judged at step 3" in shown.err
    lm = loquent.open(tmp_path / "run")
    assert len(lm.generate("the cat", max_tokens=4, temperature=0).ids) == 4


@pytest.mark.parametrize(
    "kind", [name for name, each in NETWORKS.items() if "encoder" in each.stacks]
)
def test_every_encoder_learns_to_classify(kind: str, corpus, tmp_path, capfd) -> None:
    more = ["--task", "classify", "--data", corpus / "classes.jsonl", "--length", 0]
    more += ["--set", "network.width=18"]
    if "heads" not in ignored(kind, "encoder"):
        more += ["--set", "network.heads=1"]
    arguments = flags(corpus, tmp_path / "run", "--network", kind, *more)
    arguments = [each for each in arguments if each != str(corpus / "text.txt")]
    first = arguments.index("--data")
    del arguments[first]  # the text's
    assert commands.run(arguments) == 0, capfd.readouterr().err
    shown = capfd.readouterr()
    assert "accuracy" in shown.out
    assert "model of step" in shown.out


@pytest.mark.parametrize("kind", [name for name, each in NETWORKS.items() if "both" in each.stacks])
def test_every_pair_of_stacks_learns_to_translate(kind: str, corpus, tmp_path, capfd) -> None:
    more = ["--task", "translate", "--source", "a", "--target", "b", "--network", kind]
    more += ["--length", 0, "--set", "evaluate.texts=2"]
    arguments = flags(corpus, tmp_path / "run", *more)
    arguments[arguments.index(str(corpus / "text.txt"))] = str(corpus / "pairs")
    assert commands.run(arguments) == 0, capfd.readouterr().err
    assert "perplexity" in capfd.readouterr().out


def test_flags_say_the_same_as_a_file(corpus, tmp_path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        f"""
        task = "generate"
        out = "{tmp_path / "run"}"
        device = "cpu"
        [data]
        train = "{corpus / "text.txt"}"
        batch = 4
        length = 16
        [tokenizer]
        kind = "char"
        [network]
        layers = 1
        width = 16
        heads = 2
        [training]
        steps = 3
        """
    )
    context = commands.group.get_command(None, "train").make_context(
        "train", flags(corpus, tmp_path / "run")[1:]
    )
    by_flags = plan_of(None, {k: v for k, v in context.params.items() if k != "plan"})
    empty = dict.fromkeys(context.params) | {"settings": ()}
    assert plan_of(path, empty) == by_flags
    over = empty | {"rate_": 0.5, "settings": ("training.seed=7",), "tokenizer": "org/model"}
    made = plan_of(path, over)
    assert (made.training.rate, made.training.seed) == (0.5, 7)
    assert made.tokenizer.model == "org/model"


def test_every_flag_names_a_setting() -> None:
    from loquent.runs.plan import planned  # noqa: PLC0415
    from loquent.runs.values import merged  # noqa: PLC0415

    least = {"task": "generate", "out": "x", "data": {"train": "a", "source": "a", "target": "b"}}
    samples = {str: "", int: 1, float: 1.0, list: ["a"]}
    known = {"--task": "generate", "--out": "x", "--network": "lstm", "--size": "tiny"}
    known |= {"--long": "cut", "--metric": "loss", "--source": "a", "--target": "b", "--from": "x"}
    for flag, (name, kind, _) in FLAGS.items():
        value = known.get(flag, samples[kind])
        values: dict = {}
        place = values
        *keys, last = name.split(".")
        for key in keys:
            place = place.setdefault(key, {})
        place[last] = value
        if flag == "--lora":
            values["start"]["model"] = "x"
        planned(merged(least, values))


def test_mistakes_are_told(corpus, tmp_path, capfd) -> None:
    for arguments, message in (
        ([], "nothing says what to train"),
        (["--task", "generat"], "no task 'generat'. Did you mean 'generate'?"),
        (["--set", "training.rat=1", *flags(corpus, tmp_path)[1:]], "Did you mean 'rate'?"),
        (["--set", "x", "--task", "chat"], "is not NAME=VALUE"),
        ([tmp_path], "is no folder of a run"),
        ([tmp_path / "none.toml"], "no such file"),
    ):
        assert commands.run(["train", *map(str, arguments)]) == 2
        assert message in capfd.readouterr().err
    missing = flags(corpus, tmp_path / "run", "--data", tmp_path / "none.txt")
    assert commands.run(missing) == 1
    assert "is not there" in capfd.readouterr().err


def test_a_wrong_plan_need_not_wait_for_torch() -> None:
    probe = "import sys; from loquent.commands import run; run(['train', '--task', 'x']); "
    probe += "sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"no task" in done.stderr


def test_an_estimate_in_words_and_json(corpus, tmp_path, capfd) -> None:
    assert commands.run(flags(corpus, tmp_path / "run", "--estimate")) == 0
    assert "about 3 steps" in capfd.readouterr().out
    assert commands.run(flags(corpus, tmp_path / "run", "--estimate", "--json")) == 0
    assert json.loads(capfd.readouterr().out)["steps"] == 3


def long(corpus: Path, out: Path) -> list[str]:
    """A run that takes so long that a signal can reach it."""
    more = ("--steps", 200, "--set", "evaluate.every=0.5")
    return [sys.executable, "-m", "loquent", *flags(corpus, out, *more)]


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of a run that nothing has stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    subprocess.run(
        long(corpus, folder), check=True, capture_output=True, env=ONE_THREAD, timeout=120
    )
    return (folder / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_same_command_goes_on(number, whole, corpus, tmp_path) -> None:
    process = subprocess.Popen(
        long(corpus, tmp_path / "parts"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ONE_THREAD,
    )
    log = tmp_path / "parts" / "log.jsonl"
    end = time.monotonic() + 60
    while not log.exists() or log.read_bytes().count(b"\n") < 20:
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + number, told
    assert b"To go on: loquent train" in told
    assert not (tmp_path / "parts" / "model").exists()
    resumed = [sys.executable, "-m", "loquent", "train", str(tmp_path / "parts")]
    done = subprocess.run(resumed, check=True, capture_output=True, env=ONE_THREAD, timeout=120)
    assert b"goes on from step" in done.stderr
    assert (tmp_path / "parts" / "model" / "model.safetensors").read_bytes() == whole


def test_a_signal_before_the_first_step_ends_at_once() -> None:
    from loquent.commands.train import stopping  # noqa: PLC0415

    with pytest.raises(KeyboardInterrupt), stopping():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    with stopping() as stop:
        stop.arm()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        assert stop.received == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)


def test_python_trains_by_the_same_plans(corpus, tmp_path) -> None:
    values = {
        "task": "generate",
        "data": {"train": str(corpus / "text.txt"), "batch": 4, "length": 16},
        "tokenizer": {"kind": "char"},
        "network": {"layers": 1, "width": 16, "heads": 2},
        "training": {"steps": 2},
        "out": str(tmp_path / "run"),
    }
    result = loquent.train(values)
    assert result.steps == 2
    assert result.validation["loss"].value > 0
    with pytest.raises(UsageError, match="no such file"):
        loquent.train(tmp_path / "none.toml")
