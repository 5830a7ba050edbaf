"""A whole network in torch: an encoder, a decoder or both, made from its description."""

from collections.abc import Mapping, Sequence
from warnings import catch_warnings, simplefilter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from loquent.architecture import ModelConfig
from loquent.errors import CheckpointError, RequestError, UserError, nearest, together
from loquent.model.stack import Layer, LayerState, Source, Stack


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
            self.head = Head(config, decoder.width)

    def forward(
        self,
        ids: Tensor,
        lengths: Tensor | None = None,
        source: Tensor | None = None,
        source_lengths: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, T, V) of the token behind each of ids (B, T), after source (B, M).

        Without lengths (B,) every token is real. An encoder alone gives its output (B, T, D).
        Segments are those of the source, or of ids where there is none. Raises RequestError for a
        source without an encoder to read it, and the other way round.
        """
        lengths = _full(ids) if lengths is None else lengths
        if self.decoder is None:
            return self.encode(ids, lengths, segments)
        if (source is None) != (self.encoder is None):
            raise RequestError("a source is given exactly where there is an encoder.")
        if source is None:
            return self.logits(self.decoder(ids, lengths, segments=segments))
        source_lengths = _full(source) if source_lengths is None else source_lengths
        seen = Source(source_lengths, self.encode(source, source_lengths, segments))
        return self.logits(self.decoder(ids, lengths, source=seen))

    def encode(self, ids: Tensor, lengths: Tensor, segments: Tensor | None = None) -> Tensor:
        """The encoder's output (B, M, D) for ids (B, M); without segments (B, M) all are the first.

        Raises RequestError where there is no encoder.
        """
        if self.encoder is None:
            raise RequestError("there is no encoder to read a source.")
        out: Tensor = self.encoder(ids, lengths, segments=segments)
        return out

    def logits(self, x: Tensor) -> Tensor:
        """The decoder's output (…, D) -> logits (…, V)."""
        assert self.decoder is not None
        assert self.head is not None
        tied = self.decoder.table.weight if self.config.tied else None
        out: Tensor = self.head(x, tied)
        return out

    def new_states(self) -> list[LayerState]:
        """What the decoder's layers remember, without rows."""
        assert self.decoder is not None
        return self.decoder.new_states()

    def attach(self, states: Sequence[LayerState], row: int, ids: Tensor) -> None:
        """Encode ids (M,) for the decoder's layers to see at one row of their states."""
        assert self.decoder is not None
        memory = self.encode(ids[None], _full(ids[None]))
        for layer, state in zip(self.decoder.layers, states, strict=True):
            assert isinstance(layer, Layer) and layer.cross is not None and state.cross is not None
            keys, values = layer.cross.project(memory)
            state.cross.put(row, keys[0], values[0])


class Head(nn.Module):
    """From the decoder's output to a logit for each token."""

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__()
        self.scale = config.logit_scale
        shape = (config.vocabulary, width)
        self.weight = None if config.tied else nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(config.vocabulary)) if config.head_bias else None

    def forward(self, x: Tensor, tied: Tensor | None) -> Tensor:
        """(…, D) -> (…, V); `tied` is the embedding where the two are one."""
        weight = self.weight if tied is None else tied
        assert weight is not None
        return nn.functional.linear(x * self.scale, weight, self.bias)


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


def _full(ids: Tensor) -> Tensor:
    return torch.full((len(ids),), ids.shape[1], device=ids.device)
