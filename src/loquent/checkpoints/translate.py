"""Foreign weights under our names and back, by a family's table; each is read only when asked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.checkpoints.families.family import (
    Again,
    Flat,
    Ignored,
    Interleaved,
    Rows,
    Rule,
    Split,
    Tensors,
    Transpose,
    Without,
)
from loquent.errors import CheckpointError, UserError, nearest, together
from loquent.model.names import Shape, shapes

Array = NDArray[Any]
_NO_ENDINGS: Mapping[str, str] = MappingProxyType({})
_TOLD = 20  # faults; a wrong config.json makes thousands of one kind


class Lazy(Mapping[str, Array]):
    """Arrays by name, each made when it is asked for; `sources` names the tensor of each."""

    def __init__(
        self, makers: Mapping[str, Callable[[], Array]], sources: Mapping[str, str] | None = None
    ) -> None:
        self._makers = makers
        self.sources = sources or {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers  # Mapping's own would read the array

    def __getitem__(self, name: str) -> Array:
        return self._makers[name]()


def translate(
    tensors: Tensors,
    rules: Mapping[str, Rule],
    config: ModelConfig,
    prefix: str = "",
    endings: Mapping[str, str] = _NO_ENDINGS,
) -> tuple[Lazy, dict[str, str]]:
    """Tensors of files under our names, and those that are ignored, with the reason.

    Every tensor is used once. Raises CheckpointError that names each one missing, left over or of
    another shape than the settings ask for; no values are read, but those of tensors that should
    repeat others.
    """
    expected = shapes(config)
    wanted = dict(spelled(rules, config, expected))
    found: dict[str, str] = {}  # name in the table → name in the file
    copies: dict[str, str] = {}  # tensors that repeat others → which of ours
    ignored: dict[str, str] = {}
    faults: list[UserError] = []
    for name in tensors:
        spelled_name = _modern(name, endings)
        full = spelled_name if spelled_name in wanted or not prefix else prefix + spelled_name
        if full in wanted:
            faults += _misfit(tensors, name, wanted[full], expected)
            if full in found:
                faults.append(_fault(f"is there twice: as {found[full]!r} too.", name))
            found[full] = name
            continue
        pattern = _pattern(spelled_name)
        rule = rules.get(pattern) or rules.get(prefix + pattern)
        if isinstance(rule, Ignored):
            ignored[name] = rule.reason
        elif isinstance(rule, Again):
            copies[name] = rule.name
        elif rule == "head.weight" and config.tied:
            copies[name] = _embedding(expected)
        else:
            faults.append(_left_over(name, rule, rules, len(faults)))
    faults += [
        _fault("is missing.", name)
        for name, rule in wanted.items()
        if name not in found and not isinstance(rule, Flat | Without)
    ]
    faults += [] if faults else _unequal(tensors, copies, wanted, found)
    if faults:
        more = [CheckpointError(f"… and {len(faults) - _TOLD} more.")] if faults[_TOLD:] else []
        raise together(CheckpointError, [*faults[:_TOLD], *more])
    makers: dict[str, Callable[[], Array]] = {}
    for full, rule in wanted.items():
        if full in found:
            makers.update(readers(tensors, found[full], rule, expected, config))
        else:
            makers.update((name, _zeros(expected[name])) for name in names_of(rule))
    sources = {
        name: found[full]
        for full, rule in wanted.items()
        for name in names_of(rule)
        if full in found
    }
    repeated = {name: f"{_called(ours)} again" for name, ours in copies.items()}
    return Lazy(makers, sources), ignored | repeated


def spell(
    weights: Mapping[str, Array], rules: Mapping[str, Rule], config: ModelConfig
) -> tuple[Lazy, dict[str, Shape]]:
    """Our weights under a family's names, and the shapes that they will have.

    Raises CheckpointError where the family has no name for one of them.
    """
    expected = shapes(config)
    wanted = dict(spelled(rules, config, expected))
    nameless = set(expected).difference(*(names_of(rule) for rule in wanted.values()))
    if nameless:
        raise CheckpointError(f"the family has no name for {', '.join(sorted(nameless)[:_TOLD])}.")
    repeated = {
        name: rule.name
        for name, rule in rules.items()
        if isinstance(rule, Again) and rule.name in expected
    }
    wanted.update(repeated)
    wanted = {name: rule for name, rule in wanted.items() if not isinstance(rule, Without)}

    def maker(rule: Rule) -> Callable[[], Array]:
        return lambda: joined([weights[name] for name in names_of(rule)], rule)

    return (
        Lazy({name: maker(rule) for name, rule in wanted.items()}),
        {name: stored_shape(rule, expected) for name, rule in wanted.items()},
    )


def spelled(
    rules: Mapping[str, Rule], config: ModelConfig, expected: Mapping[str, Shape]
) -> Iterator[tuple[str, Rule]]:
    """The foreign name of each weight that the settings ask for, and its rule, layers filled in."""
    stacks = [stack for stack in (config.encoder, config.decoder) if stack is not None]
    deepest = max(stack.layers for stack in stacks)
    for pattern, rule in rules.items():
        if isinstance(rule, Ignored | Again):
            continue
        for layer in range(deepest) if _placed(pattern, "0") != pattern else (0,):
            filled = _filled(rule, str(layer))
            if any(name in expected for name in names_of(filled)):
                yield _placed(pattern, str(layer)), filled


def _placed(pattern: str, layer: str) -> str:
    return ".".join(layer if part == "N" else part for part in pattern.split("."))


def _modern(name: str, endings: Mapping[str, str]) -> str:
    for old, new in endings.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _pattern(name: str) -> str:
    return ".".join("N" if part.isdecimal() else part for part in name.split("."))


def _filled(rule: Rule, layer: str) -> Rule:
    if isinstance(rule, Split):
        return Split(tuple(_placed(name, layer) for name in rule.names), rule.transpose)
    if isinstance(rule, str):
        return _placed(rule, layer)
    return rule if isinstance(rule, Ignored) else replace(rule, name=_placed(rule.name, layer))


def names_of(rule: Rule) -> tuple[str, ...]:
    """Our weights in a foreign tensor, one behind the other."""
    if isinstance(rule, Split):
        return rule.names
    if isinstance(rule, str):
        return (rule,)
    return () if isinstance(rule, Ignored | Again) else (rule.name,)


def turned(rule: Rule) -> bool:
    """Whether it is stored as (in, out)."""
    return isinstance(rule, Transpose) or (isinstance(rule, Split) and rule.transpose)


def stored_shape(rule: Rule, expected: Mapping[str, Shape]) -> Shape:
    """The shape of a foreign tensor, of those of our weights in it."""
    parts = [expected[name] for name in names_of(rule) if name in expected]
    if isinstance(rule, Flat):
        return (1, *parts[0])
    skipped = rule.skipped if isinstance(rule, Rows) else 0
    shape = (skipped + sum(part[0] for part in parts), *parts[0][1:])
    return shape[::-1] if turned(rule) else shape


def _misfit(
    tensors: Tensors, name: str, rule: Rule, expected: Mapping[str, Shape]
) -> list[UserError]:
    shape, wanted = tensors.shape(name), stored_shape(rule, expected)
    if shape == wanted:
        return []
    return [_fault(f"has the shape {shape}, but the settings ask for {wanted}.", name)]


def _left_over(name: str, rule: Rule | None, rules: Mapping[str, Rule], told: int) -> UserError:
    if rule is not None:
        return _fault("is left over: the settings describe a network without it.", name)
    advice = nearest(_pattern(name), rules) if told < _TOLD else ""
    return _fault("is left over: the family has no such weight.", name, advice)


def _unequal(
    tensors: Tensors,
    copies: Mapping[str, str],
    wanted: Mapping[str, Rule],
    found: Mapping[str, str],
) -> list[UserError]:
    """Some files store a tied head beside the embedding, or a bias twice: these must be equal."""
    read = {rule: name for name, rule in wanted.items() if isinstance(rule, str)}
    return [
        _fault(f"differs from {_called(ours)}, but the settings call the two tied.", name)
        for name, ours in copies.items()
        if not np.array_equal(tensors[name], tensors[found[read[ours]]])
    ]


def _embedding(expected: Mapping[str, Shape]) -> str:
    own = "decoder.embedding.weight"
    return own if own in expected else "encoder.embedding.weight"


def _called(name: str) -> str:
    return "the embedding" if name.endswith("embedding.weight") else repr(name)


def readers(
    tensors: Tensors,
    foreign: str,
    rule: Rule,
    expected: Mapping[str, Shape],
    config: ModelConfig,
) -> Iterator[tuple[str, Callable[[], Array]]]:
    """Our weights in a foreign tensor, each with what reads it."""
    names = names_of(rule)
    start = 0
    for name in names:
        rows = slice(start, start + expected[name][0]) if len(names) > 1 else slice(None)
        if isinstance(rule, Rows):
            rows = slice(rule.skipped, None)
        start += expected[name][0]

        def read(rows: slice = rows, name: str = name) -> Array:
            array = tensors[foreign]
            array = array.reshape(-1) if isinstance(rule, Flat) else array
            part = (array.T if turned(rule) else array)[rows]
            if not isinstance(rule, Interleaved):
                return part
            stack = config.encoder if name.startswith("encoder.") else config.decoder
            assert stack is not None
            return _halved(part, stack.each_head_width)

        yield name, read


def _halved(array: Array, head_width: int) -> Array:
    """Bring rotated neighbors half a head apart: rows a0 b0 a1 b1 … become a0 a1 … b0 b1 …"""
    pairs = array.reshape(-1, head_width // 2, 2, *array.shape[1:])
    return pairs.swapaxes(1, 2).reshape(array.shape)


def joined(arrays: list[Array], rule: Rule) -> Array:
    """A foreign tensor of our weights in it."""
    array = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    if isinstance(rule, Interleaved):
        raise NotImplementedError("no family is saved with interleaved heads")
    if isinstance(rule, Rows):
        return np.concatenate([np.zeros((rule.skipped, *array.shape[1:]), array.dtype), array])
    if isinstance(rule, Flat):
        return array[None]
    return np.ascontiguousarray(array.T) if turned(rule) else array


def _zeros(shape: Shape) -> Callable[[], Array]:
    return lambda: np.zeros(shape, np.float32)


def _fault(what: str, name: str, advice: str = "") -> UserError:
    return CheckpointError(what, where=f"tensor {name!r}", fix=advice)
