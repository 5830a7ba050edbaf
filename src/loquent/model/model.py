"""A whole network in torch: an encoder, a decoder or both, made from its description."""

from collections.abc import Mapping, Sequence
from warnings import catch_warnings, simplefilter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from loquent.architecture import POOLED, ModelConfig
from loquent.errors import CheckpointError, RequestError, UserError, nearest, together
from loquent.model.heads import Head, pool
from loquent.model.layer import Layer, LayerState
from loquent.model.speech import Speech
from loquent.model.stack import Source, Stack


class Model(nn.Module):
    """A network whose parameters have the names of docs/architecture.md."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        encoder, decoder, scale = config.encoder, config.decoder, config.embedding_scale
        self.encoder: Stack | None = None
        self.decoder: Stack | None = None
        self.head: Head | None = None
        if encoder is not None:
            words = config.source_vocabulary or config.vocabulary
            self.encoder = Stack(encoder, words, scale)
        if decoder is not None:
            shared = self.encoder.embedding if self.encoder and config.shared else None
            self.decoder = Stack(decoder, config.vocabulary, scale, shared)
        if decoder is not None or config.output != "token":
            self.head = Head(config)
        self.speech: Speech | None = None
        if config.speech is not None:
            self.speech = Speech(config.speech, config.top.width, config.top.dropout)

    def forward(  # noqa: PLR0917  as a batch has them
        self,
        ids: Tensor,
        lengths: Tensor | None = None,
        source: Tensor | None = None,
        source_lengths: Tensor | None = None,
        segments: Tensor | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """What the network's output is, for ids (B, T) after source (B, M).

        "token": logits (B, T, V) of the token behind each, or the states (B, T, D) of an encoder
        alone; "masked" and "ctc": (B, T, V); "tags": (B, T, outputs); "span": (B, T, 2); "class"
        and "labels": (B, outputs); "embedding": (B, D'), of unit length; "speech": the states
        (B, T, D) of which `model.speech` makes sound.

        A network that reads a sound has its features (B, F, frames) in place of the ids that an
        encoder reads; lengths count frames then, and T is how many states come of them.

        Without lengths (B,) every token is real. Segments are those of the source, or of ids where
        there is none. Documents (B, T) number what a row is packed of, -1 at padding: each is read
        as if it stood alone. Raises RequestError for a source without an encoder to read it for a
        decoder, and the other way round; and for documents that cannot be read so.
        """
        x = self.hidden(ids, lengths, source, source_lengths, segments, documents)
        if self.head is None:
            return x
        if self.config.output in POOLED:
            if documents is not None:
                raise RequestError(
                    f"packed documents cannot be read for the output {self.config.output!r}: "
                    "it is one of each row."
                )
            x = pool(x, self.state_lengths(lengths), self.config.pooling)
        return self.logits(x)

    def hidden(  # noqa: PLR0917  the same
        self,
        ids: Tensor,
        lengths: Tensor | None = None,
        source: Tensor | None = None,
        source_lengths: Tensor | None = None,
        segments: Tensor | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """The states (B, T, D) of which `forward` makes its output, from the same arguments."""
        reads = self.encoder is not None and self.decoder is not None
        if (source is not None) != reads:
            raise RequestError(
                "a source is given exactly where there is an encoder and a decoder to see it."
            )
        if self.decoder is None:
            return self.encode(ids, lengths, segments, documents)
        out: Tensor
        if source is None:
            out = self.decoder(ids, lengths, segments=segments, documents=documents)
            return out
        if documents is not None:
            raise RequestError("packed documents of one row cannot have sources of their own.")
        memory = self.encode(source, source_lengths, segments)
        assert self.encoder is not None
        seen = Source(self.encoder.state_lengths(source_lengths), memory)
        out = self.decoder(ids, lengths, source=seen)
        return out

    def encode(
        self,
        ids: Tensor,
        lengths: Tensor | None = None,
        segments: Tensor | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """The encoder's output (B, M, D) for ids (B, M); without segments (B, M) all are the first.

        Where it reads a sound, M states come of the features (B, F, frames) in place of ids.

        Raises RequestError where there is no encoder.
        """
        if self.encoder is None:
            raise RequestError("there is no encoder to read a source.")
        out: Tensor = self.encoder(ids, lengths, segments=segments, documents=documents)
        return out

    def state_lengths(self, lengths: Tensor | None) -> Tensor | None:
        """How many states (B,) the output is made of, of so many tokens or frames of a sound."""
        stack = self.decoder or self.encoder
        assert stack is not None
        return stack.state_lengths(lengths)

    def logits(self, x: Tensor) -> Tensor:
        """What the head makes of states (…, D), for "token" logits (…, V)."""
        assert self.head is not None
        out: Tensor = self.head(x, self.words)
        return out

    @property
    def words(self) -> Tensor | None:
        """The embedding (V, D) where that is the head's matrix."""
        stack = self.decoder or self.encoder
        assert stack is not None
        reads = self.config.tied and self.config.output in ("token", "masked", "ctc")
        return stack.table.weight if reads else None

    def new_states(self) -> list[LayerState]:
        """What the decoder's layers remember, without rows."""
        assert self.decoder is not None
        return self.decoder.new_states()

    def attach(self, states: Sequence[LayerState], row: int, ids: Tensor) -> None:
        """Encode ids (M,), or features (F, frames), for the decoder to see at a row of states."""
        assert self.decoder is not None
        memory = self.encode(ids[None])
        for layer, state in zip(self.decoder.layers, states, strict=True):
            assert isinstance(layer, Layer)
            layer.attach(state, row, memory)


def load(
    config: ModelConfig,
    weights: Mapping[str, NDArray[np.generic]],
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    trainable: bool = False,
) -> Model:
    """A network with these weights; arrays that have the type already are not copied.

    They may be views of a read-only file, to which nothing may write: a network that is to learn
    is loaded `trainable`, with copies of its own. Raises CheckpointError that names every weight
    that is missing, left over or of another shape.
    """
    with torch.device("meta"):
        model = Model(config)
    wanted = {name: tuple(each.shape) for name, each in model.state_dict().items()}
    faults: list[UserError] = [
        CheckpointError(f"weight {name!r} is missing.") for name in wanted if name not in weights
    ]
    tensors: dict[str, Tensor] = {}
    for name in weights:
        if name not in wanted:
            fix = nearest(name, wanted)
            faults.append(CheckpointError(f"weight {name!r} is left over.", fix=fix))
            continue
        array = weights[name]
        if array.shape != wanted[name]:
            faults.append(
                CheckpointError(f"weight {name!r} has the shape {array.shape}, not {wanted[name]}.")
            )
        elif not faults:
            tensors[name] = _tensor(array).to(device, dtype, copy=trainable)
    if faults:
        raise together(CheckpointError, faults)
    model.load_state_dict(tensors, assign=True)
    return model.requires_grad_(trainable).eval()


def weights(model: Model) -> dict[str, NDArray[np.generic]]:
    """The weights of a network under our names, as arrays that share its memory.

    NumPy has no bfloat16: such weights become float32.
    """
    return {name: _array(each) for name, each in model.state_dict().items()}


def _array(weight: Tensor) -> NDArray[np.generic]:
    weight = weight.float() if weight.dtype == torch.bfloat16 else weight
    made: NDArray[np.generic] = weight.detach().cpu().numpy()
    return made


def _tensor(array: NDArray[np.generic]) -> Tensor:
    with catch_warnings():
        # the array is a view of a read-only file, and nothing here writes to weights
        simplefilter("ignore", UserWarning)
        return torch.from_numpy(np.ascontiguousarray(array))
