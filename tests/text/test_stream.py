"""Streams: whole characters, nothing of a stop string, and together what `decode` gives."""

import random
from collections.abc import Callable

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from loquent.errors import RequestError
from loquent.text.readers.gguf import from_gguf
from loquent.text.readers.sentencepiece import draft, parse
from loquent.text.tokenizer import Tokenizer as Ours

Trained = tuple[dict[str, int], list[tuple[str, str]]]
KINDS = [
    "byte level",
    "llama",
    "gemma",
    "unigram",
    "wordpiece",
    "suffix",
    "metaspace",
    "words",
    "odd",
]


def made(kind: str, lines: list[str], byte_level: Trained, train: Callable[..., bytes]) -> Ours:
    """A tokenizer for each way in which pieces are put together to a text."""
    if kind == "byte level":
        vocab, merges = byte_level
        return from_gguf(
            {
                "tokenizer.ggml.model": "gpt2",
                "tokenizer.ggml.pre": "gpt-2",
                "tokenizer.ggml.tokens": [*vocab, "<|end|>", "<tool> é", "<中>"],
                "tokenizer.ggml.token_type": [1] * len(vocab) + [3, 4, 4],
                "tokenizer.ggml.merges": [" ".join(merge) for merge in merges],
                "tokenizer.ggml.eos_token_id": len(vocab),
            }
        )
    if kind in ("llama", "gemma", "unigram"):
        data = train(
            vocab_size=1500,
            model_type="unigram" if kind == "unigram" else "bpe",
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=kind != "gemma",
        )
        return Ours(draft(parse(data, "test")).library, unknown=0)
    library = {"wordpiece": wordpiece, "suffix": suffix, "words": words}.get(kind, metaspace)(lines)
    if kind == "odd":
        steps = [decoders.Metaspace(), decoders.Fuse(), decoders.Strip("a", 2, 0)]
        library.decoder = decoders.Sequence(steps)
    library.add_special_tokens(["<end>"])
    library.add_tokens([AddedToken("<tool>", normalized=False)])
    return Ours(library)


def wordpiece(lines: list[str]) -> Tokenizer:
    library = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=1000, special_tokens=["[UNK]"], show_progress=False
    )
    library.train_from_iterator(lines[:1000], trainer)
    return library


def suffix(lines: list[str]) -> Tokenizer:
    library = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.decoder = decoders.BPEDecoder("</w>")
    trainer = trainers.BpeTrainer(
        vocab_size=1500, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
    )
    library.train_from_iterator(lines[:1000], trainer)
    return library


def words(lines: list[str]) -> Tokenizer:
    library = Tokenizer(models.WordLevel(unk_token="<unk>"))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordLevelTrainer(
        vocab_size=1000, special_tokens=["<unk>"], show_progress=False
    )
    library.train_from_iterator(lines[:1000], trainer)
    return library


def metaspace(lines: list[str]) -> Tokenizer:
    library = Tokenizer(models.Unigram())
    library.pre_tokenizer = pre_tokenizers.Metaspace()
    library.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=800, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    library.train_from_iterator(lines[:1000], trainer)
    return library


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(
    request: pytest.FixtureRequest,
    lines: list[str],
    byte_level: Trained,
    train_sentencepiece: Callable[..., bytes],
) -> Ours:
    return made(request.param, lines, byte_level, train_sentencepiece)


def streamed(tokenizer: Ours, ids: list[int], stops: list[str], special: bool = False) -> str:
    stream = tokenizer.stream(stops, special=special)
    parts = [stream.push(id) for id in ids]
    for part in parts:
        assert part.isascii() or "\ufffd" not in part or "\ufffd" in tokenizer.decode(ids)
    return "".join([*parts, stream.finish()])


