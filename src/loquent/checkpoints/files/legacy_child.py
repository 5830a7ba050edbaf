"""Run by itself in a process of its own: turn a pickled PyTorch file into safetensors.

    python -I legacy_child.py SOURCE TARGET

Nothing but plain tensors is unpickled, and an audit hook ends the process at anything else that it
should not do.
"""

import os
import resource
import sys

_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "pty.")
_CHANGING = ("os.remove", "os.rename", "os.rmdir", "os.symlink", "os.link", "os.chmod", "shutil.")


def guard(target: str) -> None:
    """From here on: no processes, no network, no file written but the target."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(_FORBIDDEN) or event.startswith(_CHANGING):
            sys.stderr.write(f"refused {event}\n")
            os._exit(3)
        if event == "open":
            path, mode, flags = arguments
            by_mode = isinstance(mode, str) and bool(set(mode) & set("wax+"))
            by_flags = isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
            if (by_mode or by_flags) and os.fspath(str(path)) not in (target, os.devnull):
                sys.stderr.write("refused to write another file\n")
                os._exit(3)

    sys.addaudithook(hook)


def flat(loaded: object) -> dict[str, object]:
    """The tensors of what was loaded: a mapping, or one inside a training checkpoint."""
    for name in ("state_dict", "model_state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(name), dict):
            loaded = loaded[name]
    return loaded if isinstance(loaded, dict) else {}


def main() -> None:
    """Convert, or leave with a message on stderr."""
    source, target = sys.argv[1:]
    import safetensors.torch  # noqa: PLC0415  before the guard: importing opens files
    import torch  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_CPU, (900, 900))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    guard(target)
    loaded = torch.load(source, map_location="cpu", weights_only=True)
    tensors = {
        name: tensor.detach().contiguous().clone()
        for name, tensor in flat(loaded).items()
        if isinstance(name, str) and isinstance(tensor, torch.Tensor)
    }
    if not tensors:
        sys.stderr.write("holds no tensors\n")
        sys.exit(3)
    with open(target, "wb") as file:  # noqa: PTH123  the hook knows this name
        file.write(safetensors.torch.save(tensors, {"format": "pt"}))


main()
