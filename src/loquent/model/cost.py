"""What a network costs, from its description alone: nothing is built to find out."""

from dataclasses import dataclass
from math import prod

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.names import Shape, shapes


@dataclass(frozen=True)
class Cost:
    """Sizes of a network and the work for one token of its decoder (or of an encoder alone).

    A source is what the encoder reads for a decoder; without both, its figures are 0.
    """

    parameters: int
    weight_bytes: int
    memory_bytes: int  # of keys and values that one token adds
    source_memory_bytes: int  # the same for one token of the source, as the decoder keeps it
    flops: int  # of one token that sees `context` tokens; a multiplication and an addition are 2
    source_flops: int  # of one token of a source of `source` tokens


def cost(
    config: ModelConfig,
    *,
    context: int = 0,
    source: int = 0,
    weight_bits: int = 32,
    memory_bits: int = 32,
) -> Cost:
    """The cost with weights and memory of so many bits.

    The products of a pass are two operations for each weight of a matrix (Kaplan et al. 2020, §2.1)
    and, in each layer, two for each value of a head and each token that it sees, twice.
    """
    made = shapes(config)
    parameters = sum(prod(shape) for shape in made.values())
    encoder, decoder = config.encoder, config.decoder
    both = encoder is not None and decoder is not None
    flops, source_flops, remembered = 0, 0, 0
    if encoder is not None:
        seen = source if both else context
        read = 2 * _matrices(made, "encoder") + _scores(encoder, seen)
        flops, source_flops = (0, read) if both else (read, 0)
    if decoder is not None:
        remembered = 2 * decoder.key_width * decoder.layers
        projected = _matrices(made, "decoder", of_memory=True)
        head = config.vocabulary * decoder.width
        flops = 2 * (_matrices(made, "decoder") - projected + head) + _scores(decoder, context)
        if both:
            flops += _scores(decoder, source)
            source_flops += 2 * projected
    return Cost(
        parameters=parameters,
        weight_bytes=parameters * weight_bits // 8,
        memory_bytes=remembered * memory_bits // 8,
        source_memory_bytes=remembered * memory_bits // 8 if both else 0,
        flops=flops,
        source_flops=source_flops,
    )


def _matrices(made: dict[str, Shape], stack: str, *, of_memory: bool = False) -> int:
    """Weights of a stack's products; `of_memory`: those that work on the encoder's output."""
    parts = (".cross.key.", ".cross.value.") if of_memory else ("",)
    return sum(
        prod(shape)
        for name, shape in made.items()
        if name.startswith(f"{stack}.layers.")
        and len(shape) == 2
        and any(part in name for part in parts)
    )


def _scores(stack: StackConfig, seen: int) -> int:
    return 4 * seen * stack.query_width * stack.layers
