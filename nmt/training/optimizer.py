"""Adam and AdamW, with global-norm clipping and a moving average of the weights."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from nmt.config.train import Optimizer, TrainConfig


def variable_name(variable: tf.Variable) -> str:
    """`encoder/forward/gru/kernel`, without TensorFlow's output number."""
    name: str = variable.name
    return name.split(":")[0]


def own(variable: tf.Variable) -> tf.Variable:
    """The copy that belongs to this replica; a variable that is not distributed itself."""
    copies = tf.distribute.get_strategy().experimental_local_results(variable)
    if len(copies) == 1:
        return copies[0]
    replica = tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group)
    return copies[replica % len(copies)]


def slots(variables: Sequence[tf.Variable], prefix: str, start_at_zero: bool = True) -> dict[str, tf.Variable]:
    """A companion for each variable: `prefix/NAME`, of zeros, or of the variable's own value."""
    return {
        variable_name(v): tf.Variable(
            tf.zeros_like(v) if start_at_zero else v.read_value(), name=f"{prefix}/{variable_name(v)}", trainable=False
        )
        for v in variables
    }


class Adam(tf.Module):
    """Adam (Kingma & Ba 2015), as AdamW with decoupled weight decay (Loshchilov & Hutter 2019).

        rate_t = rate sqrt(1 - beta2^t) / (1 - beta1^t)        w <- w - rate_t m / (sqrt(v) + epsilon)

    This is the order of computation at the end of section 2 there: epsilon stands beside the uncorrected sqrt(v).
    Decay spares vectors (biases, the attention's v), as is usual: it is for kernels and tables.
    """

    def __init__(self, config: TrainConfig, variables: Sequence[tf.Variable]) -> None:
        super().__init__(name="adam")
        self.config, self.weights = config, list(variables)
        self.m, self.v = slots(variables, "adam_m"), slots(variables, "adam_v")

    def apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor, step: tf.Tensor) -> None:
        """Change this replica's variables in place. `step` counts from 1."""
        config, t = self.config, tf.cast(step, tf.float32)
        beta1_power, beta2_power = config.beta1**t, config.beta2**t
        for variable, gradient in zip(self.weights, gradients, strict=True):
            name = variable_name(variable)
            if config.optimizer is Optimizer.adamw and len(variable.shape) > 1:
                own(variable).assign_sub(learning_rate * config.weight_decay * own(variable))
            tf.raw_ops.ResourceApplyAdam(
                var=own(variable).handle,
                m=own(self.m[name]).handle,
                v=own(self.v[name]).handle,
                beta1_power=beta1_power,
                beta2_power=beta2_power,
                lr=learning_rate,
                beta1=config.beta1,
                beta2=config.beta2,
                epsilon=config.epsilon,
                grad=gradient,
            )


class MovingAverage(tf.Module):
    """average = d average + (1 - d) weights,  d = min(decay, (1 + t) / (10 + t)): young averages forget the start."""

    def __init__(self, decay: float, variables: Sequence[tf.Variable]) -> None:
        super().__init__(name="average")
        self.decay, self.weights = decay, list(variables)
        self.values = slots(variables, "average", start_at_zero=False) if decay else {}

    def restart(self) -> None:
        """Begin again from the weights as they are, after they were replaced."""
        for variable in self.weights if self.values else []:
            self.values[variable_name(variable)].assign(variable)

    def update(self, step: tf.Tensor) -> None:
        """Take in the weights after step `step` (from 1)."""
        if not self.decay:
            return
        t = tf.cast(step, tf.float32)
        keep = tf.minimum(self.decay, (1.0 + t) / (10.0 + t))
        for variable in self.weights:
            average = own(self.values[variable_name(variable)])
            average.assign_sub((1.0 - keep) * (average - own(variable)))


def clip(gradients: Sequence[tf.Tensor], largest: float) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Scale all gradients so that their joint norm is at most `largest` (Pascanu et al. 2013); 0 leaves them alone.

    -> gradients, and their global norm before.
    """
    norm = tf.linalg.global_norm(gradients)
    if not largest:
        return list(gradients), norm
    scale = tf.minimum(1.0, largest / tf.maximum(norm, 1e-12))
    return [gradient * scale for gradient in gradients], norm
