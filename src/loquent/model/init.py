"""First weights: a new network says nothing yet, so its first loss is about ln(vocabulary)."""

import math

import torch
from torch import Tensor, nn

from loquent.architecture import ModelConfig, StackConfig
from loquent.blocks.speech import ChannelNorm
from loquent.model.model import Model
from loquent.model.names import head

_DEVIATION = 0.02  # of most weights (Radford et al. 2019; Vaswani-size networks are close to it)
_BARE_DEVIATION = 0.1  # of embeddings that no norm brings to unit size
_TABLES = ("embedding.weight", "ngrams.weight")
_WAVES = math.sqrt(0.5)  # size of sines and cosines
_POSITION_SIZES = {  # beside embeddings
    "learned": _DEVIATION,
    "sinusoidal": _WAVES,
    "sinusoidal_halves": _WAVES,
}


def initialize(model: Model, seed: int) -> None:
    """Draw all weights anew: normal, smaller where a residual branch ends, norms at one.

    The branches' ends are divided by √(branches), so that the sum of all of them keeps its size
    (Radford et al. 2019, §2.3). Rows of the head are smaller where `_head_deviation` says so.
    Other mixers than attention and the convolutions over a sound keep the size of what they read:
    normal with 1/√(inputs), recurrent matrices orthogonal (Saxe et al. 2014), forget gates open
    (Jozefowicz et al. 2015).
    """
    generator = torch.Generator().manual_seed(seed)
    stacks = {"encoder": model.config.encoder, "decoder": model.config.decoder}
    norms = {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.LayerNorm | nn.RMSNorm | ChannelNorm)
    }
    matrix, of_matrix = _head(model), _head_deviation(model.config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            owner, _, kind = name.rpartition(".")
            stack = stacks.get(name.split(".")[0])
            if kind == "bias":
                parameter.zero_()
                if stack is not None and stack.mixer == "lstm" and owner.endswith("input"):
                    parameter.chunk(stack.gates)[1].fill_(1.0)
            elif owner in norms:
                parameter.fill_(1.0)
            elif stack is not None and owner.endswith("recurrent"):
                parameter.copy_(_orthogonal(parameter.shape, generator))
            else:
                deviation = of_matrix
                if name.startswith("speech."):
                    deviation = _of_speech(name, parameter)
                elif parameter is not matrix:
                    deviation = _DEVIATION if stack is None else _deviation(name, parameter, stack)
                drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.copy_(drawn * deviation)


def _deviation(name: str, parameter: Tensor, stack: StackConfig) -> float:
    """Of a weight that is not the head's matrix."""
    if ".front." in name or ".position_convolution." in name:
        return 1 / math.sqrt(math.prod(parameter.shape[1:]))
    if ".mixer." in name:
        groups = len(stack.kernels) if stack.mixer == "text_conv" else 1
        return 1 / math.sqrt(math.prod(parameter.shape[1:]) / groups)
    if name.endswith((".output.weight", ".down.weight")):
        return _DEVIATION / math.sqrt((2 + stack.cross) * stack.layers)
    bare = stack.norm_place == "none" and not stack.embedding_norm
    return _BARE_DEVIATION if bare and name.endswith(_TABLES) else _DEVIATION


def _of_speech(name: str, parameter: Tensor) -> float:
    """Values keep their size; the ends of branches, and what is told at the end, begin small."""
    small = name.endswith(("down.weight", "guesses.weight", "features.weight", "spectrum.weight"))
    return (0.3 if small else 1.0) / math.sqrt(parameter.shape[1])


def _orthogonal(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """One orthogonal matrix (H, H) for each gate, (G·H, H), each as likely as any other."""
    rows, width = shape
    drawn = torch.randn(rows // width, width, width, generator=generator, dtype=torch.float64)
    turned, rest = torch.linalg.qr(drawn)
    signs = rest.diagonal(dim1=-2, dim2=-1).sign()
    made: Tensor = turned * signs[:, None]
    return made.flatten(0, 1)


def _head(model: Model) -> Tensor | None:
    """The matrix whose rows are multiplied with the last state."""
    rows, own, _ = head(model.config)
    if model.head is None or not rows:
        return None
    stack = model.decoder or model.encoder
    assert stack is not None
    return model.head.weight if own else stack.table.weight


def _head_deviation(config: ModelConfig) -> float:
    """The deviation σ of the head's rows with which a new network favors no token by much.

    The last state has about unit size, so a logit deviates by σ√width, which adds half of its
    square to the loss; 2 % of ln(vocabulary) are let pass. With tied weights, the state also keeps
    a share of its own token's row, no more than embeddings of size σ·scale have beside positions of
    size p; that token's logit, σ·width·share, is kept below ln(vocabulary) / 2, so that its
    exponential stays far below the sum of all others.
    """
    stack = config.top
    rows, own, _ = head(config)
    most, scale = math.log(max(rows, 2)), max(config.logit_scale, 1.0)
    noise = math.sqrt(0.04 * most / stack.width) / scale
    if own:
        return min(_DEVIATION, noise)
    limit = most / (2 * stack.width * scale)  # for a state that is nothing but the token's row
    place = _POSITION_SIZES.get(stack.positions, 0.0) / config.embedding_scale
    square = (limit**2 + math.sqrt(limit**4 + 4 * limit**2 * place**2)) / 2
    return min(_DEVIATION, noise, math.sqrt(square))
