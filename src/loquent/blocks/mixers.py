"""The mixers: what makes one token's vector depend on others. A mixer is one file and one line."""

from collections.abc import Mapping

from loquent.architecture import Mixer, StackConfig
from loquent.blocks.attention import Attention
from loquent.blocks.bahdanau import Bahdanau
from loquent.blocks.convolution import GatedConvolution, TextConvolution
from loquent.blocks.recurrence import Recurrence
from loquent.errors import ConfigError, nearest

Mixing = Attention | Recurrence | GatedConvolution | TextConvolution | Bahdanau

MIXERS: Mapping[Mixer, type[Mixing]] = {
    "attention": Attention,
    "rnn": Recurrence,
    "gru": Recurrence,
    "lstm": Recurrence,
    "conv": GatedConvolution,
    "text_conv": TextConvolution,
    "bahdanau": Bahdanau,
}


def mixer(config: StackConfig) -> Mixing:
    """Make the mixer of one layer; raises ConfigError for an unknown one."""
    if config.mixer not in MIXERS:
        raise ConfigError(f"there is no mixer {config.mixer!r}.", fix=nearest(config.mixer, MIXERS))
    return MIXERS[config.mixer](config)
