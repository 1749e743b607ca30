# B batch, S source step, T target step
"""One step of training, and one of validation, each a single graph for all shapes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import tensorflow as tf

from nmt.config.train import TrainConfig
from nmt.model.noise import Noise
from nmt.model.seq2seq import Seq2Seq
from nmt.training.gradients import Gradients
from nmt.training.loss import output_loss
from nmt.training.loss_scale import LossScale
from nmt.training.optimizer import Adam, MovingAverage, clip, variable_name
from nmt.training.replicas import Replicas

IDS = tf.TensorSpec([None, None], tf.int32)


class StepResult(NamedTuple):
    """Scalars of one step."""

    loss: tf.Tensor  # what was minimised, mean over real target words
    nll: tf.Tensor  # sum over real target words, nats
    num_tokens: tf.Tensor  # real target words, end marks included
    gradient_norm: tf.Tensor  # before clipping
    applied: tf.Tensor  # bool: False where loss or gradient were not finite, and no weight was changed
    overflowed: tf.Tensor  # bool: not applied since the loss scale of float16 was too large; it is lower now


class Trainer(tf.Module):
    """The model with what training adds to it: optimiser slots and averaged weights."""

    def __init__(self, model: Seq2Seq, config: TrainConfig, seed: int, replicas: Replicas | None = None) -> None:
        """`replicas`: what a batch is spread over (None: one device); trainer and model are made in its scope."""
        super().__init__(name="trainer")
        self.model, self.config, self.seed, self.replicas = model, config, seed, replicas or Replicas()
        self.weights = list(model.trainable_variables)
        self.optimizer = Adam(config, self.weights)
        self.average = MovingAverage(config.average, self.weights)
        self.loss_scale = LossScale(config.precision)

    @tf.function(
        autograph=False, input_signature=[IDS, IDS, tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int64)]
    )
    def step(
        self, source_BS: tf.Tensor, target_BT: tf.Tensor, learning_rate: tf.Tensor, number: tf.Tensor
    ) -> StepResult:
        """Train on one batch. `number` counts steps from 1; dropout is a pure function of it and the seed."""
        noise = Noise(tf.constant(self.seed, tf.int64), number)

        def on_replica(source_BS: tf.Tensor, target_BT: tf.Tensor) -> StepResult:
            found = self.replicas.gradients(self.model, self.config, self.loss_scale, source_BS, target_BT, noise)
            return self._update(found, learning_rate, number)

        result: StepResult = self.replicas.run(on_replica, source_BS, target_BT)
        return result

    def _update(self, found: Gradients, learning_rate: tf.Tensor, number: tf.Tensor) -> StepResult:
        """Change the weights, unless loss or gradients are not finite."""
        gradients = self.loss_scale.down(found.gradients)
        clipped, norm = clip(gradients, self.config.clip_norm)
        finite = tf.logical_and(tf.math.is_finite(found.loss), tf.math.is_finite(norm))

        def update() -> tf.Tensor:
            self.optimizer.apply(clipped, learning_rate, number)
            self.average.update(number)
            return tf.constant(True)

        applied = tf.cond(finite, update, lambda: tf.constant(False))
        overflowed = self.loss_scale.update(finite)
        return StepResult(found.loss, found.nll, found.num_tokens, norm, applied, overflowed)

    @tf.function(autograph=False, input_signature=[IDS, IDS])
    def validate(self, source_BS: tf.Tensor, target_BT: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """-> sum of the negative log-likelihood (nats) and number of real target words, without dropout."""
        taught = self.model.teach(source_BS, target_BT)
        _, nll_N = output_loss(self.model.output, taught.readout_NR, taught.target_N, 0.0)
        return tf.reduce_sum(nll_N), tf.size(taught.target_N)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within this context the model has its averaged weights, where they are kept; after it the trained ones."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        if not self.average.values:
            return
        for weight in self.weights:
            average = self.average.values[variable_name(weight)]
            before = weight.numpy()
            weight.assign(average)
            average.assign(before)
