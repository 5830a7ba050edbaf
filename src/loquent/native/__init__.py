"""The native runtime: C++ behind a small typed face."""

from loquent.native._core import (
    FileError,
    Memory,
    ModelSettings,
    Network,
    PackedFile,
    cpu_features,
    instruction_sets,
)
from loquent.native.packed import Kind, PackedWriter, Plan
from loquent.native.settings import executable, model_settings, unexecuted
from loquent.native.threads import thread_count
from loquent.native.unpacked import unpacked

__all__ = [
    "FileError",
    "Kind",
    "Memory",
    "ModelSettings",
    "Network",
    "PackedFile",
    "PackedWriter",
    "Plan",
    "cpu_features",
    "executable",
    "instruction_sets",
    "model_settings",
    "thread_count",
    "unexecuted",
    "unpacked",
]
