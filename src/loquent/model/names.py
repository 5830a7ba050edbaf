"""The names and shapes of a network's weights (docs/architecture.md), from its settings alone."""

from collections.abc import Callable, Iterator, Mapping

from loquent.architecture import FrontConfig, Mixer, ModelConfig, SpeechConfig, StackConfig

Shape = tuple[int, ...]
Named = Iterator[tuple[str, Shape]]

PLACES = 5  # values that tell a frame where in its phoneme it stands


def shapes(config: ModelConfig) -> dict[str, Shape]:
    """Each weight of the network and its shape, in the order in which a pass reads them."""
    made: dict[str, Shape] = {}
    for name, stack in (("encoder", config.encoder), ("decoder", config.decoder)):
        if stack is None:
            continue
        own = not (config.shared and name == "decoder" and config.encoder is not None)
        words = config.source_vocabulary if name == "encoder" else 0
        if own and stack.front is None:
            made[f"{name}.embedding.weight"] = (words or config.vocabulary, stack.width)
        made.update((f"{name}.{part}", shape) for part, shape in _stack(stack))
    width = config.top.width
    if config.head_activation:
        made.update(_map("head.hidden", (width, width), True))
    if config.head_norm:
        made.update(_norm("head.hidden_norm", config.top))
    rows, own, bias = head(config)
    if rows and own:
        made["head.weight"] = (rows, width)
    if rows and bias:
        made["head.bias"] = (rows,)
    if config.speech is not None:
        made.update((f"speech.{name}", shape) for name, shape in _speech(config.speech, width))
    return made


def head(config: ModelConfig) -> tuple[int, bool, bool]:
    """How many values the head gives (0: there is none), and if it has its own matrix and a bias.

    Without a matrix of its own it reads the embedding.
    """
    if config.output in ("token", "masked", "ctc"):
        states = config.output == "token" and config.decoder is None  # an encoder alone gives them
        return 0 if states else config.vocabulary, not config.tied, config.head_bias
    if config.output == "embedding":
        return config.outputs, True, False
    return 2 if config.output == "span" else config.outputs, True, True


