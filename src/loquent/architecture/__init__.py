"""What a network is: frozen descriptions that every executor reads, without tensors."""

from loquent.architecture.front import FRONT_LAYERS, FrontConfig, FrontNorms, Spectrum
from loquent.architecture.model import POOLED, ModelConfig, Output, Pooling
from loquent.architecture.parts import RECURRENT, Activation, Mixer, Norm, NormPlace, Positions
from loquent.architecture.rotary import RotaryConfig, RotaryScaling, rotary_frequencies
from loquent.architecture.speech import SpeechConfig
from loquent.architecture.stack import StackConfig, ngram_rules

__all__ = [
    "FRONT_LAYERS",
    "POOLED",
    "RECURRENT",
    "Activation",
    "FrontConfig",
    "FrontNorms",
    "Mixer",
    "ModelConfig",
    "Norm",
    "NormPlace",
    "Output",
    "Pooling",
    "Positions",
    "RotaryConfig",
    "RotaryScaling",
    "Spectrum",
    "SpeechConfig",
    "StackConfig",
    "ngram_rules",
    "rotary_frequencies",
]
