"""Two real processes that torchrun starts learn what one learns."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from loquent.errors import ConfigError
from loquent.training import ranks
from loquent.training.ranks import ALONE, ranks_of

WORKER = Path(__file__).with_name("rank_worker.py")


@pytest.fixture(scope="module")
def worker():
    spec = importlib.util.spec_from_file_location("rank_worker", WORKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> list[dict]:
    """What two ranks found."""
    folder = tmp_path_factory.mktemp("ranks")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, str(WORKER), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("case", ["adamw", "micro", "adafactor", "sharded", "sharded micro"])
def test_two_ranks_are_one_process(case, results, worker):
    alone = worker.trained(ALONE, **worker.CASES[case])
    for found in results:
        assert found["count"] == 2
        for ours, theirs in zip(found[case]["seen"], alone["seen"], strict=True):
            assert ours == pytest.approx(theirs, rel=1e-9)
        for name, weight in alone["weights"].items():
            torch.testing.assert_close(
                torch.tensor(found[case]["weights"][name]),
                torch.tensor(weight),
                rtol=1e-6,
                atol=1e-8,
                msg=f"{case}: {name}",
            )
        losses, count, hits = found[case]["judged"]
        if not case.startswith("sharded"):  # where ranks are filled up with rows that count nothing
            assert losses == pytest.approx(alone["judged"][0], rel=1e-6)
        assert sum(losses) == pytest.approx(sum(alone["judged"][0]), rel=1e-6)
        assert [count, hits] == alone["judged"][1:]


def test_a_fault_on_one_rank_stops_all(results):
    assert all("not finite" in found["broken"] for found in results)
    assert "'decoder.norm.weight' has nan" in results[1]["broken"]


def test_ranks_agree_on_the_end_of_a_time_budget(results):
    assert results[0]["timed"] == results[1]["timed"] > 1


def test_one_process_is_alone():
    with ranks_of("cpu", {}) as (found, device):
        assert found is ALONE
        assert device == "cpu"
    with ranks_of("cuda", {"WORLD_SIZE": "1", "RANK": "0"}) as (found, device):
        assert (found.rank, found.count, device) == (0, 1, "cuda")


def test_a_part_of_the_variables_of_torchrun_is_refused():
    told = pytest.raises(ConfigError, match=r"MASTER_ADDR, MASTER_PORT is not.*torchrun")
    with told, ranks_of("cpu", {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}):
        pass


def test_buckets_hold_neighbors_of_one_type(monkeypatch):
    monkeypatch.setattr(ranks, "_BUCKET_BYTES", 32)
    tensors = [
        torch.zeros(4),
        torch.zeros(3),
        torch.zeros(9),
        torch.zeros(2),
        torch.zeros(2).half(),
    ]
    sizes = [[len(each) for each in bucket] for bucket in ranks._buckets(tensors)]
    assert sizes == [[4, 3], [9], [2], [2]]
