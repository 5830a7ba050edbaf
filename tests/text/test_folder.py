"""What the files beside a tokenizer say, and errors that name the file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from loquent.errors import CheckpointError, RequestError
from loquent.text.folder import open_tokenizer

Trained = tuple[dict[str, int], list[tuple[str, str]]]
USER = [{"role": "user", "content": "Hi"}]


def library(*pieces: str) -> Tokenizer:
    """A tokenizer of words, with these special tokens after the words."""
    words = {word: id for id, word in enumerate(("<unk>", "a", "b", "c"))}
    made = Tokenizer(models.WordLevel(words, "<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens(list(pieces))
    return made


def write(folder: Path, made: Tokenizer, **files: dict[str, Any]) -> Path:
    made.save(str(folder / "tokenizer.json"))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_names_flags_and_ends(tmp_path: Path) -> None:
    write(
        tmp_path,
        library("<s>", "</s>", "<pad>", "<|im_end|>", "<x>"),
        tokenizer_config={
            "bos_token": {"content": "<s>", "lstrip": False},
            "eos_token": "</s>",
            "add_bos_token": True,
            "add_eos_token": False,
        },
        special_tokens_map={"pad_token": "<pad>", "unk_token": "<unk>"},
        generation_config={"eos_token_id": [5, 8, 99], "bos_token_id": 4},
        config={"eos_token_id": 6},
    )
    tokenizer = open_tokenizer(tmp_path)
    assert (tokenizer.begin, tokenizer.end, tokenizer.pad, tokenizer.unknown) == (4, 5, 6, 0)
    assert tokenizer.ends == {5, 7, 8}
    assert tokenizer.vocabulary == 9
    assert tokenizer.adds_begin
    assert tokenizer.encode("a b") == [4, 1, 2]
    assert tokenizer.encode("a b", special=False) == [1, 2]
    assert tokenizer.template is None


def test_ids_of_the_configs_stand_in_for_missing_names(tmp_path: Path) -> None:
    write(tmp_path, library("<s>", "</s>"), config={"bos_token_id": 4, "eos_token_id": 5})
    tokenizer = open_tokenizer(tmp_path)
    assert (tokenizer.begin, tokenizer.end, tokenizer.pad) == (4, 5, None)
    assert tokenizer.ends == {5}


def test_tokens_of_the_config_are_added_under_their_ids(tmp_path: Path) -> None:
    flags = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
    config = {
        "added_tokens_decoder": {
            "4": {"content": "<tool>", "special": False, **flags},
            "5": {"content": "<end>", "special": True, **flags},
        },
        "eos_token": "<end>",
        "additional_special_tokens": ["<more>"],
    }
    tokenizer = open_tokenizer(write(tmp_path, library(), tokenizer_config=config))
    assert tokenizer.encode("a<tool><end> <more>") == [1, 4, 5, 6]
    assert tokenizer.decode([1, 4, 5, 6]) == "a <tool>"
    config["added_tokens_decoder"] = {"7": {"content": "<far>"}}
    write(tmp_path, library(), tokenizer_config=config)
    with pytest.raises(CheckpointError, match=r"'<far>' should have id 7, but gets 4"):
        open_tokenizer(tmp_path)


def test_old_added_tokens(tmp_path: Path) -> None:
    write(
        tmp_path,
        library(),
        added_tokens={"<y>": 5, "<x>": 4},
        special_tokens_map={"eos_token": "<y>"},
    )
    tokenizer = open_tokenizer(tmp_path)
    assert tokenizer.encode("<x><y>") == [4, 5]
    assert tokenizer.end == 5
    assert tokenizer.is_special(5)
    assert not tokenizer.is_special(4)


def test_chat_templates_are_found_in_each_place(tmp_path: Path) -> None:
    config: dict[str, Any] = {"chat_template": "from config {{ eos_token }}", "eos_token": "<end>"}
    write(tmp_path, library("<end>"), tokenizer_config=config)
    template = open_tokenizer(tmp_path).template
    assert template is not None
    assert template.render(USER) == "from config <end>"
    config["chat_template"] = [
        {"name": "default", "template": "first"},
        {"name": "tool_use", "template": "second"},
    ]
    write(tmp_path, library("<end>"), tokenizer_config=config)
    template = open_tokenizer(tmp_path).template
    assert template is not None
    assert template.render(USER) == "first"
    assert template.render(USER, tools=[{"type": "function"}]) == "second"
    (tmp_path / "chat_template.json").write_text('{"chat_template": "alone"}')
    template = open_tokenizer(tmp_path).template
    assert template is not None
    assert template.render(USER) == "alone"
    (tmp_path / "chat_template.jinja").write_text("in a file {{ x.y }}")
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text("third")
    template = open_tokenizer(tmp_path).template
    assert template is not None
    assert template.render(USER, tools=[{"type": "function"}]) == "third"
    with pytest.raises(CheckpointError, match=r"chat_template\.jinja:1"):
        template.render(USER)


def test_a_template_is_saved_with_the_tokenizer(tmp_path: Path) -> None:
    config = {"chat_template": "{{ bos_token }}{{ messages[0].content }}", "bos_token": "<s>"}
    tokenizer = open_tokenizer(write(tmp_path, library("<s>"), tokenizer_config=config))
    tokenizer.save(tmp_path / "saved")
    again = open_tokenizer(tmp_path / "saved")
    assert again.template is not None
    assert again.template.render(USER) == "<s>Hi"
    assert again.begin == tokenizer.begin


def test_padding_truncation_and_dropout_are_left_out(tmp_path: Path, byte_level: Trained) -> None:
    vocab, merges = byte_level
    made = Tokenizer(models.BPE(vocab, merges, dropout=0.9))
    made.enable_padding(length=50)
    made.enable_truncation(2)
    tokenizer = open_tokenizer(write(tmp_path, made))
    ids = tokenizer.encode("timetimetimetime")
    assert 2 < len(ids) < 50
    assert all(tokenizer.encode("timetimetimetime") == ids for _ in range(20))


def test_one_file_may_be_opened_by_itself(tmp_path: Path) -> None:
    path = write(tmp_path, library("<s>")) / "tokenizer.json"
    assert open_tokenizer(path).vocabulary == 5


def test_pieces_and_bytes(byte_level: Trained, tmp_path: Path) -> None:
    vocab, merges = byte_level
    (tmp_path / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    text = "\n".join(f"{left} {right}" for left, right in merges)
    (tmp_path / "merges.txt").write_text(text, encoding="utf-8")
    tokenizer = open_tokenizer(tmp_path)
    ids = tokenizer.encode(" the 世")
    assert tokenizer.pieces(ids)[0] == "Ġthe"
    assert b"".join(map(tokenizer.piece_bytes, ids)).decode() == " the 世"
    assert [tokenizer.id(piece) for piece in tokenizer.pieces(ids)] == ids
    assert tokenizer.id("no such piece") is None
    assert (tokenizer.begin, tokenizer.end, tokenizer.ends) == (None, None, frozenset())


def test_ids_outside_the_vocabulary_are_refused(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(write(tmp_path, library()))
    for id in (-1, 4, 2**40):
        for call in (lambda: tokenizer.decode([1, id]), lambda: tokenizer.piece(id)):  # noqa: B023
            with pytest.raises(RequestError, match=rf"token id {id} is outside .* 0 to 3\."):
                call()
        with pytest.raises(RequestError, match="0 to 3"):
            tokenizer.piece_bytes(id)


def test_half_a_surrogate_pair_is_refused(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(write(tmp_path, library()))
    with pytest.raises(RequestError, match="surrogate pair at character 3"):
        tokenizer.encode("é \ud83d")


def test_special_names_in_a_text_may_be_text(tmp_path: Path) -> None:
    made = Tokenizer(models.Unigram([("<unk>", 0.0), ("</s>", 0.0), ("<", -3.0), ("/", -3.0),
                                     ("s", -3.0), (">", -3.0)], 0))  # fmt: skip
    made.add_special_tokens(["</s>", "<new>"])
    tokenizer = open_tokenizer(write(tmp_path, made))
    assert tokenizer.encode("</s>") == [1]
    assert tokenizer.encode("</s>", parse_special=False) == [2, 3, 4, 5]
    assert 6 not in tokenizer.encode("<new>", parse_special=False)


def damaged(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        open_tokenizer(path.parent)
    return str(caught.value)


def test_a_folder_without_a_tokenizer_says_which_files_count(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no tokenizer.*tokenizer\.json.*tiktoken"):
        open_tokenizer(tmp_path)
    with pytest.raises(CheckpointError, match="is not there"):
        open_tokenizer(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("tokenizer.json", b"{", ["tokenizer.json", "truncated"]),
        ("tokenizer.json", b'{"model": {"vocab": {"a": "x"}}}', ["$.model.vocab"]),
        ("tokenizer.json", b'{"model": {"vocab": {"a": -1}}}', ["model", "id is not from 0"]),
        ("tokenizer.json", b'{"model": {"vocab": {"a": 99999999}}}', ["id is not from 0"]),
        ("tokenizer.json", b"[" * 100_000, ["tokenizer.json", "Expected `object`"]),
        ("tokenizer.json", b'{"x": ' + b"[" * 100_000, ["nested too deeply"]),
        ("tokenizer.json", b"\xff\xfe", ["tokenizer.json"]),
        (
            "tokenizer.json",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            ["pointer", "git lfs pull"],
        ),
        ("tokenizer.model", b"\n", ["tokenizer.model", "byte 1"]),
        ("tokenizer.model", b"\n\x7fabc", ["field 1 at byte 0 says 127 bytes, but 3 are left"]),
        ("tokenizer.model", b"\n\x03\x0a\x01\xff", ["not UTF-8"]),
        ("tokenizer.model", b"\n\x02\x08\x01" * 2, ["a text is a number"]),
        ("tokenizer.model", b"\n\x05\x0a\x01a\x10\x01", ["a score is not a float"]),
        ("tokenizer.model", b"\n\x00" * 2, ["piece 0", "empty"]),
        ("tokenizer.model", b"\n" + b"\x80" * 11, ["over 10 bytes"]),
        ("tokenizer.model", b"\n\x03\x0a\x01a\x0f", ["wire type 7 at byte 5"]),
        ("tokenizer.model", b"\n\x03\x0a\x01a\x00\x01", ["field number 0 at byte 5"]),
        ("tokenizer.model", b"\n\x03\x0a\x01a\x12\x02\x18\x04", ["'char' is not executed"]),
        ("tokenizer.model", b"\n\x03\x0a\x01a", ["no unknown piece"]),
        ("tokenizer.model", b"\n\x03\x0a\x01a\x1a\x03\x12\x01a", ["character map is too short"]),
        ("gpt2.tiktoken", b"!!!! 0\n", ["gpt2.tiktoken:1", "base64"]),
        ("gpt2.tiktoken", b"YQ== 0\nYQ== 1\n", ["gpt2.tiktoken:2", "there before"]),
        ("gpt2.tiktoken", b"YQ== 0\nYg==\n", ["gpt2.tiktoken:2"]),
        ("gpt2.tiktoken", b"YQ== 1\n", ["from 0 on"]),
        ("gpt2.tiktoken", b"YQ== 0\n", ["byte 0 has no rank"]),
        ("gpt3.tiktoken", b"YQ== 0\n", ["'gpt3'", "'gpt2'"]),
        ("vocab.json", b"{}", ["vocab.json", "id is not from 0"]),
        ("vocab.json", b'{"a": 0}', ["merges.txt", "cannot be read"]),
    ],
)
def test_what_is_wrong_with_a_file_is_named(
    name: str, content: bytes, words: list[str], tmp_path: Path
) -> None:
    told = damaged(tmp_path / name, content)
    for word in words:
        assert word in told


def test_faults_of_merges_name_the_line(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1, "ab": 2}')
    assert "merges.txt:3: 'a c'" in damaged(tmp_path / "merges.txt", b"#version: 0.2\na b\na c\n")
    assert "merges.txt: is not UTF-8 at byte 2" in damaged(tmp_path / "merges.txt", b"a \xff\n")


def test_settings_of_a_wrong_kind_are_named(tmp_path: Path) -> None:
    write(tmp_path, library())
    told = damaged(tmp_path / "tokenizer_config.json", b"[1]")
    assert "tokenizer_config.json" in told
    (tmp_path / "tokenizer_config.json").write_bytes(b" " * (5 * 2**20))
    with pytest.raises(CheckpointError, match="at most 4194304 are read"):
        open_tokenizer(tmp_path)


def test_classes_that_move_ids_are_refused(
    train_sentencepiece: Callable[..., bytes], tmp_path: Path
) -> None:
    data = train_sentencepiece(vocab_size=1500, model_type="unigram")
    (tmp_path / "spiece.model").write_bytes(data)
    config = tmp_path / "tokenizer_config.json"
    config.write_text('{"tokenizer_class": "XLMRobertaTokenizerFast"}')
    with pytest.raises(CheckpointError, match=r"'XLMRobertaTokenizer' .*tokenizer\.json"):
        open_tokenizer(tmp_path)
    config.write_text('{"tokenizer_class": "T5TokenizerFast"}')
    tokenizer = open_tokenizer(tmp_path)
    assert tokenizer.encode("the")[-1] == tokenizer.end
    assert not tokenizer.adds_begin


def hostile(part: str, step: dict[str, Any]) -> bytes:
    document = json.loads(library().to_str())
    document[part] = step
    return json.dumps(document).encode()


def nested(depth: int) -> dict[str, Any]:
    step: dict[str, Any] = {"type": "NFC"}
    for _ in range(depth):
        step = {"type": "Sequence", "normalizers": [step]}
    return step


BOMB = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "A", "type_id": 0}}] + 100 * [{"SpecialToken": {"id": "x"}}],
    "pair": [],
    "special_tokens": {"x": {"id": "x", "ids": [1], "tokens": ["a"]}},
}


@pytest.mark.parametrize(
    ("part", "step", "words"),
    [
        ("normalizer", {"type": "Sequence", "normalizers": [BOMB] * 60}, ["longer"]),
        ("normalizer", {"type": "Prepend", "prepend": "a" * 500}, ["longer"]),
        ("decoder", {"type": "Sequence", "decoders": [BOMB] * 60}, ["longer"]),
        ("normalizer", nested(30), ["levels"]),
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}, ["too short"]),
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "?"}, ["base64"]),
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "/////w=="}, ["4294967295"]),
        ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "("}}, ["tokenizer.json"]),
        ("pre_tokenizer", {"type": "Nothing"}, ["tokenizer.json"]),
        ("post_processor", TEMPLATE, ["template", "64"]),
    ],
)
def test_hostile_parts_are_refused(
    part: str, step: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    told = damaged(tmp_path / "tokenizer.json", hostile(part, step))
    for word in words:
        assert word in told


def test_a_post_processor_with_ids_outside_is_refused(tmp_path: Path) -> None:
    step = {"type": "BertProcessing", "sep": ["x", 70_000], "cls": ["y", 1]}
    told = damaged(tmp_path / "tokenizer.json", hostile("post_processor", step))
    assert "70000" in told


def test_a_panic_of_the_library_is_an_error(tmp_path: Path) -> None:
    step = {
        "type": "Split",
        "pattern": {"Regex": "(x+x+)+y"},
        "behavior": "Isolated",
        "invert": False,
    }
    (tmp_path / "tokenizer.json").write_bytes(hostile("pre_tokenizer", step))
    tokenizer = open_tokenizer(tmp_path)
    with pytest.raises(CheckpointError, match="encoding failed"):
        tokenizer.encode("x" * 5000)


def test_added_tokens_must_have_their_ids(tmp_path: Path) -> None:
    document = json.loads(library("<x>").to_str())
    document["added_tokens"][-1]["id"] = 9
    told = damaged(tmp_path / "tokenizer.json", json.dumps(document).encode())
    assert "'<x>' should have id 9, but gets 4" in told


@pytest.mark.parametrize(
    "change",
    [
        {"type": "WordPiece", "max_input_chars_per_word": 10**9, "continuing_subword_prefix": "##"},
        {"type": "BPE", "merges": [], "continuing_subword_prefix": "x" * 100},
        {"type": "BPE", "merges": [], "end_of_word_suffix": "x" * 100},
        {
            "type": "Unigram",
            "unk_id": 0,
            "vocab": [["x" * 1000 + str(n), 0.0] for n in range(17_000)],
        },
    ],
)
def test_models_that_take_too_much_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    document = json.loads(library().to_str())
    document["model"] = {**document["model"], **change}
    assert "model" in damaged(tmp_path / "tokenizer.json", json.dumps(document).encode())


def test_normalizers_are_kept(tmp_path: Path) -> None:
    made = library()
    made.normalizer = normalizers.Lowercase()
    assert open_tokenizer(write(tmp_path, made)).encode("A B") == [1, 2]
