"""A graph is executed: step by step, with what does not depend on its inputs computed once."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from loquent.errors import CheckpointError, RequestError
from loquent.graphs.elementwise import Operator
from loquent.graphs.fusing import fused
from loquent.graphs.maps import Precision
from loquent.graphs.operators import OPERATORS, RANDOM
from loquent.graphs.program import Array, Attributes, Program, Step

FAULTS = (ValueError, IndexError, TypeError, KeyError, NotImplementedError)  # of NumPy


def folded(program: Program) -> Program:
    """The program without the steps whose inputs are all constants; their results are constants.

    Raises CheckpointError for operators that are not executed, and for what nothing makes.
    """
    unknown = {each.kind for each in program.steps} - set(OPERATORS) - set(RANDOM)
    if unknown:
        raise CheckpointError(
            f"needs operators that are not executed: {', '.join(sorted(unknown))}.",
            where=program.where,
        )
    values = dict(program.constants)
    known = set(values) | set(program.inputs)
    left: list[Step] = []
    for step in program.steps:
        _known(program, step.inputs, known)
        known.update(step.outputs)
        if step.kind in RANDOM or any(each and each not in values for each in step.inputs):
            left.append(step)
            continue
        try:
            operator = OPERATORS[step.kind](Attributes(step.attributes))
            _keep(values, step, operator(*(values.get(each) for each in step.inputs)))
        except FAULTS as fault:
            raise _fault(program, step, fault) from fault
    _known(program, program.outputs, known)
    return replace(program, constants=values, steps=tuple(left))


class Runner:
    """A program made ready to run."""

    def __init__(
        self, program: Program, *, fuse: bool = True, precision: Precision = "float"
    ) -> None:
        """Raises CheckpointError as `folded` does; without `fuse` every step is as in the file.

        `precision` is that of the maps with fixed weights.
        """
        program = folded(program)
        self._program = fused(program, precision) if fuse else program
        self._steps: list[tuple[Step, Operator | None]] = []
        for step in self._program.steps:
            try:
                operator = None
                if step.kind not in RANDOM:
                    operator = OPERATORS[step.kind](Attributes(step.attributes))
            except FAULTS as fault:
                raise _fault(program, step, fault) from fault
            self._steps.append((step, operator))
        self._released = self._last_uses()

    @property
    def inputs(self) -> tuple[str, ...]:
        """What `run` wants, by name."""
        return self._program.inputs

    def run(
        self, given: Mapping[str, Array], random: np.random.Generator | None = None
    ) -> dict[str, Array]:
        """The outputs by name; `random` draws what the graph draws.

        Raises RequestError where an input is missing, and CheckpointError with the step that
        cannot be executed with these inputs.
        """
        missing = [each for each in self.inputs if each not in given]
        if missing:
            raise RequestError(f"the graph needs the inputs {', '.join(missing)}.")
        values = dict(self._program.constants)
        values.update(given)
        for (step, operator), released in zip(self._steps, self._released, strict=True):
            inputs = [values[name] if name else None for name in step.inputs]
            try:
                made = operator(*inputs) if operator else _drawn(step, inputs[0], random)
            except FAULTS as fault:
                raise _fault(self._program, step, fault) from fault
            _keep(values, step, made)
            for name in released:
                del values[name]
        return {name: values[name] for name in self._program.outputs}

    def _last_uses(self) -> list[list[str]]:
        """What each step is the last one to read, so that its memory is free again."""
        kept = {*self._program.outputs, *self._program.constants}
        last: dict[str, int] = {}
        for place, (step, _) in enumerate(self._steps):
            last.update(dict.fromkeys((*step.inputs, *step.outputs), place))
        released: list[list[str]] = [[] for _ in self._steps]
        for name, place in last.items():
            if name and name not in kept:
                released[place].append(name)
        return released


def _known(program: Program, names: tuple[str, ...], known: set[str]) -> None:
    lacking = [each for each in names if each and each not in known]
    if lacking:
        raise CheckpointError(
            f"a step reads {lacking[0]!r}, which nothing makes.", where=program.where
        )


def _fault(program: Program, step: Step, fault: Exception) -> CheckpointError:
    return CheckpointError(
        f"step {step.name!r} ({step.kind}) cannot be executed: {str(fault)[:200]}.",
        where=program.where,
    )


def _keep(values: dict[str, Array], step: Step, made: Array | tuple[Array, ...]) -> None:
    several = made if isinstance(made, tuple) else (made,)
    for name, value in zip(step.outputs, several, strict=False):
        if name:
            values[name] = np.asarray(value)


def _drawn(step: Step, like: Array | None, random: np.random.Generator | None) -> Array:
    """Values of a normal distribution, in the shape of another array."""
    attributes = Attributes(step.attributes)
    assert like is not None
    generator = random or np.random.default_rng()
    made = generator.standard_normal(like.shape, np.float32)
    return made * np.float32(attributes.real("scale", 1)) + np.float32(attributes.real("mean", 0))
