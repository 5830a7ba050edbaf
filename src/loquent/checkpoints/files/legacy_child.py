"""Run by itself in a process of its own: turn a pickled PyTorch file into safetensors.

    python -I legacy_child.py SOURCE TARGET

Nothing but plain tensors is unpickled, and an audit hook ends the process at anything else that it
should not do.
"""

import os
import sys
from typing import NoReturn

_FORBIDDEN: tuple[str, ...] = (
    *("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "pty."),
    *("os.spawn", "os.startfile", "os.kill", "signal.", "ctypes.dlopen", "ctypes.call"),
)
_CHANGING: tuple[str, ...] = (
    *("os.remove", "os.rename", "os.rmdir", "os.symlink", "os.link", "os.chmod", "shutil."),
    *("os.mkdir", "os.truncate", "os.chown", "os.utime", "os.setxattr", "os.removexattr"),
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_TORCH = (2, 10)  # before, weights_only could be led to damage memory (CVE-2026-24747)
_SECONDS = 900
_SPARE_BYTES = 2**26


def guard(target: str) -> None:
    """From here on: no processes, no network, no file written but the target."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(_FORBIDDEN) or event.startswith(_CHANGING):
            sys.stderr.write(f"refused {event}\n")
            os._exit(3)
        if event == "open":
            path, mode, flags = arguments
            by_mode = isinstance(mode, str) and bool(set(mode) & set("wax+"))
            by_flags = isinstance(flags, int) and bool(flags & _WRITING)
            if (by_mode or by_flags) and os.fspath(str(path)) not in (target, os.devnull):
                sys.stderr.write("refused to write another file\n")
                os._exit(3)

    sys.addaudithook(hook)


def limit(memory_bytes: int) -> None:
    """From here on: no more memory than this, and not for ever, where the system can."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  not on Windows

    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def leave(why: str) -> NoReturn:
    """End with a message for the parent."""
    sys.stderr.write(f"{why}\n")
    sys.exit(3)


def flat(loaded: object) -> dict[str, object]:
    """The tensors of what was loaded: a mapping, or one inside a training checkpoint."""
    for name in ("state_dict", "model_state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(name), dict):
            loaded = loaded[name]
    return loaded if isinstance(loaded, dict) else {}


def main() -> None:
    """Convert, or leave with a message on stderr."""
    source, target = sys.argv[1:]
    size = os.stat(source).st_size  # noqa: PTH116  no more is imported than is needed
    import safetensors.torch  # noqa: PLC0415  before the guard: importing opens files
    import torch  # noqa: PLC0415

    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _TORCH:
        leave(f"refused with PyTorch {torch.__version__}, which is too old to be safe")
    limit(2**31 + 8 * size)
    guard(target)
    loaded = torch.load(source, map_location="cpu", weights_only=True)
    found = {
        name: tensor.detach()
        for name, tensor in flat(loaded).items()
        if isinstance(name, str) and isinstance(tensor, torch.Tensor)
    }
    if not found:
        leave("holds no tensors")
    # Many tensors may share one storage; written out, each has its own.
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in found.values())
    if claimed > 4 * size + _SPARE_BYTES:
        leave(f"refused: its tensors claim {claimed} bytes, but the file has {size}")
    tensors = {name: tensor.contiguous().clone() for name, tensor in found.items()}
    with open(target, "wb") as file:  # noqa: PTH123  the hook knows this name
        file.write(safetensors.torch.save(tensors, {"format": "pt"}))


main()
