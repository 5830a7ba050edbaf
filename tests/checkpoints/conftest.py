"""Named tensors in memory, with the face of those in files."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray


class DictTensors:
    def __init__(self, arrays: Mapping[str, NDArray]) -> None:
        self.arrays = dict(arrays)
        self.read: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def __getitem__(self, name: str) -> NDArray:
        self.read.append(name)
        return self.arrays[name]

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.arrays[name].shape)


@pytest.fixture
def tensors() -> Callable[[Mapping[str, NDArray]], DictTensors]:
    return DictTensors


@pytest.fixture
def random_tensors() -> Callable[[Mapping[str, tuple[int, ...]]], DictTensors]:
    def make(shapes: Mapping[str, tuple[int, ...]]) -> DictTensors:
        generator = np.random.default_rng(0)
        return DictTensors({name: generator.normal(size=shape) for name, shape in shapes.items()})

    return make
