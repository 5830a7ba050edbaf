"""What is shared and what is guessed saves work and changes nothing."""

import random
from collections import defaultdict

import numpy as np
import pytest

from loquent.engine.drafts import Asked, DraftNetwork, Lookup, Pace
from loquent.engine.engine import Engine
from loquent.engine.prefixes import LEAST, Prefixes, common
from loquent.engine.request import Request, Sampling
from loquent.errors import RequestError

VOCABULARY, LENGTH = 50, 64


def told(events):
    ids = defaultdict(list)
    for event in events:
        if event.choice is not None:
            ids[event.request, event.index].append(event.choice.id)
    return ids


def read(network) -> int:
    return sum(len(tokens.ids) for tokens in network.steps)


def draw(generator: random.Random, prefixes: list[list[int]]) -> Request:
    ids = list(generator.choice(prefixes))[: generator.choice([10, 30, 40])]
    ids += [generator.randrange(VOCABULARY) for _ in range(generator.randrange(1, 8))]
    beams = generator.choice([1, 1, 1, 1, 2])
    sampling = Sampling(
        max_tokens=generator.randrange(1, 17),
        temperature=0 if beams > 1 else generator.choice([0, 0.3, 1.2]),
        seed=generator.randrange(100),
        n=generator.choice([1, 1, 2]),
        beams=beams,
        repetition_penalty=generator.choice([1.0, 1.3]),
        logprobs=generator.choice([None, 2]),
    )
    return Request(ids, sampling, frozenset(generator.sample(range(VOCABULARY), 2)))


DRAFTERS = {
    "none": lambda networks: None,
    "lookup": lambda networks: Lookup(),
    "itself": lambda networks: DraftNetwork(
        networks(position_bytes=1, forgetful=True), 8, LENGTH, 0.0, VOCABULARY
    ),
    "another": lambda networks: DraftNetwork(
        networks(position_bytes=1), 8, LENGTH, 0.0, VOCABULARY
    ),
}


@pytest.mark.parametrize("drafter", DRAFTERS)
@pytest.mark.parametrize("seed", range(10))
def test_answers_are_what_they_are_without(seed: int, drafter: str, networks) -> None:
    generator = random.Random(seed)
    network = networks(position_bytes=10, forgetful=True)
    rows = generator.choice([2, 8])
    engine = Engine(
        network,
        rows=rows,
        tokens_per_step=generator.choice([1, 40]),
        kept_bytes=generator.choice([500, 5000]),
        drafter=DRAFTERS[drafter](networks),
    )
    prefixes = [[generator.randrange(VOCABULARY) for _ in range(40)] for _ in range(2)]
    requests = [draw(generator, prefixes) for _ in range(30)]
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
    assert not any(engine._memory.ids[:rows]), "rows are forgotten as they are left"
    found = told(events)
    plain = told(Engine(networks(forgetful=True), rows=8).run(requests))
    for key, expected in plain.items():
        if key[0] in cancelled:
            assert expected[: len(found[key])] == found[key]
        else:
            assert found[key] == expected
    assert sum(event.shared for event in events) > 0
    assert engine._prefixes.tokens * 10 <= 5000
    for row, ids in engine._prefixes._kept.items():
        assert engine._memory.ids[row][: len(ids)] == ids
    assert all(
        not ids or row in engine._prefixes._kept
        for row, ids in enumerate(engine._memory.ids[rows:], rows)
    )
    accepted = sum(event.accepted for event in events)
    drafted = sum(event.drafted for event in events)
    assert accepted <= drafted
    assert drafted > 0 or drafter in ("none", "lookup")
    assert drafter != "none" or not drafted
    if drafter == "itself":
        assert accepted > 0.3 * drafted


def test_a_prompt_is_read_once_for_all_that_come_together(networks) -> None:
    network = networks(position_bytes=1)
    prompt = list(range(40))
    requests = [Request([*prompt, each], Sampling(max_tokens=1, seed=1)) for each in range(6)]
    events = list(Engine(network, rows=8, kept_bytes=1000).run(requests))
    assert read(network) == 41 + 5
    assert [event.shared for event in events] == [0] + [40] * 5
    network.steps.clear()
    longest = Request([*prompt, 3, 7], Sampling(max_tokens=1))
    list(Engine(network, kept_bytes=0).run([longest]))
    assert read(network) == 42


