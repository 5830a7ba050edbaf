"""llama.cpp through llama-cpp-python's own functions, several rows in one batch."""

import ctypes
import sys
from pathlib import Path

import llama_cpp
import numpy as np

BATCH = 512
FTYPES = {
    "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "bf16": llama_cpp.LLAMA_FTYPE_MOSTLY_BF16,
}


@llama_cpp.llama_log_callback
def _log(level: int, text: bytes, _user: ctypes.c_void_p) -> None:
    if level in (3, 4):  # warnings and errors
        sys.stderr.write(text.decode(errors="replace"))


llama_cpp.llama_backend_init()
llama_cpp.llama_log_set(_log, ctypes.c_void_p(0))


def convert(source: Path, variant: str, target: Path) -> None:
    """Quantize with llama.cpp's own function, as its users do."""
    target.mkdir(parents=True)
    whole = source / "original.gguf"
    if not whole.exists():
        whole = target / "f32.gguf"
        write_gpt2(source, whole)
    how = llama_cpp.llama_model_quantize_default_params()
    how.ftype, how.allow_requantize, how.nthread = FTYPES[variant], True, 2
    made = str(target / "model.gguf").encode()
    if llama_cpp.llama_model_quantize(str(whole).encode(), made, how) != 0:
        raise RuntimeError(f"llama.cpp cannot quantize to {variant}")
    (target / "f32.gguf").unlink(missing_ok=True)


class Model:
    """A model, and one context at a time."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        self.threads = threads
        self.context = None
        self.model = llama_cpp.llama_model_load_from_file(
            str(files / "model.gguf").encode(), llama_cpp.llama_model_default_params()
        )
        if not self.model:
            raise RuntimeError("llama.cpp cannot load its file")
        vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(vocabulary)

    def prepare(self, rows: int, length: int) -> None:
        """A context in which each row may have so many tokens."""
        if self.context is not None:
            llama_cpp.llama_free(self.context)
        how = llama_cpp.llama_context_default_params()
        how.n_ctx, how.n_seq_max = rows * length, rows
        how.n_batch = how.n_ubatch = BATCH
        how.n_threads = how.n_threads_batch = self.threads
        how.kv_unified = rows > 1
        self.context = llama_cpp.llama_init_from_model(self.model, how)
        if not self.context:
            raise RuntimeError("llama.cpp cannot make a context")

    def generate(self, prompts: list[list[int]], count: int) -> list[list[int]]:
        """The likeliest tokens."""
        memory = llama_cpp.llama_get_memory(self.context)
        llama_cpp.llama_memory_clear(memory, False)
        last: list[int] = []
        for start in range(0, len(prompts), BATCH // len(prompts[0]) or 1):
            some = prompts[start : start + (BATCH // len(prompts[0]) or 1)]
            last += self._read_prompts(some, start)
        written = [[each] for each in last]
        rows = len(prompts)
        for step in range(count - 1):
            place = len(prompts[0]) + step
            last = self._step(last, list(range(rows)), [place] * rows, [True] * rows)
            for row, each in zip(written, last, strict=True):
                row.append(each)
        return written

    def _read_prompts(self, prompts: list[list[int]], first: int) -> list[int]:
        """Read some whole rows, in parts of a batch where one row is longer."""
        length = len(prompts[0])
        part = max(1, BATCH // len(prompts))
        found: list[int] = []
        for start in range(0, length, part):
            end = min(start + part, length)
            ids = [each for row in prompts for each in row[start:end]]
            rows = [first + row for row in range(len(prompts)) for _ in range(start, end)]
            places = [place for _ in prompts for place in range(start, end)]
            found = self._step(ids, rows, places, [place == length - 1 for place in places])
        return found

    def _step(
        self, ids: list[int], rows: list[int], places: list[int], wanted: list[bool]
    ) -> list[int]:
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        try:
            batch.n_tokens = len(ids)
            for index, each in enumerate(ids):
                batch.token[index], batch.pos[index] = each, places[index]
                batch.n_seq_id[index], batch.seq_id[index][0] = 1, rows[index]
                batch.logits[index] = wanted[index]
            if llama_cpp.llama_decode(self.context, batch) != 0:
                raise RuntimeError("llama.cpp cannot read a batch")
        finally:
            llama_cpp.llama_batch_free(batch)
        return [
            int(np.ctypeslib.as_array(self._logits(index), (self.vocabulary,)).argmax())
            for index, is_wanted in enumerate(wanted)
            if is_wanted
        ]

    def _logits(self, index: int) -> "ctypes._Pointer[ctypes.c_float]":
        return llama_cpp.llama_get_logits_ith(self.context, index)


def write_gpt2(source: Path, target: Path) -> None:
    """A GPT-2 folder as a GGUF file in float32, without a vocabulary: prompts are ids here."""
    import json  # noqa: PLC0415

    import gguf  # noqa: PLC0415
    from safetensors.numpy import load_file  # noqa: PLC0415

    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    writer = gguf.GGUFWriter(target, "gpt2")
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_block_count(config["n_layer"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_tokenizer_model("none")
    writer.add_vocab_size(config["vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GPT2, config["n_layer"])
    for name, values in load_file(source / "model.safetensors").items():
        theirs = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if theirs is None:
            continue  # the mask of the causal attention, which some folders hold
        is_turned = values.ndim == 2 and ".h." in f".{name}"  # a Conv1D keeps (in, out)
        writer.add_tensor(theirs, np.ascontiguousarray(values.T) if is_turned else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
