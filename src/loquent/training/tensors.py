"""A batch of data as tensors on a device."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loquent.data.batch import Batch


@dataclass(frozen=True)
class TensorBatch:
    """The fields of a Batch of B rows; lengths are None where no row is padded."""

    ids: Tensor  # (B, T), or features (B, F, frames)
    lengths: Tensor | None = None  # (B,)
    targets: Tensor | None = None  # (B, T), -1: not learned
    documents: Tensor | None = None  # (B, T) number of the packed document, -1: padding
    segments: Tensor | None = None  # (B, T) which text of a pair a token is of
    source: Tensor | None = None  # (B, M), or features (B, F, frames)
    source_lengths: Tensor | None = None  # (B,)
    labels: Tensor | None = None  # (B, L), -1: padding

    @classmethod
    def of(cls, batch: Batch, device: str | torch.device) -> "TensorBatch":
        """The same batch on `device`."""
        kind = torch.device(device)
        return cls(
            ids=_moved(batch.ids, kind),
            lengths=_lengths(batch.lengths, batch.ids.shape[-1], kind),
            targets=None if batch.targets is None else _moved(batch.targets, kind),
            documents=None if batch.documents is None else _moved(batch.documents, kind),
            segments=None if batch.segments is None else _moved(batch.segments, kind),
            source=None if batch.source is None else _moved(batch.source, kind),
            source_lengths=(
                None
                if batch.source is None or batch.source_lengths is None
                else _lengths(batch.source_lengths, batch.source.shape[-1], kind)
            ),
            labels=None if batch.labels is None else _moved(batch.labels, kind),
        )


def _lengths(lengths: NDArray[np.int64], longest: int, device: torch.device) -> Tensor | None:
    """None for rows without padding, for which attention is quicker."""
    return None if bool((lengths == longest).all()) else _moved(lengths, device)


def _moved(array: NDArray[np.generic], device: torch.device) -> Tensor:
    kind = np.float32 if array.dtype.kind == "f" else np.int64
    kept = np.ascontiguousarray(array).astype(kind, copy=False)
    if not kept.flags.writeable:  # a view of a file, which a tensor would let be written to
        kept = kept.copy()
    made = torch.from_numpy(kept)
    if device.type == "cuda":
        return made.pin_memory().to(device, non_blocking=True)
    return made.to(device)
