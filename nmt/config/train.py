"""How the weights are found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nmt.arithmetic import largest_divisor
from nmt.config.consistency import Consistency
from nmt.config.metrics import FIGURES, Figure
from nmt.config.option import Options, option
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


@dataclass
class EarlyStoppingConfig(Options, place="train.early_stopping"):
    metric: str = option(
        "bleu",
        "what chooses the best checkpoint, of the dev set",
        one_of=tuple(FIGURES),
        hint="bleu is usual, loss needs no translation",
    )
    patience: int = option(
        0, "validations without a gain before the run ends; 0: never", at_least=0, hint="0 never stops early"
    )
    min_delta: float = option(0.0, "a gain is more than this", at_least=0, hint="0 counts every gain")

    @property
    def figure(self) -> Figure:
        """What is chosen by."""
        return FIGURES[self.metric]


@dataclass
class TrainConfig(Options, place="train"):
    max_steps: int = option(
        400,
        "steps of training; the default suits the embedded corpus, recipes set their own",
        at_least=1,
        hint="use evaluate.py or translate.py where nothing is to be trained",
    )
    max_hours: float | None = option(
        None,
        "wall clock of training, over all its restarts",
        above=0,
        null="for no limit",
        hint="1.25 is 75 minutes",
    )
    usd_per_hour: float | None = option(
        None,
        "what the machine costs, in US dollars; null: unknown",
        above=0,
        null="for an unknown price",
        hint="0.526 is 52.6 US cents",
    )
    max_usd: float | None = option(
        None,
        "price of the hours of training, over all its restarts, with train.usd_per_hour",
        above=0,
        null="for no limit",
        hint="0.526 is 52.6 US cents",
    )
    batch_sentences: int | None = option(
        None, "sentence pairs a step; null: by tokens", at_least=1, null="to count tokens", hint="80 is usual"
    )
    batch_tokens: int = option(
        1_024, "target subwords a step, padding included", at_least=1, hint="1024 to 4096 are usual"
    )
    micro_batch_sentences: int | None = option(
        None,
        "most sentence pairs computed at once, gradients summed; null: the batch",
        at_least=1,
        null="to compute a batch at once",
        hint="take the largest that fits into memory",
    )
    micro_batch_tokens: int | None = option(
        None,
        "most subwords of either side computed at once, padding included",
        at_least=1,
        null="to compute a batch at once",
        hint="take the largest that fits into memory",
    )
    micro_batch_gb: float | None = option(
        None,
        "memory that sets train.micro_batch_tokens where that is null; 0: all that is free",
        at_least=0,
        null="to compute a batch at once",
        hint="use 0 for what the device has free",
    )
    optimizer: Optimizer = option(Optimizer.adam, "how a gradient becomes a step")
    learning_rate: float = option(3e-3, "the highest one, after the warm-up", above=0, hint="1e-4 to 3e-3 are usual")
    beta1: float = option(0.9, "of adam: decay of the mean gradient", at_least=0, below=1, hint="0.9 is usual")
    beta2: float = option(
        0.999, "of adam: decay of the mean squared gradient", at_least=0, below=1, hint="0.98 and 0.999 are usual"
    )
    epsilon: float = option(1e-8, "of adam: added to the divisor", above=0, hint="1e-8 is usual")
    weight_decay: float = option(
        0.01, "of adamw, decoupled (Loshchilov & Hutter 2019)", at_least=0, hint="0.01 is usual, 0 is off"
    )
    schedule: Schedule = option(Schedule.cosine, "of the learning rate, after the warm-up")
    warmup_steps: int = option(100, "linear from 0; 0 means no warm-up", at_least=0, hint="0 means no warm-up")
    min_learning_rate: float = option(
        0.0, "floor of inverse_sqrt, cosine and plateau", at_least=0, hint="0 lets the rate fall as far as it does"
    )
    plateau_factor: float = option(
        0.5, "of plateau: what the rate is multiplied by", above=0, below=1, hint="0.5 is usual"
    )
    plateau_patience: int = option(
        2,
        "of plateau: validations without a lower dev loss before that",
        at_least=1,
        hint="1 lowers the rate at the first validation without a gain",
    )
    clip_norm: float = option(
        1.0, "largest global norm of the gradients; 0 is off", at_least=0, hint="1 is usual, 0 is off"
    )
    label_smoothing: float = option(
        0.1, "mass spread evenly over the vocabulary", at_least=0, below=1, hint="0.1 is usual, 0 is off"
    )
    consistency: Consistency = option(
        Consistency.none, "two noisy passes over a batch made to agree: rdrop, simcut; about twice the time a step"
    )
    consistency_weight: float | None = option(
        None,
        "of their divergence; null: 5 for rdrop and 3 for simcut, as the papers have",
        above=0,
        null="for the papers' weight",
        hint="1 to 5 are usual",
    )
    token_cutoff: float = option(
        0.05, "of simcut: share of words cut on either side", above=0, below=1, hint="0.05 is usual"
    )
    average: float = option(
        0.0,
        "decay of the moving average of the weights, 0 is off; validated and saved when on",
        at_least=0,
        below=1,
        hint="0.999 is usual, 0 is off",
    )
    final_average: int = option(
        0,
        "at the end best.h5 is the best by the dev set of: the best checkpoint, the mean of the last so many that were "
        "validated, the mean of the best so many; 0 is off",
        at_least=0,
        hint="5 is usual, 0 is off",
    )
    validate_every: int = option(
        100,
        "steps from one validation to the next",
        at_least=1,
        hint="as many steps as train.max_steps validate once, at the end",
    )
    save_every: int = option(
        100,
        "steps from one checkpoint to the next",
        at_least=1,
        hint="as many steps as train.max_steps save once, at the end",
    )
    on_disk_error: OnDiskError = option(OnDiskError.stop, "what a run does when a file of its own cannot be written")
    keep: int = option(
        0, "how many step-N.h5 stay besides last and best", at_least=0, hint="0 keeps last.h5 and best.h5 alone"
    )
    log_every: int = option(25, "steps from one line of the log to the next", at_least=1, hint="1 logs every step")
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    device: Device = option(Device.auto, "where to compute; auto: on a GPU where there is one")
    distribution: Distribution = option(
        Distribution.one, "mirrored: this machine's GPUs; multi_worker: TF_CONFIG's machines"
    )
    devices: int = option(
        0,
        "how many of a machine's GPUs, when distributed; 0: all; on a CPU: into how many it is split",
        at_least=0,
        hint="0 takes all of them",
    )
    worker_wait_s: float = option(
        600.0,
        "of multi_worker: seconds that a worker waits for the others before the run begins",
        above=0,
        hint="3600 is an hour",
    )
    threads: int = option(
        0, "for TensorFlow; 0: as many as there are cores", at_least=0, hint="0 takes as many as there are cores"
    )
    deterministic: bool = option(False, "on a GPU the same numbers each time, at a cost; a CPU computes so without it")
    xla: bool | None = option(
        None, "whether XLA compiles graphs on a GPU, anew for each shape; null: as measured faster there"
    )
    precision: Precision = option(Precision.float32, "of the large products; float16 with a dynamic loss scale")
    init_from: str | None = option(None, "a checkpoint whose weights to start from")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_beside_each_other()
        self._check_micro_batches()

    def _check_beside_each_other(self) -> None:
        if self.final_average == 1:
            raise ConfigError(
                "train.final_average",
                found=1,
                expected="0, or at least 2 checkpoints to average",
                next_step="5 is usual, 0 is off",
            )
        if self.min_learning_rate > self.learning_rate:
            raise ConfigError(
                "train.min_learning_rate",
                found=self.min_learning_rate,
                expected=f"at most train.learning_rate ({self.learning_rate})",
                next_step="lower it or raise the rate",
            )
        if self.warmup_steps >= self.max_steps:
            raise ConfigError(
                "train.warmup_steps",
                found=self.warmup_steps,
                expected=f"0 <= warmup_steps < train.max_steps ({self.max_steps})",
                next_step="shorten the warm-up or train longer",
            )
        if self.max_usd is not None and self.usd_per_hour is None:
            raise ConfigError(
                "train.max_usd",
                found=f"{self.max_usd} without a price",
                expected="train.usd_per_hour beside it",
                next_step="say what the machine costs an hour, such as train.usd_per_hour=0.526",
            )
        if self.distribution is Distribution.one and self.devices > 1:
            raise ConfigError(
                "train.devices",
                found=f"{self.devices} with train.distribution=one",
                expected="0 or 1",
                next_step="use train.devices=0, or train.distribution=mirrored for several devices of this machine",
            )

    @property
    def agreement(self) -> float:
        """What the divergence of two passes counts."""
        return self.consistency.usual_weight if self.consistency_weight is None else self.consistency_weight

    def splits_batches(self) -> bool:
        """Whether a batch may be computed in micro-batches."""
        part, batch = self.micro_batch_sentences, self.batch_sentences
        return self.micro_batch_tokens is not None or (part is not None and (batch is None or part < batch))

    def _check_micro_batches(self) -> None:
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
