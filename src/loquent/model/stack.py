"""A stack of layers over embeddings: an encoder or a decoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from loquent.architecture import StackConfig
from loquent.blocks.dropout import Dropout
from loquent.blocks.frame import Frame
from loquent.blocks.ngrams import NGrams
from loquent.blocks.norms import norm
from loquent.blocks.positions import RelativePositions, rotation, sinusoidal
from loquent.blocks.speech import Front, PositionConvolution
from loquent.errors import RequestError
from loquent.model.layer import Layer, LayerState


@dataclass(frozen=True)
class Source:
    """The encoder's output (B, M, D), and how many of its tokens (B,) each row has: None, all.

    Without output, the layers' states hold what they need of it.
    """

    lengths: Tensor | None
    memory: Tensor | None = None
    watched: list[Tensor] | None = None  # takes each layer's attention to it (B, H, T, M)


class Stack(nn.Module):
    """Embeddings, positions, layers and norms of one encoder or decoder."""

    def __init__(
        self,
        config: StackConfig,
        vocabulary: int,
        embedding_scale: float = 1.0,
        embedding: nn.Embedding | None = None,
    ) -> None:
        """`embedding` is that of another stack, where two share one: it stays that stack's own."""
        super().__init__()
        self.config = config
        self.checkpointing = (
            False  # in training, compute layers anew rather than keep their insides
        )
        self.embedding_scale = embedding_scale
        self._shared = (embedding,)  # in a tuple, so that it does not count as a part of this one
        self.front = Front(config.front, config) if config.front else None
        own = embedding is None and self.front is None
        self.embedding = nn.Embedding(vocabulary, config.width) if own else None
        self.positions: nn.Embedding | None = None
        if config.positions == "learned":
            self.positions = nn.Embedding(config.length, config.width)
        self.position_convolution: PositionConvolution | None = None
        if config.positions == "convolution":
            self.position_convolution = PositionConvolution(config)
        self.segments = nn.Embedding(config.segments, config.width) if config.segments else None
        self.ngrams = NGrams(config) if config.ngrams else None
        self.embedding_norm = norm(config) if config.embedding_norm else None
        self.relative: RelativePositions | None = None
        if config.positions == "relative":
            self.relative = RelativePositions(
                config.relative_buckets, config.relative_distance, config.heads, config.causal
            )
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = norm(config) if config.final_norm else None

    def forward(
        self,
        ids: Tensor,
        lengths: Tensor | None = None,
        *,
        starts: Tensor | None = None,
        rows: slice | Tensor | None = None,
        states: Sequence[LayerState] | None = None,
        source: Source | None = None,
        segments: Tensor | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """Ids (B, T) of which `lengths` (B,) or all are real -> the last layer's output (B, T, D).

        Where a front reads a sound, its features (B, F, frames) stand for ids, and `lengths` counts
        frames; its states are what the layers read.

        With `states`, row i continues row `rows[i]` of them, which holds `starts[i]` tokens.
        `documents` (B, T) numbers the documents that a row is packed of, -1 at padding: each is
        read as if it stood alone. Raises RequestError for more tokens than there are learned
        positions, and for documents in a stack that is not one of attention.
        """
        x, lengths = self._read(ids, lengths)
        places = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
        places = places if starts is None else places + starts[:, None]
        runs = None if documents is None else self._runs(documents)
        positions = places if runs is None else _restarted(places, runs)
        if documents is None:
            self._check_length(positions, lengths, whole=starts is None)
        else:
            positions = positions.masked_fill(documents < 0, 0)
            self._check_length(positions, None, whole=False)
        if self.ngrams is not None:
            x = x + self.ngrams(ids, runs) * self.embedding_scale
        if lengths is not None and not self.config.causal and int(lengths.min()) == x.shape[1]:
            lengths = None  # there is no padding
        x = self._placed(x, positions, segments, lengths)
        span = x.shape[1]
        if states is not None and self.config.mixer == "attention":
            span = int(places[:, -1].max()) + 1
        looks = states is not None or runs is not None
        frame = Frame(
            rows=slice(0, len(x)) if rows is None else rows,
            positions=positions,
            causal=self.config.causal,
            lengths=lengths,
            mask=self._mask(places, lengths, runs, span, looks),
            rotation=self._rotation(positions, x.dtype),
            bias=None if self.relative is None else self.relative(places, span),
            memory=source.memory if source else None,
            memory_mask=_memory_mask(source) if source else None,
            watched=source.watched if source else None,
        )
        for index, layer in enumerate(self.layers):
            if self.checkpointing and self.training:
                x = checkpoint(layer, x, frame, use_reentrant=False)
            else:
                x = layer(x, frame, states[index] if states else None)
        return x if self.norm is None else self.norm(x)

    def new_states(self) -> list[LayerState]:
        """What the layers remember, without rows."""
        return [layer.new_state() for layer in self.layers if isinstance(layer, Layer)]

    @property
    def table(self) -> nn.Embedding:
        """The embedding that this stack reads, its own or a shared one."""
        table = self.embedding or self._shared[0]
        assert table is not None
        return table

    def _check_length(self, positions: Tensor, lengths: Tensor | None, whole: bool) -> None:
        limit = self.config.length
        if self.positions is None or (whole and positions.shape[1] <= limit):
            return
        # padding may stand beyond the last position; it is seen by nothing
        ends = positions.amax(1) + 1 if lengths is None else positions[:, 0] + lengths
        end = int(ends.max())
        if end > limit:
            raise RequestError(f"position {end - 1} is beyond the last of {limit}.")

    def _runs(self, documents: Tensor) -> Tensor:
        """Number the packed documents of each row in their order, (B, T), padding like one."""
        if self.config.mixer != "attention":
            raise RequestError(
                "only a stack of attention reads packed documents, not one of "
                f"{self.config.mixer!r}."
            )
        begins = torch.ones_like(documents, dtype=torch.bool)
        begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
        return begins.cumsum(1)

    def state_lengths(self, lengths: Tensor | None) -> Tensor | None:
        """How many states (B,) come of so many tokens or, where there is a front, frames."""
        if lengths is None or self.config.front is None:
            return lengths
        for first, stride in self.config.front.steps:
            lengths = (lengths - first) // stride + 1
        return lengths

    def _read(self, ids: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Embeddings (B, T, D), or the front's states, and how many of each row are real."""
        if self.front is not None:
            read: tuple[Tensor, Tensor | None] = self.front(ids, lengths)
            return read
        return self.table(ids) * self.embedding_scale, lengths

    def _placed(
        self, x: Tensor, positions: Tensor, segments: Tensor | None, lengths: Tensor | None
    ) -> Tensor:
        """The same with all that tells of places and segments."""
        if self.positions is not None:
            x = x + self.positions(positions.clamp(max=self.config.length - 1))
        elif self.config.positions in ("sinusoidal", "sinusoidal_halves"):
            halves = self.config.positions == "sinusoidal_halves"
            x = x + sinusoidal(positions, self.config.width, x.dtype, halves=halves)
        elif self.position_convolution is not None:
            x = x + self.position_convolution(x, lengths)
        if self.segments is not None:
            x = x + self.segments(torch.zeros_like(positions) if segments is None else segments)
        x = x if self.embedding_norm is None else self.embedding_norm(x)
        dropped: Tensor = self.dropout(x)
        return dropped

    def _rotation(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        if self.config.positions != "rotary":
            return None
        return rotation(positions, self.config.rotary, self.config.rotary_width, dtype)

    def _mask(
        self, places: Tensor, lengths: Tensor | None, runs: Tensor | None, span: int, looks: bool
    ) -> Tensor | None:
        """(B, 1, T, S) True where a token may look; None where `causal` alone says it.

        Padding stands behind all that a causal stack looks at.
        """
        config = self.config
        if config.mixer != "attention":
            return None
        if not looks and (self.relative is None if config.causal else lengths is None):
            return None
        keys = torch.arange(span, device=places.device)
        mask = torch.ones_like(places, dtype=torch.bool)[..., None].expand(-1, -1, span)
        if config.causal:
            mask = keys <= places[..., None]
        elif lengths is not None and runs is None:  # padding is a run of its own
            ends = places[:, 0] + lengths
            mask = (keys < ends[:, None])[:, None].expand(-1, places.shape[1], -1)
        if runs is not None:
            mask = mask & (runs[:, :, None] == runs[:, None, :])
        return mask[:, None]


def _restarted(places: Tensor, runs: Tensor) -> Tensor:
    """Places (B, T) counted from the first one of each run."""
    begins = torch.ones_like(runs, dtype=torch.bool)
    begins[:, 1:] = runs[:, 1:] != runs[:, :-1]
    return places - torch.where(begins, places, 0).cummax(1).values


def _memory_mask(source: Source) -> Tensor | None:
    """(B, 1, 1, M), where M is the longest source, or as long as the memory is; None: all real."""
    if source.lengths is None:
        return None
    span = int(source.lengths.max()) if source.memory is None else source.memory.shape[1]
    keys = torch.arange(max(span, 1), device=source.lengths.device)
    return (keys < source.lengths[:, None])[:, None, None]
