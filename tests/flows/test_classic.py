"""The classic first example gives what transformers gives, token for token."""

from pathlib import Path

import pytest

import loquent

PROMPT = "Once upon a time"


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("runtime", ["torch", "native"])
def test_gpt2_continues_as_in_transformers(tiny_gpt2: Path, runtime: str, beams: int) -> None:
    import torch  # noqa: PLC0415
    from transformers import AutoTokenizer, GPT2LMHeadModel  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(tiny_gpt2)
    reference = GPT2LMHeadModel.from_pretrained(tiny_gpt2).eval()
    ids = tokenizer(PROMPT, return_tensors="pt").input_ids
    with torch.no_grad():
        expected = reference.generate(
            ids, max_length=50, num_beams=beams, do_sample=False, pad_token_id=0
        )[0].tolist()

    lm = loquent.open(tiny_gpt2, runtime=runtime, bits=32)
    ours = lm.tokenizer.encode(PROMPT)
    answer = lm.generate(PROMPT, max_tokens=50 - len(ours), temperature=0, beams=beams)

    assert ours == ids[0].tolist()
    end = tokenizer.eos_token_id
    assert ours + answer.ids == [each for each in expected if each != end]
    assert lm.tokenizer.decode(ours + answer.ids) == tokenizer.decode(
        expected, skip_special_tokens=True
    )
