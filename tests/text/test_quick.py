"""The quick form of a tokenizer: equal to what it was made of, or not taken."""

import json
from pathlib import Path

import pytest
from tokenizers import AddedToken
from tokenizers import Tokenizer as Library
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE, Unigram, WordPiece
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing

from loquent.errors import CheckpointError
from loquent.text.quick import read_quick, write_quick
from loquent.text.template import ChatTemplate
from loquent.text.tokenizer import Tokenizer

VOCAB = {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "<unk>": 5, "Ġ": 6, "Ġa": 7, "<x>": 8}
MERGES = [("a", "b"), ("ab", "c"), ("Ġ", "a")]
TEXTS = ["abc ab a", "<x>abc<end> c<s>", " aé\n a", "", "<user>b <end>"]


def bpe(vocab=VOCAB, merges=MERGES, **options) -> Library:
    library = Library(BPE(vocab, merges, **options))
    library.pre_tokenizer, library.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    return library


def added() -> Library:
    library = bpe(unk_token="<unk>", fuse_unk=True, ignore_merges=True)
    library.add_tokens([AddedToken("<user>", normalized=True, lstrip=True, single_word=True)])
    library.add_special_tokens(["<s>", AddedToken("<end>", rstrip=True), "<x>"])
    library.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", library.token_to_id("<s>"))]
    )
    library.enable_truncation(9)
    return library


SPLIT = {
    "plain": bpe(),
    "bytes": bpe(byte_fallback=True),
    "affixes": bpe(continuing_subword_prefix="", end_of_word_suffix=""),
    "dropout": bpe(dropout=0.5),
    "added": added(),
    "no merges": bpe(merges=[]),
}
WHOLE = {
    "a space in a merge": bpe({"a": 0, " ": 1, "a ": 2}, [("a", " ")]),
    "a line in a merge": bpe({"a": 0, "\n": 1, "a\n": 2}, [("a", "\n")]),
    "a header as a merge": bpe({"#version": 0, ":": 1, "#version:": 2}, [("#version", ":")]),
    "pieces": Library(WordPiece({"a": 0, "##b": 1, "[UNK]": 2}, unk_token="[UNK]")),
    "unigram": Library(Unigram([("a", -1.0), ("b", -2.0), ("ab", -1.5)], unk_id=0)),
}


@pytest.mark.parametrize("name", [*SPLIT, *WHOLE])
def test_quick_tokenizers_are_equal(name: str, tmp_path: Path) -> None:
    library = {**SPLIT, **WHOLE}[name]
    made = Tokenizer(library, end=1, pad=2, ends=[3], where="here")
    quick = write_quick(made, tmp_path)
    again = read_quick(quick, tmp_path)
    assert again.document() == made.document()
    for field in ("begin", "end", "pad", "unknown", "ends", "vocabulary", "adds_begin", "where"):
        assert getattr(again, field) == getattr(made, field)
    if name != "dropout":
        for text in TEXTS:
            for special in (True, False):
                for parse in (True, False):
                    options = {"special": special, "parse_special": parse}
                    assert again.encode(text, **options) == made.encode(text, **options)
            ids = made.encode(text)
            assert again.decode(ids) == made.decode(ids)
    assert quick.split == (name in SPLIT)
    assert sorted(each.name for each in tmp_path.iterdir()) == (
        ["merges.txt", "vocab.json"] if name in SPLIT else []
    )


def test_the_chat_template_goes_along(tmp_path: Path) -> None:
    chat = ChatTemplate("{{ bos_token }}", tools="{{ 1 }}", pieces={"bos_token": "<s>"}, where="x")
    again = read_quick(write_quick(Tokenizer(bpe(), template=chat), tmp_path), tmp_path).template
    assert again is not None
    assert vars(again) == vars(chat)


def test_damage_is_told(tmp_path: Path) -> None:
    quick = write_quick(Tokenizer(bpe(), where="here"), tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0}))
    with pytest.raises(CheckpointError, match="here: opening failed"):
        read_quick(quick, tmp_path)
