"""Whisper's weights in the files of each peer, made of one CTranslate2 folder of the catalogue.

CTranslate2's own folder gets the list of words that its library wants. The format of whisper.cpp
("ggml", as its convert-pt-to-ggml.py and quantize write it) is written here: header, mel filters,
bytes of the words, tensors by the names of OpenAI's checkpoints.
"""

import json
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

import loquent
from loquent.audio.mel import slaney_filters
from loquent.checkpoints import hub

Array = NDArray[Any]

MAGIC = 0x67676D6C
F32, F16, Q8_0 = 0, 1, 8  # kinds of tensors
WHOLE = {"f32": 0, "int8": 2007}  # what a file says of itself: float32; the second version of Q8_0
BLOCK = 32
TIMES = 1501  # from 0 to 30 s
PLAIN = ("encoder.conv1.bias", "encoder.conv2.bias",
         "encoder.positional_embedding", "decoder.positional_embedding")  # fmt: skip
NAMES = (
    (r"^model\.", ""),
    (r"\.layers\.", ".blocks."),
    (r"self_attn_layer_norm", "attn_ln"),
    (r"encoder_attn_layer_norm", "cross_attn_ln"),
    (r"self_attn\.", "attn."),
    (r"encoder_attn\.", "cross_attn."),
    (r"attn\.([qkv])_proj", lambda m: f"attn.{ {'q': 'query', 'k': 'key', 'v': 'value'}[m[1]] }"),
    (r"attn\.out_proj", "attn.out"),
    (r"fc1\.", "mlp.0."),
    (r"fc2\.", "mlp.2."),
    (r"final_layer_norm", "mlp_ln"),
    (r"^encoder\.layer_norm", "encoder.ln_post"),
    (r"^decoder\.layer_norm", "decoder.ln"),
    (r"embed_positions\.weight", "positional_embedding"),
    (r"embed_tokens", "token_embedding"),
)


def made(name: str, folder: Path, variants: list[str]) -> Path:
    """The folder of a model with the files of all peers, made where they are not there yet."""
    place = folder / name
    source = hub.resolve(name)
    if not (place / "ctranslate2").exists():
        _folder(source, place / "ctranslate2")
    missing = [each for each in variants if not (place / f"ggml-{each}.bin").exists()]
    if missing:
        lm = loquent.open(name)
        with TemporaryDirectory() as other:
            lm.checkpoint.save(Path(other) / "model")
            config = json.loads((Path(other) / "model" / "config.json").read_text())
            weights = load_file(Path(other) / "model" / "model.safetensors")
        words = list(_words(lm))
        for variant in missing:
            unfinished = place / f".ggml-{variant}.bin"
            with unfinished.open("wb") as file:
                _write(file, config, weights, words, variant)
            unfinished.rename(place / f"ggml-{variant}.bin")
    return place


def _folder(source: Path, target: Path) -> None:
    unfinished = target.with_name(".ctranslate2")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name in ("config.json", "model.bin", "tokenizer.json"):
        shutil.copy(source / name, unfinished / name)
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    words = dict(tokenizer["model"]["vocab"])
    words |= {each["content"]: each["id"] for each in tokenizer["added_tokens"]}
    listed = sorted(words, key=lambda each: words[each])
    if not any(each.startswith("<|0.") for each in listed):
        listed += [f"<|{0.02 * each:.2f}|>" for each in range(TIMES)]
    (unfinished / "vocabulary.json").write_text(json.dumps(listed), encoding="utf-8")
    unfinished.rename(target)


def _words(lm: Any) -> Iterator[bytes]:
    """The bytes of all words, without signs, in the order of their ids."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = dict(zip(map(chr, kept), kept, strict=True))
    others = [each for each in range(256) if each not in kept]
    letters |= {chr(256 + place): each for place, each in enumerate(others)}
    for id in range(lm.tokenizer.id("<|endoftext|>")):
        yield bytes(letters[each] for each in lm.tokenizer.piece(id))


def _write(
    file: BinaryIO, config: dict[str, Any], weights: dict[str, Array], words: list[bytes],
    variant: str,
) -> None:  # fmt: skip
    heads = ("encoder_attention_heads", "decoder_attention_heads")
    numbers = [
        config["vocab_size"], config["max_source_positions"], config["d_model"], config[heads[0]],
        config["encoder_layers"], config["max_target_positions"], config["d_model"],
        config[heads[1]], config["decoder_layers"], config["num_mel_bins"], WHOLE[variant],
    ]  # fmt: skip
    file.write(struct.pack("<12i", MAGIC, *numbers))
    filters = np.asarray(slaney_filters(config["num_mel_bins"]), np.float32)
    file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
    file.write(struct.pack("<i", len(words)))
    for each in words:
        file.write(struct.pack("<i", len(each)) + each)
    for name, values in weights.items():
        if name != "proj_out.weight":
            _tensor(file, _renamed(name), values, variant)


def _renamed(name: str) -> str:
    for old, new in NAMES:
        name = re.sub(old, new, name)  # type: ignore[arg-type, call-overload]
    return name


def _tensor(file: BinaryIO, name: str, values: Array, variant: str) -> None:
    if name in PLAIN[:2]:
        values = values.reshape(-1, 1)
    kind = F32
    if variant == "int8" and values.ndim > 1 and name not in PLAIN:
        kind = Q8_0 if values.ndim == 2 else F16
    shape = values.shape[::-1]
    file.write(struct.pack(f"<{3 + len(shape)}i", len(shape), len(name), kind, *shape))
    file.write(name.encode())
    if kind == Q8_0:
        file.write(_blocks(values))
    else:
        file.write(values.astype(np.float16 if kind == F16 else np.float32).tobytes())


def _blocks(values: Array) -> bytes:
    """Scales (float16) with 32 whole numbers each."""
    rows = values.astype(np.float32).reshape(-1, BLOCK)
    scales = np.abs(rows).max(axis=1, keepdims=True) / 127
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    made = np.zeros(len(rows), np.dtype([("scale", "<f2"), ("values", "i1", BLOCK)]))
    made["scale"] = scales[:, 0]
    made["values"] = np.round(rows * inverse)
    return made.tobytes()
