"""Every network equals a plain NumPy execution of its description, head by head.

Rotary frequencies are shared with it: tests/blocks holds those.
"""

import math
from typing import Any

import numpy as np
import torch

from loquent.architecture import ModelConfig, StackConfig, rotary_frequencies
from loquent.model.model import Model, weights

Weights = dict[str, np.ndarray]
LENGTH, SOURCE = 110, 104

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def linear(made: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return x @ made[f"{name}.weight"].T + made.get(f"{name}.bias", 0.0)


def normed(made: Weights, name: str, stack: StackConfig, x: np.ndarray) -> np.ndarray:
    if stack.norm == "layer":
        x = x - x.mean(-1, keepdims=True)
    size = np.sqrt((x**2).mean(-1, keepdims=True) + stack.norm_epsilon)
    return x / size * made[f"{name}.weight"] + made.get(f"{name}.bias", 0.0)


def rotated(stack: StackConfig, x: np.ndarray) -> np.ndarray:
    """Pair (i, i + half) as one complex number, turned by position · frequency."""
    width, half = stack.rotary_width, stack.rotary_width // 2
    angles = np.arange(len(x))[:, None] * np.array(rotary_frequencies(stack.rotary, width))
    turned = (x[:, :half] + 1j * x[:, half:width]) * np.exp(1j * angles) * stack.rotary.magnitude
    return np.concatenate([turned.real, turned.imag, x[:, width:]], axis=-1)


def bucket(stack: StackConfig, offset: int) -> int:
    """Raffel et al. 2020, §2.1: exact near, logarithmic far, half for each direction."""
    count, base = stack.relative_buckets, 0
    if not stack.causal:
        count //= 2
        base = count if offset > 0 else 0
    far = abs(offset) if not stack.causal else max(-offset, 0)
    exact = count // 2
    if far < exact:
        return base + far
    steps = math.log(far / exact) / math.log(stack.relative_distance / exact) * (count - exact)
    return base + min(exact + int(steps + 1e-6), count - 1)


def attention(
    made: Weights, name: str, stack: StackConfig, x: np.ndarray, seen: np.ndarray, bias: Any
) -> np.ndarray:
    """`bias` (H, T, S): what is added to the scores, or None for cross attention."""
    size = stack.each_head_width
    query, keys, values = (
        linear(made, f"{name}.{part}", each)
        for part, each in (("query", x), ("key", seen), ("value", seen))
    )
    heads = []
    for head in range(stack.heads):
        shared = head // (stack.heads // stack.key_heads)
        mine, theirs = (
            slice(head * size, (head + 1) * size),
            slice(shared * size, (shared + 1) * size),
        )
        q, k = query[:, mine], keys[:, theirs]
        if bias is not None and stack.positions == "rotary":
            q, k = rotated(stack, q), rotated(stack, k)
        scores = q @ k.T * (stack.attention_scale or 1 / math.sqrt(size))
        scores = scores if bias is None else scores + bias[head]
        share = np.exp(scores - scores.max(-1, keepdims=True))
        heads.append(share / share.sum(-1, keepdims=True) @ values[:, theirs])
    return linear(made, f"{name}.output", np.concatenate(heads, axis=-1))


def feedforward(made: Weights, name: str, stack: StackConfig, x: np.ndarray) -> np.ndarray:
    inner = linear(made, f"{name}.up", x)
    active = ACTIVATIONS[stack.activation]
    inner = active(linear(made, f"{name}.gate", x)) * inner if stack.gated else active(inner)
    return linear(made, f"{name}.down", inner)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def recurrent_step(
    kind: str, read: np.ndarray, kept: np.ndarray, state: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """One token: what was read and what is kept, both behind their products; (hidden, cell)."""
    hidden, cell = state
    if kind == "rnn":
        return np.tanh(read + kept), cell
    if kind == "gru":
        (reset, update, new), (reset2, update2, new2) = np.split(read, 3), np.split(kept, 3)
        update = sigmoid(update + update2)
        new = np.tanh(new + sigmoid(reset + reset2) * new2)
        return (1 - update) * new + update * hidden, cell
    enter, forget, new, leave = np.split(read + kept, 4)
    cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
    return sigmoid(leave) * np.tanh(cell), cell


def one_way(made: Weights, name: str, way: str, kind: str, x: np.ndarray) -> np.ndarray:
    size = made[f"{name}.{way}recurrent.weight"].shape[1]
    state, states = (np.zeros(size), np.zeros(size)), []
    for each in x:
        read = linear(made, f"{name}.{way}input", each)
        kept = linear(made, f"{name}.{way}recurrent", state[0])
        state = recurrent_step(kind, read, kept, state)
        states.append(state[0])
    return np.stack(states)


def recurrence(made: Weights, name: str, stack: StackConfig, x: np.ndarray, _: Any) -> np.ndarray:
    forward = one_way(made, name, "", stack.mixer, x)
    if stack.causal:
        return forward
    backward = one_way(made, name, "backward_", stack.mixer, x[::-1])[::-1]
    return np.concatenate([forward, backward], axis=1)


def window(weight: np.ndarray, x: np.ndarray, place: int, before: int) -> np.ndarray:
    """Weights (out, in, kernel) over the tokens from `before` before `place` on."""
    total = np.zeros(len(weight))
    for step in range(weight.shape[2]):
        at = place - before + step
        if 0 <= at < len(x):
            total += weight[:, :, step] @ x[at]
    return total


def convolution(made: Weights, name: str, stack: StackConfig, x: np.ndarray, _: Any) -> np.ndarray:
    weight, bias = (made[f"{name}.convolution.{part}"] for part in ("weight", "bias"))
    before = stack.kernel - 1 if stack.causal else stack.kernel // 2
    both = np.stack([window(weight, x, place, before) + bias for place in range(len(x))])
    return both[:, : stack.width] * sigmoid(both[:, stack.width :])


def text_convolution(
    made: Weights, name: str, stack: StackConfig, x: np.ndarray, _: Any
) -> np.ndarray:
    columns, start = [], 0
    for kernel in stack.kernels:
        rows = made[f"{name}.weight"][:, start : start + kernel * stack.width]
        weight = rows.reshape(-1, stack.width, kernel)
        before = (kernel - 1) // 2
        columns.append(np.stack([window(weight, x, at, before) for at in range(len(x))]))
        start += kernel * stack.width
    return ACTIVATIONS[stack.activation](np.concatenate(columns, axis=1) + made[f"{name}.bias"])


def bahdanau(
    made: Weights, name: str, stack: StackConfig, x: np.ndarray, memory: np.ndarray
) -> np.ndarray:
    """Every score on its own (Bahdanau et al. 2015, A.1.2 and A.2.2)."""
    half = memory.shape[1] // 2
    summary = np.concatenate([memory[-1, :half], memory[0, half:]])
    hidden, states = np.tanh(linear(made, f"{name}.start", summary)), []
    for each in x:
        scores = []
        for annotation in memory:
            inner = linear(made, f"{name}.query", hidden) + linear(made, f"{name}.key", annotation)
            scores.append(float(made[f"{name}.score.weight"][0] @ np.tanh(inner)))
        shares = [math.exp(score) for score in scores]
        context = sum(share / sum(shares) * h for share, h in zip(shares, memory, strict=True))
        read = linear(made, f"{name}.input", np.concatenate([each, context]))
        kept = linear(made, f"{name}.recurrent", hidden)
        hidden, _ = recurrent_step("gru", read, kept, (hidden, hidden))
        states.append(hidden)
    return np.stack(states)


MIXERS = {
    "rnn": recurrence,
    "gru": recurrence,
    "lstm": recurrence,
    "conv": convolution,
    "text_conv": text_convolution,
    "bahdanau": bahdanau,
}


def ngrams(made: Weights, name: str, stack: StackConfig, ids: list[int]) -> np.ndarray:
    """Of each token, the vectors of the n-grams that end with it, hashed with whole numbers."""
    x = np.zeros((len(ids), stack.width))
    for size in stack.ngrams:
        for end in range(size, len(ids) + 1):
            number = size
            for token in ids[end - size : end]:
                number = (number * 116049371 + token + 1) % (2**31 - 1)
            x[end - 1] += made[f"{name}.ngrams.weight"][number % stack.buckets]
    return x


def embedded(made: Weights, name: str, config: ModelConfig, ids: list[int]) -> np.ndarray:
    stack = getattr(config, name)
    table = made.get(f"{name}.embedding.weight", made.get("encoder.embedding.weight"))
    x = table[ids] * config.embedding_scale
    x = x + ngrams(made, name, stack, ids) * config.embedding_scale
    if stack.positions == "learned":
        x = x + made[f"{name}.positions.weight"][: len(ids)]
    if stack.positions.startswith("sinusoidal"):
        for place in range(len(ids)):
            for column in range(stack.width):
                angle = place / 10000 ** (column // 2 * 2 / stack.width)
                at = column
                if stack.positions == "sinusoidal_halves":
                    at = column // 2 + column % 2 * math.ceil(stack.width / 2)
                x[place, at] += math.cos(angle) if column % 2 else math.sin(angle)
    if stack.segments:
        x = x + made[f"{name}.segments.weight"][0]
    return normed(made, f"{name}.embedding_norm", stack, x) if stack.embedding_norm else x


def run(
    made: Weights, name: str, config: ModelConfig, ids: list[int], memory: np.ndarray | None
) -> np.ndarray:
    stack = getattr(config, name)
    x = embedded(made, name, config, ids)
    count = len(ids)
    bias = np.zeros((stack.heads, count, count))
    for query in range(count):
        for key in range(count):
            if stack.causal and key > query:
                bias[:, query, key] = -np.inf
            elif stack.positions == "relative":
                bias[:, query, key] = made[f"{name}.relative.weight"][bucket(stack, key - query)]
    mixing = "attention" if stack.mixer == "attention" else "mixer"
    crosses = stack.cross and stack.mixer != "bahdanau"
    parts = [mixing, *["cross"] * crosses, *["feedforward"] * bool(stack.feedforward)]
    for layer in (f"{name}.layers.{index}" for index in range(stack.layers)):
        for part in parts:
            norm = f"{layer}.{part}_norm"
            y = normed(made, norm, stack, x) if stack.norm_place == "pre" else x
            if part == "feedforward":
                y = feedforward(made, f"{layer}.{part}", stack, y)
            elif part == "cross":
                y = attention(made, f"{layer}.{part}", stack, y, memory, None)
            elif part == "attention":
                y = attention(made, f"{layer}.{part}", stack, y, y, bias)
            else:
                y = MIXERS[stack.mixer](made, f"{layer}.{part}", stack, y, memory)
            y = x + y if stack.residual else y
            x = normed(made, norm, stack, y) if stack.norm_place == "post" else y
    return normed(made, f"{name}.norm", stack, x) if stack.final_norm else x


def executed(made: Weights, config: ModelConfig, ids: list[int], source: list[int]) -> np.ndarray:
    both = config.encoder is not None and config.decoder is not None
    memory = run(made, "encoder", config, source, None) if both else None
    name = "encoder" if config.decoder is None else "decoder"
    x = run(made, name, config, ids, memory)
    if config.decoder is None and config.output == "token":
        return x
    if config.head_activation:
        x = ACTIVATIONS[config.head_activation](linear(made, "head.hidden", x))
    if config.head_norm:
        x = normed(made, "head.hidden_norm", config.encoder or config.decoder, x)
    words = config.tied and config.output in ("token", "masked", "ctc")
    table = made.get(f"{name}.embedding.weight", made.get("encoder.embedding.weight"))
    matrix = table if words else made["head.weight"]
    return x * config.logit_scale @ matrix.T + made.get("head.bias", 0.0)


def test_a_network_is_its_description(model: Model) -> None:
    config, generator = model.config, np.random.default_rng(4)
    ids = generator.integers(config.vocabulary, size=LENGTH).tolist()
    words = config.source_vocabulary or config.vocabulary
    source = generator.integers(words, size=SOURCE).tolist()
    read = torch.tensor([source]) if config.encoder and config.decoder else None
    found = model(torch.tensor([ids]), None, read)[0].numpy()
    wanted = executed(weights(model), config, ids, source)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-12 * max(1.0, np.abs(wanted).max())
