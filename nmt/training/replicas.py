# B batch, S source step, T target step
"""Several devices or machines train one model together: a batch is cut into shares, and the gradients are summed.

Everyone plans the same batches (a pure function of seed and epoch), so nothing is sent but gradients. A share counts
by its real target words: the sum is the gradient of the whole batch, however its sentences fell to the replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

from nmt.config.train import TrainConfig
from nmt.errors import DeviceError, WorkerLostError
from nmt.model.noise import Noise
from nmt.model.seq2seq import Seq2Seq
from nmt.training.gradients import Gradients, Share, batch_gradients, count_tokens, rows_of_part
from nmt.training.loss_scale import LossScale

SUM = tf.distribute.ReduceOp.SUM


class Replicas:
    """What a batch is spread over, and what the workers tell one another: here one device, which is alone."""

    count = 1  # devices of all workers
    num_workers = 1
    is_chief = True

    def scope(self) -> AbstractContextManager[Any]:
        """Variables made within have a copy on each replica. Raises WorkerLostError where another worker is gone."""
        return nullcontext()

    def run(self, function: Callable[..., Any], *arguments: tf.Tensor) -> Any:
        """`function` on every replica, within a graph; -> what the first of this machine returned."""
        return function(*arguments)

    def gradients(
        self,
        model: Seq2Seq,
        config: TrainConfig,
        scale: LossScale,
        source_BS: tf.Tensor,
        target_BT: tf.Tensor,
        noise: Noise,
    ) -> Gradients:
        """Those of the whole batch, to which this replica has computed its share. Within `run`."""
        return batch_gradients(model, config, scale, source_BS, target_BT, noise)

    def total(self, values: Sequence[float]) -> list[float]:
        """The sum over all workers, place by place. Everyone waits here for everyone."""
        return list(values)

    def together(self) -> AbstractContextManager[None]:
        """What waits for other workers: raises WorkerLostError where one is gone."""
        return nullcontext()

    def hurry(self, number: int) -> None:
        """A signal of this number came some time ago: what waits for other workers, `together`, is to give up."""

    def any(self, flag: bool) -> bool:
        """Whether any worker says so."""
        return self.total([float(flag)])[0] > 0

    def from_chief(self, values: Mapping[str, float] | None, names: Sequence[str]) -> dict[str, float]:
        """The chief's values, for everyone; the others give None."""
        mine = [values[name] if values is not None else 0.0 for name in names]
        return dict(zip(names, self.total(mine), strict=True))

    def agree(self, numbers: Mapping[str, int]) -> None:
        """Raises DeviceError, on all workers, where one's numbers (below 2**32) are not the chief's."""
        names = list(numbers)
        mine = {name: float(number) for name, number in numbers.items()}
        chiefs = self.from_chief(mine if self.is_chief else None, names)
        differing = self.total([float(mine[name] != chiefs[name]) for name in names])
        if wrong := [name for name, count in zip(names, differing, strict=True) if count]:
            raise DeviceError(
                "train.distribution=multi_worker",
                found=f"workers with another {' and '.join(wrong)} than the chief",
                expected="the same on all",
                next_step="give every worker the same command line and the same files",
            )


class StrategyReplicas(Replicas):
    """The replicas of a strategy of tf.distribute, on one machine or several."""

    def __init__(self, strategy: tf.distribute.Strategy, num_workers: int = 1, is_chief: bool = True) -> None:
        self.strategy, self.num_workers, self.is_chief = strategy, num_workers, is_chief
        self.count = strategy.num_replicas_in_sync
        self._total = tf.function(self._total_anew, autograph=False)

    @contextmanager
    def scope(self) -> Iterator[None]:
        with self._others("start all of them again"), self.strategy.scope():  # first values come from the chief
            yield

    def run(self, function: Callable[..., Any], *arguments: tf.Tensor) -> Any:
        results = self.strategy.run(function, args=arguments)
        return tf.nest.map_structure(lambda x: self.strategy.experimental_local_results(x)[0], results)

    def gradients(
        self,
        model: Seq2Seq,
        config: TrainConfig,
        scale: LossScale,
        source_BS: tf.Tensor,
        target_BT: tf.Tensor,
        noise: Noise,
    ) -> Gradients:
        context = tf.distribute.get_replica_context()
        share = Share(context.replica_id_in_sync_group, context.num_replicas_in_sync, count_tokens(target_BT))
        rows = own_rows(source_BS, target_BT, share)
        found = batch_gradients(model, config, scale, *rows, noise, share)
        loss, nll, *gradients = context.all_reduce(SUM, [found.loss, found.nll, *found.gradients])
        return Gradients(loss, nll, share.num_tokens, gradients)

    def total(self, values: Sequence[float]) -> list[float]:
        if self.num_workers == 1:
            return list(values)
        with self.together():
            return [float(x) for x in self._total(tf.constant(list(values), tf.float64)).numpy()]

    def together(self) -> AbstractContextManager[None]:
        return self._others(
            "the chief has saved the last step: go on from its run folder with resume=FOLDER, on one machine with "
            "train.distribution=one"
        )

    @contextmanager
    def _others(self, next_step: str) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            if self.num_workers == 1:
                raise
            raise WorkerLostError(
                "train.distribution=multi_worker",
                found=f"that one of {self.num_workers} workers is gone or cannot be reached ({type(error).__name__})",
                expected="all of them until the run ends",
                next_step=next_step,
            ) from error

    def hurry(self, number: int) -> None:
        if self.num_workers > 1:
            context.context().abort_collective_ops(tf.errors.CANCELLED, f"signal {number}")

    def _total_anew(self, values: tf.Tensor) -> tf.Tensor:
        def on_replica(values: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group % (self.count // self.num_workers) == 0
            return context.all_reduce(SUM, tf.where(first, values, tf.zeros_like(values)))

        return self.run(on_replica, values)


def own_rows(source_BS: tf.Tensor, target_BT: tf.Tensor, share: Share) -> tuple[tf.Tensor, tf.Tensor]:
    """The share's rows of a batch; shares differ by one row at most.

    Where there are fewer rows than replicas, some have none: they are given a source without a target, which counts
    nothing, since TensorFlow's loops need a row.
    """
    num_rows = tf.shape(source_BS)[0]
    start, end = rows_of_part(share.index, share.num_replicas, num_rows)
    real = tf.cast(end > start, target_BT.dtype)
    first = tf.minimum(start, num_rows - 1)
    rows = slice(first, tf.maximum(end, first + 1))
    return source_BS[rows], target_BT[rows] * real
