"""The mixers: what makes one token's vector depend on others. A mixer is one file and one line."""

from collections.abc import Mapping

from loquent.architecture import Mixer, StackConfig
from loquent.blocks.attention import Attention
from loquent.errors import ConfigError, nearest

MIXERS: Mapping[Mixer, type[Attention]] = {
    "attention": Attention,
}


def mixer(config: StackConfig) -> Attention:
    """Make the mixer of one layer; raises ConfigError for one that is not executed here."""
    if config.mixer not in MIXERS:
        raise ConfigError(
            f"the mixer {config.mixer!r} is not executed yet.", fix=nearest(config.mixer, MIXERS)
        )
    return MIXERS[config.mixer](config)
