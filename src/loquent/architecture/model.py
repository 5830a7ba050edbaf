"""A whole network."""

from dataclasses import dataclass
from typing import Literal

from loquent.architecture.checks import check
from loquent.architecture.parts import Activation
from loquent.architecture.speech import SpeechConfig
from loquent.architecture.stack import StackConfig

Output = Literal["token", "masked", "class", "labels", "tags", "span", "embedding", "ctc", "speech"]
Pooling = Literal["first", "last", "mean", "max"]

POOLED: frozenset[Output] = frozenset({"class", "labels", "embedding"})  # one for each text


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
    speech: SpeechConfig | None = None  # "speech": what makes sound of the states

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        encoder, decoder = self.encoder, self.decoder
        check(
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
            (
                (self.speech is not None) == (self.output == "speech"),
                "speech describes the output 'speech', and no other.",
            ),
            (
                self.speech is None or (self.decoder is None and not self.reads_sound),
                "the output 'speech' is made of an encoder of phonemes alone.",
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
