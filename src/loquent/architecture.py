"""What a network is: frozen descriptions that every executor reads, without tensors."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from loquent.errors import ConfigError, together

Mixer = Literal["attention", "rnn", "gru", "lstm", "conv", "text_conv", "bahdanau"]
Activation = Literal["relu", "gelu", "gelu_tanh", "silu", "tanh"]
Norm = Literal["layer", "rms"]
NormPlace = Literal["pre", "post", "none"]
Positions = Literal[
    "none", "learned", "sinusoidal", "sinusoidal_halves", "rotary", "relative", "convolution"
]
RotaryScaling = Literal["none", "linear", "llama3", "yarn"]
Output = Literal["token", "masked", "class", "labels", "tags", "span", "embedding", "ctc"]
Pooling = Literal["first", "last", "mean", "max"]
Spectrum = Literal["whisper", "banks", "samples", "even_samples"]
FrontNorms = Literal["none", "first", "all"]

FRONT_LAYERS = 16  # convolutions of a front at most
RECURRENT: Mapping[Mixer, int] = {"rnn": 1, "gru": 3, "lstm": 4}  # gates of each


def _check(*rules: tuple[object, str]) -> None:
    faults: Iterable[str] = (message for holds, message in rules if not holds)
    errors = [ConfigError(message) for message in faults]
    if errors:
        raise together(ConfigError, errors)


@dataclass(frozen=True, kw_only=True)
class RotaryConfig:
    """Rotary positions (Su et al. 2021) and how they stretch beyond the trained length."""

    base: float = 10000.0  # wavelength base θ
    share: float = 1.0  # share of each head's width that is rotated
    scaling: RotaryScaling = "none"
    factor: float = 1.0  # how many times longer than the original length
    original_length: int = 0  # tokens; the length before scaling ("llama3", "yarn")
    low_factor: float = 1.0  # "llama3": wavelengths over original_length/low are divided by factor
    high_factor: float = 4.0  # "llama3": wavelengths under original_length/high stay
    fast: float = 32.0  # "yarn": rotations over the original length above which nothing changes
    slow: float = 1.0  # "yarn": rotations below which the frequency is divided by factor
    magnitude: float = 1.0  # cosine and sine are multiplied by it ("yarn": 0.1 ln(factor) + 1)

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        _check(
            (self.base > 1, f"rotary base must be above 1, not {self.base}."),
            (0 < self.share <= 1, f"rotary share must be in (0, 1], not {self.share}."),
            (self.factor >= 1, f"rotary factor must be at least 1, not {self.factor}."),
            (
                self.scaling not in ("llama3", "yarn") or self.original_length > 0,
                f"rotary scaling {self.scaling!r} needs original_length.",
            ),
            (
                self.scaling != "llama3" or self.high_factor > self.low_factor,
                f"rotary high_factor {self.high_factor} must be above low_factor "
                f"{self.low_factor}.",
            ),
            (
                self.scaling != "yarn" or min(self.fast, self.slow) > 0,
                "rotary fast and slow must be above 0.",
            ),
        )


def rotary_frequencies(rotary: RotaryConfig, width: int) -> list[float]:
    """Radians per position of each of the width/2 rotated pairs, scaled as `rotary` says.

    Su et al. 2021, §3.2.2; "linear": Chen et al. 2023; "llama3": Grattafiori et al. 2024, §3.4.2,
    as in Meta's released code; "yarn": Peng et al. 2023, §3.2.
    """
    plain = [rotary.base ** (-index / width) for index in range(0, width, 2)]
    if rotary.scaling == "none":
        return plain
    stretched = [each / rotary.factor for each in plain]
    if rotary.scaling == "linear":
        return stretched
    keep = _llama3_ramp(rotary, plain) if rotary.scaling == "llama3" else _yarn_ramp(rotary, width)
    return [
        share * old + (1 - share) * new
        for share, old, new in zip(keep, plain, stretched, strict=True)
    ]


def _llama3_ramp(rotary: RotaryConfig, frequencies: list[float]) -> list[float]:
    """How much of each frequency stays: all of those with many turns over the original length."""
    low, high = rotary.low_factor, rotary.high_factor
    turns = [rotary.original_length * each / (2 * math.pi) for each in frequencies]
    return [min(max((each - low) / (high - low), 0.0), 1.0) for each in turns]


def _yarn_ramp(rotary: RotaryConfig, width: int) -> list[float]:
    """The same by index of the pair: a ramp between those with `fast` and with `slow` rotations."""

    def pair(rotations: float) -> float:
        turns = rotary.original_length / (rotations * 2 * math.pi)
        return width * math.log(turns) / (2 * math.log(rotary.base))

    first = max(math.floor(pair(rotary.fast)), 0)
    last = min(math.ceil(pair(rotary.slow)), width - 1)
    span = last - first or 0.001
    return [1.0 - min(max((index - first) / span, 0.0), 1.0) for index in range(width // 2)]


@dataclass(frozen=True, kw_only=True)
class FrontConfig:
    """Convolutions over features of a sound, in place of an embedding (Radford et al. 2022, §2.2).

    Each is followed by the activation, and sees as many frames before a frame as behind it; or,
    where they are not padded, only windows that lie within the sound (Baevski et al. 2020, §2).
    """

    features: int  # values of each frame, such as mel bins
    kernels: tuple[int, ...] = (3, 3)  # frames seen by each convolution
    strides: tuple[int, ...] = (1, 2)  # of so many frames each makes one
    activation: Activation = "gelu"
    spectrum: Spectrum = "whisper"  # what is computed of a sound, see `audio/features.py`
    rate: int = 16_000  # samples of a second
    width: int = 0  # of their states; 0: that of the stack
    padded: bool = True
    bias: bool = True  # of the convolutions
    norms: FrontNorms = "none"  # "first": behind the first, of each channel over time; "all": a
    # LayerNorm behind each
    projected: bool = False  # a linear map brings their states to the stack's width
    projection_norm: bool = False  # a LayerNorm before that map

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        _check(
            (
                0 < len(self.kernels) <= FRONT_LAYERS,
                f"a front has 1 to {FRONT_LAYERS} convolutions, not {len(self.kernels)}.",
            ),
            (self.width >= 0, f"width of a front must not be negative, but is {self.width}."),
            (
                self.projected or not (self.width or self.projection_norm),
                "width and projection_norm of a front need projected.",
            ),
            (self.rate >= 1000, f"rate must be at least 1,000, not {self.rate}."),
            (
                self.spectrum != "whisper" or self.rate == 16_000,
                f"the spectrum 'whisper' is of 16,000 samples a second, not {self.rate:,}.",
            ),
            (self.features >= 1, f"features must be at least 1, not {self.features}."),
            (
                all(kernel >= 1 and (kernel % 2 or not self.padded) for kernel in self.kernels),
                f"kernels of a padded front must be odd, not {self.kernels}.",
            ),
            (
                len(self.strides) == len(self.kernels) and all(each >= 1 for each in self.strides),
                f"each of the {len(self.kernels)} convolutions needs a stride of at least 1.",
            ),
        )

    @property
    def stride(self) -> int:
        """How many frames become one state."""
        return math.prod(self.strides)

    @property
    def plain(self) -> bool:
        """Whether it is padded convolutions and their activations, and nothing else."""
        return self.padded and self.bias and self.norms == "none" and not self.projected

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """Of each convolution the frames that make its first state, and those to each further."""
        firsts = (1,) * len(self.kernels) if self.padded else self.kernels
        return tuple(zip(firsts, self.strides, strict=True))

    def states(self, frames: int) -> int:
        """How many states come of so many frames."""
        for first, stride in self.steps:
            frames = max((frames - first) // stride + 1, 0)
        return frames

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next."""
        return 1 / self.rate if self.spectrum in ("samples", "even_samples") else 0.01


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """One stack of layers: an encoder or a decoder."""

    layers: int
    width: int  # of the residual stream
    length: int  # longest input in tokens; 0 where nothing limits it
    front: FrontConfig | None = None  # reads a sound, of which its states are the tokens
    mixer: Mixer = "attention"
    causal: bool = True  # a token sees only those before it
    cross: bool = False  # every layer also attends to the encoder's output
    memory_width: int = 0  # width of the encoder's output; 0: the same as `width`
    heads: int = 1
    kv_heads: int = (
        0  # key/value heads, each shared by heads/kv_heads queries; 0: as many as `heads`
    )
    head_width: int = 0  # 0: width / heads
    attention_bias: bool = False  # on query, key and value
    output_bias: bool = False  # on the projection after attention
    attention_scale: float = 0.0  # factor of query·key; 0: head_width ** -0.5
    feedforward: int = 0  # inner width; 0: the layer has no feedforward part
    feedforward_bias: bool = False
    activation: Activation = "gelu"
    gated: bool = False  # down(activation(gate(x)) * up(x)) (Shazeer 2020)
    norm: Norm = "layer"
    norm_bias: bool = True  # LayerNorm only
    norm_epsilon: float = 1e-5
    norm_place: NormPlace = "pre"  # "none": layers have no norms
    residual: bool = True  # False: what a branch gives replaces what it read
    embedding_norm: bool = False  # a norm right after the embeddings
    final_norm: bool = True  # a norm after the last layer
    positions: Positions = "learned"
    rotary: RotaryConfig = RotaryConfig()
    position_kernel: int = 0  # "convolution": tokens seen (Baevski et al. 2020, §2)
    position_groups: int = 1  # channels are divided into so many, each of which sees itself alone
    relative_buckets: int = 32  # "relative" (Raffel et al. 2020, §2.1)
    relative_distance: int = 128
    segments: int = 0  # kinds of token segments with an embedding of their own (BERT)
    kernel: int = 0  # "conv": tokens seen by one layer
    kernels: tuple[int, ...] = ()  # "text_conv": tokens seen by each group of maps of one layer
    dropout: float = 0.0  # in training, on embeddings, attention and each residual branch

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        attention = self.mixer == "attention"
        heads = attention or (self.cross and self.mixer != "bahdanau")
        _check(
            (self.layers >= 0, f"layers must not be negative, but is {self.layers}."),
            (self.width >= 1, f"width must be at least 1, not {self.width}."),
            (self.length >= 0, f"length must not be negative, but is {self.length}."),
            (self.heads >= 1, f"heads must be at least 1, not {self.heads}."),
            (self.kv_heads >= 0, f"kv_heads must not be negative, but is {self.kv_heads}."),
            (
                self.feedforward >= 0,
                f"feedforward must not be negative, but is {self.feedforward}.",
            ),
            (self.norm_epsilon > 0, f"norm_epsilon must be above 0, not {self.norm_epsilon}."),
            (0 <= self.dropout < 1, f"dropout must be in [0, 1), not {self.dropout}."),
            (
                not heads or self.head_width > 0 or self.width % max(self.heads, 1) == 0,
                f"width {self.width} does not divide into {self.heads} heads: set head_width.",
            ),
            (
                self.kv_heads <= 0 or self.heads % self.kv_heads == 0,
                f"{self.heads} heads do not divide into {self.kv_heads} key/value heads.",
            ),
            (
                self.positions != "learned" or self.length > 0,
                "learned positions need a length.",
            ),
            (
                self.positions not in ("rotary", "relative") or attention,
                f"{self.positions} positions need the mixer 'attention', not {self.mixer!r}.",
            ),
            (
                self.positions != "rotary" or self.rotary_width % 2 == 0,
                f"the rotated width of a head must be even, not {self.rotary_width}.",
            ),
            (
                self.relative_buckets >= 4 and self.relative_distance > self.relative_buckets // 2,
                "relative positions need at least 4 buckets and a distance above half of them.",
            ),
            (
                self.positions != "convolution"
                or (self.front is not None and not self.causal and self.position_kernel >= 1),
                "positions by a convolution need a front, both ways and a position_kernel.",
            ),
            (
                self.position_groups >= 1 and self.width % max(self.position_groups, 1) == 0,
                f"width {self.width} does not divide into {self.position_groups} groups.",
            ),
            (
                self.front is None or not (self.segments or self.cross),
                "a stack that reads a sound has no segments, and is no decoder behind an encoder.",
            ),
            *self._mixer_rules(),
        )

    def _mixer_rules(self) -> list[tuple[object, str]]:
        groups = len(self.kernels)
        return [
            (
                self.mixer not in RECURRENT or self.causal or self.width % 2 == 0,
                f"a recurrent stack that reads both ways needs an even width, not {self.width}.",
            ),
            (self.mixer != "conv" or self.kernel >= 1, "the mixer 'conv' needs a kernel."),
            (
                self.mixer != "conv" or self.causal or self.kernel % 2 == 1,
                f"a kernel that sees both ways must be odd, not {self.kernel}.",
            ),
            (
                self.mixer != "text_conv" or (groups and min(self.kernels) >= 1),
                "the mixer 'text_conv' needs kernels of at least 1.",
            ),
            (
                self.mixer != "text_conv" or not groups or self.width % groups == 0,
                f"width {self.width} does not divide into the maps of {groups} kernels.",
            ),
            (
                self.mixer != "text_conv" or not (self.causal or self.cross),
                "the mixer 'text_conv' reads whole texts: it has no causal and no cross form.",
            ),
            (
                self.mixer != "bahdanau" or (self.cross and self.causal),
                "the mixer 'bahdanau' is a causal decoder's with an encoder: it needs cross.",
            ),
        ]

    @property
    def gates(self) -> int:
        """Gates of a recurrent mixer, its new state included; "bahdanau" is a GRU."""
        return RECURRENT["gru" if self.mixer == "bahdanau" else self.mixer]

    @property
    def hidden_width(self) -> int:
        """Width of a recurrent state: a half for each way where both are read."""
        return self.width if self.causal else self.width // 2

    @property
    def query_width(self) -> int:
        """Width of all heads together."""
        return self.heads * self.each_head_width

    @property
    def key_width(self) -> int:
        """Width of all key/value heads together."""
        return self.key_heads * self.each_head_width

    @property
    def key_heads(self) -> int:
        """Number of key/value heads."""
        return self.kv_heads or self.heads

    @property
    def each_head_width(self) -> int:
        """Width of one head."""
        return self.head_width or self.width // max(self.heads, 1)  # 0 heads are refused, not fatal

    @property
    def rotary_width(self) -> int:
        """How many values of each head are rotated."""
        return int(self.each_head_width * self.rotary.share)

    @property
    def scale(self) -> float:
        """Factor of query·key before the softmax."""
        return self.attention_scale or float(self.each_head_width) ** -0.5


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A network: an encoder, a decoder or both, with embeddings and a head."""

    vocabulary: int  # tokens that the network reads, and of which a decoder writes one
    encoder: StackConfig | None = None
    decoder: StackConfig | None = None
    source_vocabulary: int = 0  # tokens that the encoder reads; 0: the same vocabulary
    tied: bool = True  # the head's weights are the decoder's embedding
    shared: bool = True  # encoder and decoder read one embedding
    embedding_scale: float = 1.0  # embeddings are multiplied by it
    logit_scale: float = 1.0  # the last state is multiplied by it before the head
    head_bias: bool = False  # outputs over the vocabulary; other ones always have a bias
    output: Output = "token"  # what is made of the last states
    outputs: int = 0  # of "class", "labels" and "tags"; "embedding": its width, 0: that of a state
    pooling: Pooling = "mean"  # how the states of a text become one: "class", "labels", "embedding"
    labels: tuple[str, ...] = ()  # names of the outputs, or none
    blank: int = 0  # "ctc": the token that stands for none
    head_activation: Activation | Literal[""] = ""  # of a map with bias before the head; "": none
    head_norm: bool = False  # a norm behind that map

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        encoder, decoder = self.encoder, self.decoder
        _check(
            (self.vocabulary >= 1, f"vocabulary must be at least 1, not {self.vocabulary}."),
            (encoder is not None or decoder is not None, "needs an encoder or a decoder."),
            (encoder is None or not encoder.cross, "an encoder has nothing to attend across to."),
            (decoder is None or decoder.front is None, "only an encoder reads a sound."),
            (
                not self.reads_sound or not self.source_vocabulary,
                "an encoder that reads a sound has no source_vocabulary.",
            ),
            (
                decoder is None or decoder.cross == (encoder is not None),
                "a decoder attends across exactly where there is an encoder.",
            ),
            (
                decoder is None
                or encoder is None
                or (decoder.memory_width or decoder.width) == encoder.width,
                "the decoder's memory_width is not the encoder's width.",
            ),
            (
                not (self.shared and encoder and decoder) or self._one_embedding(),
                "a shared embedding needs stacks of one width and one vocabulary.",
            ),
            *self._output_rules(),
        )

    @property
    def top(self) -> StackConfig:
        """The stack that the output is made of: the decoder where there is one."""
        stack = self.decoder or self.encoder
        assert stack is not None
        return stack

    def _one_embedding(self) -> bool:
        """Whether both stacks can read the same embedding."""
        encoder, decoder = self.encoder, self.decoder
        assert encoder is not None
        assert decoder is not None
        return (
            encoder.width == decoder.width and not self.source_vocabulary and not self.reads_sound
        )

    @property
    def reads_sound(self) -> bool:
        """Whether what is read are the features of a sound, not tokens."""
        return self.encoder is not None and self.encoder.front is not None

    def _output_rules(self) -> list[tuple[object, str]]:
        counted, optional = self.output in ("class", "labels", "tags"), self.output == "embedding"
        alone = self.decoder is None and self.output in ("masked", "ctc") and self.tied
        return [
            (
                not counted or self.outputs >= 1,
                f"the output {self.output!r} needs outputs of at least 1, not {self.outputs}.",
            ),
            (
                counted or (self.outputs >= 0 and (optional or self.outputs == 0)),
                f"the output {self.output!r} has no number of outputs, but it is {self.outputs}.",
            ),
            (
                len(self.labels) in (0, self.outputs),
                f"{len(self.labels)} labels are not the names of {self.outputs} outputs.",
            ),
            (
                self.blank == 0 or (self.output == "ctc" and 0 < self.blank < self.vocabulary),
                f"blank {self.blank} is no token of a network whose output is 'ctc'.",
            ),
            (len(set(self.labels)) == len(self.labels), "labels have a name twice."),
            (
                not self.head_norm or self.head_activation,
                "head_norm stands behind the map that head_activation asks for.",
            ),
            (
                not self.head_activation or self.decoder is not None or self.output != "token",
                "an encoder alone whose output is 'token' has no head, and no map before it.",
            ),
            (
                not alone
                or (self.source_vocabulary in (0, self.vocabulary) and not self.reads_sound),
                "a tied head needs an encoder of the same vocabulary.",
            ),
        ]
