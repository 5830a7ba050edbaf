"""Texts that a network under training writes, to be judged by what people wrote."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from loquent.data.order import Batches, Place
from loquent.engine.engine import Engine
from loquent.engine.network import Network
from loquent.engine.request import Request, Sampling
from loquent.engine.torch_network import TorchNetwork
from loquent.metrics import Metric
from loquent.model.model import Model
from loquent.runs.judge import judging
from loquent.text.alignment import collapsed
from loquent.text.languages import identify
from loquent.text.tokenizer import Tokenizer
from loquent.training.losses import alignments
from loquent.training.tensors import TensorBatch

_ROWS = 64  # written at a time
_LOOKED_AT = 100  # texts
_GROWTH, _MORE = 2, 16  # a text may have twice its source's tokens and some more


def told_language(model: Model, batches: Batches, tokenizer: Tokenizer) -> str:
    """The code of the language of the first texts that are to be written; "" where it is unsure."""
    store = batches.store
    texts = []
    for number in range(min(len(store), _LOOKED_AT)):
        example = store[number]
        ids = example.labels if model.config.output == "ctc" else example.ids
        made = [] if ids is None else ids.tolist()
        if model.config.reads_sound and model.config.decoder is not None:  # without its times
            made = [each for each in made if each < min(tokenizer.ends)]
        texts.append(tokenizer.decode(made))
    return identify(" ".join(texts)).code


def text_counts(
    model: Model, batches: Batches, tokenizer: Tokenizer, metrics: Sequence[Metric], most: int
) -> dict[str, NDArray[np.float64]]:
    """The counts (N, C) of each metric over the first `most` pairs (0: all) of held-out data.

    The likeliest token is taken at each place.
    """
    if model.config.output == "ctc":
        return _heard_counts(model, batches, tokenizer, metrics, most)
    if model.config.reads_sound:
        return _dictated_counts(model, batches, tokenizer, metrics, most)
    store = batches.store
    examples = [store[number] for number in range(min(len(store), most or len(store)))]
    requests = []
    for example in examples:
        assert example.source is not None
        source = example.source.tolist()
        sampling = Sampling(temperature=0, max_tokens=_GROWTH * len(source) + _MORE, seed=0)
        requests.append(Request([int(example.ids[0])], sampling, tokenizer.ends, source))
    answers = written(model, requests, tokenizer)
    targets = [tokenizer.decode(example.ids.tolist()) for example in examples]
    return {
        metric.name: np.array(
            [metric.count(*pair, 0) for pair in zip(answers, targets, strict=True)], np.float64
        )
        for metric in metrics
    }


def _heard_counts(
    model: Model, batches: Batches, tokenizer: Tokenizer, metrics: Sequence[Metric], most: int
) -> dict[str, NDArray[np.float64]]:
    """The same of sounds: the likeliest piece of each state, repeats and blanks left out."""
    counts: dict[str, list[Sequence[float] | NDArray[np.float64]]] = {
        metric.name: [] for metric in metrics
    }
    device, left = next(model.parameters()).device, most or len(batches.store)
    with judging(model):
        for index in range(batches.size(0)):
            if left <= 0:
                break
            batch = TensorBatch.of(batches.at(Place(0, index)), device)
            _, sizes, logs, lengths = alignments(model, batch)
            assert batch.labels is not None
            for row, ids in enumerate(logs.argmax(-1)[:left]):
                told = tokenizer.decode(
                    collapsed(ids[: int(lengths[row])].tolist(), model.config.blank)
                )
                meant = tokenizer.decode(batch.labels[row, : int(sizes[row])].tolist())
                for metric in metrics:
                    counts[metric.name].append(metric.count(told, meant, 0))
            left -= len(batch.ids)
    return {name: np.array(rows, np.float64) for name, rows in counts.items()}


def _dictated_counts(
    model: Model, batches: Batches, tokenizer: Tokenizer, metrics: Sequence[Metric], most: int
) -> dict[str, NDArray[np.float64]]:
    """The same of sounds whose text is written token by token, without its times."""
    assert model.config.decoder is not None
    room, words = model.config.decoder.length // 2, min(tokenizer.ends)
    counts: dict[str, list[Sequence[float] | NDArray[np.float64]]] = {
        metric.name: [] for metric in metrics
    }
    left = most or len(batches.store)
    for index in range(batches.size(0)):
        if left <= 0:
            break
        batch = batches.at(Place(0, index))
        assert batch.source is not None
        assert batch.targets is not None
        requests, targets = [], []
        for ids, wanted, source in zip(batch.ids, batch.targets, batch.source, strict=True):
            begins = ids[: int((wanted >= 0).argmax()) + 1].tolist()
            sampling = Sampling(temperature=0, max_tokens=room, seed=0)
            requests.append(Request(begins, sampling, tokenizer.ends, source))
            targets.append(tokenizer.decode([each for each in wanted if 0 <= each < words]))
        answers = written(model, requests[:left], tokenizer, words)
        for answer, target in zip(answers, targets, strict=False):
            for metric in metrics:
                counts[metric.name].append(metric.count(answer.strip(), target.strip(), 0))
        left -= len(requests)
    return {name: np.array(rows, np.float64) for name, rows in counts.items()}


def written(
    model: Model, requests: Sequence[Request], tokenizer: Tokenizer, words: int = 0
) -> list[str]:
    """The text that answers each request, of ids below `words` alone where that is not 0."""
    ids: dict[int, list[int]] = {id(request): [] for request in requests}
    with judging(model):
        network: Network = TorchNetwork(model)  # type: ignore[assignment]  # takes its own memory
        engine = Engine(network, rows=_ROWS)
        for request in requests:
            engine.submit(request)
        while not engine.idle:
            for request, events in groupby(engine.step(), lambda event: event.request):
                for event in events:
                    if event.error is not None:
                        raise event.error
                    if event.choice is not None:
                        ids[id(request)].append(event.choice.id)
    return [
        tokenizer.decode([each for each in ids[id(request)] if not words or each < words])
        for request in requests
    ]
