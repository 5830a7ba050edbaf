"""The native runtime: C++ behind a small typed face."""

from loquent.native._core import (
    Activation,
    Chain,
    FileError,
    Map,
    Memory,
    Mixer,
    ModelSettings,
    Network,
    PackedFile,
    convolve_channels,
    cpu_features,
    gelu,
    instruction_sets,
    leading,
    uniform,
)
from loquent.native.packed import Kind, PackedWriter, Plan
from loquent.native.settings import executable, model_settings, unexecuted
from loquent.native.threads import thread_count
from loquent.native.unpacked import unpacked

__all__ = [
    "Activation",
    "Chain",
    "FileError",
    "Kind",
    "Map",
    "Memory",
    "Mixer",
    "ModelSettings",
    "Network",
    "PackedFile",
    "PackedWriter",
    "Plan",
    "convolve_channels",
    "cpu_features",
    "executable",
    "gelu",
    "instruction_sets",
    "leading",
    "model_settings",
    "thread_count",
    "unexecuted",
    "uniform",
    "unpacked",
]
