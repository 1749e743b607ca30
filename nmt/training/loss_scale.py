"""The dynamic loss scale of float16 (Micikevicius et al. 2018, section 3.2)."""

from __future__ import annotations

import tensorflow as tf

from nmt.config.precision import Precision
from nmt.training.optimizer import own

FIRST, LARGEST = 2.0**15, 2.0**24
PATIENCE = 1_000  # finite steps before the scale is doubled


class LossScale(tf.Module):
    """float16 loses gradients below 6e-8: the loss is multiplied by a scale before, the gradients divided after.

    A scale that overflows is halved and the step left out; after a while without overflow it is doubled. At scale 1 a
    step that is not finite is no fault of the scale. In other precisions there is none.
    """

    def __init__(self, precision: Precision) -> None:
        super().__init__(name="loss_scale")
        self.values: dict[str, tf.Variable] = {}
        if precision is Precision.float16:
            self.values = {
                "scale": tf.Variable(FIRST, trainable=False, name="loss_scale/scale"),
                "finite_steps": tf.Variable(0, trainable=False, name="loss_scale/finite_steps"),
            }

    def up(self, loss: tf.Tensor) -> tf.Tensor:
        return loss * self.values["scale"] if self.values else loss

    def down(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        return [gradient / self.values["scale"] for gradient in gradients] if self.values else gradients

    def update(self, finite: tf.Tensor) -> tf.Tensor:
        """To be called once a step. -> bool: this step was left out for its scale, which is now lower."""
        if not self.values:
            return tf.constant(False)
        scale, steps = own(self.values["scale"]), own(self.values["finite_steps"])
        halved = tf.logical_and(tf.logical_not(finite), scale > 1.0)
        doubled = tf.logical_and(finite, steps + 1 >= PATIENCE)
        smaller, larger = tf.maximum(scale / 2.0, 1.0), tf.minimum(scale * 2.0, LARGEST)
        next_scale = tf.where(halved, smaller, tf.where(doubled, larger, scale.read_value()))
        steps.assign(tf.where(tf.logical_and(finite, tf.logical_not(doubled)), steps + 1, 0))
        scale.assign(next_scale)
        return halved