def test_a_conversation_goes_on_where_it_ended(networks) -> None:
    network = networks(position_bytes=1)
    engine = Engine(network, rows=2, kept_bytes=1000)
    ids = list(range(20))
    for turn in range(3):
        first = next(iter(engine.run([Request(ids, Sampling(max_tokens=6, ignore_end=True))])))
        assert first.shared == (len(ids) - 3 if turn else 0)
        kept = max(engine._prefixes._kept.values(), key=len)
        written = list(engine.run([Request(ids, Sampling(max_tokens=6, ignore_end=True, seed=0))]))
        assert written[0].shared == len(ids) - 1
        ids = [*ids, *(event.choice.id for event in written), 1, 2]
        assert len(kept) < len(ids)


def test_prefixes_keep_the_latest_within_their_limit() -> None:
    prefixes = Prefixes(range(10, 13), 4, 400)
    texts = [[each] * 40 for each in range(4)]
    assert prefixes.keep([1] * (LEAST - 1)) == (None, [])
    assert prefixes.keep([1] * 101) == (None, [])
    first, _ = prefixes.keep(texts[0])
    second, _ = prefixes.keep(texts[1])
    assert prefixes.find([*texts[0], 9]) == (first, 40)
    third, forgotten = prefixes.keep(texts[2])
    assert forgotten == [second]  # 120 tokens are over the limit of 100; the first was used since
    assert prefixes.find(texts[1]) == (0, 0)
    again, forgotten = prefixes.keep([*texts[2], 5])
    assert (again, forgotten) == (third, [third])  # the longer one takes its place
    assert prefixes.keep(texts[2][:20]) == (None, [])  # is kept as the beginning of another
    assert prefixes.tokens == 81


def test_common_beginnings() -> None:
    generator = random.Random(0)
    for _ in range(300):
        one = [generator.randrange(2) for _ in range(generator.randrange(12))]
        other = [generator.randrange(2) for _ in range(generator.randrange(12))]
        count = common(one, other)
        assert one[:count] == other[:count]
        assert one[count : count + 1] != other[count : count + 1] or count == min(
            len(one), len(other)
        )


def test_lookup_finds_what_followed_last() -> None:
    lookup = Lookup()
    text = [1, 2, 3, 4, 1, 2, 3, 9, 8, 2, 3]
    assert lookup.propose([Asked(0, text, 3)]) == [[9, 8, 2]]
    assert lookup.propose([Asked(0, [*text, 4], 2)]) == [[1, 2]]
    assert lookup.propose([Asked(1, [5, 6, 7], 2), Asked(2, [], 2)]) == [[], []]
    lookup.forget(0)
    assert lookup.propose([Asked(0, [2, 3], 2)]) == [[]]


def test_a_text_that_repeats_itself_takes_fewer_steps(networks) -> None:
    request = Request([1, 2], Sampling(max_tokens=60, temperature=0, ignore_end=True))
    network = networks(position_bytes=1, forgetful=True)
    events = list(Engine(network, drafter=Lookup()).run([request]))
    assert told(events) == told(Engine(networks(forgetful=True)).run([request]))
    accepted = sum(event.accepted for event in events)
    assert accepted >= 20
    assert len(network.steps) == 60 - accepted


def test_guesses_stop_where_they_do_not_pay() -> None:
    pattern = [1, 2, 3] * 10
    pace = Pace(Lookup())
    for _ in range(40):
        drafts = pace.drafts([Asked(0, pattern, 20)])
        pace._right[0] *= 0.8  # as after wrong guesses
    assert drafts == {}
    for _ in range(100):
        drafts = drafts or pace.drafts([Asked(0, pattern, 20)])
    assert drafts, "another try is made after a while"
    assert Pace(Lookup()).drafts([Asked(row, pattern, 20) for row in range(9)]) == {}


def test_a_draft_network_reads_long_prompts_in_parts(networks) -> None:
    network = networks(position_bytes=1)
    network.config = networks().config
    draft = DraftNetwork(network, 2, 2000, 0.1, VOCABULARY)
    draft._length = 2000
    draft._memory = network.new_memory(2, 2000)
    ids = np.random.default_rng(0).integers(VOCABULARY, size=1000).tolist()
    assert draft.propose([Asked(0, ids, 3)]) == [[]]
    (guess,) = draft.propose([Asked(0, ids, 3)])
    assert len(guess) == 3
    assert [len(tokens.ids) for tokens in network.steps] == [512, 488, 1, 1]
    assert guess[0] == int(np.argmax(network.logits(ids)))
    (other,) = draft.propose([Asked(0, [*ids, guess[0], (guess[1] + 1) % VOCABULARY], 1)])
    assert other == [int(np.argmax(network.logits([*ids, guess[0], (guess[1] + 1) % VOCABULARY])))]
    with pytest.raises(RequestError, match="native"):
        DraftNetwork(networks(), 1, 10, 0.1, VOCABULARY)
