"""Packed files with planted faults: refused with the place, or opened and used without harm.

LOQUENT_MUTANTS=5000 tries more; the default takes a few seconds.
"""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from loquent.checkpoints.pack import pack

COUNT = int(os.environ.get("LOQUENT_MUTANTS", "1000"))
SEEDS = (0, 3, 7, 8, 9)  # every kind of positions; two of them have an encoder


def test_mutants_are_refused_with_the_place_or_do_no_harm(tmp_path: Path, builder) -> None:
    configs = [builder.config(seed) for seed in SEEDS]
    configs.append(replace(configs[2], decoder=None))  # an encoder alone
    head = {"head_activation": "gelu", "head_norm": True}
    configs.append(replace(configs[5], output="class", outputs=3, **head))
    configs.append(replace(configs[5], output="masked", **head))
    for number, config in enumerate(configs):
        for bits in (4, 8, 16, 32):
            path = tmp_path / f"{number}-{bits}.loquent"
            pack(config, builder.weights(config, number), path, bits)
    child = Path(__file__).with_name("packed_mutants.py")
    done = subprocess.run(
        [sys.executable, str(child), str(tmp_path), "0", str(COUNT)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if "wrong" in line]
    assert not wrong, f"{len(wrong)} of {len(lines)}:\n" + "\n".join(wrong[:20])
    assert done.returncode == 0, (
        f"ended by {done.returncode} at {lines[-1:]}: {done.stderr[-2000:]}"
    )
    found = Counter(line.split()[1] for line in lines)
    sys.stdout.write(f"{dict(found)}\n")
    assert found.total() == COUNT
    assert found["refused"] > 0.6 * COUNT and found["stepped"] > 0.05 * COUNT
