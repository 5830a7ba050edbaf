"""From a name to a language model that is ready to write."""

from collections.abc import Callable
from pathlib import Path

from loquent.checkpoints import hub, kept
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.engine.drafts import Drafter, Lookup
from loquent.lm.drafting import LOOKUP, draft_network
from loquent.lm.executor import Bits, Executor, Runtime, open_executor
from loquent.lm.lm import KEPT_BYTES, LM


def open(
    name: str | Path,
    *,
    runtime: Runtime = "auto",
    device: str = "cpu",
    bits: Bits = "auto",
    rows: int = 32,
    draft: str | Path | None = LOOKUP,
    kept_bytes: int = KEPT_BYTES,
    offline: bool = False,
    allow_pickle: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
    packing: Callable[[int, int], None] | None = None,
) -> LM:
    """Open a model by its name in the catalogue, a folder, a file, `hf:…` or `package:…`.

    `rows` answers at most are written at a time. `progress` is told of bytes that are fetched,
    `packing` of weights that are packed for the native runtime, once for each model and `bits`.

    In the native runtime prompts that begin alike are read once, of which `kept_bytes` at most are
    kept, and `draft` guesses tokens that the model then checks together: "lookup" from the text
    itself, another name a smaller model of the same tokens, None nothing. Neither changes what is
    written.

    Raises CheckpointError where a model cannot be had or is not executed here, and UsageError where
    `draft` cannot guess for this one.
    """

    def opened(name: str | Path) -> tuple[Checkpoint, Executor]:
        path = hub.resolve(str(name), progress=progress, offline=offline, allow_pickle=allow_pickle)
        place = None if allow_pickle else kept.place_of(path)
        found = kept.find(place) if place is not None else None
        checkpoint = found or Checkpoint.open(path, allow_pickle=allow_pickle)
        executor = open_executor(
            checkpoint, runtime=runtime, device=device, bits=bits, progress=packing
        )
        if place is not None and found is None and executor.runtime == "native":
            kept.keep(checkpoint, place)
        return checkpoint, executor

    checkpoint, executor = opened(name)
    drafter: Drafter | None = Lookup() if draft == LOOKUP else None
    if draft is not None and drafter is None:
        drafter = draft_network(checkpoint, executor, *opened(draft), rows)
    return LM(checkpoint, executor, rows=rows, drafter=drafter, kept_bytes=kept_bytes)
