"""The whole configuration of a run, typed."""

from __future__ import annotations

from dataclasses import dataclass, field

from nmt.config.consistency import Consistency
from nmt.config.data import CaptionsConfig, DataConfig
from nmt.config.metrics import LOSS, MetricsConfig
from nmt.config.model import ModelConfig, Tie
from nmt.config.option import Options, option, seed_option
from nmt.config.search import SearchConfig
from nmt.config.subword import SubwordConfig
from nmt.config.sweep import SweepConfig
from nmt.config.train import TrainConfig
from nmt.errors import ConfigError


@dataclass
class Config(Options):
    data: DataConfig = field(default_factory=CaptionsConfig)
    subword: SubwordConfig = field(default_factory=SubwordConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    seed: int = seed_option(1, "of weights, batch order, dropout and sampling")
    resume: str | None = option(None, "a run folder to continue")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model.tie is Tie.all and not self.subword.joint:
            raise ConfigError(
                "model.tie",
                found="all",
                expected="subword.joint=true (one vocabulary, one table)",
                next_step="set subword.joint=true or model.tie=target",
            )
        # Here, once: all that scores, and the saved configuration, then name the tokenizer that was taken.
        self.metrics = self.metrics.for_language(self.data.language)

    def check_training(self) -> None:
        """What must hold to train, and not to score. Raises ConfigError."""
        self.data.check_training()
        chosen, computed = self.train.early_stopping.metric, [facts.figure.key for facts in self.metrics.facts]
        if chosen not in (LOSS.key, *computed):
            raise ConfigError(
                "train.early_stopping.metric",
                found=f"{chosen}, which metrics.report=[{','.join(self.metrics.report)}] does not compute",
                expected=f"one of {', '.join([LOSS.key, *computed])}",
                next_step="choose one of these, or add the metric to metrics.report",
            )
        if self.train.consistency is Consistency.rdrop and not self.model.drops:
            raise ConfigError(
                "train.consistency",
                found="rdrop without dropout: both passes are the same",
                expected="a dropout rate above 0",
                next_step="set a model.dropout_..., such as model.dropout_output=0.4, or use simcut",
            )


@dataclass
class CommandLine(Config):
    """What a command line of train.py composes to: a run, and how a sweep goes about its runs."""

    sweep: SweepConfig = field(default_factory=SweepConfig)
