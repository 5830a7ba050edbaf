"""Pickled files: refused unless allowed, and then read where they can do no harm."""

import io
import os
import pickle
import pickletools
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from loquent.checkpoints.files.open import open_container
from loquent.errors import CheckpointError


def test_a_state_is_read_only_when_allowed(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    weight = torch.randn(4, 3)
    torch.save({"w": weight, "tied": weight, "half": weight.half(), "step": 7}, path)
    with pytest.raises(CheckpointError, match=r"can run code when it is opened.*--allow-pickle"):
        open_container(path)
    container = open_container(path, allow_pickle=True)
    assert set(container) == {"w", "tied", "half"}
    assert np.array_equal(container["w"], weight.numpy())
    assert np.array_equal(container["tied"], container["w"])
    torch.save({"state_dict": {"w": weight}}, path, _use_new_zipfile_serialization=False)
    assert np.array_equal(open_container(tmp_path, allow_pickle=True)["w"], weight.numpy())
    torch.save({"step": 7}, path)
    with pytest.raises(CheckpointError, match="holds no tensors"):
        open_container(path, allow_pickle=True)
    torch.save({"w": torch.zeros(1).expand(100_000_000)}, path)  # one value a hundred million times
    with pytest.raises(CheckpointError, match="its tensors claim 400000000 bytes, but the file"):
        open_container(path, allow_pickle=True)


class Harm:
    """Pickles to a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def zipped(payload: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return out.getvalue()


def tarred(payload: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            info = tarfile.TarInfo(name)
            info.size = len(payload)
            archive.addfile(info, io.BytesIO(payload))
    return out.getvalue()


def legacy(payload: bytes) -> bytes:
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
    return magic + pickle.dumps({"little_endian": True}, 2) + payload


WRAPPED = {"plain": bytes, "zip": zipped, "tar": tarred, "legacy": legacy}


def payloads(canary: Path) -> dict[str, bytes]:
    name = str(canary)
    calls = {
        "system": Harm(os.system, f"touch {name}"),
        "mkdir": Harm(os.mkdir, name),
        "open": Harm(open, name, "w"),
        "eval": Harm(eval, f"open({name!r}, 'w').close()"),
        "exec": Harm(exec, f"open({name!r}, 'w').close()"),
        "popen": Harm(os.popen, f"touch {name}"),
        "import": Harm(__import__, "os"),
        "torch-load": Harm(torch.load, name),
        "numpy-load": Harm(np.load, name),
    }
    made = {}
    for kind, call in calls.items():
        for protocol in (2, 4):
            made[f"{kind}-{protocol}"] = pickle.dumps({"w": call}, protocol)
    made["stack-global"] = pickletools.optimize(pickle.dumps(calls["system"], 5))
    made["reduced-state"] = pickle.dumps({"state_dict": {"w": [calls["exec"]]}}, 2)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("wrapping", WRAPPED)
def test_no_pickle_does_harm(wrapping: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    made = payloads(canary)
    chosen = dict(list(made.items())[:: 2 if wrapping == "zip" else 5])
    for number, (kind, payload) in enumerate(chosen.items()):
        path = tmp_path / f"{number}{['.bin', '.pt', '.pth'][number % 3]}"
        path.write_bytes(WRAPPED[wrapping](payload))
        with pytest.raises(CheckpointError) as caught:
            open_container(path, allow_pickle=True)
        assert str(path) in str(caught.value)
        assert not canary.exists(), kind


def test_the_guard_stops_what_unpickling_does_not(tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    child = Path(open_container.__code__.co_filename).with_name("legacy_child.py")
    head = child.read_text().replace("\nmain()\n", "\n")
    for action in (
        "import socket; socket.socket()",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.fork()",
        f"open({str(tmp_path / 'other')!r}, 'w')",
        f"import os; os.open({str(tmp_path / 'other')!r}, os.O_WRONLY | os.O_CREAT)",
        "import os; os.remove('/nothing')",
        f"import os; os.mkdir({str(tmp_path / 'folder')!r})",
        f"import os; os.open({str(tmp_path / 'other')!r}, os.O_RDONLY | os.O_CREAT)",
        f"import os; os.truncate({str(child)!r}, 10**6)",
        "import os; os.kill(os.getpid(), 0)",
        "import ctypes; ctypes.CDLL(None)",
    ):
        code = f"{head}\nguard({str(tmp_path / 'allowed')!r})\n{action}\nprint('survived')"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 3, action
        assert "refused" in done.stderr
        assert "survived" not in done.stdout
    assert list(tmp_path.iterdir()) == []
    code = f"{head}\nlimit(2**28)\nbytearray(2**30)\nprint('survived')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stderr
    assert "survived" not in done.stdout
