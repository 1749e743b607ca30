"""What a batch is spread over: nothing, the devices of this machine, or several machines."""

from __future__ import annotations

import logging
import os
from typing import assert_never

import tensorflow as tf

from nmt.config.train import Distribution, TrainConfig
from nmt.errors import ConfigError, DeviceError
from nmt.plumbing.kept_back import sigterm_kept_back
from nmt.training.cluster import Cluster, read_cluster
from nmt.training.device import Chosen
from nmt.training.rendezvous import meet
from nmt.training.replicas import Replicas, StrategyReplicas

log = logging.getLogger(__name__)


def num_devices(config: TrainConfig) -> int:
    """How many devices of this machine a run asks for; 0: all."""
    return 1 if config.distribution is Distribution.one else config.devices


def spread(config: TrainConfig, chosen: Chosen) -> Replicas:
    """What a run on the chosen devices is spread over.

    With several workers it returns when all of them are there. To be called before TensorFlow runs anything.

    Raises DeviceError where TF_CONFIG or the devices do not allow it or a worker does not come, ConfigError for a batch
    of fewer sentences than there are replicas.
    """
    if config.distribution is Distribution.one:
        return Replicas()
    replicas: Replicas
    if config.distribution is Distribution.mirrored:
        replicas = _mirrored(chosen)
    elif config.distribution is Distribution.multi_worker:
        replicas = _multi_worker(read_cluster(os.environ.get("TF_CONFIG")), chosen, config.worker_wait_s)
    else:
        assert_never(config.distribution)
    if config.batch_sentences is not None and config.batch_sentences < replicas.count:
        raise ConfigError(
            "train.batch_sentences",
            found=config.batch_sentences,
            expected=f"at least one sentence for each of the {replicas.count} replicas",
            next_step=f"use {replicas.count} or more: a batch is that of all replicas together",
        )
    return replicas


def _mirrored(chosen: Chosen) -> Replicas:
    if chosen.count < 2:
        raise DeviceError(
            "train.distribution=mirrored",
            found=f"one device ({chosen.kind.upper()})",
            expected="several",
            next_step="use train.distribution=one, or split a CPU with train.device=cpu train.devices=2",
        )
    names = [f"/{chosen.kind}:{number}" for number in range(chosen.count)]
    return StrategyReplicas(tf.distribute.MirroredStrategy(names))


def _multi_worker(cluster: Cluster, chosen: Chosen, wait_s: float) -> Replicas:
    if chosen.kind == "cpu" and chosen.count > 1:
        raise DeviceError(
            "train.devices",
            found=f"{chosen.count} with train.distribution=multi_worker on a CPU",
            expected="0 or 1",
            next_step="a worker has one CPU or any number of GPUs",
        )
    number = len(cluster.workers)
    log.info("worker %d of %d, %s: waiting for all", cluster.index + 1, number, cluster.workers[cluster.index])
    meet(cluster, wait_s)
    try:
        with sigterm_kept_back():
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise DeviceError(
            "train.distribution=multi_worker",
            found=f"that the {number} workers do not come together ({type(error).__name__})",
            expected=f"a free port at {cluster.workers[cluster.index]}, and the others within reach",
            next_step="check TF_CONFIG, firewalls, and whether an earlier run still holds the port",
        ) from error
    log.info("all %d workers are here, %d devices together", number, strategy.num_replicas_in_sync)
    return StrategyReplicas(strategy, number, cluster.is_chief)
