"""Convolutions along time, and what stands between them, as one step that goes piece by piece.

Numbers that are made of numbers of the same place, or near it, then stay in the processor's cache.
"""

from dataclasses import dataclass, field, replace

from loquent.graphs.links import link_of, slope_of
from loquent.graphs.program import Attribute, Link, Program, Step, pruned

_MOST_ADDED = 3  # values that are added to one link's


@dataclass
class _Growing:
    """A chain as far as it is found: numbers of values by their names in the graph."""

    inputs: list[str]
    slopes: list[float]  # of each value; 1: nobody has asked for it bent yet
    channels: list[int]
    links: list[Link] = field(default_factory=list)
    values: dict[str, tuple[int, bool]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def begin(self, link: Link, step: Step) -> None:
        """A convolution more."""
        self.links.append(link)
        self.slopes.append(1.0)
        self.channels.append(link.outputs)
        self.keep(step, len(self.slopes) - 1)

    def keep(self, step: Step, number: int, *, bent: bool = False) -> None:
        """A step whose result is a value that is there."""
        self.steps.append(step)
        self.values[step.outputs[0]] = (number, bent)

    def link(self, number: int) -> int:
        """The place of the link that makes a value; below 0 where none does."""
        return number - len(self.inputs)


class _Finder:
    """The chains of a program. Convolutions that are `alone` are taken with nothing else."""

    def __init__(self, program: Program, alone: set[str]) -> None:
        self.program, self.alone = program, alone
        self.makers = {name: each for each in program.steps for name in each.outputs}
        self.readers: dict[str, list[Step]] = {name: [] for name in program.outputs}
        for each in program.steps:
            for name in each.inputs:
                self.readers.setdefault(name, []).append(each)
        self.where: dict[str, _Growing] = {}
        self.chains: list[_Growing] = []
        for step in program.steps:
            self._see(step)

    def _see(self, step: Step) -> None:
        if step.kind in ("Conv", "ConvTranspose"):
            self._convolve(step)
        elif step.kind == "LeakyRelu":
            self._bend(step)
        elif step.kind == "Add":
            self._add(step)
        elif step.kind in ("Mul", "Div"):
            self._scale(step)
        elif step.kind == "Tanh":
            self._close(step)

    def _only(self, name: str) -> bool:
        return len(self.readers.get(name, [])) == 1 and name not in self.program.outputs

    def _convolve(self, step: Step) -> None:
        link = link_of(self.program, step)
        if link is None:
            return
        source = step.inputs[0]
        chain = self.where.get(source)
        apart = step.outputs[0] in self.alone or link.stretch > 1
        if chain is None or apart or chain.channels[chain.values[source][0]] != link.channels:
            bending = self.makers.get(source)
            slope = 1.0
            if (
                bending is not None and source not in self.where and self._only(source)
                and bending.kind == "LeakyRelu" and step.outputs[0] not in self.alone
            ):  # fmt: skip
                slope = slope_of(bending)
                source = bending.inputs[0] if slope <= 1 else source
            bent = slope < 1
            chain = _Growing([source], [slope if bent else 1.0], [link.channels])
            self.chains.append(chain)
            chain.begin(replace(link, source=0, bent=bent), step)
        else:
            number, bent = chain.values[source]
            chain.begin(replace(link, source=number, bent=bent), step)
        self.where[step.outputs[0]] = chain

    def _bend(self, step: Step) -> None:
        chain, slope = self.where.get(step.inputs[0]), slope_of(step)
        if chain is None or slope > 1 or step.inputs[0] in self.alone:
            return
        number, bent = chain.values[step.inputs[0]]
        if bent or chain.link(number) < 0 or chain.slopes[number] not in (1.0, slope):
            return
        chain.slopes[number] = slope
        self._kept(chain, step, number, bent=True)

    def _add(self, step: Step) -> None:
        chain = self.where.get(step.inputs[0])
        if chain is None or self.where.get(step.inputs[1]) is not chain:
            return
        (first, one_bent), (second, other_bent) = (chain.values[each] for each in step.inputs)
        later, other = (step.inputs[0], second) if first > second else (step.inputs[1], first)
        number = max(first, second)
        if one_bent or other_bent or first == second or not self._changeable(chain, later):
            return
        link = chain.links[chain.link(number)]
        full = len(link.added) >= _MOST_ADDED or link.stretch > 1 or link.scale != 1
        if full or chain.channels[other] != chain.channels[number]:
            return
        chain.links[chain.link(number)] = replace(link, added=(*link.added, other))
        self._kept(chain, step, number)

    def _scale(self, step: Step) -> None:
        factor = self.program.constants.get(step.inputs[1])
        chain = self.where.get(step.inputs[0])
        if factor is None or factor.size != 1 or factor.ndim > 3 or chain is None:
            return
        if not self._changeable(chain, step.inputs[0]):
            return
        number, _ = chain.values[step.inputs[0]]
        place, value = chain.link(number), float(factor.reshape(-1)[0])
        if value == 0:
            return
        link = chain.links[place]
        scale = link.scale * (value if step.kind == "Mul" else 1 / value)
        chain.links[place] = replace(link, scale=scale)
        self._kept(chain, step, number)

    def _close(self, step: Step) -> None:
        chain = self.where.get(step.inputs[0])
        if chain is None or not self._changeable(chain, step.inputs[0]):
            return
        number, _ = chain.values[step.inputs[0]]
        place = chain.link(number)
        if chain.links[place].stretch == 1:
            chain.links[place] = replace(chain.links[place], tanh=True)
            self._kept(chain, step, number)

    def _changeable(self, chain: _Growing, name: str) -> bool:
        """Whether a link's result may be another one, since only one step reads it."""
        number, bent = chain.values[name]
        place = chain.link(number)
        fits = place >= 0 and not bent and self._only(name) and chain.slopes[number] == 1
        return fits and name not in self.alone and not chain.links[place].tanh

    def _kept(self, chain: _Growing, step: Step, number: int, *, bent: bool = False) -> None:
        chain.keep(step, number, bent=bent)
        self.where[step.outputs[0]] = chain

    def result(self, chain: _Growing) -> str:
        """The one name that others read of a chain; "" where there is not just one."""
        own = {id(each) for each in chain.steps}
        read = [
            name
            for name in chain.values
            if name in self.program.outputs
            or any(id(each) not in own for each in self.readers.get(name, []))
        ]
        fits = len(read) == 1 and chain.values[read[0]][0] == len(chain.slopes) - 1
        return read[0] if fits else ""


def chained(program: Program) -> Program:
    """The same program with chains in place of their steps."""
    found = _Finder(program, set())
    alone = {
        step.outputs[0]
        for chain in found.chains
        if not found.result(chain)
        for step in chain.steps
        if step.kind.startswith("Conv")
    }
    if alone:
        found = _Finder(program, alone)
    made: dict[int, Step] = {}
    for chain in found.chains:
        result = found.result(chain)
        last = next((each for each in chain.steps if result in each.outputs), None)
        if last is not None:
            made[id(last)] = _step(chain, result)
    steps = tuple(made.get(id(each), each) for each in program.steps)
    return pruned(replace(program, steps=steps))


def _step(chain: _Growing, result: str) -> Step:
    links = tuple(
        replace(link, slope=slope)
        for link, slope in zip(chain.links, chain.slopes[len(chain.inputs) :], strict=True)
    )
    attributes: dict[str, Attribute] = {
        "links": links,
        "slope": chain.slopes[0],
        "channels": chain.channels[0],
        "bent": int(chain.values[result][1]),
    }
    return Step("Chain", tuple(chain.inputs), (result,), attributes, chain.steps[0].name)
