"""From logits to a token: penalties, then temperature, then cuts, then one draw.

The order is that of transformers: repetition, presence and frequency penalties and biases on the
logits; temperature; top-k; top-p; min-p; typical; the draw.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from loquent.engine.philox import Philox
from loquent.engine.request import Choice, Sampling
from loquent.errors import RequestError

Vector = NDArray[np.float32]  # (V,) or some of it
Scores = NDArray[np.floating]  # the same of logits or of log-probabilities
IMPOSSIBLE = -9999.0  # the least log-probability told, minus infinity included
_COLUMNS = 256  # into which scores are put to see fast which are none of the largest
_COLDEST = 1e-6  # a lower temperature draws the same, and would divide by zero in single precision


def generator(seed: int, index: int) -> Philox:
    """A stream of random numbers for one answer: the same whatever else is being written."""
    return Philox(seed, index)


def penalized(
    logits: Scores, sampling: Sampling, prompt: Sequence[int], written: Mapping[int, int]
) -> Scores:
    """Logits (V,) after penalties and biases; `written` counts the tokens of the answer so far.

    Repetition: Keskar et al. 2019, §4.1, over prompt and answer. The others over the answer only.
    """
    repetition = sampling.repetition_penalty
    counted = sampling.presence_penalty != 0 or sampling.frequency_penalty != 0
    if repetition == 1 and not counted and not sampling.logit_bias:
        return logits
    logits = logits.copy()
    if repetition != 1:
        seen = np.fromiter(chain(prompt, written), np.int64)  # twice the same is written once
        values = logits[seen]
        logits[seen] = np.where(values > 0, values / repetition, values * repetition)
    if counted and written:
        ids = np.fromiter(written, np.int64)
        counts = np.fromiter(written.values(), np.float32)
        logits[ids] -= sampling.presence_penalty + sampling.frequency_penalty * counts
    for token, bias in sampling.logit_bias.items():
        logits[token] += bias
    return logits


def choose(logits: Scores, sampling: Sampling, random: Philox) -> int:
    """The next token's id, from penalized logits (V,).

    Raises RequestError where the logits are not numbers.
    """
    best = int(np.argmax(logits))
    check_possible(float(logits[best]))
    if sampling.temperature == 0:
        return best
    ids, probabilities = distribution(logits, sampling)
    ends = np.cumsum(probabilities)
    place = int(np.searchsorted(ends, random.random() * ends[-1], side="right"))
    return int(ids[min(place, len(ids) - 1)])


def check_possible(best: float) -> None:
    """Raise RequestError where the largest of some logits or scores is no number."""
    if best == -np.inf:
        raise RequestError(
            "no token can be written next.",
            fix="Relax what rules them out: banned, min_tokens, no_repeat_ngram.",
        )
    if not np.isfinite(best):
        raise RequestError("the network gave no finite logits: its weights are damaged.")


def distribution(
    logits: Scores, sampling: Sampling
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The tokens that may be drawn, in the order of their ids, and their probabilities."""
    with np.errstate(over="ignore"):  # masks of the lowest number there is
        scaled = (logits - logits.max()) / np.float32(max(sampling.temperature, _COLDEST))
    masses = np.exp(scaled)
    total = float(masses.sum(dtype=np.float64))
    ids = _candidates(scaled, masses, total, sampling)
    masses = masses[ids].astype(np.float64)
    if sampling.top_k > 0:
        total = float(masses.sum())
    if sampling.top_p < 1:
        kept = _nucleus(masses, sampling.top_p * total)
        ids, masses = ids[kept], masses[kept]
    if sampling.min_p > 0:
        kept = masses >= sampling.min_p * masses.max()
        ids, masses = ids[kept], masses[kept]
    if sampling.typical_p < 1:
        kept = _typical(masses / masses.sum(), sampling.typical_p)
        ids, masses = ids[kept], masses[kept]
    return ids, masses / masses.sum()


def describe(logits: Vector, token: int, alternatives: int | None) -> Choice:
    """A token with its log-probability under raw logits (V,), where alternatives are asked for."""
    if alternatives is None:
        return Choice(token)
    total = float(log_total(logits)[0])
    top = np.flatnonzero(logits >= largest(logits, max(alternatives, 1)))
    top = top[np.argsort(-logits[top], kind="stable")][:alternatives]
    return Choice(
        token,
        max(float(logits[token]) - total, IMPOSSIBLE),
        tuple((int(each), max(float(logits[each]) - total, IMPOSSIBLE)) for each in top),
    )


def watched(logits: Scores, ids: Sequence[int]) -> tuple[float, ...]:
    """The log-probabilities of some ids under raw logits (V,)."""
    if not ids:
        return ()
    told = log_softmax(logits)[list(ids)]
    return tuple(max(float(each), IMPOSSIBLE) for each in told)


def log_softmax(logits: Scores) -> NDArray[np.float64]:
    """Logarithms of probabilities, (…, V) -> (…, V)."""
    return logits.astype(np.float64) - log_total(logits)


def log_total(logits: Scores) -> NDArray[np.float64]:
    """Logarithm of the sum of exponentials, (…, V) -> (…, 1)."""
    best = logits.max(axis=-1, keepdims=True)
    sums = np.exp(logits - best).sum(axis=-1, keepdims=True, dtype=np.float64)
    total: NDArray[np.float64] = best + np.log(sums)
    return total


def _candidates(
    scaled: Scores, masses: Scores, total: float, sampling: Sampling
) -> NDArray[np.intp]:
    """Ids that the cuts can leave, so that only few are sorted: exactly those of top-k, if asked.

    All tokens under (1 - p) / V of the total weigh less than 1 - p together: top-p drops them.
    """
    if sampling.top_k > 0:
        return np.flatnonzero(scaled >= largest(scaled, sampling.top_k))
    least = (1 - sampling.top_p) * total / len(masses)
    return np.flatnonzero(masses >= max(least, sampling.min_p) * (1 - 1e-6))  # for rounding


def largest(values: NDArray[np.floating], rank: int) -> float:
    """The value at this rank, counted from the largest as 1; the least where there are fewer."""
    if rank <= _COLUMNS // 4 and len(values) > 8 * _COLUMNS:
        columns = values[len(values) % _COLUMNS :].reshape(-1, _COLUMNS).max(axis=0)
        least = np.partition(columns, _COLUMNS - rank)[_COLUMNS - rank]
        if not np.isnan(least):  # so many are at least this, and few others
            values = values[values >= least]
    place = max(len(values) - rank, 0)
    return float(np.partition(values, place)[place])


def _nucleus(masses: NDArray[np.float64], enough: float) -> NDArray[np.bool_]:
    """The fewest of the largest that hold `enough` together; of equal ones the first."""
    ordered = np.sort(masses)[::-1]
    count = min(int(np.searchsorted(np.cumsum(ordered), enough)) + 1, len(masses))
    kept: NDArray[np.bool_] = masses > ordered[count - 1]
    equal = np.flatnonzero(masses == ordered[count - 1])
    kept[equal[: count - int(kept.sum())]] = True
    return kept


def _typical(probabilities: NDArray[np.float64], mass: float) -> NDArray[np.bool_]:
    """Those whose surprise is nearest to the expected one (Meister et al. 2023, §4)."""
    surprise = -np.log(np.maximum(probabilities, 1e-300))
    shift = np.abs(surprise - (probabilities * surprise).sum())
    order = np.argsort(shift)
    last = int((np.cumsum(probabilities[order]) < mass).sum())
    kept: NDArray[np.bool_] = shift <= shift[order[min(last, len(order) - 1)]]
    return kept
