"""One layer of a stack."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from loquent.architecture import StackConfig
from loquent.blocks.attention import Attention, CrossAttention
from loquent.blocks.bahdanau import Bahdanau
from loquent.blocks.dropout import Dropout
from loquent.blocks.feedforward import Feedforward
from loquent.blocks.frame import Frame
from loquent.blocks.mixers import Mixing, mixer
from loquent.blocks.norms import Norm, norm
from loquent.blocks.state import AttentionState, SourceState, State


@dataclass
class LayerState:
    """What one layer remembers: its mixer's state, and the encoder's output as it sees it."""

    mixer: State
    cross: AttentionState | None = None


class Layer(nn.Module):
    """Mixer, cross attention and feedforward, each a branch with a norm.

    Weights of attention have that name, those of every other mixer the name "mixer".
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.before = config.norm_place == "pre"
        self.residual = config.residual
        self.dropout = Dropout(config.dropout)
        made = mixer(config)
        crosses = config.cross and not isinstance(made, Bahdanau)
        attention = made if isinstance(made, Attention) else None
        self.attention_norm = _norm(config) if attention else None
        self.attention = attention
        self.mixer_norm = None if attention else _norm(config)
        self.mixer = None if attention else made
        self.cross_norm = _norm(config) if crosses else None
        self.cross = CrossAttention(config) if crosses else None
        self.feedforward_norm = _norm(config) if config.feedforward else None
        self.feedforward = Feedforward(config) if config.feedforward else None

    def forward(self, x: Tensor, frame: Frame, state: LayerState | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        mixed, crossed = (state.mixer, state.cross) if state else (None, None)
        mixing, cross = self._mixing, self.cross
        norm = self.attention_norm or self.mixer_norm
        x = self._branch(x, norm, lambda y: mixing(y, frame, mixed))
        if cross is not None:
            x = self._branch(x, self.cross_norm, lambda y: cross(y, frame, crossed))
        if self.feedforward is not None:
            x = self._branch(x, self.feedforward_norm, self.feedforward)
        return x

    def new_state(self) -> LayerState:
        """A state without rows."""
        cross = self.cross.new_state() if self.cross is not None else None
        return LayerState(self._mixing.new_state(), cross)

    def attach(self, state: LayerState, row: int, memory: Tensor) -> None:
        """Let a row of the state see an encoder's output (1, M, D)."""
        if self.cross is not None and state.cross is not None:
            self.cross.attach(state.cross, row, memory)
        if isinstance(self.mixer, Bahdanau) and isinstance(state.mixer, SourceState):
            self.mixer.attach(state.mixer, row, memory)

    @property
    def _mixing(self) -> Mixing:
        mixing = self.attention or self.mixer
        assert mixing is not None
        return mixing

    def _branch(self, x: Tensor, norm: Norm | None, part: Callable[[Tensor], Tensor]) -> Tensor:
        read = x if norm is None or not self.before else norm(x)
        made: Tensor = self.dropout(part(read))
        made = x + made if self.residual else made
        return made if norm is None or self.before else norm(made)


def _norm(config: StackConfig) -> Norm | None:
    return None if config.norm_place == "none" else norm(config)
