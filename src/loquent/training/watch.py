"""What may not go on: numbers that are none, ids that no embedding has, memory that is short."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loquent.architecture import ModelConfig
from loquent.data.batch import Batch
from loquent.errors import DataError, UserError

_TOLD = 8  # names or examples in one message


class TrainingError(UserError):
    """The training cannot go on; the weights are as they were before the step."""


def finite(tensors: Iterable[Tensor]) -> bool:
    """Whether there is no NaN and no infinity in any of them."""
    kept = list(tensors)
    return all(
        math.isfinite(norm) or bool(torch.isfinite(each).all())  # squares can overflow
        for norm, each in zip(norms(kept), kept, strict=True)
    )


def norms(tensors: Iterable[Tensor]) -> list[float]:
    """The Euclidean norm of each tensor, which is NaN or infinite where one of its values is."""
    kept = [each.detach() for each in tensors]
    if not kept:
        return []
    made: list[float] = torch.stack(torch._foreach_norm(kept)).tolist()
    return made


def faulty(tensors: Mapping[str, Tensor]) -> list[str]:
    """What is wrong with which tensor: its name, what it holds and where that is first."""
    told = []
    for name, tensor in tensors.items():
        wrong = ~torch.isfinite(tensor)
        if bool(wrong.any()):
            place = tuple(wrong.nonzero()[0].tolist())
            first = float(tensor[place])
            told.append(f"{name!r} has {first} at {list(place)} ({int(wrong.sum())} such values)")
    return told


def not_finite(
    step: int, kind: str, tensors: Sequence[str], examples: NDArray[np.int64] | Sequence[int]
) -> TrainingError:
    """The error about a loss, a gradient or weights of a step, with the guilty examples."""
    what = f"{kind} not finite: {_listed(tensors)}." if tensors else f"{kind} not finite."
    which = f" Examples: {_listed([str(each) for each in examples])}." if len(examples) else ""
    return TrainingError(
        f"the {what}{which} No weight was changed by this step.",
        where=f"step {step}",
        fix="Look at these examples; a lower rate, a longer warmup or a lower clip may help.",
    )


def check_ids(batch: Batch, config: ModelConfig) -> None:
    """Raise DataError for ids and labels that the network has no row for, with their examples."""
    read = config.vocabulary if config.decoder else config.source_vocabulary or config.vocabulary
    sources = config.source_vocabulary or config.vocabulary
    classes = config.outputs if config.output in ("class", "tags") else config.vocabulary
    classes = {"labels": 2, "speech": 2**31}.get(config.output, classes)
    arrays = (
        ("token", batch.ids, read),
        ("target", batch.targets, config.vocabulary),
        ("segment", batch.segments, config.top.segments or 2**31),
        ("source token", batch.source, sources),
        ("label", batch.labels, batch.ids.shape[1] if config.output == "span" else classes),
    )
    for name, array, limit in arrays:
        if array is None or not array.size or array.dtype.kind == "f":  # features of a sound
            continue
        if int(array.max()) < limit:
            continue
        row = int((array >= limit).any(axis=tuple(range(1, array.ndim))).argmax())
        raise DataError(
            f"{name} {int(array[row].max())} is beyond the last, {limit - 1}.",
            where=f"example {int(batch.examples[row])}",
        )


def memory_is_short(fault: BaseException) -> bool:
    """Whether this is how torch or NumPy say that memory is short."""
    if isinstance(fault, torch.OutOfMemoryError | MemoryError):
        return True
    told = str(fault).lower()
    return isinstance(fault, RuntimeError) and any(each in told for each in _SHORT)


_SHORT = ("not enough memory", "can't allocate memory", "cannot allocate memory")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more
