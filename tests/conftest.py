"""What tests of several folders share."""

import signal
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from loquent.checkpoints import hub
from loquent.errors import UserError

DEFAULT = "smollm2-135m"

# A shell starts what it runs in the background with Ctrl-C ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def default_model() -> Path:
    """The real default model, fetched once into the user's own cache; skips where it cannot be."""
    try:
        return hub.resolve(DEFAULT)
    except UserError as error:
        pytest.skip(f"the default model cannot be had here: {error}")


@pytest.fixture(scope="session")
def data() -> Path:
    """The data sets beside the checkout; skips where they are absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the data sets are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 folder in the real format with random weights and a tokenizer of its own."""
    import torch  # noqa: PLC0415  only tests that ask for this pay for it
    from tokenizers import ByteLevelBPETokenizer  # noqa: PLC0415
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("models") / "tiny-gpt2"
    folder.mkdir()
    trained = ByteLevelBPETokenizer()
    licence = Path(__file__).parents[1] / "LICENSE"  # a text that stays as it is
    text = licence.read_text(encoding="utf-8") + "Once upon a time there was a model. "
    trained.train_from_iterator([text] * 4, vocab_size=500, special_tokens=["<|endoftext|>"])
    trained.save_model(str(folder))  # vocab.json and merges.txt
    PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        unk_token="<|endoftext|>",
    ).save_pretrained(folder)
    torch.manual_seed(7)
    end = trained.token_to_id("<|endoftext|>")
    config = GPT2Config(
        vocab_size=trained.get_vocab_size(),
        n_positions=128,
        n_embd=48,
        n_layer=2,
        n_head=4,
        bos_token_id=end,
        eos_token_id=end,
    )
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a BERT folder in the real format with random weights, by its class in transformers."""
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415
    from tokenizers import BertWordPieceTokenizer  # noqa: PLC0415

    root = tmp_path_factory.mktemp("encoders")
    trained = BertWordPieceTokenizer(lowercase=True)
    licence = (Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8")
    trained.train_from_iterator([licence, "Paris is the capital of France."] * 4, vocab_size=400)
    made: dict[str, Path] = {}

    def tiny(name: str, **settings: Any) -> Path:
        folder = root / f"{name}-{sha256(repr(settings).encode()).hexdigest()[:8]}"  # one for each
        if folder.name in made:
            return made[folder.name]
        folder.mkdir()
        trained.save_model(str(folder))
        transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
        torch.manual_seed(3)
        config = transformers.BertConfig(
            vocab_size=trained.get_vocab_size(), hidden_size=32, num_hidden_layers=2,
            num_attention_heads=4, intermediate_size=48, max_position_embeddings=96, **settings,
        )  # fmt: skip
        model = getattr(transformers, name)(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        model.save_pretrained(folder)
        made[folder.name] = folder
        return folder

    return tiny


@pytest.fixture(scope="session")
def tiny_t5_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    licence = (Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8")
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
    return folder