def cut(text: str, stops: list[str]) -> str:
    """The text before the stop string that is complete first: the rule, letter by letter."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            return text[: end - max(map(len, found))]
    return text


def test_a_stream_gives_what_decode_gives(tokenizer: Ours, lines: list[str]) -> None:
    for special in (False, True):
        for line in lines[:1200]:
            ids = tokenizer.encode(line)
            assert streamed(tokenizer, ids, [], special) == tokenizer.decode(ids, special=special)


def test_a_stream_of_any_ids_gives_what_decode_gives(tokenizer: Ours) -> None:
    chance = random.Random(5)
    for _ in range(1200):
        ids = [chance.randrange(tokenizer.vocabulary) for _ in range(chance.randint(0, 20))]
        special = chance.random() < 0.5
        assert streamed(tokenizer, ids, [], special) == tokenizer.decode(ids, special=special)


def test_a_stream_ends_at_the_first_stop_string(tokenizer: Ours, lines: list[str]) -> None:
    chance = random.Random(6)
    stopped = 0
    for line in lines[:1500]:
        ids = tokenizer.encode(line)
        text = tokenizer.decode(ids)
        stops = ["<never>", "\n\n"]
        for _ in range(chance.randint(1, 3) if text else 0):
            at = chance.randrange(len(text))
            stops.append(text[at : at + chance.randint(1, 5)])
        expected = cut(text, stops)
        assert streamed(tokenizer, ids, stops) == expected
        stopped += expected != text
    assert stopped > 1000


def test_half_characters_are_held_back(
    byte_level: Trained, train_sentencepiece: Callable[..., bytes]
) -> None:
    for kind in ("byte level", "llama"):
        tokenizer = made(kind, [], byte_level, train_sentencepiece)
        ids = tokenizer.encode("𝔘", special=False)
        assert len(ids) > 2
        stream = tokenizer.stream()
        parts = [stream.push(id) for id in ids]
        assert "".join(parts) == "𝔘"
        assert parts[-1] == "𝔘"
        stream = tokenizer.stream()
        for id in ids[:-1]:
            assert stream.push(id).strip() == ""
        rest = stream.finish()
        assert rest
        assert set(rest) == {"\ufffd"}


def test_damaged_bytes_leave_their_neighbors(train_sentencepiece: Callable[..., bytes]) -> None:
    tokenizer = made("llama", [], ({}, []), train_sentencepiece)
    good = [tokenizer.id(f"<0x{byte:02X}>") or 0 for byte in "𝔘".encode()]
    assert tokenizer.decode([*good, good[0], good[1]]) == "𝔘\ufffd\ufffd"
    assert streamed(tokenizer, [*good, good[0], good[1]], []) == "𝔘\ufffd\ufffd"


def test_nothing_comes_after_a_stop_string(byte_level: Trained) -> None:
    tokenizer = made("byte level", [], byte_level, lambda: b"")
    stream = tokenizer.stream(["ST", "OP now"])
    text = "".join(stream.push(id) for id in tokenizer.encode("go on. STOP now"))
    assert text == "go on. "
    assert stream.stopped
    assert stream.stop == "ST"
    assert stream.push(0) == ""
    assert stream.finish() == ""


def test_what_may_become_a_stop_string_waits(byte_level: Trained) -> None:
    tokenizer = made("byte level", [], byte_level, lambda: b"")
    stream = tokenizer.stream(["###"])
    sign, letter = tokenizer.encode("#")[0], tokenizer.encode("a")[0]
    assert [stream.push(id) for id in (sign, sign, letter, sign)] == ["", "", "##a", ""]
    assert not stream.stopped
    assert stream.finish() == "#"


def test_empty_stop_strings_and_foreign_ids_are_refused(byte_level: Trained) -> None:
    tokenizer = made("byte level", [], byte_level, lambda: b"")
    with pytest.raises(RequestError, match="empty"):
        tokenizer.stream([""])
    for id in (-1, tokenizer.vocabulary):
        with pytest.raises(RequestError, match=f"{id} .*\\b{tokenizer.vocabulary - 1}\\."):
            tokenizer.stream().push(id)
