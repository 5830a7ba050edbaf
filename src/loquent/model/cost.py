"""What a network costs, from its description alone: nothing is built to find out."""

from dataclasses import dataclass
from math import prod

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.names import Shape, head, shapes

_OF_SOURCE = (".cross.key.", ".cross.value.", ".mixer.key.")  # work on the encoder's output
# Of the mixer "bahdanau": one works once a text, the other at each token of the source.
_APART = (".mixer.start.", ".mixer.score.")


@dataclass(frozen=True)
class Cost:
    """Sizes of a network and the work for one token of its decoder (or of an encoder alone).

    Where an encoder reads a sound, its tokens are the states that the convolutions give.

    A source is what the encoder reads for a decoder; without both, its figures are 0.
    """

    parameters: int
    weight_bytes: int
    memory_bytes: int  # of keys and values that one token adds
    source_memory_bytes: int  # the same for one token of the source, as the decoder keeps it
    flops: int  # of one token that sees `context` tokens; a multiplication and an addition are 2
    source_flops: int  # of one token of a source of `source` tokens
    row_memory_bytes: int = 0  # of a text of any length: recurrent states and windows


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
    and, in each layer, two for each value of a head and each token that it sees, twice. An output
    that is made once for a text counts as nothing.
    """
    made = shapes(config)
    parameters = sum(prod(shape) for shape in made.values())
    encoder, decoder = config.encoder, config.decoder
    both = encoder is not None and decoder is not None
    flops, source_flops, of_token, of_source, of_row = 0, 0, 0, 0, 0
    if encoder is not None:
        seen = source if both else context
        read = 2 * _matrices(made, "encoder") + _front(encoder) + _scores(encoder, seen)
        read += len(encoder.ngrams) * encoder.width  # vectors that are added
        flops, source_flops = (0, read) if both else (read, 0)
    if decoder is not None:
        if decoder.mixer == "attention":
            of_token = 2 * decoder.key_width * decoder.layers
        of_source = _source_values(decoder)
        of_row = _row_values(decoder)
        projected = _matrices(made, "decoder", of_source=True)
        flops = 2 * (_matrices(made, "decoder") - projected) + _scores(decoder, context)
        if both:
            flops += _source_scores(decoder, source)
            source_flops += 2 * projected
    return Cost(
        parameters=parameters,
        weight_bytes=parameters * weight_bits // 8,
        memory_bytes=of_token * memory_bits // 8,
        source_memory_bytes=of_source * memory_bits // 8,
        flops=flops + 2 * _head(config),
        source_flops=source_flops,
        row_memory_bytes=of_row * memory_bits // 8,
    )


def _matrices(made: dict[str, Shape], stack: str, *, of_source: bool = False) -> int:
    """Weights of a stack's products; `of_source`: those that work on the encoder's output."""
    return sum(
        prod(shape)
        for name, shape in made.items()
        if name.startswith(f"{stack}.layers.")
        and len(shape) >= 2
        and not any(part in name for part in _APART)
        and (not of_source or any(part in name for part in _OF_SOURCE))
    )


def _front(stack: StackConfig) -> int:
    """Operations of the convolutions over a sound for one of their states."""
    if stack.front is None:
        return 0
    made, each, inputs = 0, stack.front.stride, stack.front.features
    inner = stack.front.width or stack.width
    for kernel, stride in zip(stack.front.kernels, stack.front.strides, strict=True):
        each //= stride
        made += 2 * each * kernel * inputs * inner
        inputs = inner
    made += 2 * inner * stack.width * stack.front.projected
    if stack.positions == "convolution":
        made += 2 * stack.width * stack.width // stack.position_groups * stack.position_kernel
    return made


def _head(config: ModelConfig) -> int:
    """Weights of the head's product, where it is made for each token."""
    rows, _, _ = head(config)
    width = config.top.width
    hidden = width * width if config.head_activation else 0
    return 0 if config.output in ("class", "labels", "embedding") else rows * width + hidden


def _scores(stack: StackConfig, seen: int) -> int:
    return 4 * seen * stack.query_width * stack.layers if stack.mixer == "attention" else 0


def _source_scores(stack: StackConfig, seen: int) -> int:
    if stack.mixer == "bahdanau":
        return 2 * seen * (stack.width + (stack.memory_width or stack.width)) * stack.layers
    return 4 * seen * stack.query_width * stack.layers


def _source_values(stack: StackConfig) -> int:
    if stack.mixer == "bahdanau":
        return (stack.width + (stack.memory_width or stack.width)) * stack.layers
    return 2 * stack.key_width * stack.layers if stack.cross else 0


def _row_values(stack: StackConfig) -> int:
    each = {
        "rnn": stack.width,
        "gru": stack.width,
        "lstm": 2 * stack.width,
        "conv": (stack.kernel - 1) * stack.width,
        "bahdanau": 2 * stack.width,  # where it began, and where it is
    }
    return each.get(stack.mixer, 0) * stack.layers
