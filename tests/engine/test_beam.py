"""Greedy and beam search give what transformers gives, token for token."""

import random
from contextlib import suppress

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from loquent.architecture import ModelConfig, StackConfig
from loquent.engine.engine import Engine
from loquent.engine.foreign_network import ForeignNetwork
from loquent.engine.request import Request, Sampling

VOCABULARY, END, BIAS = 60, 0, 3.5


@pytest.fixture(scope="module")
def reference() -> GPT2LMHeadModel:
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=64,
        n_embd=16,
        n_layer=1,
        n_head=2,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        model.transformer.wte.weight[END] *= 0.3
    return model


@pytest.fixture(scope="module")
def network(reference: GPT2LMHeadModel) -> ForeignNetwork:
    stack = StackConfig(layers=1, width=16, length=64)
    return ForeignNetwork(reference, ModelConfig(vocabulary=VOCABULARY, decoder=stack))


def prompts(count: int) -> list[list[int]]:
    generator = random.Random(7)
    return [
        [generator.randrange(1, VOCABULARY) for _ in range(generator.randrange(1, 9))]
        for _ in range(count)
    ]


def answers(network: ForeignNetwork, sampling: Sampling, count: int) -> list[list[list[int]]]:
    requests = [Request(ids, sampling, frozenset([END])) for ids in prompts(count)]
    found = {request: [[] for _ in range(sampling.n)] for request in requests}
    for event in Engine(network, rows=16).run(requests):
        assert event.choice is not None
        found[event.request][event.index].append(event.choice.id)
    return [found[request] for request in requests]


def wanted(reference: GPT2LMHeadModel, ids: list[int], **options: object) -> list[list[int]]:
    with torch.no_grad():
        made = reference.generate(torch.tensor([ids]), do_sample=False, **options)
    rows = [row[len(ids) :].tolist() for row in made]
    return [row[: row.index(END) + 1] if END in row else row for row in rows]


def test_greedy(reference: GPT2LMHeadModel, network: ForeignNetwork) -> None:
    found = answers(network, Sampling(temperature=0, max_tokens=20), 50)
    for ids, answer in zip(prompts(50), found, strict=True):
        assert answer == wanted(reference, ids, max_new_tokens=20)


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(("beams", "penalty"), [(2, 1.0), (3, 0.0), (4, 1.0), (4, 2.0), (4, -0.5)])
def test_beams(
    beams: int, penalty: float, early: bool, reference: GPT2LMHeadModel, network: ForeignNetwork
) -> None:
    # the end is made likely, so that beams end at many lengths
    sampling = Sampling(
        beams=beams,
        n=beams - 1,
        length_penalty=penalty,
        early_stopping=early,
        max_tokens=14,
        logit_bias={END: BIAS},
    )
    found = answers(network, sampling, 50)
    ends = set()
    for ids, answer in zip(prompts(50), found, strict=True):
        expected = wanted(
            reference,
            ids,
            num_beams=beams,
            num_return_sequences=beams - 1,
            length_penalty=penalty,
            early_stopping=early,
            max_new_tokens=14,
            sequence_bias={(END,): BIAS},
        )
        assert answer == expected
        ends |= {len(each) for each in answer if each[-1] == END}
    assert len(ends) > 3, "the test itself needs answers of many lengths"


def test_an_interrupted_step_is_taken_again(
    reference: GPT2LMHeadModel, network: ForeignNetwork
) -> None:
    whole, calls = reference.forward, []

    def forward(*positional: object, **named: object) -> object:
        calls.append(named)
        made = whole(*positional, **named)
        if len(calls) in (1, 4, 9):  # its cache has grown, but nobody gets to know
            raise KeyboardInterrupt
        return made

    request = Request([3, 1, 4, 1, 5], Sampling(temperature=0, max_tokens=9), frozenset([END]))
    expected = [event.choice for event in Engine(network).run([request])]
    engine, found = Engine(network, tokens_per_step=2), []
    engine.submit(request)
    reference.forward = forward
    try:
        while not engine.idle:
            with suppress(KeyboardInterrupt):
                found += engine.step()
    finally:
        del reference.forward
    assert len(calls) > 9
    assert [event.choice for event in found] == expected


def test_logprobs_of_a_beam_sum_to_its_score(network: ForeignNetwork) -> None:
    request = Request([5, 9], Sampling(beams=3, max_tokens=6, logprobs=1), frozenset([END]))
    choices = [event.choice for event in Engine(network).run([request])]
    assert all(choice is not None and choice.logprob is not None for choice in choices)
    assert all(len(choice.top) == 1 for choice in choices if choice)
