"""One stack of layers."""

from dataclasses import dataclass

from loquent.architecture.checks import check
from loquent.architecture.front import FrontConfig
from loquent.architecture.parts import (
    RECURRENT,
    Activation,
    Mixer,
    Norm,
    NormPlace,
    Positions,
)
from loquent.architecture.rotary import RotaryConfig

NGRAM = 8  # tokens of the longest n-gram
BUCKETS = 2**26  # vectors of n-grams at most


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
    rotary: RotaryConfig = RotaryConfig()  # noqa: RUF009  it is frozen
    position_kernel: int = 0  # "convolution": tokens seen (Baevski et al. 2020, §2)
    position_groups: int = 1  # channels are divided into so many, each of which sees itself alone
    relative_buckets: int = 32  # "relative" (Raffel et al. 2020, §2.1)
    relative_distance: int = 128
    segments: int = 0  # kinds of token segments with an embedding of their own (BERT)
    ngrams: tuple[int, ...] = ()  # tokens of those that have vectors (Joulin et al. 2017)
    buckets: int = 0  # vectors that all n-grams share by a hash of their tokens
    kernel: int = 0  # "conv": tokens seen by one layer
    kernels: tuple[int, ...] = ()  # "text_conv": tokens seen by each group of maps of one layer
    dropout: float = 0.0  # in training, on embeddings, attention and each residual branch
    attention_dropout: float = -1.0  # of each head's keys; below 0: as `dropout`

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        attention = self.mixer == "attention"
        heads = attention or (self.cross and self.mixer != "bahdanau")
        check(
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
                self.attention_dropout < 1,
                f"attention_dropout must be below 1, not {self.attention_dropout}.",
            ),
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
            *ngram_rules(self.ngrams, self.buckets),
            (
                not self.ngrams or not (self.layers or self.causal or self.cross or self.front),
                "ngrams are for a stack of embeddings alone: both ways, without layers or a front.",
            ),
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
    def attends(self) -> bool:
        """Whether any layer looks at keys."""
        crosses = self.cross and self.mixer != "bahdanau"
        return self.layers > 0 and (self.mixer == "attention" or crosses)

    @property
    def key_dropout(self) -> float:
        """Share of each head's keys that training drops."""
        return self.dropout if self.attention_dropout < 0 else self.attention_dropout

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


def ngram_rules(sizes: tuple[int, ...], buckets: int) -> list[tuple[object, str]]:
    """What n-grams of these sizes, which share so many vectors, must be."""
    return [
        (
            all(2 <= size <= NGRAM for size in sizes) and len(set(sizes)) == len(sizes),
            f"ngrams are of 2 to {NGRAM} tokens, each size once, not {list(sizes)}.",
        ),
        (
            1 <= buckets <= BUCKETS if sizes else buckets == 0,
            f"buckets must be from 1 to {BUCKETS:,} with ngrams and 0 without, not {buckets}.",
        ),
    ]
