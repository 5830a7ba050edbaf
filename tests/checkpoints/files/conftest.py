"""Small files in the real formats."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from loquent.checkpoints.files.safetensors import write_safetensors


@pytest.fixture
def small_safetensors(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    arrays = {
        "a.weight": generator.normal(size=(4, 6)).astype(np.float32),
        "b": generator.normal(size=(3,)).astype(np.float32),
        "c.bias": generator.normal(size=(2, 2, 2)).astype(np.float32),
    }
    path = tmp_path / "small.safetensors"
    write_safetensors(path, {name: each.shape for name, each in arrays.items()}, arrays.get)
    return path


@pytest.fixture
def small_gguf(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(16)
    writer.add_token_list(["<s>", "Ġhello", "世界", "x" * 50])
    writer.add_array("test.numbers", [1, 2, 3])
    writer.add_float32("test.float", 0.5)
    writer.add_bool("test.flag", True)
    writer.add_chat_template("{{ messages }}")
    generator = np.random.default_rng(0)
    writer.add_tensor("plain", generator.normal(size=(4, 6)).astype(np.float32))
    writer.add_tensor("half", generator.normal(size=(2, 32)).astype(np.float16))
    values = generator.normal(size=(4, 64)).astype(np.float32)
    kind = gguf.GGMLQuantizationType.Q4_1
    writer.add_tensor("packed", gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
