"""The parts of a run's plan, as frozen settings."""

from dataclasses import dataclass
from typing import Any, Literal

from loquent.architecture import FrontConfig, Pooling, ngram_rules
from loquent.data.augment import Augmentation
from loquent.data.hearing import Variation
from loquent.errors import ConfigError, UserError, nearest, together
from loquent.runs.networks import NETWORKS, Size
from loquent.runs.presets import BUCKETS

Order = Literal["auto", "shuffle", "bucket", "pack", "windows", "sequence"]
Long = Literal["error", "cut", "skip"]


@dataclass(frozen=True, kw_only=True)
class DataPlan:
    """Which records are learned and which are judged by; paths are relative to where one works."""

    train: tuple[str, ...]  # files, folders or hf:NAME
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    validation_share: float = 0.1  # of the training data, where there is no validation data
    test_share: float = 0.0  # the same for test data
    format: str = "auto"  # jsonl, csv, tsv, txt or parquet
    text: str = ""  # names of columns, where the data call them otherwise
    label: str = ""
    source: str = ""  # or the endings of two files of lines: train.de and train.en
    target: str = ""
    order: Order = "auto"
    batch: int = 0  # examples of one step; 0: the preset's
    batch_tokens: int = 0  # above 0: as many examples as padded tokens fit instead
    length: int = 0  # tokens of a window, or of the longest example; 0: the preset's
    long: Long = "error"  # what becomes of longer examples
    augment: tuple[str, ...] = ()  # variants of what is learned: swap, delete, insert, …
    augment_share: float = 0.1  # of the words that change in a variant
    augment_copies: int = 1  # variants of each record

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        rules = (
            (self.train, "data.train names no file."),
            (
                min(self.validation_share, self.test_share) >= 0
                and self.validation_share + self.test_share < 1,
                "validation_share and test_share must be shares that leave something to learn.",
            ),
            (min(self.batch, self.batch_tokens, self.length) >= 0, "sizes must not be negative."),
            (
                bool(self.source) == bool(self.target),
                "source and target are named together or not at all.",
            ),
            (
                self.augment or (self.augment_share, self.augment_copies) == (0.1, 1),
                "augment_share and augment_copies do nothing without augment.",
            ),
        )
        faults = [ConfigError(message) for holds, message in rules if not holds]
        if faults:
            raise together(ConfigError, faults)
        _ = self.augmentation

    @property
    def augmentation(self) -> Augmentation | None:
        """The variants that are made of what is learned; raises ConfigError."""
        if not self.augment:
            return None
        return Augmentation(
            operations=self.augment, share=self.augment_share, copies=self.augment_copies
        )


@dataclass(frozen=True, kw_only=True)
class TokenizerPlan:
    """How text is cut: a tokenizer that is learned from the training data, or a model's own."""

    kind: Literal["bpe", "unigram", "wordpiece", "byte", "char"] = "bpe"
    size: int = 0  # pieces; 0: the preset's
    model: str = ""  # use this model's instead
    lowercase: bool = False
    joint: bool = True  # translations: one tokenizer for both sides


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """Which network is made; zeros and empty names are the preset's."""

    kind: str = "transformer"
    size: Size = "tiny"
    layers: int = 0
    width: int = 0
    heads: int = 0
    feedforward: int = 0
    dropout: float = -1.0
    attention_dropout: float = -1.0  # of each head's keys; below 0: as dropout
    pooling: Pooling | Literal[""] = ""  # how the states of a text become one
    ngrams: tuple[int, ...] = ()  # "bag": tokens of those that have vectors, such as 2 and 3
    buckets: int = 0  # vectors that all n-grams share by a hash; 0: the preset's

    @property
    def asked(self) -> tuple[str, ...]:
        """The settings of its layers that are given."""
        sizes = [
            name for name in ("layers", "width", "heads", "feedforward") if getattr(self, name)
        ]
        return (*sizes, *(["attention_dropout"] if self.attention_dropout >= 0 else []))

    @property
    def dropped(self) -> dict[str, Any]:
        """The shares that are asked for, by their names in a stack's description."""
        asked = {"dropout": self.dropout, "attention_dropout": self.attention_dropout}
        return {name: share for name, share in asked.items() if share >= 0}

    def __post_init__(self) -> None:
        """Refuse unknown networks and impossible sizes, all at once."""
        faults: list[UserError] = []
        if self.kind not in NETWORKS:
            fix = nearest(self.kind, NETWORKS)
            faults.append(ConfigError(f"there is no network {self.kind!r}.", fix=fix))
        if min(self.layers, self.width, self.heads, self.feedforward) < 0:
            faults.append(ConfigError("sizes of a network must not be negative."))
        if not self.dropout < 1:
            faults.append(ConfigError(f"dropout must be below 1, not {self.dropout}."))
        if not self.attention_dropout < 1:
            what = f"attention_dropout must be below 1, not {self.attention_dropout}."
            faults.append(ConfigError(what))
        faults += self._ngram_faults()
        if faults:
            raise together(ConfigError, faults)

    def _ngram_faults(self) -> list[UserError]:
        if self.buckets and not self.ngrams:
            what = "buckets does nothing without n-grams."
            return [ConfigError(what, fix="Set network.ngrams.")]
        if self.ngrams and self.kind in NETWORKS and not NETWORKS[self.kind].ngrams:
            able = ", ".join(name for name, each in NETWORKS.items() if each.ngrams)
            what = f"the network {self.kind!r} has no n-grams."
            return [ConfigError(what, fix=f"Networks that have: {able}.")]
        count = self.buckets or BUCKETS
        faults: list[UserError] = []
        if self.ngrams:
            faults = [
                ConfigError(what) for holds, what in ngram_rules(self.ngrams, count) if not holds
            ]
        return faults


