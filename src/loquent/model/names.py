"""The names and shapes of a network's weights (docs/architecture.md), from its settings alone."""

from collections.abc import Iterator

from loquent.architecture import ModelConfig, StackConfig

Shape = tuple[int, ...]


def shapes(config: ModelConfig) -> dict[str, Shape]:
    """Each weight of the network and its shape, in the order in which a pass reads them."""
    made: dict[str, Shape] = {}
    for name, stack in (("encoder", config.encoder), ("decoder", config.decoder)):
        if stack is None:
            continue
        own = not (config.shared and name == "decoder" and config.encoder is not None)
        words = config.source_vocabulary if name == "encoder" else 0
        if own:
            made[f"{name}.embedding.weight"] = (words or config.vocabulary, stack.width)
        made.update((f"{name}.{part}", shape) for part, shape in _stack(stack))
    if config.decoder is not None:  # an encoder alone has no head
        if not config.tied:
            made["head.weight"] = (config.vocabulary, config.decoder.width)
        if config.head_bias:
            made["head.bias"] = (config.vocabulary,)
    return made


def _stack(stack: StackConfig) -> Iterator[tuple[str, Shape]]:
    width = stack.width
    if stack.positions == "learned":
        yield "positions.weight", (stack.length, width)
    if stack.segments:
        yield "segments.weight", (stack.segments, width)
    if stack.embedding_norm:
        yield from _norm("embedding_norm", stack)
    if stack.positions == "relative":
        yield "relative.weight", (stack.relative_buckets, stack.heads)
    for layer in range(stack.layers):
        for name, shape in _layer(stack):
            yield f"layers.{layer}.{name}", shape
    if stack.final_norm:
        yield from _norm("norm", stack)


def _layer(stack: StackConfig) -> Iterator[tuple[str, Shape]]:
    width, inner = stack.width, stack.feedforward
    yield from _norm("attention_norm", stack)
    yield from _attention("attention", stack, width)
    if stack.cross:
        yield from _norm("cross_norm", stack)
        yield from _attention("cross", stack, stack.memory_width or width)
    if inner:
        yield from _norm("feedforward_norm", stack)
        maps = {"up": (inner, width), "down": (width, inner)}
        if stack.gated:
            maps["gate"] = (inner, width)
        for name, shape in maps.items():
            yield from _map(f"feedforward.{name}", shape, stack.feedforward_bias)


def _attention(name: str, stack: StackConfig, memory_width: int) -> Iterator[tuple[str, Shape]]:
    for part, shape in {
        "query": (stack.query_width, stack.width),
        "key": (stack.key_width, memory_width),
        "value": (stack.key_width, memory_width),
    }.items():
        yield from _map(f"{name}.{part}", shape, stack.attention_bias)
    yield from _map(f"{name}.output", (stack.width, stack.query_width), stack.output_bias)


def _norm(name: str, stack: StackConfig) -> Iterator[tuple[str, Shape]]:
    yield from _map(name, (stack.width,), stack.norm == "layer" and stack.norm_bias)


def _map(name: str, shape: Shape, bias: bool) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    if bias:
        yield f"{name}.bias", shape[:1]
