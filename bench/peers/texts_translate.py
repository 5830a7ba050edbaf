"""FLAN-T5 small translates captions with 4 beams: by Loquent, CTranslate2 and transformers.

All have the weights of the catalogue's `flan-t5-small-title`, written as a Hugging Face folder, the
same prefix, and write 64 tokens at most. What a model of this size says is not the question here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from peers.texts_home import HOME

BATCH = 32
BEAMS = 4
LONGEST = 64  # tokens
PREFIX = "translate English to German: "
REFERENCE = "transformers f32"
Translate = Callable[[Sequence[str]], list[str]]


def sentences(data: Path, count: int) -> list[str]:
    """English captions of Multi30k."""
    return (data / "multi30k" / "train.en").read_text(encoding="utf-8").splitlines()[:count]


def near(made: Sequence[str], reference: Sequence[str]) -> str:
    """How many texts are the reference's, letter by letter, and how long they are together."""
    same = sum(one == other for one, other in zip(made, reference, strict=True))
    share = sum(map(len, made)) / sum(map(len, reference))
    return f"{100 * same / len(made):.1f} % the same texts, {share:.3f} of the length"


def folder() -> str:
    """The model as a folder that all open."""
    target = HOME / "flan-t5-small-title"
    if not target.exists():
        from loquent.checkpoints import hub  # noqa: PLC0415  made once
        from loquent.checkpoints.checkpoint import Checkpoint  # noqa: PLC0415

        Checkpoint.open(hub.resolve("flan-t5-small-title")).save(target)
    return str(target)


def ours(bits: int) -> Callable[[int], Translate]:
    """Loquent's native runtime."""

    def make(threads: int) -> Translate:
        import os  # noqa: PLC0415  so for all that only one system needs

        os.environ["LOQUENT_THREADS"] = str(threads)
        import loquent  # noqa: PLC0415

        model = loquent.open(folder(), bits=bits)  # type: ignore[arg-type]

        def translate(some: Sequence[str]) -> list[str]:
            asked = [PREFIX + each for each in some]
            answers = model.generate(asked, beams=BEAMS, temperature=0.0, max_tokens=LONGEST)
            return [each.text.strip() for each in answers]

        return translate

    return make


def converter(kind: Any) -> Any:
    """CTranslate2's, told truly whether logits are scaled.

    It asks the configuration whether embeddings are tied, which transformers 5 affirms of every T5
    and tells apart as `scale_decoder_outputs`; scaled as if they were tied, answers are nonsense.
    """

    class Converter(kind):  # type: ignore[misc]
        def load_model(self, *args: Any, **settings: Any) -> Any:
            model = super().load_model(*args, **settings)
            model.config.tie_word_embeddings = model.config.scale_decoder_outputs
            return model

    return Converter(folder())


def ctranslate2(kind: str) -> Callable[[int], Translate]:
    """CTranslate2, which sorts by length and forms batches itself."""

    def make(threads: int) -> Translate:
        import ctranslate2  # noqa: PLC0415
        from tokenizers import Tokenizer  # noqa: PLC0415

        target = HOME / f"flan-ct2-untied-{ctranslate2.__version__}"
        if not target.exists():
            converter(ctranslate2.converters.TransformersConverter).convert(str(target))
            config = target / "config.json"  # no file of the model names its unknown token
            told = json.loads(config.read_text(encoding="utf-8")) | {"unk_token": "<unk>"}
            config.write_text(json.dumps(told), encoding="utf-8")
        model = ctranslate2.Translator(
            str(target), compute_type=kind, inter_threads=1, intra_threads=threads
        )
        tokenizer = Tokenizer.from_file(f"{folder()}/tokenizer.json")

        def translate(some: Sequence[str]) -> list[str]:
            asked = [each.tokens for each in tokenizer.encode_batch([PREFIX + x for x in some])]
            found = model.translate_batch(
                asked, beam_size=BEAMS, max_batch_size=BATCH, max_decoding_length=LONGEST
            )
            ids = [[tokenizer.token_to_id(each) for each in row.hypotheses[0]] for row in found]
            return [text.strip() for text in tokenizer.decode_batch(ids)]

        return translate

    return make


def transformers(threads: int) -> Translate:
    """transformers on torch, f32."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer  # noqa: PLC0415

    torch.set_num_threads(threads)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder(), dtype=torch.float32).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder())

    def translate(some: Sequence[str]) -> list[str]:
        order = sorted(range(len(some)), key=lambda at: len(some[at]))
        made: dict[int, str] = {}
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            given = tokenizer(
                [PREFIX + some[at] for at in places], return_tensors="pt", padding=True
            )
            with torch.inference_mode():
                ids = model.generate(
                    **given, num_beams=BEAMS, do_sample=False, max_new_tokens=LONGEST
                )
            texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
            made.update(zip(places, (text.strip() for text in texts), strict=True))
        return [made[at] for at in range(len(some))]

    return translate


SYSTEMS: Mapping[str, Callable[[int], Translate]] = {
    REFERENCE: transformers,
    "loquent f32": ours(32),
    "ctranslate2 f32": ctranslate2("float32"),
    "loquent int8": ours(8),
    "ctranslate2 int8": ctranslate2("int8"),
}
