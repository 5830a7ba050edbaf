"""Marian's folders: ids and texts equal those of MarianTokenizer, with one vocabulary or two."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loquent.errors import CheckpointError
from loquent.text.encoding import encoded
from loquent.text.folder import open_source_tokenizer, open_tokenizer

LANGUAGES = [">>de<<", ">>fra<<"]


def pieces(data: bytes) -> list[str]:
    import sentencepiece  # noqa: PLC0415  # absent where nothing is trained

    model = sentencepiece.SentencePieceProcessor(model_proto=data)
    return [model.id_to_piece(id) for id in range(3, model.vocab_size())]  # <unk>, <s>, </s> before


@pytest.fixture(scope="module")
def write(train_sentencepiece: Callable[..., bytes], tmp_path_factory: pytest.TempPathFactory):
    source = train_sentencepiece(vocab_size=1500, model_type="unigram")
    target = train_sentencepiece(
        vocab_size=1200, model_type="unigram", split_by_unicode_script=False,
        character_coverage=0.99,
    )  # fmt: skip

    def written(*, two: bool) -> Path:
        """A folder in the form of opus-mt, whose ids are in another order than the models'."""
        folder = tmp_path_factory.mktemp("marian")
        (folder / "source.spm").write_bytes(source)
        (folder / "target.spm").write_bytes(target)
        ours, theirs = pieces(source), pieces(target)
        joint = [*dict.fromkeys((*reversed(ours), *theirs))]
        for name, some in (
            [("vocab.json", ours), ("target_vocab.json", theirs[::-1])]
            if two
            else [("vocab.json", joint + LANGUAGES)]
        ):
            every = ["</s>", "<unk>", *some, "<pad>"]
            text = json.dumps({piece: id for id, piece in enumerate(every)}, ensure_ascii=False)
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    return written


def theirs(folder: Path, *, two: bool) -> Any:
    from transformers import MarianTokenizer  # noqa: PLC0415

    target = str(folder / "target_vocab.json") if two else None
    return MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"),
        target_vocab_file=target, separate_vocabs=two,
    )  # fmt: skip


def unlike(text: str) -> bool:
    """What the two take for special tokens otherwise: their names, and NUL, which ends a text."""
    return any(name in text for name in ("</s>", "<unk>", "<pad>", "\0"))


def assert_same(
    lines: list[str], ours: list[list[int]], theirs: Callable[[str], list[int]], model: Path
) -> None:
    """But for cuts that are equally likely, graphemes (test_references), and unknown characters.

    Of those in a row theirs makes one unknown piece; alone each is a piece of the other language.
    """
    import sentencepiece  # noqa: PLC0415

    spm = sentencepiece.SentencePieceProcessor(model_file=str(model))
    found = zip(lines, ours, map(theirs, lines), strict=True)
    differing = [each for each in found if each[1] != each[2]]
    assert len(differing) <= len(lines) // 10
    rest = []
    for line, one, two in differing:
        unknown = [piece for piece in spm.encode(line, out_type=str) if not spm.piece_to_id(piece)]
        if not any(len(piece) > 1 for piece in unknown):
            rest.append(line)
            assert sorted(one) == sorted(two) or "\u200d" in line, repr(line)
    assert len(rest) <= len(lines) // 100


@pytest.mark.parametrize("two", [False, True])
def test_ids_and_texts_are_those_of_transformers(write, lines: list[str], *, two: bool) -> None:
    folder = write(two=two)
    reference = theirs(folder, two=two)
    source, target = open_source_tokenizer(folder), open_tokenizer(folder)
    assert source is not None
    some = [line for line in lines[3000:8000] if not unlike(line)]
    assert len(some) > 4000
    read = [each.ids for each in encoded(source, some)]
    written = [each.ids for each in encoded(target, some)]
    assert_same(some, read, lambda line: reference(line)["input_ids"], folder / "source.spm")
    told_by = lambda line: reference(text_target=line)["input_ids"]  # noqa: E731
    assert_same(some, written, told_by, folder / "target.spm")
    for line, ids in zip(some, written, strict=True):
        told = reference.decode(ids, skip_special_tokens=True, use_source_tokenizer=False)
        assert target.decode(ids).strip() == told.strip(), repr(line)
        stream = target.stream()
        assert "".join([*(stream.push(id) for id in ids), stream.finish()]) == target.decode(ids)
    assert any(target.unknown in ids for ids in written)


def test_a_language_is_one_token(write) -> None:
    folder = write(two=False)
    reference = theirs(folder, two=False)
    source = open_source_tokenizer(folder)
    for text in (">>de<< a house", ">>fra<<a house", ">>de<<"):
        assert source.encode(text) == reference(text)["input_ids"]
        assert encoded(source, [text])[0].ids == source.encode(text)
    assert source.id(">>de<<") == source.encode(">>de<< a house")[0]
    assert source.piece(source.end) == "</s>"
    assert source.piece(source.pad) == "<pad>"


def test_pieces_of_the_other_language_are_written_but_never_cut(write) -> None:
    folder = write(two=False)
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    known = set(pieces((folder / "target.spm").read_bytes()))
    ours = pieces((folder / "source.spm").read_bytes())
    only = [piece for piece in ours if piece not in known and len(piece) > 3]
    target = open_tokenizer(folder)
    for piece in only[:50]:
        id = vocabulary[piece]
        assert target.decode([id]) == piece.replace("▁", " ").removeprefix(" ")
        assert id not in target.encode(piece.replace("▁", " "))


def damaged(write, changes: Callable[[dict[str, int]], Any]) -> str:
    folder = write(two=False)
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    (folder / "vocab.json").write_text(json.dumps(changes(vocabulary)), encoding="utf-8")
    with pytest.raises(CheckpointError) as caught:
        open_tokenizer(folder)
    assert "vocab.json" in str(caught.value)
    return str(caught.value)


def test_what_is_wrong_with_a_vocabulary_is_named(write) -> None:
    assert "has the id of another piece" in damaged(write, lambda v: v | {"twice": 7})
    assert "no piece has the id" in damaged(write, lambda v: v | {"far": 10**5})
    assert "an id is not from 0" in damaged(write, lambda v: v | {"far": -1})
    assert "an id is not from 0" in damaged(write, lambda _: {})
    assert "has no '<pad>'" in damaged(
        write, lambda v: {piece: id for piece, id in v.items() if piece != "<pad>"}
    )
    assert damaged(write, list)


def test_a_model_that_merges_is_refused(write, train_sentencepiece) -> None:
    folder = write(two=False)
    (folder / "target.spm").write_bytes(train_sentencepiece(vocab_size=800, model_type="bpe"))
    with pytest.raises(CheckpointError, match="a bpe model whose pieces have other ids"):
        open_tokenizer(folder)