@dataclass(frozen=True, kw_only=True)
class SoundPlan:
    """What is heard of sounds, and how they are varied while they are learned."""

    rate: int = 16_000  # samples of a second
    bins: int = 40  # bands of the spectrum
    level: Literal["even", "loud"] = "even"  # what their logarithms stand beside: all of the sound,
    # or its loudest frames, so that silence around it changes nothing
    stride: int = 2  # frames of 10 ms that become one state
    speed: float = 0.0  # faster or slower by up to this share
    tempo: float = 0.0  # the same at the same pitch
    noise: float = 0.0  # share of sounds that get noise
    hide_bins: int = 0  # widest band that is hidden, twice
    hide_frames: float = 0.0  # largest share of the time that is hidden, twice
    warp: float = 0.0  # bands higher or lower by up to this share
    channel: float = 0.0  # deviations by which bands are raised and lowered
    silence: float = 0.0  # seconds that are added before and behind a sound, at most
    window: float = 0.0  # seconds that a tuned recognizer hears of each, silence behind it
    # included; 0: as many as it was made for

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.stride < 1 or self.bins < 1:
            raise ConfigError("sound.stride and sound.bins must be at least 1.")
        if self.window < 0:
            raise ConfigError(f"sound.window must not be negative, but is {self.window}.")
        _ = self.variation

    @property
    def variation(self) -> Variation | None:
        """How sounds are varied; None: not at all. Raises ConfigError."""
        made = Variation(
            speed=self.speed,
            tempo=self.tempo,
            noise=self.noise,
            bins=self.hide_bins,
            frames=self.hide_frames,
            warp=self.warp,
            channel=self.channel,
            silence=self.silence,
        )
        return None if made == Variation() else made

    @property
    def front(self) -> FrontConfig:
        """Two convolutions over the spectrum."""
        return FrontConfig(
            features=self.bins,
            strides=(1, self.stride),
            spectrum="loud_banks" if self.level == "loud" else "banks",
            rate=self.rate,
        )


@dataclass(frozen=True, kw_only=True)
class StartPlan:
    """What is there before the first step: nothing, or a model to be changed."""

    model: str = ""  # as `loquent generate -m` takes it; its weights and tokenizer are the start
    embedding: str = ""  # a model whose tokenizer and vectors of tokens a new network begins with
    lora: int = 0  # rank of low-rank updates that are learned instead of the weights; 0: none
    lora_alpha: float = 0.0  # their scale is alpha/rank; 0: twice the rank
    lora_targets: tuple[str, ...] = ("all",)
    # which maps get one: all, last names such as query, or patterns such as "decoder.*"
    freeze: tuple[str, ...] = ()  # patterns of names of weights that stay, such as "*.embedding.*"
    pooling: Pooling | Literal[""] = ""
    # how a new head for whole texts reads their states; "": as the model's family does
    prefix: str = ""  # before every source, such as "summarize: "; auto: as its makers say
    language: str = ""  # that is spoken, for a recognizer that knows several

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.lora < 0:
            raise ConfigError(f"lora must be a rank of 1 or more, or 0, not {self.lora}.")
        if self.lora_targets != ("all",) and not self.lora:
            raise ConfigError("lora_targets does nothing without a rank.", fix="Set start.lora.")
        if self.lora and not self.model:
            raise ConfigError("lora changes a model that is there.", fix="Name it: start.model.")
        if self.embedding and self.model:
            what = "embedding is for new networks: a model that is there has its own."
            raise ConfigError(what, fix="Leave it out.")
        if self.prefix and not self.model:
            what = "prefix is what a model that is there reads before a text."
            raise ConfigError(what, fix="Name it: start.model.")


@dataclass(frozen=True, kw_only=True)
class EvaluatePlan:
    """When the network is judged on the validation data, and what follows from it."""

    every: float = 0.1  # below 1: share of the run; else steps; 0: only at the end
    metric: str = ""  # decides which weights are the best; "": the task's first
    patience: int = 0  # stop after so many judgements without a better one; 0: never
    examples: int = 1000  # of the validation data, from its start, while the run goes; 0: all
    texts: int = 200  # that are written to be judged, where a metric reads texts; 0: all


@dataclass(frozen=True, kw_only=True)
class SavePlan:
    """When a run's state is saved, so that it can go on from there."""

    every: float = 0.1  # below 1: share of the run; else steps
    minutes: float = 10.0  # and after so many minutes
    keep: int = 2  # the last so many are kept, and the best
