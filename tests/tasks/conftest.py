"""Real models that several tasks are tried on."""

from pathlib import Path

import pytest

import loquent
from loquent import LM
from loquent.errors import UserError


@pytest.fixture(scope="session")
def minilm() -> LM:
    """The catalogue's model that embeds; skips where it cannot be had."""
    try:
        return loquent.open("minilm")
    except UserError as error:
        pytest.skip(f"the model that embeds cannot be had here: {error}")


@pytest.fixture(scope="session")
def smollm(default_model: Path) -> LM:
    """The default model."""
    return loquent.open(default_model)


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> LM:
    """A T5 in the real format with random weights: an encoder and a decoder."""
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415
    from tokenizers import (  # noqa: PLC0415
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
        trainers,
    )

    folder = tmp_path_factory.mktemp("models") / "tiny-t5"
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    licence = (Path(__file__).parents[2] / "LICENSE").read_text(encoding="utf-8")
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator([licence, "translate summarize: to English German"] * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.T5Config(
        vocab_size=tokenizer.get_vocab_size(), d_model=32, d_kv=8, d_ff=48, num_layers=2,
        num_heads=4, decoder_start_token_id=0, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    model = transformers.T5ForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return loquent.open(folder, bits=32)