def _stack(stack: StackConfig) -> Named:
    width = stack.width
    if stack.front is not None:
        yield from _front(stack.front, width)
    if stack.positions == "learned":
        yield "positions.weight", (stack.length, width)
    if stack.positions == "convolution":
        seen = (width // stack.position_groups, stack.position_kernel)
        yield from _map("position_convolution", (width, *seen), True)
    if stack.segments:
        yield "segments.weight", (stack.segments, width)
    if stack.ngrams:
        yield "ngrams.weight", (stack.buckets, width)
    if stack.embedding_norm:
        yield from _norm("embedding_norm", stack)
    if stack.positions == "relative":
        yield "relative.weight", (stack.relative_buckets, stack.heads)
    for layer in range(stack.layers):
        for name, shape in _layer(stack):
            yield f"layers.{layer}.{name}", shape
    if stack.final_norm:
        yield from _norm("norm", stack)


def _front(front: FrontConfig, width: int) -> Named:
    inner, inputs = front.width or width, front.features
    for index, kernel in enumerate(front.kernels):
        yield from _map(f"front.{index}", (inner, inputs, kernel), front.bias)
        if front.norms == "all" or (front.norms == "first" and not index):
            yield from _map(f"front.norms.{index}", (inner,), True)
        inputs = inner
    if front.projection_norm:
        yield from _map("front.projection_norm", (inner,), True)
    if front.projected:
        yield from _map("front.projection", (width, inner), True)


def _layer(stack: StackConfig) -> Named:
    width, inner = stack.width, stack.feedforward
    name = "attention" if stack.mixer == "attention" else "mixer"
    yield from _branch_norm(name, stack)
    for part, shape in _MIXERS[stack.mixer](stack):
        yield f"{name}.{part}", shape
    if stack.cross and stack.mixer != "bahdanau":
        yield from _branch_norm("cross", stack)
        for part, shape in _attention(stack, stack.memory_width or width):
            yield f"cross.{part}", shape
    if inner:
        yield from _branch_norm("feedforward", stack)
        maps = {"up": (inner, width), "down": (width, inner)}
        if stack.gated:
            maps["gate"] = (inner, width)
        for part, shape in maps.items():
            yield from _map(f"feedforward.{part}", shape, stack.feedforward_bias)


def _attention(stack: StackConfig, memory_width: int = 0) -> Named:
    for part, shape in {
        "query": (stack.query_width, stack.width),
        "key": (stack.key_width, memory_width or stack.width),
        "value": (stack.key_width, memory_width or stack.width),
    }.items():
        yield from _map(part, shape, stack.attention_bias)
    yield from _map("output", (stack.width, stack.query_width), stack.output_bias)


def _recurrence(stack: StackConfig) -> Named:
    hidden = stack.hidden_width
    rows = stack.gates * hidden
    for way in ("", "backward_")[: 1 if stack.causal else 2]:
        yield from _map(f"{way}input", (rows, stack.width), True)
        yield from _map(f"{way}recurrent", (rows, hidden), True)


def _convolution(stack: StackConfig) -> Named:
    yield from _map("convolution", (2 * stack.width, stack.width, stack.kernel), True)


def _text_convolution(stack: StackConfig) -> Named:
    yield "weight", (stack.width // len(stack.kernels), sum(stack.kernels) * stack.width)
    yield "bias", (stack.width,)


def _bahdanau(stack: StackConfig) -> Named:
    width, source = stack.width, stack.memory_width or stack.width
    rows = stack.gates * width
    yield "query.weight", (width, width)
    yield "key.weight", (width, source)
    yield "score.weight", (1, width)
    yield "start.weight", (width, source)
    yield from _map("input", (rows, width + source), True)
    yield from _map("recurrent", (rows, width), True)


_MIXERS: Mapping[Mixer, Callable[[StackConfig], Named]] = {
    "attention": _attention,
    "rnn": _recurrence,
    "gru": _recurrence,
    "lstm": _recurrence,
    "conv": _convolution,
    "text_conv": _text_convolution,
    "bahdanau": _bahdanau,
}


def _speech(speech: SpeechConfig, states: int) -> Named:
    width, seen = speech.width, 3 * speech.features
    yield from _map("enter", (width, states), True)
    yield from _blocks("text", speech.text_layers, width)
    yield from _blocks("guess", speech.guess_layers, width)
    yield from _map("guesses", (3, width), True)
    yield from _map("told", (width, 2), True)
    yield from _map("place", (width, PLACES), True)
    yield from _blocks("frame", speech.frame_layers, width)
    yield from _map("features", (speech.features, width), True)
    yield from _map("heard", (width, seen), True)
    yield from _blocks("wave", speech.wave_layers, width)
    yield from _map("spectrum", (2 * speech.frequencies, width), True)


def _blocks(name: str, layers: int, width: int) -> Named:
    """Blocks and the norm behind them."""
    for layer in range(layers):
        yield from _map(f"{name}.{layer}.norm", (width,), True)
        yield from _map(f"{name}.{layer}.up", (2 * width, 3 * width), True)
        yield from _map(f"{name}.{layer}.down", (width, 2 * width), True)
    yield from _map(f"{name}_norm", (width,), True)


def _branch_norm(name: str, stack: StackConfig) -> Named:
    if stack.norm_place != "none":
        yield from _norm(f"{name}_norm", stack)


def _norm(name: str, stack: StackConfig) -> Named:
    yield from _map(name, (stack.width,), stack.norm == "layer" and stack.norm_bias)


def _map(name: str, shape: Shape, bias: bool) -> Named:
    yield f"{name}.weight", shape
    if bias:
        yield f"{name}.bias", shape[:1]
