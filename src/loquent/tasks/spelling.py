"""What was said in a sound by a network that tells a piece for each moment (CTC)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from loquent.audio.activity import Span
from loquent.audio.features import features
from loquent.audio.rates import resampled
from loquent.audio.reading import RATE
from loquent.audio.sound import Sound
from loquent.engine.network import Reader, Text
from loquent.errors import RequestError
from loquent.lm.lm import LM
from loquent.tasks.fusion import BEAMS
from loquent.tasks.speech_decoding import Hearing
from loquent.tasks.speech_windows import Window
from loquent.text.alignment import best, likeliest, places
from loquent.text.segments import Segment, Word


def spelled(
    lm: LM, windows: Iterable[Window], hearing: Hearing
) -> Iterator[tuple[Window, tuple[Segment, ...]]]:
    """Each window with a segment for each span of speech in which something was said.

    Raises RequestError for what such a network cannot do: translate, and be told what to expect.
    """
    asked = {
        "translation": hearing.translate,
        "a prompt": hearing.prompt,
        "hotwords": hearing.hotwords,
    }
    refused = [name for name, value in asked.items() if value]
    if refused:
        raise RequestError(f"a network of letters (CTC) does not know {' and '.join(refused)}.")
    for window in windows:
        spans = window.speech or (Span(window.start_seconds, window.end_seconds),)
        found = (_segment(lm, window, span, hearing) for span in spans)
        yield window, tuple(each for each in found if each is not None)


def _segment(lm: LM, window: Window, span: Span, hearing: Hearing) -> Segment | None:
    """What is said in one span; None where that is nothing."""
    front = lm.network.config.top.front
    assert front is not None
    sound = Sound(window.samples, RATE).part(
        span.start_seconds - window.start_seconds, span.end_seconds - window.start_seconds
    )
    heard = features(resampled(sound, front.rate).samples, front)
    (values,) = cast(Reader, lm.network).read([Text(features=heard)])
    logs = _logs(values)
    ids = _searched(lm, logs, hearing)
    text = lm.tokenizer.decode(ids).strip()
    if not text:
        return None
    seconds = front.frame_seconds * front.stride
    times = [
        (span.start_seconds + first * seconds, span.start_seconds + (last + 1) * seconds)
        for first, last in places(logs, ids, lm.network.config.blank)
    ]
    words = tuple(_words(lm, ids, times)) if hearing.words else ()
    return Segment(times[0][0], min(times[-1][1], span.end_seconds), text, words)


def _searched(lm: LM, logs: NDArray[np.float64], hearing: Hearing) -> list[int]:
    """The pieces that are said, as far as the network, and perhaps a language model, can tell."""
    blank, fusion = lm.network.config.blank, hearing.fusion
    if fusion is None and hearing.beams == 1:
        return likeliest(logs, blank)
    fused = None if fusion is None else fusion.begun(lm.tokenizer)
    beams = hearing.beams if fusion is None or hearing.beams > 1 else BEAMS
    return best(logs, beams, blank=blank, fused=fused)[0][0]


def _words(lm: LM, ids: Sequence[int], times: Sequence[tuple[float, float]]) -> Iterator[Word]:
    """Words with the times of their first and their last piece."""
    texts = ["", *(lm.tokenizer.decode(list(ids[: count + 1])) for count in range(len(ids)))]
    pieces = [now[len(before) :] for before, now in pairwise(texts)]
    starts = [
        place
        for place, piece in enumerate(pieces)
        if not place or piece[:1].isspace() or pieces[place - 1][-1:].isspace()
    ]
    for begin, end in pairwise([*starts, len(ids)]):
        said = "".join(pieces[begin:end])
        if said.strip():
            yield Word(times[begin][0], times[end - 1][1], said.rstrip())


def _logs(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return wide
