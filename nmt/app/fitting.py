"""What a run finds out about its device when it begins, and keeps for as long as it goes on."""

from __future__ import annotations

import logging

import tensorflow as tf

from nmt.checkpoint.bundle import Bundle
from nmt.config.root import Config
from nmt.plumbing.folders import cache
from nmt.training.compiling import decide
from nmt.training.device import Chosen, use_xla
from nmt.training.footprint import free_gigabytes, micro_batch_tokens

log = logging.getLogger(__name__)


def compile_or_not(config: Config, device: Chosen, before: Bundle | None) -> bool:
    """Let XLA compile the run's graphs or not (`nmt.training.compiling`); to be called before any is traced.

    -> whether it does; `before`: of the checkpoint that the run goes on from. Raises DeviceError.
    """
    known = None if before is None else before.xla
    asked, precision = config.train.xla, config.train.precision
    decision = decide(asked, known, device, precision, cache("xla.json"))
    if decision.on:
        use_xla(device)
    if decision.on or device.kind == "gpu" or known:
        log.info("XLA: %s, %s", "on" if decision.on else "off", decision.why)
    return decision.on


def fit(config: Config, vocabulary: int, model: tf.Module, device: Chosen, before: Bundle | None) -> int | None:
    """How many subwords a micro-batch has room for in `train.micro_batch_gb`; None where that is not asked.

    Each micro-batch draws dropout of its own, so a run keeps those it began with (`before`), on whatever machine.
    Raises DeviceError.
    """
    asked, train = config.train.micro_batch_gb, config.train
    if asked is None or train.micro_batch_tokens is not None:
        return None
    if before is not None and before.micro_batch_tokens is not None:
        tokens, why = before.micro_batch_tokens, "as the run began"
    else:
        num_bytes = sum(int(weight.shape.num_elements()) * weight.dtype.size for weight in model.trainable_variables)
        room = asked or free_gigabytes(device.kind, max(1, device.count), num_bytes)
        tokens = micro_batch_tokens(room, config.model, vocabulary, train.precision, train.consistency.passes)
        why = f"for {room:.2f} GB" + ("" if asked else ", which are free")
    log.info("micro-batches of at most %s subwords a side, %s", f"{tokens:,}", why)
    return tokens
