"""A folder of opus-mt as the hub has it: its files open, and translate as transformers does."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import loquent
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.commands import run
from loquent.runs import execute
from loquent.runs.plan import planned
from loquent.tasks import directions
from loquent.tasks.asking import manner
from loquent.tasks.translating import translate

LICENSE = Path(__file__).parents[2] / "LICENSE"
TEXTS = ["The licence of the work", "you may copy it", "source and object form!", "a", ""]


def trained(texts: list[str], size: int) -> bytes:
    spm = pytest.importorskip("sentencepiece")
    file = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=file, vocab_size=size, minloglevel=2
    )
    return file.getvalue()


@pytest.fixture(scope="module")
def opus(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Random weights beside real tokenizers of two languages, with one vocabulary or two."""
    import sentencepiece  # noqa: PLC0415
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    lines = LICENSE.read_text(encoding="utf-8").splitlines()
    files = {
        "source.spm": trained(lines, 300),
        "target.spm": trained([x.upper() for x in lines], 250),
    }

    def made(*, two: bool) -> Path:
        folder = tmp_path_factory.mktemp("opus") / "opus-mt-en-de"
        raw = tmp_path_factory.mktemp("raw")
        vocabularies = []
        for name, data in files.items():
            (raw / name).write_bytes(data)
            model = sentencepiece.SentencePieceProcessor(model_proto=data)
            vocabularies.append([model.id_to_piece(id) for id in range(3, model.vocab_size())])
        if not two:
            vocabularies = [list(dict.fromkeys(piece for some in vocabularies for piece in some))]
        names = ["vocab.json", "target_vocab.json"][: len(vocabularies)]
        if not two:
            vocabularies[0] += [">>es<<", ">>cmn_Hans<<"]
        for name, pieces in zip(names, vocabularies, strict=True):
            every = ["</s>", "<unk>", *pieces, "<pad>"]
            (raw / name).write_text(json.dumps({each: id for id, each in enumerate(every)}))
        transformers.MarianTokenizer(
            str(raw / "source.spm"), str(raw / "target.spm"), str(raw / "vocab.json"),
            target_vocab_file=str(raw / "target_vocab.json") if two else None, separate_vocabs=two,
        ).save_pretrained(folder)  # fmt: skip
        sizes = [len(pieces) + 3 for pieces in vocabularies]
        config = transformers.MarianConfig(
            vocab_size=sizes[0], decoder_vocab_size=sizes[-1], d_model=32, encoder_layers=2,
            decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
            encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=128,
            scale_embedding=True, pad_token_id=sizes[-1] - 1, eos_token_id=0,
            decoder_start_token_id=sizes[-1] - 1, forced_eos_token_id=0, max_length=24,
            share_encoder_decoder_embeddings=not two, num_beams=4, activation_function="swish",
        )  # fmt: skip
        torch.manual_seed(0)
        model = transformers.MarianMTModel(config)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.add_(0.3 * torch.randn_like(weight))
        model.generation_config = transformers.GenerationConfig(
            pad_token_id=sizes[-1] - 1, eos_token_id=0, decoder_start_token_id=sizes[-1] - 1,
            forced_eos_token_id=0, num_beams=4, max_length=24, bad_words_ids=[[sizes[-1] - 1]],
        )  # fmt: skip
        model.save_pretrained(folder)
        return folder

    return made


@pytest.mark.parametrize("two", [False, True])
def test_it_translates_as_transformers_does(opus: Callable[..., Path], *, two: bool) -> None:
    import transformers  # noqa: PLC0415

    folder = opus(two=two)
    theirs = transformers.MarianMTModel.from_pretrained(folder).eval()
    tokenizer = transformers.MarianTokenizer.from_pretrained(folder)
    lm = loquent.open(folder, bits=32)
    assert lm.executor.runtime == "native"
    ours = lm.generate(TEXTS)
    for text, answer in zip(TEXTS, ours, strict=True):
        made = theirs.generate(**tokenizer(text, return_tensors="pt"))[0].tolist()
        special = (theirs.config.eos_token_id, theirs.config.pad_token_id)
        made = [id for id in made if id not in special]  # of two vocabularies it leaves out one's
        told = tokenizer.decode(made, use_source_tokenizer=False)
        assert answer.text.strip() == told.strip(), text


def test_the_command_translates_one_way_only(opus, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(opus(two=False))
    asked = ["translate", "You may copy it.", "-m", folder, "--from", "en", "--to", "de"]
    assert not run(asked)
    assert capsys.readouterr().out.strip()
    assert run([*asked[:-3], "de", "--to", "en"]) == 1
    assert "from English to German only" in capsys.readouterr().err


def test_a_language_is_told_by_its_token_whichever_code_it_has(opus: Callable[..., Path]) -> None:
    lm = loquent.open(opus(two=False), bits=32)
    told = [directions.direction(lm, manner(lm), "en", each).prefix for each in ("es", "zh", "de")]
    assert told == [">>es<< ", ">>cmn_Hans<< ", ""]


@pytest.mark.parametrize(("two", "lora"), [(False, 0), (True, 2)])
def test_it_is_tuned(opus: Callable[..., Path], tmp_path: Path, *, two: bool, lora: int) -> None:
    """With both tokenizers, Marian's own start and end, and without the advice on lengths."""
    folder = opus(two=two)
    lines = LICENSE.read_text(encoding="utf-8").splitlines()
    rows = [f"{line}\t{line.upper()}" for line in lines if 9 < len(line.strip()) < 60][:60]
    (tmp_path / "pairs.tsv").write_text("en\tde\n" + "\n".join(rows), encoding="utf-8")
    made = planned(
        {
            "task": "translate", "out": str(tmp_path / "run"), "device": "cpu",
            "data": {"train": str(tmp_path / "pairs.tsv"), "source": "en", "target": "de",
                     "batch": 8, "validation_share": 0.2},
            "start": {"model": str(folder), "lora": lora},
            "training": {"steps": 3, "rate": 1e-3},
            "evaluate": {"every": 0, "texts": 2},
        }
    )  # fmt: skip
    notes: list[str] = []
    execute.run(made, on_note=notes.append)
    assert "a target begins with '<pad>'." in notes
    assert "the advice of the model's makers on max_tokens is left out." in notes
    before, after = loquent.open(folder, bits=32), loquent.open(tmp_path / "run", bits=32)
    assert after.executor.runtime == "native"
    assert after.checkpoint.card.family == "marian"
    generation = after.checkpoint.generation
    assert generation.decoder_start == before.checkpoint.generation.decoder_start
    assert dict(generation.sampling) == {"beams": 4}
    (again,) = after.checkpoint.source_tokenizer.encodings(["The work"])
    assert again.ids == before.checkpoint.source_tokenizer.encode("The work")
    assert translate(after, ["The work"], source="en", target="de")[0].text


def test_what_is_saved_opens_again(opus, tmp_path: Path) -> None:
    """In our form, a tokenizer.json for each side; the pieces keep their ids."""
    folder = opus(two=True)
    Checkpoint.open(folder).save(tmp_path / "saved")
    before, after = loquent.open(folder, bits=32), loquent.open(tmp_path / "saved", bits=32)
    assert [each.text for each in before.generate(TEXTS)] == [
        each.text for each in after.generate(TEXTS)
    ]
    told = translate(after, ["You may copy it."], source="en", target="de")
    assert told[0].text
    shutil.rmtree(tmp_path / "saved" / "source")
    assert Checkpoint.open(tmp_path / "saved").source_tokenizer is None
