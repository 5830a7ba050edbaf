"""A stream gives the text of its ids: whole characters only, never half a stop string."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers, trainers

from loquent.errors import RequestError
from loquent.text.folder import open_tokenizer
from loquent.text.tokenizer import Tokenizer

KINDS = ["bytes", "pieces", "words"]


@pytest.fixture(scope="session")
def tokenizers_by_kind(
    byte_level: tuple[dict[str, int], list[tuple[str, str]]],
    train_sentencepiece: Callable[..., bytes],
    lines: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Tokenizer]:
    folder = tmp_path_factory.mktemp("stream")
    vocabulary, merges = byte_level
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    text = "\n".join(["#version: 0.2", *(" ".join(merge) for merge in merges)])
    (folder / "merges.txt").write_text(text, encoding="utf-8")
    pieces = folder / "pieces"
    pieces.mkdir()
    (pieces / "tokenizer.model").write_bytes(
        train_sentencepiece(vocab_size=700, model_type="bpe", byte_fallback=True)
    )
    library = Library(models.WordPiece(unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=600, special_tokens=["[UNK]"], show_progress=False
    )
    library.train_from_iterator(lines[:2000], trainer)
    return {
        "bytes": open_tokenizer(folder),
        "pieces": open_tokenizer(pieces),
        "words": Tokenizer(library),
    }


def streamed(tokenizer: Tokenizer, ids: list[int], stops: tuple[str, ...] = ()) -> list[str]:
    stream = tokenizer.stream(stops)
    return [*map(stream.push, ids), stream.finish()]


@pytest.mark.parametrize("kind", KINDS)
def test_the_pieces_of_a_stream_are_the_whole_text(
    kind: str, tokenizers_by_kind: dict[str, Tokenizer], lines: list[str]
) -> None:
    tokenizer = tokenizers_by_kind[kind]
    for line in lines[:3000]:
        ids = tokenizer.encode(line, special=False)
        parts = streamed(tokenizer, ids)
        assert "".join(parts) == tokenizer.decode(ids)
        if "\ufffd" not in line and kind != "words":
            assert not any("\ufffd" in part for part in parts)


@pytest.mark.parametrize("kind", KINDS)
def test_any_ids_stream_as_they_decode(kind: str, tokenizers_by_kind: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers_by_kind[kind]
    chance = random.Random(4)
    for _ in range(2000):
        ids = [chance.randrange(tokenizer.vocabulary) for _ in range(chance.randrange(1, 30))]
        assert "".join(streamed(tokenizer, ids)) == tokenizer.decode(ids)


@pytest.mark.parametrize("kind", ["bytes", "pieces"])
def test_a_text_ends_before_its_first_stop_string(
    kind: str, tokenizers_by_kind: dict[str, Tokenizer], lines: list[str]
) -> None:
    tokenizer = tokenizers_by_kind[kind]
    chance = random.Random(5)
    stopped = 0
    for line in lines[:3000]:
        ids = tokenizer.encode(line, special=False)
        text = tokenizer.decode(ids)
        if len(text) < 2:
            continue
        start = chance.randrange(len(text) - 1)
        stops = (text[start : start + chance.randrange(1, 6)], "\x00never\x00", "xyz")
        parts = streamed(tokenizer, ids, stops)
        ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
        first = min(ends)
        longest = max(len(s) for s in stops if s in text and text.find(s) + len(s) == first)
        assert "".join(parts) == text[: first - longest]
        for place in range(len(parts)):  # nothing that was shown had to be taken back
            assert text.startswith("".join(parts[:place]))
        stopped += 1
    assert stopped > 2000


def test_half_a_stop_string_is_held_back_and_given_at_the_end(
    tokenizers_by_kind: dict[str, Tokenizer],
) -> None:
    tokenizer = tokenizers_by_kind["bytes"]
    stream = tokenizer.stream(["</s>"])
    shown = "".join(stream.push(each) for each in tokenizer.encode("a < b </", special=False))
    assert shown == "a < b "
    assert stream.finish() == "</"
    assert not stream.stopped
    stream = tokenizer.stream(["stop", "top"])
    for each in tokenizer.encode("do stop it", special=False):
        stream.push(each)
    assert stream.stopped
    assert stream.stop == "stop"
    assert stream.finish() == ""


def test_wrong_ids_and_empty_stops_are_refused(tokenizers_by_kind: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers_by_kind["bytes"]
    limit = tokenizer.vocabulary
    with pytest.raises(RequestError, match="a stop string is empty"):
        tokenizer.stream([""])
    for call in (tokenizer.stream().push, tokenizer.piece, lambda each: tokenizer.decode([each])):
        for wrong in (-1, limit):
            with pytest.raises(RequestError, match=rf"{wrong} is outside.*from 0 to {limit - 1}"):
                call(wrong)
    with pytest.raises(RequestError, match="half a surrogate pair at character 2"):
        tokenizer.encode("a\ud800")


def test_special_names_in_a_text_are_text_where_asked(tmp_path: Path, tiny_gpt2: Path) -> None:
    tokenizer = open_tokenizer(tiny_gpt2)
    end = tokenizer.end
    assert tokenizer.encode("a<|endoftext|>")[-1] == end
    plain = tokenizer.encode("a<|endoftext|>", parse_special=False)
    assert end not in plain
    assert tokenizer.decode(plain) == "a<|endoftext|>"
    assert tokenizer.decode([end]) == ""
    assert tokenizer.decode([end], special=True) == "<|endoftext|>"
    assert tokenizer.is_special(end)
    assert tokenizer.id("<|endoftext|>") == end
    assert b"".join(map(tokenizer.piece_bytes, plain)) == b"a<|endoftext|>"
