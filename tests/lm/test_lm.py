"""A language model from the outside: text in, text and receipts out."""

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent import LM, Sampling
from loquent.errors import CheckpointError, ConfigError, RequestError, UsageError
from loquent.lm.options import Options

PROMPTS = ["Once upon a time", "import pytest", "the", "def test_", "Path", "return"]


@pytest.fixture(scope="module", params=["torch", "native-32", "native-8"])
def lm(request: pytest.FixtureRequest, tiny_gpt2: Path) -> LM:
    return opened(tiny_gpt2, request.param)


def opened(folder: Path, how: str, rows: int = 32) -> LM:
    runtime, _, bits = how.partition("-")
    return loquent.open(folder, runtime=runtime, bits=int(bits) if bits else "auto", rows=rows)


def test_use_needs_no_torch(tiny_gpt2: Path) -> None:
    probe = (
        "import sys, loquent\n"
        f"answer = loquent.open({str(tiny_gpt2)!r}).generate('Once', max_tokens=3)\n"
        "print(len(answer.ids), 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "False", "False"]


def test_options_are_the_fields_of_sampling() -> None:
    fields = {field.name for field in dataclasses.fields(Sampling)}
    assert set(Options.__annotations__) == fields


def test_an_answer_carries_its_receipt(lm: LM) -> None:
    answer = lm.generate("Once upon a time", max_tokens=12, temperature=0.7, logprobs=3)
    again = lm.generate("Once upon a time", max_tokens=12, temperature=0.7, seed=answer.seed)
    assert answer.ids == again.ids
    assert answer.text == again.text == lm.tokenizer.decode(answer.ids)
    assert answer.prompt_tokens == len(lm.tokenizer.encode("Once upon a time"))
    assert 0 < answer.first_seconds <= answer.seconds
    assert answer.tokens_per_second > 0
    assert answer.logprobs is not None
    assert [choice.id for choice in answer.logprobs] == answer.ids
    assert all(len(choice.top) == 3 for choice in answer.logprobs)
    assert again.logprobs is None


def test_several_prompts_at_a_time_answer_as_each_alone(lm: LM) -> None:
    together = lm.generate(PROMPTS, max_tokens=20, seed=3)
    alone = [lm.generate(prompt, max_tokens=20, seed=3) for prompt in PROMPTS]
    assert [answer.ids for answer in together] == [answer.ids for answer in alone]


def test_more_prompts_than_rows_wait_for_their_turn(tiny_gpt2: Path, lm: LM) -> None:
    how = {"f32": "native-32", "int8": "native-8"}[lm.executor.precision]
    narrow = opened(tiny_gpt2, "torch" if lm.executor.runtime == "torch" else how, rows=2)
    many = narrow.generate(PROMPTS * 2, max_tokens=6, temperature=0)
    assert [each.ids for each in many] == [
        each.ids for each in lm.generate(PROMPTS * 2, max_tokens=6, temperature=0)
    ]


def test_a_stream_is_the_answer_in_pieces(lm: LM) -> None:
    stream = lm.stream("Once upon a time", max_tokens=20, seed=5)
    assert "".join(stream) == stream.answer.text
    assert stream.answer.ids == lm.generate("Once upon a time", max_tokens=20, seed=5).ids


def test_streams_may_be_read_in_turns(lm: LM) -> None:
    streams = [lm.stream(prompt, max_tokens=15, seed=8) for prompt in PROMPTS[:3]]
    texts = ["", "", ""]
    waiting: list[tuple[int, Iterator[str]]] = list(enumerate(streams))
    while waiting:
        for index, stream in list(waiting):
            piece = next(stream, None)
            if piece is None:
                waiting.remove((index, stream))
            else:
                texts[index] += piece
    assert texts == [lm.generate(prompt, max_tokens=15, seed=8).text for prompt in PROMPTS[:3]]


def test_several_threads_share_a_model(lm: LM) -> None:
    expected = [lm.generate(prompt, max_tokens=15, seed=4).text for prompt in PROMPTS]
    found: dict[int, str] = {}

    def ask(index: int) -> None:
        found[index] = lm.generate(PROMPTS[index], max_tokens=15, seed=4).text

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(PROMPTS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [found[index] for index in range(len(PROMPTS))] == expected


def test_a_stop_text_ends_the_answer_before_it(lm: LM) -> None:
    whole = lm.generate("Once upon a time", max_tokens=30, temperature=0).text
    stop = whole[len(whole) // 2 :][:3]
    answer = lm.generate("Once upon a time", max_tokens=30, temperature=0, stop=[stop])
    assert answer.finish == "stop"
    assert answer.text == whole[: whole.index(stop)]


def test_n_answers_differ_and_each_is_reproducible(lm: LM) -> None:
    answer = lm.generate("Once", max_tokens=10, temperature=1.0, n=4, seed=1)
    texts = [answer.text, *(other.text for other in answer.others)]
    assert len(set(texts)) > 1
    again = lm.generate("Once", max_tokens=10, temperature=1.0, n=4, seed=1)
    assert texts == [again.text, *(other.text for other in again.others)]


def test_cancelling_keeps_what_was_written(lm: LM) -> None:
    stream = lm.stream("Once upon a time", max_tokens=100, temperature=0, ignore_end=True)
    pieces = [next(stream), next(stream)]
    stream.cancel()
    assert stream.answer.finish == "cancelled"
    assert stream.answer.text.startswith("".join(pieces))
    assert list(stream) == [] or stream.done
    assert lm.generate("the", max_tokens=3, temperature=0).finish == "length"


def test_leaving_the_context_cancels_what_is_under_way(tiny_gpt2: Path) -> None:
    with loquent.open(tiny_gpt2) as lm:
        stream = lm.stream("Once", max_tokens=50, ignore_end=True)
        next(stream)
    assert stream.answer.finish == "cancelled"


def test_a_prompt_that_is_too_long_is_refused_with_both_counts(lm: LM) -> None:
    prompt = "Once upon a time " * 60
    count = len(lm.tokenizer.encode(prompt))
    with pytest.raises(RequestError, match=rf"{count} tokens, but the model reads 128"):
        lm.generate(prompt)
    left = lm.generate(prompt, max_tokens=8, temperature=0, truncate="left")
    right = lm.generate(prompt, max_tokens=8, temperature=0, truncate="right")
    assert left.prompt_tokens == right.prompt_tokens == 120
    assert left.dropped_tokens == right.dropped_tokens == count - 120
    ids = lm.tokenizer.encode(prompt)
    assert left.ids == lm.generate(lm.tokenizer.decode(ids[-120:]), max_tokens=8, temperature=0).ids


def test_logits_are_those_of_transformers(lm: LM, tiny_gpt2: Path) -> None:
    import torch  # noqa: PLC0415
    from transformers import GPT2LMHeadModel  # noqa: PLC0415

    ids = [[1, 2, 3, 4], [9, 8, 7, 6]]
    with torch.no_grad():
        expected = GPT2LMHeadModel.from_pretrained(tiny_gpt2)(torch.tensor(ids)).logits.numpy()
    found = lm.logits(ids)
    assert found.dtype == np.float32
    if lm.executor.precision == "f32":
        assert np.abs(found - expected).max() < 1e-4
    else:  # eight bits are close, not equal
        assert 1e-3 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    with pytest.raises(RequestError, match="different lengths"):
        lm.logits([[1, 2], [1]])
    with pytest.raises(RequestError, match="token id 100000 is not from 0 to"):
        lm.logits([[100000]])
    with pytest.raises(RequestError, match="one token at least"):
        lm.logits([[]])


def test_scores_are_sums_of_log_probabilities(lm: LM) -> None:
    context, continuation = "Once upon", " a time"
    before = lm.tokenizer.encode(context)
    whole = lm.tokenizer.encode(context + continuation)
    logits = lm.logits([whole])[0].astype(np.float64)
    logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = sum(logprobs[i - 1, whole[i]] for i in range(len(before), len(whole)))
    (found,) = lm.score([(context, continuation)])
    assert found.logprob == pytest.approx(expected, abs=1e-5)
    assert found.tokens == len(whole) - len(before)
    assert not found.greedy
    assert lm.score([("", "Once")])[0].tokens == len(lm.tokenizer.encode("Once"))


def test_a_greedy_answer_is_told_as_such(lm: LM) -> None:
    told = 0
    for word in ["Once", "upon", "a", "time", "there", "was", "model", "import", "from", "return"]:
        answer = lm.generate(word, max_tokens=1, temperature=0, ignore_end=True)
        again = [*lm.tokenizer.encode(word), *answer.ids]
        if answer.ids and lm.tokenizer.encode(word + answer.text) == again:
            assert lm.score([(word, answer.text)])[0].greedy
            told += 1
    assert told


def test_damaged_weights_are_told_and_others_go_on(tiny_gpt2: Path, tmp_path: Path) -> None:
    import json  # noqa: PLC0415
    import shutil  # noqa: PLC0415

    folder = shutil.copytree(tiny_gpt2, tmp_path / "damaged")
    weights = bytearray((folder / "model.safetensors").read_bytes())
    size = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + size])
    start, end = header["transformer.ln_f.bias"]["data_offsets"]
    weights[8 + size + start : 8 + size + end] = b"\xff" * (end - start)  # not a number
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(
        CheckpointError, match=r"'decoder\.norm\.bias' has values that are not finite"
    ):
        loquent.open(folder)
    damaged = loquent.open(folder, runtime="torch")
    for _ in range(2):
        with pytest.raises(RequestError, match="no finite logits: its weights are damaged"):
            damaged.generate("Once")
    with pytest.raises(RequestError, match="no finite logits"):
        list(damaged.stream("Once"))


def test_wrong_calls_are_named(lm: LM, tiny_gpt2: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'temprature'\. Did you mean 'temperature'"):
        lm.generate("Once", temprature=0)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match=r"top_p: must be above 0, up to 1, not 2\.0"):
        lm.generate("Once", top_p=2.0)
    with pytest.raises(UsageError, match="either sampling or seed"):
        lm.generate("Once", Sampling(), seed=1)
    with pytest.raises(UsageError, match="no runtime 'tensorflow'"):
        loquent.open(tiny_gpt2, runtime="tensorflow")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no bits 7"):
        loquent.open(tiny_gpt2, bits=7)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the torch runtime runs in 32 bits, not in 8"):
        loquent.open(tiny_gpt2, runtime="torch", bits=8)
    with pytest.raises(UsageError, match="the native runtime runs on the cpu, not on 'cuda'"):
        loquent.open(tiny_gpt2, runtime="native", device="cuda")
    with pytest.raises(CheckpointError, match="has no chat template"):
        lm.chat([{"role": "user", "content": "Hi"}])
    with pytest.raises(CheckpointError, match="loquent models"):
        loquent.open("smolm2-135")
