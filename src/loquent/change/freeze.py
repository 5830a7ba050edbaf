"""Which weights learn and which stay still, by globs on their names (docs/architecture.md)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from loquent.errors import ConfigError, UserError, nearest, together


@dataclass(frozen=True)
class Receipt:
    """What was done to a network, and how much of it learns from now on."""

    names: tuple[str, ...]  # of what was changed or frozen
    learned: int  # numbers that learn
    parameters: int  # of all

    def line(self) -> str:
        """The same for people."""
        share = self.learned / self.parameters if self.parameters else 0.0
        return f"{self.learned:,} of {self.parameters:,} parameters learn ({share:.2%})"


def freeze(model: nn.Module, patterns: Sequence[str]) -> Receipt:
    """Let the weights that a glob matches stay as they are; what a later "!glob" matches learns.

    `*` matches dots too: "decoder.layers.0.*", "*.bias"; ["*", "!head.*"] leaves only the head to
    learn. Raises ConfigError that names every pattern which matches nothing, with the nearest
    names, and where nothing would be left to learn.
    """
    weights = dict(model.named_parameters())
    learns = {name: weight.requires_grad for name, weight in weights.items()}
    bare = [pattern.removeprefix("!") for pattern in patterns]
    check(bare, weights)
    for pattern, glob in zip(patterns, bare, strict=True):
        for name in matching(glob, weights):
            learns[name] = pattern.startswith("!")
    if not any(learns.values()):
        raise ConfigError(
            f"freezing {', '.join(patterns)} leaves nothing to learn.",
            fix='Take out what is to learn by a later "!glob".',
        )
    for name, weight in weights.items():
        weight.requires_grad_(learns[name])
    return receipt(model, [name for name in weights if not learns[name]])


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a glob matches, in their order."""
    return [name for name in names if fnmatchcase(name, pattern)]


def check(patterns: Iterable[str], names: Collection[str]) -> None:
    """Raise ConfigError that names every pattern which matches no name, with the nearest ones."""
    kinds = {any_layer(name) for name in names}
    faults: list[UserError] = [
        ConfigError(f"no weight matches {pattern!r}.", fix=nearest(any_layer(pattern), kinds))
        for pattern in patterns
        if not matching(pattern, names)
    ]
    if faults:
        raise together(ConfigError, faults)


def any_layer(name: str) -> str:
    """A name with `*` in place of the layer's number: one for all layers."""
    return ".".join("*" if part.isdecimal() else part for part in name.split("."))


def receipt(model: nn.Module, names: Iterable[str]) -> Receipt:
    """Count what learns in a network."""
    weights = list(model.parameters())  # each once, shared ones too
    return Receipt(
        tuple(names),
        sum(weight.numel() for weight in weights if weight.requires_grad),
        sum(weight.numel() for weight in weights),
    )
