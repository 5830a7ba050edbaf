"""What a graph of operators is: steps in order, constants, and names that go in and come out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Array

MOST_VALUES = 1 << 28  # of one array that a step makes; a sentence of any voice needs far fewer


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
        return tuple(int(each) for each in value) if isinstance(value, tuple) else None

    def array(self, name: str) -> Array | None:
        """An array; None where it is not given."""
        value = self._values.get(name)
        return value if isinstance(value, np.ndarray) else None

    def any(self, names: tuple[str, ...]) -> Attribute | None:
        """The first of some names that is given."""
        return next((self._values[name] for name in names if name in self._values), None)
