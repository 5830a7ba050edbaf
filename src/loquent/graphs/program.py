"""What a graph of operators is: steps in order, constants, and names that go in and come out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


MOST_VALUES = 1 << 28  # of one array that a step makes; a sentence of any voice needs far fewer


@dataclass(frozen=True)
class Link:
    """A convolution of a chain: what it reads and adds are values, of which the input is 0."""

    kernel: Array  # (outputs · stretch, channels, taps)
    bias: Array | None
    dilation: int
    stretch: int  # steps that are made of one
    before: int  # zeros; of a stretched one, steps that are cut off
    after: int
    source: int = 0
    bent: bool = False  # negative numbers of the source count `slope` times, which is the source's
    added: tuple[int, ...] = ()
    scale: float = 1.0  # of the sum
    slope: float = 1.0  # for those that read this one bent
    tanh: bool = False

    @property
    def outputs(self) -> int:
        """Channels of the result."""
        return int(self.kernel.shape[0]) // self.stretch

    @property
    def channels(self) -> int:
        """Channels of the source."""
        return int(self.kernel.shape[1])


Attribute = (
    int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | tuple[Link, ...]
    | Array
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One operator: what it reads and what it makes, by name; "" stands for an input left out."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    name: str = ""


@dataclass(frozen=True)
class Program:
    """A graph as a file holds it."""

    constants: Mapping[str, Array]
    steps: tuple[Step, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    where: str = ""  # the file, for errors


class Attributes:
    """The attributes of one step, by name and kind."""

    def __init__(self, values: Mapping[str, Attribute]) -> None:
        self._values = values

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        value = self._values.get(name, default)
        return value if isinstance(value, int) else default

    def real(self, name: str, default: float) -> float:
        """A number."""
        value = self._values.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def text(self, name: str, default: str) -> str:
        """A word."""
        value = self._values.get(name, default)
        return value if isinstance(value, str) else default

    def wholes(self, name: str) -> tuple[int, ...] | None:
        """Whole numbers; None where they are not given."""
        value = self._values.get(name)
        if not isinstance(value, tuple):
            return None
        return tuple(int(each) for each in value if not isinstance(each, Link))

    def links(self) -> tuple[Link, ...]:
        """The convolutions of a chain."""
        value = self._values.get("links")
        given = value if isinstance(value, tuple) else ()
        return tuple(each for each in given if isinstance(each, Link))

    def array(self, name: str) -> Array | None:
        """An array; None where it is not given."""
        value = self._values.get(name)
        return value if isinstance(value, np.ndarray) else None

    def any(self, names: tuple[str, ...]) -> Attribute | None:
        """The first of some names that is given."""
        return next((self._values[name] for name in names if name in self._values), None)


def pruned(program: Program) -> Program:
    """Without steps whose outputs nobody reads."""
    wanted = set(program.outputs)
    kept: list[Step] = []
    for step in reversed(program.steps):
        if any(name in wanted for name in step.outputs):
            kept.append(step)
            wanted.update(step.inputs)
    constants = {name: each for name, each in program.constants.items() if name in wanted}
    return replace(program, constants=constants, steps=tuple(reversed(kept)))
