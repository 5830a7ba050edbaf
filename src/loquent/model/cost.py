"""What a network costs, from its description alone: nothing is built to find out."""

from dataclasses import dataclass
from math import prod

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.names import shapes


@dataclass(frozen=True)
class Cost:
    """Sizes of a network and the work for one token of its decoder (or of an encoder alone)."""

    parameters: int
    weight_bytes: int
    memory_bytes: int  # of keys and values that one token adds
    flops: int  # of one token that sees `context` others; a multiplication and an addition are 2


def cost(
    config: ModelConfig, *, context: int = 0, weight_bits: int = 32, memory_bits: int = 32
) -> Cost:
    """The cost with weights and memory of so many bits.

    The products of a pass are two operations for each weight of a matrix (Kaplan et al. 2020, §2.1)
    and, in each layer, two for each value of a head and each token that it sees, twice.
    """
    made = shapes(config)
    parameters = sum(prod(shape) for shape in made.values())
    name, stack = ("decoder", config.decoder) if config.decoder else ("encoder", config.encoder)
    assert stack is not None
    matrices = sum(
        prod(shape)
        for weight, shape in made.items()
        if weight.startswith(f"{name}.layers.") and len(shape) == 2 and not _of_memory(weight)
    )
    head = config.vocabulary * stack.width if config.decoder else 0
    return Cost(
        parameters=parameters,
        weight_bytes=parameters * weight_bits // 8,
        memory_bytes=_remembered(stack) * memory_bits // 8 if config.decoder else 0,
        flops=2 * (matrices + head) + 4 * context * stack.query_width * stack.layers,
    )


def _remembered(stack: StackConfig) -> int:
    return 2 * stack.key_width * stack.layers


def _of_memory(name: str) -> bool:
    """Whether a weight works on the encoder's output, once for a whole answer."""
    return ".cross.key" in name or ".cross.value" in name
