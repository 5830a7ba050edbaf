"""Requests join and leave at every step, and each gets what it would get alone."""

import random
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from loquent.engine.engine import Engine
from loquent.engine.request import Event, Request, Sampling
from loquent.errors import ConfigError, RequestError

VOCABULARY = 50
LENGTH = 64


def told(events: list[Event]) -> dict[Request, dict[int, list[int]]]:
    ids: dict[Request, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event.choice is not None:
            ids[event.request][event.index].append(event.choice.id)
    return ids


def draw(generator: random.Random) -> Request:
    size = generator.choice([1, 2, 5, 20, 40])
    sampling = Sampling(
        max_tokens=generator.randrange(1, 20),
        temperature=generator.choice([0, 0.7, 1.5]),
        top_p=generator.choice([1.0, 0.9]),
        top_k=generator.choice([0, 5]),
        seed=generator.randrange(100),
        n=generator.choice([1, 1, 1, 3]),
        repetition_penalty=generator.choice([1.0, 1.3]),
        frequency_penalty=generator.choice([0.0, 0.5]),
    )
    if generator.random() < 0.2:
        sampling = replace(sampling, n=2, beams=generator.choice([2, 4]), temperature=0)
    ids = [generator.randrange(VOCABULARY) for _ in range(size)]
    return Request(ids, sampling, frozenset(generator.sample(range(VOCABULARY), 2)))


def alone(network, request: Request) -> dict[int, list[int]]:
    return told(list(Engine(network, rows=8).run([request])))[request]


@pytest.mark.parametrize("seed", range(25))
def test_everything_is_as_if_alone(seed: int, network, networks) -> None:
    generator = random.Random(seed)
    engine = Engine(
        network, rows=generator.choice([4, 8]), tokens_per_step=generator.choice([1, 40])
    )
    requests = [draw(generator) for _ in range(12)]
    waiting, events, cancelled = list(requests), [], set()
    while waiting or not engine.idle:
        if waiting and generator.random() < 0.5:
            engine.submit(waiting.pop())
        if generator.random() < 0.05:
            victim = generator.choice(requests)
            if victim not in waiting:
                engine.cancel(victim)
                cancelled.add(victim)
        events += engine.step()
    assert sorted(engine._scheduler._free) == list(range(engine._scheduler._rows))
    assert not any(engine._memory.ids), "rows are forgotten as they are left"
    found = told(events)
    for request in requests:
        expected = alone(networks(), request)
        if request in cancelled:
            for index, ids in found[request].items():
                assert expected[index][: len(ids)] == ids
        else:
            assert found[request] == expected


def test_each_answer_ends_once_and_says_why(network) -> None:
    generator = random.Random(1)
    requests = [draw(generator) for _ in range(30)]
    ends = defaultdict(list)
    for event in Engine(network, rows=8).run(requests):
        if event.finish:
            ends[event.request, event.index].append(event)
    assert all(len(events) == 1 for events in ends.values())
    assert len(ends) == sum(request.sampling.n for request in requests)
    for (request, _), (event,) in ends.items():
        assert event.choice is not None
        assert (event.choice.id in request.stop) == (event.finish == "stop")


def test_a_long_prompt_is_read_in_parts_beside_the_others(network) -> None:
    engine = Engine(network, rows=4, tokens_per_step=33)
    writing = Request([1], Sampling(max_tokens=30, temperature=0, ignore_end=True))
    engine.submit(writing)
    engine.step()
    engine.submit(Request(list(range(50)), Sampling(max_tokens=1, temperature=0)))
    before = len(network.steps)
    engine.step()
    engine.step()
    assert [len(tokens.ids) for tokens in network.steps[before:]] == [1 + 32, 1 + 18]


def test_first_come_first_served(network) -> None:
    engine = Engine(network, rows=3)
    small = [Request([each], Sampling(max_tokens=5, temperature=0)) for each in range(4)]
    wide = Request([9], Sampling(max_tokens=2, temperature=0.5, n=3, seed=1))
    order = []
    for event in engine.run([*small[:2], wide, *small[2:]]):
        if event.request not in order:
            order.append(event.request)
    assert order == [small[0], small[1], wide, small[2], small[3]]


def test_a_finished_answer_frees_its_row_and_the_others_go_on(network) -> None:
    request = Request([3], Sampling(max_tokens=10, n=3, seed=2, temperature=1, ignore_end=True))
    expected = alone(network, request)
    engine = Engine(network, rows=3)
    engine.submit(request)
    events = engine.step()
    engine.finish(request, 1)
    engine.finish(request, 1)
    assert len(engine._scheduler._free) == 1
    while not engine.idle:
        events += engine.step()
    found = told(events)[request]
    assert found[0] == expected[0]
    assert found[2] == expected[2]
    assert found[1] == expected[1][:1]


def test_what_cannot_be_served_is_refused_at_once(network, networks) -> None:
    engine = Engine(network, rows=2)
    for request, message in (
        (Request([], Sampling()), "the prompt has no tokens"),
        (Request([1] * LENGTH, Sampling()), f"has {LENGTH} tokens, but the model reads {LENGTH}"),
        (Request([1], Sampling(n=3)), "3 answers at a time are more than the 2 rows"),
        (Request([VOCABULARY], Sampling()), "token id 50 is not from 0 to 49"),
        (Request([1], Sampling(logit_bias={99: 1.0})), "token id 99"),
        (Request([1], Sampling(), source=[1]), "where there is an encoder"),
        (Request([1], Sampling(beams=51)), "51 beams are more than the 50 tokens"),
    ):
        with pytest.raises(RequestError, match=message):
            engine.submit(request)
    assert engine.idle
    engine = Engine(networks(encoder=True))
    for source, message in (
        (None, "where there is an encoder"),
        ([], "the source has no tokens"),
        ([1, VOCABULARY], "token id 50"),
        ([1] * (LENGTH + 1), f"source has {LENGTH + 1} tokens, but the encoder reads {LENGTH}"),
    ):
        with pytest.raises(RequestError, match=message):
            engine.submit(Request([1], Sampling(), source=source))


def test_the_memory_ends_an_answer(network) -> None:
    request = Request([1] * 60, Sampling(max_tokens=100, temperature=0))
    events = list(Engine(network).run([request]))
    assert len(events) == 4
    assert events[-1].finish == "length"


def test_damaged_logits_end_one_request_and_no_other(networks) -> None:
    engine = Engine(networks(broken=7))
    bad = Request([1, 7], Sampling(n=2, temperature=1))
    good = Request([1, 2], Sampling(max_tokens=5, temperature=0, logit_bias={7: -100}))
    searched = Request([7], Sampling(beams=2))
    events = list(engine.run([bad, good, searched]))
    errors = [event for event in events if event.finish == "error"]
    assert {event.request for event in errors} == {bad, searched}
    assert "no finite logits" in str(errors[0].error)
    assert len(told(events)[good][0]) == 5
    assert engine.idle


def test_an_error_ends_only_what_has_not_ended(networks) -> None:
    early = 0
    for seed in range(20):
        sampling = Sampling(n=3, seed=seed, temperature=1, max_tokens=30)
        request = Request([3], sampling, frozenset([5, 6, 8, 9]))
        events = list(Engine(networks(broken=7)).run([request]))
        ends = [(event.index, event.finish) for event in events if event.finish]
        assert sorted(index for index, _ in ends) == [0, 1, 2]
        early += ends[0][1] != ends[-1][1] == "error"
    assert early > 3, "the test itself needs answers that end before the error"


@pytest.mark.parametrize("call", [1, 2, 3, 4, 6])
def test_an_interrupted_step_is_taken_again(call: int, network, networks) -> None:
    requests = [
        Request(list(range(50)), Sampling(max_tokens=5, seed=1)),
        Request([1, 2], Sampling(max_tokens=6, n=2, seed=3)),
    ]
    engine, whole, calls = Engine(network, rows=4, tokens_per_step=20), network.step, []

    def step(memory, tokens):
        calls.append(tokens)
        if len(calls) == call:
            raise KeyboardInterrupt
        return whole(memory, tokens)

    network.step = step
    for request in requests:
        engine.submit(request)
    events, interrupts = [], 0
    while not engine.idle:
        try:
            events += engine.step()
        except KeyboardInterrupt:
            interrupts += 1
    assert interrupts == 1
    for request in requests:
        assert told(events)[request] == alone(networks(), request)


def test_a_source_that_cannot_be_read_ends_its_request_alone(networks) -> None:
    network = networks(encoder=True)
    engine = Engine(network, rows=4)
    attach, calls = engine._memory.attach, []

    def failing(row, source):
        calls.append(source)
        if len(calls) == 1:
            raise KeyboardInterrupt
        if source == [13]:
            raise RequestError("the source is too long.")
        attach(row, source)

    engine._memory.attach = failing
    sampling = Sampling(max_tokens=4, temperature=0.9, seed=2, n=2)
    good, bad = (Request([1], sampling, source=[each]) for each in (12, 13))
    engine.submit(bad)
    engine.submit(good)
    with pytest.raises(KeyboardInterrupt):
        engine.step()
    events = []
    while not engine.idle:
        events += engine.step()
    errors = [event for event in events if event.request is bad]
    assert [(event.index, event.finish) for event in errors] == [(0, "error"), (1, "error")]
    assert "too long" in str(errors[0].error)
    assert told(events)[good] == alone(networks(encoder=True), good)
    assert len(engine._scheduler._free) == 4


def test_each_answer_is_penalized_for_its_own_tokens(network) -> None:
    sampling = Sampling(max_tokens=12, n=3, seed=1, temperature=1, frequency_penalty=100)
    answers = alone(network, Request([1], sampling))
    assert [len(set(ids)) for ids in answers.values()] == [12] * 3
    assert len({each for ids in answers.values() for each in ids}) < 36


def test_a_request_is_under_way_once(network) -> None:
    engine = Engine(network, rows=1)
    first, second = (Request([each], Sampling(max_tokens=2, temperature=0)) for each in (1, 2))
    for request in (first, second):
        engine.submit(request)
        with pytest.raises(RequestError, match="under way already"):
            engine.submit(request)
    engine.step()
    with pytest.raises(RequestError, match="under way already"):
        engine.submit(first)
    while not engine.idle:
        engine.step()
    assert len(list(engine.run([first]))) == 2, "after its end it may come again"


def test_ignoring_the_end_goes_past_it(network) -> None:
    everything = frozenset(range(VOCABULARY))
    for more in ({}, {"beams": 2}):
        sampling = Sampling(max_tokens=7, temperature=0, ignore_end=True, **more)
        events = list(Engine(network).run([Request([1], sampling, everything)]))
        assert len(events) == 7
        assert events[-1].finish == "length"


def test_a_run_that_is_left_early_leaves_nothing_behind(network) -> None:
    engine = Engine(network, rows=2)
    requests = [Request([each], Sampling(max_tokens=9, temperature=0)) for each in range(4)]
    run = engine.run(requests)
    next(run)
    run.close()
    assert engine.idle
    assert not any(engine._memory.ids)
    with pytest.raises(RequestError, match="no tokens"):
        list(engine.run([*requests, Request([], Sampling())]))
    assert engine.idle


def test_a_source_belongs_to_its_row(networks) -> None:
    network = networks(encoder=True)
    requests = [
        Request([1], Sampling(max_tokens=6, n=2, temperature=1, seed=4), source=[each, 2])
        for each in range(5)
    ]
    together = told(list(Engine(network, rows=4).run(requests)))
    for request in requests:
        assert together[request] == alone(networks(encoder=True), request)
    assert together[requests[0]] != together[requests[1]]


def test_logprobs_are_those_of_the_raw_logits(network) -> None:
    request = Request([5, 6], Sampling(max_tokens=3, temperature=0.5, seed=1, logprobs=4))
    ids = [5, 6]
    for event in Engine(network).run([request]):
        logits = network.logits(ids).astype(np.float64)
        logprobs = logits - np.log(np.exp(logits).sum())
        assert event.choice is not None
        assert event.choice.logprob == pytest.approx(logprobs[event.choice.id])
        best = np.argsort(-logprobs)[:4]
        assert [each for each, _ in event.choice.top] == best.tolist()
        ids.append(event.choice.id)


def test_impossible_sampling_is_told_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Sampling(max_tokens=0, top_p=0.0, n=3, beams=2, seed=-1, temperature=float("nan"))
    for name in ("max_tokens", "top_p", "seed", "temperature", "n: must be at most beams"):
        assert name in str(caught.value)


def test_a_network_without_a_decoder_is_refused(network) -> None:
    config = replace(network.config, encoder=network.config.decoder, decoder=None)
    network.config = config
    with pytest.raises(RequestError, match="no decoder"):
        Engine(network)
