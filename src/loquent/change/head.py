"""A new head on a pretrained body: its settings, and weights of which the head's are drawn anew."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig, Output, Pooling
from loquent.errors import CheckpointError, UserError, nearest, together
from loquent.model.names import Shape, shapes

_HEAD = "head."
_DEVIATION = 0.02  # of new maps (Devlin et al. 2019 draw their heads so)


@dataclass(frozen=True)
class HeadReceipt:
    """Which weights a network has anew, and which of the pretrained ones it does not use."""

    new: tuple[str, ...]
    left: tuple[str, ...]

    def line(self) -> str:
        """The same for people."""
        left = f"; not used: {', '.join(self.left)}" if self.left else ""
        return f"new: {', '.join(self.new) or 'nothing'}{left}"


def with_head(
    config: ModelConfig,
    output: Output,
    *,
    outputs: int = 0,
    labels: Sequence[str] = (),
    pooling: Pooling | None = None,
) -> ModelConfig:
    """The same body with another head; `outputs` follow from `labels` where those are given.

    Without `pooling`, a causal stack is read at its last token, which alone has seen all others,
    and any other by the mean. Raises ConfigError for a head that cannot be.
    """
    causal = config.top.causal
    return replace(
        config,
        output=output,
        outputs=outputs or len(labels),
        labels=tuple(labels),
        pooling=pooling or ("last" if causal else "mean"),
        head_activation="",
        head_norm=False,
    )


def headed(
    config: ModelConfig, weights: Mapping[str, NDArray[Any]], *, seed: int = 0
) -> tuple[Mapping[str, NDArray[Any]], HeadReceipt]:
    """A pretrained body's weights with a head drawn for `config`, read on access.

    What they had of a head is left. Raises CheckpointError that names every weight of the body
    which is missing or left over.
    """
    wanted = shapes(config)
    generator = np.random.default_rng(seed)
    new = {
        name: _drawn(name, shape, generator)
        for name, shape in wanted.items()
        if name.startswith(_HEAD)
    }
    faults: list[UserError] = [
        CheckpointError(f"weight {name!r} of the body is missing.", fix=nearest(name, weights))
        for name in wanted
        if name not in new and name not in weights
    ]
    faults += [
        CheckpointError(f"weight {name!r} is left over.", fix=nearest(name, wanted))
        for name in weights
        if name not in wanted and not name.startswith(_HEAD)
    ]
    if faults:
        raise together(CheckpointError, faults[:20])
    left = tuple(name for name in weights if name.startswith(_HEAD))
    return _Picked(list(wanted), new, weights), HeadReceipt(tuple(new), left)


def _drawn(name: str, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
    """A map of small weights, a bias of zeros, a norm of ones."""
    if name.endswith(".bias"):
        return np.zeros(shape, np.float32)
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return (_DEVIATION * generator.standard_normal(shape)).astype(np.float32)


class _Picked(Mapping[str, NDArray[Any]]):
    """Weights of these names, from the new ones or else from the old."""

    def __init__(
        self,
        names: Sequence[str],
        new: Mapping[str, NDArray[Any]],
        old: Mapping[str, NDArray[Any]],
    ) -> None:
        self._names, self._new, self._old = names, new, old

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One weight."""
        return self._new[name] if name in self._new else self._old[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._names)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._names)
