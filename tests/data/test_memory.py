"""Memory stays flat: a file much larger than the memory it takes, checked, stored and read."""

import subprocess
import sys
from pathlib import Path

import pytest

MOST_BYTES = 250_000_000  # Python and NumPy take 40 MB of it

CODE = """
import sys
from pathlib import Path
import numpy as np
from loquent.data.check import check
from loquent.data.example import Example
from loquent.data.order import Batches, OrderConfig, Place
from loquent.data.records import records
from loquent.data.store import Store

path = Path(sys.argv[1])
report = check(path)
assert report.records == int(sys.argv[2]) and not report.faults, report.faults
assert report.duplicates.count == 1, report.duplicates
examples = (
    Example(np.frombuffer(each.values["text"].encode(), np.uint8)[::4].astype(np.int32) % 5000,
            index=each.index)
    for each in records(path)
)
store = Store.build(examples, path.with_name("store"))
for order in ("shuffle", "bucket", "pack", "windows"):
    batches = Batches(store, OrderConfig(order=order, length=4096, batch=16, long="cut"))
    for index in range(100):
        batches.at(Place(0, index * (batches.size(0) - 1) // 99))
status = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for its memory")
def test_a_file_of_300_megabytes_takes_no_memory_for_it(tmp_path: Path) -> None:
    text = " ".join(f"word{number}" for number in range(1200))
    path = tmp_path / "large.jsonl"
    count = 0
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < 300_000_000:
            for _ in range(1000):
                file.write(f'{{"text": "{count} {text}", "label": "{count % 7}"}}\n')
                count += 1
        file.write(f'{{"text": "0 {text}", "label": "0"}}\n')
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(path), str(count + 1)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST_BYTES
