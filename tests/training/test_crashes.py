"""A training that the disk or a signal stops: what was saved stays, and it goes on bit by bit."""

import errno
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loquent.training import checkpoints

STEPS, EVERY = 6, 2


@pytest.fixture(scope="module")
def job(store):
    """The arguments of a short training into a folder."""

    def arguments(run: Path) -> dict[str, object]:
        return {"run": str(run), "store": str(store), "steps": STEPS, "every": EVERY}

    return arguments


@pytest.fixture(scope="module")
def whole(trials, bench, job, tmp_path_factory):
    """What the same training leaves where nothing happens, and the calls that it makes."""
    if trials.library is None:
        pytest.skip("faults are planted by a C compiler, on Linux")
    run = tmp_path_factory.mktemp("whole") / "run"
    outcome = trials.run("learn", job(run), fault=bench("trials").Fault(run))
    assert outcome.statuses == [0], outcome.output
    assert outcome.saved == [2, 4, 6]
    return bench("crashes").left(run, outcome)


def look(run: Path, outcome) -> None:
    """Not without a word, and what was saved before opens without a note."""
    assert outcome.statuses[0] not in (0, 70, -9), outcome.output
    assert f"loquent: {run}" in outcome.output, outcome.output
    notes: list[str] = []
    found = checkpoints.newest(run / "checkpoints", notes.append, clean=False)
    assert notes == []
    if outcome.saved:
        assert found is not None
        assert found.values["step"] >= outcome.saved[-1]


@pytest.mark.parametrize("kind", ["write", "fsync", "rename", "remove", "mkdir"])
def test_whichever_call_fails_the_checkpoint_before_opens(
    kind, trials, bench, job, whole, tmp_path
):
    count = whole.calls[kind]
    assert count >= 3, "the planted faults do not see the calls"
    failed = 0
    for at in range(1, count + 1):
        run = tmp_path / f"{kind}-{at}"
        fault = bench("trials").Fault(run, kind, at, "fail", errno.EIO)
        outcome = trials.run("learn", job(run), fault=fault)
        look(run, outcome)
        assert "Input/output error" in outcome.output
        failed += 1
        if at % 4 == 1 or kind == "rename":  # and it goes on
            again = trials.run("learn", job(run))
            assert again.statuses == [0], again.output
            assert bench("crashes").left(run, again) == whole
            left = [each.name for each in (run / "checkpoints").iterdir()]
            assert all(name.startswith("step-") for name in left), left
        shutil.rmtree(run)
    assert failed == count


def test_a_disk_that_fills_up_at_any_write(trials, bench, job, whole, tmp_path):
    for at in range(1, whole.calls["write"] + 1, 3):
        run = tmp_path / f"full-{at}"
        fault = bench("trials").Fault(run, "write", at, "full", errno.ENOSPC)
        outcome = trials.run("learn", job(run), fault=fault)
        look(run, outcome)
        assert "No space left on device" in outcome.output
        shutil.rmtree(run)


def quiet(command: list[str]) -> bool:
    """Whether a command can be run here."""
    if shutil.which(command[0]) is None:
        return False
    return not subprocess.run(command, capture_output=True, check=False).returncode


def test_a_really_full_disk(store, bench, whole, tmp_path):
    """A small file system in memory, mounted for one process; then a larger one to go on with."""
    script = tmp_path / "full.sh"
    script.write_text(SCRIPT)
    ways = (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"])
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    namespace = next((way for way in ways if quiet([*way, *mount])), None)
    if namespace is None:
        pytest.skip("no file system can be mounted here")
    program = (
        f"import trials; raise SystemExit(trials.learn('RUN', {str(store)!r}, steps=6, every=2))"
    )
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        [*namespace, "sh", str(script), str(disk), sys.executable, program],
        cwd=Path(bench("trials").__file__).parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    told = done.stdout
    assert "saved 2" in told, told + done.stderr
    assert "status 1" in told
    assert f"loquent: {disk}/run" in told
    assert "No space left on device" in told
    after = told.partition("status 1")[2]
    assert "saved 6" in after  # with more room it goes on
    assert "status 0" in after
    assert "damaged" not in told
    wanted = whole.sha256["checkpoints/step-6/state.safetensors"]
    assert wanted in after


SCRIPT = """
mount -t tmpfs -o size=140k tmpfs "$1" || exit 9
program=$(printf %s "$3" | sed "s#RUN#$1/run#")
"$2" -c "$program"; echo "status $?"
mount -o remount,size=10m "$1" || exit 9
"$2" -c "$program"; echo "status $?"
sha256sum "$1/run/checkpoints/step-6/state.safetensors"
"""


@pytest.mark.parametrize(("ranks", "kills"), [(1, 12), (2, 3)])
def test_killed_at_random_moments_it_goes_on_bit_by_bit(
    ranks, kills, trials, bench, store, tmp_path
):
    """The same in small as bench/crashes.py, whose figures are in bench/results/crashes.json."""
    job = {"run": "RUN", "store": str(store), "steps": 12, "every": 3}
    campaign = bench("crashes").Campaign(trials, tmp_path, "learn", job, ranks, random.Random(1))
    survive(campaign, kills)
    assert campaign.most_lost_steps <= 3


def test_the_command_goes_on_too(trials, bench, tmp_path):
    """The very campaign of bench/crashes.py, with few kills."""
    crashes = bench("crashes")
    data = tmp_path / "text.txt"
    data.write_text("To be or not to be, that is the question. " * 200)
    campaign = crashes.Campaign(
        trials, tmp_path, "call", crashes.trained(data), 1, random.Random(2)
    )
    survive(campaign, 4)
    assert campaign.most_lost_steps <= crashes.EVERY


def survive(campaign, kills: int) -> None:
    campaign.kill(kills)
    assert campaign.faults == []
    assert campaign.kills.total() >= kills
    if campaign.trials.library is not None:
        inside = sum(n for what, n in campaign.kills.items() if what.startswith("inside"))
        assert inside >= kills // 3


def test_a_planted_mistake_is_seen(trials, bench, store, tmp_path, monkeypatch):
    """A checkpoint written in place, without a hidden name, does not pass the campaign's look."""
    crashes = bench("crashes")
    campaign = crashes.Campaign(
        trials,
        tmp_path,
        "learn",
        {"run": "RUN", "store": str(store), "steps": 12, "every": 3},
        1,
        random.Random(1),
    )
    run = tmp_path / "run"
    outcome = campaign.start(run)
    assert outcome.statuses == [0], outcome.output
    (run / "checkpoints" / "step-12" / "digests.json").unlink()
    campaign._look(run)
    assert campaign.faults
    assert campaign.most_lost_steps == 3
    ended = crashes.left(run, outcome)
    with (run / "checkpoints" / "step-12" / "state.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    assert crashes.left(run, outcome) != ended


def test_what_fails_by_itself_is_no_kill(bench):
    """Else a rank that is broken would pass for one that was killed, as the others are swept up."""
    crashes, made = bench("crashes"), bench("trials").Outcome
    assert crashes.killed(made([-9], 1.0, "", [], False))
    assert crashes.killed(made([70, -9], 1.0, "", [], False))
    assert crashes.killed(made([-9, -9], 1.0, "", [1], False))
    assert not crashes.killed(made([0, 0], 1.0, "", [], False))
    assert not crashes.killed(made([70, -9], 1.0, "", [1], True))
    assert not crashes.killed(made([-9, -9], 1.0, "", [0, 1], False))
    assert not crashes.killed(made([1, -9], 1.0, "", [], True))
