"""What a run finds out about its device when it begins, and keeps for as long as it goes on."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from nmt.checkpoint.file import read_extras
from nmt.config.root import Config
from nmt.config.train import TrainConfig
from nmt.plumbing.folders import cache
from nmt.training.compiling import decide
from nmt.training.device import Chosen, use_xla
from nmt.training.footprint import free_gigabytes, micro_batch_tokens

log = logging.getLogger(__name__)
EXTRA = "micro_batch_tokens"  # of a checkpoint: what was found when its run began
XLA = "xla"


def compile_or_not(config: Config, device: Chosen, start: Path | None) -> dict[str, str]:
    """Let XLA compile the run's graphs or not (`nmt.training.compiling`); to be called before any is traced.

    -> what a checkpoint must tell of it. Raises DeviceError.
    """
    told = None if start is None else read_extras(start, only=lambda name: name == XLA).get(XLA)
    before = None if told is None else str(told) == "true"
    asked, precision = config.train.xla, config.train.precision
    decision = decide(asked, before, device, precision, cache("xla.json"))
    if decision.on:
        use_xla(device)
    if decision.on or device.kind == "gpu" or before:
        log.info("XLA: %s, %s", "on" if decision.on else "off", decision.why)
    return {XLA: str(decision.on).lower()}


def fit(
    config: Config, vocabulary: int, weights: list[tf.Variable], device: Chosen, start: Path | None
) -> tuple[TrainConfig, dict[str, str]]:
    """The training configuration with the micro-batches that `train.micro_batch_gb` has room for.

    -> also what a checkpoint must tell of it: each micro-batch draws dropout of its own, so a run that goes on from
    `start` keeps those it began with, on whatever machine. Raises DeviceError.
    """
    asked, train = config.train.micro_batch_gb, config.train
    if asked is None or train.micro_batch_tokens is not None:
        return train, {}
    before = None if start is None else read_extras(start, only=lambda name: name == EXTRA).get(EXTRA)
    if before is not None:
        tokens, why = int(str(before)), "as the run began"
    else:
        num_bytes = sum(int(weight.shape.num_elements()) * weight.dtype.size for weight in weights)
        room = asked or free_gigabytes(device.kind, max(1, device.count), num_bytes)
        tokens = micro_batch_tokens(room, config.model, vocabulary, train.precision)
        why = f"for {room:.2f} GB" + ("" if asked else ", which are free")
    log.info("micro-batches of at most %s subwords a side, %s", f"{tokens:,}", why)
    return replace(train, micro_batch_tokens=tokens), {EXTRA: str(tokens)}
