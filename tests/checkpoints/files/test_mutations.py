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
    import random, re, sys, time
    from pathlib import Path
    import numpy as np
    from loquent.checkpoints.files.open import open_container
    from loquent.errors import UserError

    def peak():
        # Not ru_maxrss: that one is inherited from the process that started this one.
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1])

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

    place = re.compile(r"byte \\d|tensor '|key '|is empty|is no file of weights|is a pickled")
    path = folder / original.name
    slowest = told = 0
    before = peak()
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
            assert message.startswith(str(path))
            assert place.search(message, len(str(path))), message
            assert len(message) < 5000
        slowest = max(slowest, time.perf_counter() - start)
    grown = (peak() - before) / 1024
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


LARGE = textwrap.dedent(
    """
    import re, resource, sys, time
    from pathlib import Path
    from loquent.checkpoints.files.open import open_container
    from loquent.errors import CheckpointError

    resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))

    def peak():
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1])

    before, start, told = peak(), time.process_time(), "opened"
    try:
        open_container(Path(sys.argv[1]))
    except CheckpointError as fault:
        told = str(fault)
    print((peak() - before) // 1024, time.process_time() - start, told[:300])
    """
)


def entries() -> bytes:
    inner = b'{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    return b"{" + b",".join(b'"%06d":%b' % (number, inner) for number in range(260_000)) + b"}"


def headed(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


BOMBS = {
    "entries": (lambda: headed(entries()), "over 65536 tensors"),
    "twice": (lambda: headed(entries()[:-1] + b"," + entries()[1:60] + b"}"), "over 65536 tensors"),
    "lists": (lambda: headed(b'{"a":[' + b",".join([b"[]"] * 5_000_000) + b"]}"), "not JSON"),
    "zeros": (
        lambda: headed(b'{"a":{"shape":[' + b",".join([b"0"] * 8_000_000) + b"]}}"),
        "says too much",
    ),
    "notes": (
        lambda: headed(
            b'{"__metadata__":{' + b",".join(b'"%06d":""' % n for n in range(1_200_000)) + b"}}"
        ),
        "says too much",
    ),
    "index": (
        lambda: b'{"a":[' + b",".join([b"[]"] * 5_000_000) + b'],"weight_map":{"x":"../y"}}',
        "not a bare file name",
    ),
    "names": (
        lambda: b'{"weight_map":{' + b",".join(b'"%06d":"x"' % n for n in range(1_000_000)) + b"}}",
        "larger than an index can be",
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_little_text_does_not_become_much_memory(kind: str, tmp_path: Path) -> None:
    make, message = BOMBS[kind]
    index = kind in ("index", "names")
    path = tmp_path / f"model.safetensors{'.index.json' * index}"
    path.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", LARGE, tmp_path if index else path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    megabytes, seconds, told = done.stdout.split(" ", 2)
    assert message in told
    assert str(path) in told
    assert int(megabytes) < path.stat().st_size / 2**20 + 128
    assert float(seconds) < 3  # of the processor; a second where nothing else runs


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
