"""How the weights are found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nmt.arithmetic import largest_divisor
from nmt.config.precision import Precision
from nmt.errors import ConfigError


class Optimizer(Enum):
    adam = "adam"
    adamw = "adamw"


class Schedule(Enum):
    """What follows the warm-up."""

    constant = "constant"
    inverse_sqrt = "inverse_sqrt"
    cosine = "cosine"
    plateau = "plateau"


class OnDiskError(Enum):
    """What a run does when a checkpoint or a line of its log cannot be written. The checkpoint before it stays."""

    stop = "stop"  # at the next step, with exit status 2
    go_on = "go_on"  # say so each time; only the last save must succeed


class Device(Enum):
    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"


class Distribution(Enum):
    """Over what a batch is spread."""

    one = "one"
    mirrored = "mirrored"
    multi_worker = "multi_worker"


class StopMetric(Enum):
    """What chooses the best checkpoint and ends a run that no longer gains."""

    loss = "loss"
    bleu = "bleu"
    chrf = "chrf"
    wmd_similarity = "wmd_similarity"

    @property
    def sign(self) -> int:
        """+1 where more is better, -1 where less is."""
        return -1 if self is StopMetric.loss else 1


@dataclass
class EarlyStoppingConfig:
    metric: StopMetric = StopMetric.bleu
    patience: int = 0  # validations without a gain before the run ends; 0: never
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if self.patience < 0 or self.min_delta < 0:
            raise ConfigError(
                "train.early_stopping",
                found=f"patience {self.patience}, min_delta {self.min_delta}",
                expected="both at least 0",
                next_step="patience 0 never stops early",
            )


@dataclass
class TrainConfig:
    max_steps: int = 400  # the default suits the embedded corpus; recipes set their own
    max_hours: float | None = None  # wall clock of training, over all its restarts
    usd_per_hour: float | None = None  # what the machine costs; None: unknown
    max_usd: float | None = None  # price of the hours of training, over all its restarts
    batch_sentences: int | None = None  # sentence pairs a step; None: by tokens
    batch_tokens: int = 1_024  # target subwords a step, padding included
    micro_batch_sentences: int | None = None  # most sentence pairs computed at once, gradients summed; None: the batch
    micro_batch_tokens: int | None = None  # most subwords of either side computed at once, padding included
    micro_batch_gb: float | None = None  # memory that sets micro_batch_tokens where it is null; 0: all that is free
    optimizer: Optimizer = Optimizer.adam
    learning_rate: float = 3e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01  # of adamw, decoupled (Loshchilov & Hutter 2019)
    schedule: Schedule = Schedule.cosine
    warmup_steps: int = 100  # linear from 0; 0 means no warm-up
    min_learning_rate: float = 0.0  # floor of inverse_sqrt, cosine and plateau
    plateau_factor: float = 0.5  # of plateau: what the rate is multiplied by
    plateau_patience: int = 2  # of plateau: validations without a lower dev loss before that
    clip_norm: float = 1.0  # largest global norm of the gradients; 0 is off
    label_smoothing: float = 0.1  # mass spread evenly over the vocabulary
    average: float = 0.0  # decay of the moving average of the weights, 0 is off; validated and saved when on
    validate_every: int = 100  # steps
    save_every: int = 100  # steps
    on_disk_error: OnDiskError = OnDiskError.stop
    keep: int = 0  # how many step-N.h5 stay besides last and best; 0: none
    log_every: int = 25  # steps
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    device: Device = Device.auto
    distribution: Distribution = Distribution.one  # mirrored: this machine's GPUs; multi_worker: TF_CONFIG's machines
    devices: int = 0  # how many of a machine's GPUs, when distributed; 0: all; on a CPU: into how many it is split
    threads: int = 0  # for TensorFlow; 0: as many as there are cores
    deterministic: bool = False  # on a GPU the same numbers each time, at a cost; a CPU computes so without it
    xla: bool | None = None  # whether XLA compiles graphs on a GPU, anew for each shape; null: as measured faster there
    precision: Precision = Precision.float32  # of the large products; float16 with a dynamic loss scale
    init_from: str | None = None  # a checkpoint whose weights to start from

    def __post_init__(self) -> None:
        for key in ("max_steps", "batch_tokens", "validate_every", "save_every", "log_every", "plateau_patience"):
            if getattr(self, key) < 1:
                raise ConfigError(
                    f"train.{key}",
                    found=getattr(self, key),
                    expected="at least 1",
                    next_step="the default is a good start",
                )
        for key in ("keep", "threads", "devices", "warmup_steps", "clip_norm", "weight_decay", "min_learning_rate"):
            if getattr(self, key) < 0:
                raise ConfigError(
                    f"train.{key}",
                    found=getattr(self, key),
                    expected="at least 0",
                    next_step="the default is a good start",
                )
        for key in ("label_smoothing", "average", "beta1", "beta2"):
            if not 0 <= getattr(self, key) < 1:
                raise ConfigError(
                    f"train.{key}",
                    found=getattr(self, key),
                    expected="0 <= value < 1",
                    next_step="the default is a good start",
                )
        self._check_rates()
        self._check_limits()
        self._check_micro_batches()
        if self.distribution is Distribution.one and self.devices > 1:
            raise ConfigError(
                "train.devices",
                found=f"{self.devices} with train.distribution=one",
                expected="0 or 1",
                next_step="use train.devices=0, or train.distribution=mirrored for several devices of this machine",
            )

    def _check_rates(self) -> None:
        if not 0 < self.plateau_factor < 1:
            raise ConfigError(
                "train.plateau_factor", found=self.plateau_factor, expected="0 < factor < 1", next_step="0.5 is usual"
            )
        for key in ("learning_rate", "epsilon"):
            if getattr(self, key) <= 0:
                raise ConfigError(
                    f"train.{key}",
                    found=getattr(self, key),
                    expected="more than 0",
                    next_step="the default is a good start",
                )
        if self.min_learning_rate > self.learning_rate:
            raise ConfigError(
                "train.min_learning_rate",
                found=self.min_learning_rate,
                expected=f"at most train.learning_rate ({self.learning_rate})",
                next_step="lower it or raise the rate",
            )

    def _check_limits(self) -> None:
        if self.warmup_steps >= self.max_steps:
            raise ConfigError(
                "train.warmup_steps",
                found=self.warmup_steps,
                expected=f"0 <= warmup_steps < train.max_steps ({self.max_steps})",
                next_step="shorten the warm-up or train longer",
            )
        if self.max_hours is not None and self.max_hours <= 0:
            raise ConfigError(
                "train.max_hours",
                found=self.max_hours,
                expected="more than 0, or null for no limit",
                next_step="1.25 is 75 minutes",
            )
        self._check_money()
        if self.batch_sentences is not None and self.batch_sentences < 1:
            raise ConfigError(
                "train.batch_sentences",
                found=self.batch_sentences,
                expected="at least 1, or null to count tokens",
                next_step="80 is usual",
            )

    def splits_batches(self) -> bool:
        """Whether a batch may be computed in micro-batches."""
        fits, fixed = self.micro_batch_sentences, self.batch_sentences
        return self.micro_batch_tokens is not None or (fits is not None and (fixed is None or fits < fixed))

    def _check_micro_batches(self) -> None:
        for key in ("micro_batch_sentences", "micro_batch_tokens"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ConfigError(
                    f"train.{key}",
                    found=value,
                    expected="at least 1, or null to compute a batch at once",
                    next_step="take the largest that fits into memory",
                )
        if self.micro_batch_gb is not None and self.micro_batch_gb < 0:
            raise ConfigError(
                "train.micro_batch_gb",
                found=self.micro_batch_gb,
                expected="at least 0, or null to compute a batch at once",
                next_step="use 0 for what the device has free",
            )
        if self.micro_batch_sentences is None or self.batch_sentences is None:
            return
        size = largest_divisor(self.batch_sentences, self.micro_batch_sentences)
        if size < self.batch_sentences and 2 * size < self.micro_batch_sentences:
            fewest = -(-self.batch_sentences // self.micro_batch_sentences)
            each = self.batch_sentences // fewest
            raise ConfigError(
                "train.micro_batch_sentences",
                found=f"{self.micro_batch_sentences} with train.batch_sentences={self.batch_sentences}, whose largest "
                f"divisor that fits is {size}",
                expected=f"a divisor from {-(-self.micro_batch_sentences // 2)} to {self.micro_batch_sentences}",
                next_step=f"use train.batch_sentences={fewest * each} (micro-batches of {each})",
            )

    def _check_money(self) -> None:
        for key, what in (("usd_per_hour", "for an unknown price"), ("max_usd", "for no limit")):
            value = getattr(self, key)
            if value is not None and value <= 0:
                raise ConfigError(
                    f"train.{key}",
                    found=value,
                    expected=f"more than 0, or null {what}",
                    next_step="0.526 is 52.6 US cents",
                )
        if self.max_usd is not None and self.usd_per_hour is None:
            raise ConfigError(
                "train.max_usd",
                found=f"{self.max_usd} without a price",
                expected="train.usd_per_hour beside it",
                next_step="say what the machine costs an hour, such as train.usd_per_hour=0.526",
            )
