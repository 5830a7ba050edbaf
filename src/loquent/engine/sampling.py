"""From logits to a token: penalties, then temperature, then cuts, then one draw.

The order is that of transformers: repetition, presence and frequency penalties and biases on the
logits; temperature; top-k; top-p; min-p; typical; the draw.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from loquent.engine.request import Choice, Sampling
from loquent.errors import RequestError

Vector = NDArray[np.float32]  # (V,) or some of it
IMPOSSIBLE = -9999.0  # the log-probability that stands for minus infinity


def generator(seed: int, index: int) -> np.random.Generator:
    """A stream of random numbers for one answer: the same whatever else is being written.

    Philox counts instead of carrying a state (Salmon et al. 2011): seed and index are its key.
    """
    return np.random.Generator(np.random.Philox(key=np.array([seed, index], np.uint64)))


def penalized(
    logits: Vector, sampling: Sampling, prompt: Sequence[int], written: Mapping[int, int]
) -> Vector:
    """Logits (V,) after penalties and biases; `written` counts the tokens of the answer so far.

    Repetition: Keskar et al. 2019, §4.1, over prompt and answer. The others over the answer only.
    """
    repetition = sampling.repetition_penalty
    counted = sampling.presence_penalty != 0 or sampling.frequency_penalty != 0
    if repetition == 1 and not counted and not sampling.logit_bias:
        return logits
    logits = logits.copy()
    if repetition != 1:
        seen = np.unique(np.fromiter((*prompt, *written), np.int64))
        values = logits[seen]
        logits[seen] = np.where(values > 0, values / repetition, values * repetition)
    if counted and written:
        ids = np.fromiter(written, np.int64)
        counts = np.fromiter(written.values(), np.float32)
        logits[ids] -= sampling.presence_penalty + sampling.frequency_penalty * counts
    for token, bias in sampling.logit_bias.items():
        logits[token] += bias
    return logits


def choose(logits: Vector, sampling: Sampling, random: np.random.Generator) -> int:
    """The next token's id, from penalized logits (V,).

    Raises RequestError where the logits are not numbers.
    """
    best = int(np.argmax(logits))
    if not np.isfinite(logits[best]):
        raise RequestError("the network gave no finite logits: its weights are damaged.")
    if sampling.temperature == 0:
        return best
    ids, probabilities = distribution(logits, sampling)
    ends = np.cumsum(probabilities)
    place = int(np.searchsorted(ends, random.random() * ends[-1], side="right"))
    return int(ids[min(place, len(ids) - 1)])


def distribution(
    logits: Vector, sampling: Sampling
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The tokens that may be drawn and their probabilities, the likeliest first if any are cut."""
    scaled = (logits - logits.max()) / np.float32(sampling.temperature)
    masses = np.exp(scaled)
    total = float(masses.sum(dtype=np.float64))
    ids = _likeliest(scaled, masses, total, sampling)
    masses = masses[ids].astype(np.float64)
    if 0 < sampling.top_k < len(ids):
        least = masses[sampling.top_k - 1]
        ids, masses = ids[masses >= least], masses[masses >= least]
        total = float(masses.sum())
    if sampling.top_p < 1:
        before = np.concatenate([[0.0], np.cumsum(masses)[:-1]])
        kept = before < sampling.top_p * total
        ids, masses = ids[kept], masses[kept]
    if sampling.min_p > 0:
        kept = masses >= sampling.min_p * masses[0]
        ids, masses = ids[kept], masses[kept]
    if sampling.typical_p < 1:
        kept = _typical(masses / masses.sum(), sampling.typical_p)
        ids, masses = ids[kept], masses[kept]
    return ids, masses / masses.sum()


def describe(logits: Vector, token: int, alternatives: int | None) -> Choice:
    """A token with its log-probability under raw logits (V,), where alternatives are asked for."""
    if alternatives is None:
        return Choice(token)
    logprobs = log_softmax(logits)
    top = np.argsort(-logprobs, kind="stable")[:alternatives]
    return Choice(
        token,
        _finite(logprobs[token]),
        tuple((int(each), _finite(logprobs[each])) for each in top),
    )


def log_softmax(logits: Vector) -> NDArray[np.float64]:
    """Logarithms of probabilities, (…, V) -> (…, V)."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    made: NDArray[np.float64] = wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return made


def _likeliest(
    scaled: Vector, masses: Vector, total: float, sampling: Sampling
) -> NDArray[np.intp]:
    """Ids in order of their probability: all, or at least those that the cuts can leave.

    Sorting a vocabulary costs more than a small network's step; so only tokens within some distance
    of the best are sorted, and the distance grows until they are enough.
    """
    if sampling.top_k == 0 and sampling.top_p == 1 and sampling.min_p == 0:
        return np.arange(len(scaled))
    distance = 8.0
    while True:
        ids = np.flatnonzero(scaled >= -distance)
        many = 0 < sampling.top_k <= len(ids)
        heavy = sampling.top_p < 1 and masses[ids].sum(dtype=np.float64) > sampling.top_p * total
        likely = sampling.min_p > 0 and np.exp(-distance) < sampling.min_p
        if many or (sampling.top_k == 0 and (heavy or likely)) or len(ids) == len(scaled):
            return ids[np.argsort(-scaled[ids], kind="stable")]
        distance = distance * 2 if distance < 1024 else np.inf


def _typical(probabilities: NDArray[np.float64], mass: float) -> NDArray[np.bool_]:
    """Those whose surprise is nearest to the expected one (Meister et al. 2023, §4)."""
    surprise = -np.log(np.maximum(probabilities, 1e-300))
    shift = np.abs(surprise - (probabilities * surprise).sum())
    order = np.argsort(shift, kind="stable")
    count = int((np.cumsum(probabilities[order]) < mass).sum()) + 1
    kept = np.zeros(len(probabilities), np.bool_)
    kept[order[:count]] = True
    return kept


def _finite(value: np.float64) -> float:
    return float(value) if np.isfinite(value) else IMPOSSIBLE
