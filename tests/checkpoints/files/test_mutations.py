"""Two thousand damaged files: none crashes, hangs or eats memory; each error names its place."""

import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EACH = 1000

CHILD = textwrap.dedent(
    """
    import random, resource, sys, time, traceback
    from pathlib import Path
    import numpy as np
    from loquent.checkpoints.files.open import open_container
    from loquent.errors import UserError

    original, folder, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    good = original.read_bytes()
    generator = random.Random(13)
    structure = min(len(good), 700)  # where counts, lengths, names and offsets stand

    def damaged():
        data = bytearray(good)
        kind = generator.choice(["flip", "cut", "number", "repeat", "insert", "text"])
        if kind == "cut":
            return data[: generator.randrange(len(data))]
        for _ in range(generator.choice([1, 1, 2, 8])):
            at = generator.randrange(structure if generator.random() < 0.9 else len(data))
            if kind == "flip":
                data[at] ^= 1 << generator.randrange(8)
            elif kind == "number":
                size = generator.choice([4, 8])
                value = generator.choice([0, 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1, 10**9])
                data[at : at + size] = (value % 256**size).to_bytes(size, "little")
            elif kind == "repeat":
                data[at:at] = data[at : at + generator.randrange(1, 40)]
            elif kind == "insert":
                data[at:at] = bytes(generator.randrange(256) for _ in range(9))
            else:
                data[at : at + 3] = generator.choice([b"999", b"-1,", b"[[[", b'"{"', b"NaN"])
        return data

    path = folder / original.name
    slowest = told = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        path.write_bytes(damaged())
        start = time.perf_counter()
        try:
            container = open_container(path)
            for name in container:
                with np.errstate(all="ignore"):
                    container[name]
        except UserError as fault:
            told += 1
            message = str(fault)
            assert str(path) in message, message
            assert len(message) < 5000
        slowest = max(slowest, time.perf_counter() - start)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(told, slowest, grown)
    """
)


@pytest.mark.parametrize("kind", ["safetensors", "gguf"])
def test_damaged_files(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    original = request.getfixturevalue(f"small_{kind}")
    folder = tmp_path / "damaged"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, original, folder, str(EACH)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, slowest, grown = map(float, done.stdout.split())
    assert told > 0.6 * EACH
    assert slowest < 1.0
    assert grown < 128  # megabytes, above what reading the module itself took


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    from loquent.checkpoints.files.open import open_container  # noqa: PLC0415
    from loquent.errors import CheckpointError  # noqa: PLC0415

    generator = random.Random(1)
    for start in (b"GGUF\x03\0\0\0", b"GGUF", b"\x10\0\0\0\0\0\0\0{", b""):
        for _ in range(50):
            path = tmp_path / "x.safetensors"
            path.write_bytes(start + generator.randbytes(generator.randrange(1, 300)))
            with pytest.raises(CheckpointError):
                open_container(path)
