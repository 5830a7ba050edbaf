"""Two machines that share no disk train one network: two network namespaces, joined by a cable."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TEXT = "".join(f"line {number}: {number * 7919 % 1000} and more of it\n" for number in range(300))
ADDRESSES = ("10.213.7.1", "10.213.7.2")


def able() -> bool:
    """Whether this process may make network namespaces."""
    if not shutil.which("ip") or os.geteuid():
        return False
    made = subprocess.run(["ip", "netns", "add", "loquent-try"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", "loquent-try"], capture_output=True, check=False)
    return made.returncode == 0


pytestmark = pytest.mark.skipif(not able(), reason="needs root and network namespaces")


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[Path]]:
    """A folder for each machine, named as its network namespace and its end of the cable."""
    names = [f"lq{os.getpid()}{end}" for end in "ab"]
    commands = [f"ip netns add {name}" for name in names]
    commands.append(
        f"ip link add {names[0]} netns {names[0]} type veth peer name {names[1]} netns {names[1]}"
    )
    for name, address in zip(names, ADDRESSES, strict=True):
        commands.append(f"ip -n {name} addr add {address}/24 dev {name}")
        commands += [f"ip -n {name} link set {each} up" for each in ("lo", name)]
    for command in commands:
        subprocess.run(command.split(), check=True)
    folders = [tmp_path / name for name in names]
    for folder in folders:
        folder.mkdir()
        (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    yield folders
    for name in names:
        subprocess.run(["ip", "netns", "del", name], check=True)


def started(machine: Path, rank: int, steps: int) -> subprocess.Popen[str]:
    """`loquent train` on one machine, as docs/training.md says."""
    launch = f"-m torch.distributed.run --nnodes 2 --node-rank {rank} --nproc-per-node 1"
    launch += f" --master-addr {ADDRESSES[0]} --master-port 29512"
    train = "-m loquent train --task generate --data text.txt --tokenizer char"
    train += f" --network transformer --steps {steps} --set save.every=2 --out run"
    return subprocess.Popen(
        ["ip", "netns", "exec", machine.name, sys.executable, *f"{launch} {train}".split()],
        cwd=machine,
        env={**os.environ, "GLOO_SOCKET_IFNAME": machine.name, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def together(machines: list[Path], steps: int) -> list[tuple[int, str, str]]:
    """Exit status, output and notes of each machine."""
    running = [started(machine, rank, steps) for rank, machine in enumerate(machines)]
    told = [each.communicate(timeout=120) for each in running]
    return [(each.returncode, *both) for each, both in zip(running, told, strict=True)]


def losses(run: Path) -> list[float]:
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_they_learn_what_one_learns_and_go_on_from_the_first_ones_disk(
    machines: list[Path], tmp_path: Path
) -> None:
    for steps in (2, 4):
        for status, _, notes in together(machines, steps):
            assert status == 0, notes[-3000:]
    assert not (machines[1] / "run" / "model").exists()
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "text.txt").write_text(TEXT, encoding="utf-8")
    for steps in (2, 4):
        command = [sys.executable, "-m", "loquent", "train", "--task", "generate", "-q"]
        command += ["--data", "text.txt", "--tokenizer", "char", "--network", "transformer"]
        command += ["--steps", str(steps), "--set", "save.every=2", "--out", "run"]
        subprocess.run(command, cwd=alone, check=True, capture_output=True)
    assert losses(machines[0] / "run") == pytest.approx(losses(alone / "run"), rel=1e-6)


def test_other_data_on_one_of_them_are_refused(machines: list[Path]) -> None:
    (machines[1] / "text.txt").write_text(TEXT + "one line more\n", encoding="utf-8")
    for status, _, notes in together(machines, 2):
        assert status != 0
        assert "1 of 2 processes read other data than the first" in notes
    assert not (machines[0] / "run" / "model").exists()
