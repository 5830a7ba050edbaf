"""Types of the compiled module (src/module.cpp)."""

import numpy as np
from numpy.typing import NDArray

LAYOUT_VERSION: int
HEAD_MULTIPLE: int
BLOCK_ROWS: int
PLAIN: int

class FileError(Exception): ...

class Activation:
    relu: Activation
    gelu: Activation
    gelu_tanh: Activation
    silu: Activation
    tanh: Activation

class Positions:
    none: Positions
    learned: Positions
    sinusoidal: Positions
    sinusoidal_halves: Positions
    rotary: Positions
    relative: Positions

class Pooling:
    first: Pooling
    last: Pooling
    mean: Pooling
    max: Pooling

class StackSettings:
    layers: int
    width: int
    length: int
    heads: int
    kv_heads: int
    head_width: int
    feedforward: int
    memory_width: int
    segments: int
    causal: bool
    cross: bool
    gated: bool
    attention_bias: bool
    output_bias: bool
    feedforward_bias: bool
    rms: bool
    norm_bias: bool
    norm_first: bool
    embedding_norm: bool
    final_norm: bool
    activation: Activation
    positions: Positions
    norm_epsilon: float
    attention_scale: float
    rotary_magnitude: float
    rotary_frequencies: list[float]
    relative_buckets: list[int]
    relative_bucket_count: int
    front_features: int
    front_kernels: list[int]
    front_strides: list[int]
    front_activation: Activation

class ModelSettings:
    vocabulary: int
    source_vocabulary: int
    has_encoder: bool
    has_decoder: bool
    encoder: StackSettings
    decoder: StackSettings
    tied: bool
    shared: bool
    head_bias: bool
    embedding_scale: float
    logit_scale: float
    reads: bool
    pooled: bool
    pooling: Pooling
    outputs: int
    head_hidden: bool
    head_norm: bool
    head_activation: Activation

class PackedFile:
    def __init__(self, path: str) -> None: ...
    @property
    def description(self) -> bytes: ...
    @property
    def bytes(self) -> int: ...

class Memory:
    def clear(self, row: int) -> None: ...
    def reorder(self, rows: list[int], sources: list[int]) -> None: ...
    @property
    def used_blocks(self) -> int: ...
    @property
    def allocated_blocks(self) -> int: ...

class Network:
    def __init__(
        self, file: PackedFile, settings: ModelSettings, threads: int, instruction_set: str = ""
    ) -> None: ...
    @property
    def instruction_set(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def position_bytes(self) -> int: ...
    def new_memory(self, rows: int) -> Memory: ...
    def step(
        self,
        memory: Memory,
        ids: NDArray[np.int32],
        rows: NDArray[np.int32],
        positions: NDArray[np.int32],
        wanted: NDArray[np.bool_],
    ) -> NDArray[np.float32]: ...
    def encode(self, ids: NDArray[np.int32]) -> NDArray[np.float32]: ...
    def encode_sound(self, features: NDArray[np.float32]) -> NDArray[np.float32]: ...
    def read_sounds(
        self, features: NDArray[np.float32], lengths: NDArray[np.int32]
    ) -> NDArray[np.float32]: ...
    def read(
        self,
        ids: NDArray[np.int32],
        lengths: NDArray[np.int32],
        segments: NDArray[np.int32],
        wanted: NDArray[np.bool_],
    ) -> NDArray[np.float32]: ...
    def attach(self, memory: Memory, row: int, ids: NDArray[np.int32]) -> None: ...
    def attach_sound(self, memory: Memory, row: int, features: NDArray[np.float32]) -> None: ...
    def align(
        self,
        memory: Memory,
        row: int,
        ids: NDArray[np.int32],
        layers: list[int],
        heads: list[int],
    ) -> NDArray[np.float32]: ...

def cpu_features() -> list[str]: ...
def instruction_sets() -> list[str]: ...
def refused_instruction_sets() -> list[str]: ...
def pack_matrix(weights: NDArray[np.float32], kind: int, threads: int) -> NDArray[np.uint8]: ...
def checksum(bytes: NDArray[np.uint8]) -> int: ...
def multiply(
    weights: NDArray[np.float32], kind: int, x: NDArray[np.float32], instruction_set: str
) -> NDArray[np.float32]: ...
def time_products(
    packed: NDArray[np.uint8],
    kind: int,
    rows: int,
    columns: int,
    tokens: int,
    copies: int,
    products: int,
    runs: int,
    threads: int,
    instruction_set: str,
) -> list[float]: ...

class Map:
    def __init__(
        self,
        weights: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        norm_weight: NDArray[np.float32] | None,
        norm_bias: NDArray[np.float32] | None,
        epsilon: float,
        kind: int,
        activation: Activation | None,
        instruction_set: str = "",
    ) -> None: ...
    def apply(
        self,
        x: NDArray[np.float32],
        turned: bool = False,
        across: bool = False,
        residual: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]: ...

def gelu(x: NDArray[np.float32], instruction_set: str = "") -> None: ...
def leading(
    logits: NDArray[np.float32], wanted: int, instruction_set: str = ""
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float64]]: ...
def uniform(key: int, count: int) -> NDArray[np.float32]: ...

class Mixer:
    def __init__(
        self, window: NDArray[np.float32], hop: int, instruction_set: str = ""
    ) -> None: ...
    def run(
        self, parts: list[NDArray[np.float32]], pulses: NDArray[np.float32]
    ) -> NDArray[np.float32]: ...

class Chain:
    def __init__(self, inputs: list[tuple[int, float]], instruction_set: str = "") -> None: ...
    def add(
        self,
        source: int,
        bent: bool,
        kernel: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        dilation: int,
        stretch: int,
        before: int,
        after: int,
        added: list[int],
        scale: float,
        slope: float,
        tanh: bool,
    ) -> None: ...
    def run(
        self, inputs: list[NDArray[np.float32]], bent: bool = False, threads: int = 1
    ) -> NDArray[np.float32]: ...

def convolve_channels(
    x: NDArray[np.float32],
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    dilation: int,
    before: int,
    after: int,
) -> NDArray[np.float32]: ...
