"""Which device a run trains on, and whether this TensorFlow has code for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from nmt.config.train import Device
from nmt.errors import DeviceError


@dataclass(frozen=True)
class Chosen:
    """The device in words, its kind: cpu or gpu, how many of this kind; of a GPU its name and compute capability."""

    kind: str
    description: str
    count: int = 1
    model: str = ""
    capability: tuple[int, int] = (0, 0)

    @property
    def num_gpus(self) -> int:
        """How many GPUs a run uses."""
        return self.count if self.kind == "gpu" else 0


def choose_device(asked: Device, threads: int, count: int = 1) -> Chosen:
    """Set TensorFlow up for the device that was asked for. To be called before TensorFlow runs anything.

    auto takes a GPU where there is one. `count`: how many GPUs, 0 for all; a CPU is split into so many devices. Raises
    DeviceError where GPUs are asked for and are not there, where a CPU would have more devices than cores, or where
    this TensorFlow has no code for the GPUs' compute capability.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if asked is Device.cpu or not gpus:
        if asked is Device.gpu:
            raise DeviceError(
                "train.device",
                found="no GPU that TensorFlow can use",
                expected="one, since train.device=gpu",
                next_step="install the CUDA libraries (uv sync --extra gpu), check nvidia-smi, let TensorFlow say why "
                "(TF_CPP_MIN_LOG_LEVEL=0), or use train.device=cpu",
            )
        there = len(os.sched_getaffinity(0))
        if count > there:
            raise DeviceError(
                "train.devices",
                found=f"{count} on a CPU of {there} core{'s' * (there > 1)}",
                expected="a core for each device",
                next_step=f"ask for {there} at most" if there > 1 else "use train.distribution=one",
            )
        tf.config.set_visible_devices([], "GPU")
        cores = threads or there
        tf.config.threading.set_intra_op_parallelism_threads(cores)
        tf.config.threading.set_inter_op_parallelism_threads(cores)
        why = "" if asked is Device.cpu else f" ({why_no_gpu()})"
        split = f", split into {count} devices" if count > 1 else ""
        if count > 1:
            parts = [tf.config.LogicalDeviceConfiguration()] * count
            tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
        return Chosen("cpu", f"CPU, {cores} threads{split}{why}", max(1, count))
    if count > len(gpus):
        raise DeviceError(
            "train.devices",
            found=f"{len(gpus)} GPU{'s' * (len(gpus) > 1)} that TensorFlow can use",
            expected=f"{count}, since train.devices={count}",
            next_step=f"ask for {len(gpus)} at most, or for 0: all there are",
        )
    gpus = gpus[: count or None]
    tf.config.set_visible_devices(gpus, "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    details = tf.config.experimental.get_device_details(gpus[0])
    capability = tuple(details["compute_capability"])
    built = list(tf.sysconfig.get_build_info()["cuda_compute_capabilities"])
    check_capability(capability, built)
    times = f"{len(gpus)} x " if len(gpus) > 1 else ""
    name = f"{times}{details['device_name']}, compute capability {capability[0]}.{capability[1]}"
    known = f"which this TensorFlow {tf.__version__} has code for ({', '.join(built)})"
    return Chosen("gpu", f"{name}, {known}", len(gpus), details["device_name"], (capability[0], capability[1]))


def why_no_gpu(driver: Path = Path("/proc/driver/nvidia")) -> str:
    """In words: there is none, or there is one that TensorFlow cannot use."""
    if not driver.exists():
        return "no GPU found"
    return (
        "an NVIDIA driver is here, but TensorFlow cannot use its GPU: uv sync --extra gpu installs the CUDA libraries, "
        "TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow says"
    )


def make_deterministic() -> None:
    """For all that this process computes from now on: a GPU otherwise adds up gradients in any order."""
    tf.config.experimental.enable_op_determinism()


def use_xla(chosen: Chosen) -> None:
    """Let XLA compile clusters of operations in all that this process computes from now on.

    Raises DeviceError on a CPU, where compiling each shape of batch takes longer than it saves, unless TensorFlow was
    told to do so all the same (TF_XLA_FLAGS=--tf_xla_cpu_global_jit), as tests do.
    """
    if chosen.kind == "cpu" and "--tf_xla_cpu_global_jit" not in os.environ.get("TF_XLA_FLAGS", ""):
        raise DeviceError(
            "train.xla",
            found="true on a CPU",
            expected="a GPU, since compiling for each shape of batch takes a CPU longer than it saves",
            next_step="leave it out, or use train.device=gpu",
        )
    tf.config.optimizer.set_jit("autoclustering")


def check_capability(capability: tuple[int, int], built: Sequence[str]) -> None:
    """Raises DeviceError unless a build with code for `built` (sm_60, compute_90, ...) runs on the capability.

    Machine code (sm_XY) serves its major version from its own minor on; an intermediate one (compute_XY) is compiled
    by the driver for anything newer.
    """
    for target in built:
        kind, _, number = target.partition("_")
        major, minor = int(number[:-1]), int(number[-1])
        if kind == "sm" and major == capability[0] and minor <= capability[1]:
            return
        if kind == "compute" and (major, minor) <= capability:
            return
    raise DeviceError(
        "train.device",
        found=f"a GPU of compute capability {capability[0]}.{capability[1]}",
        expected=f"one that this TensorFlow {tf.__version__} has code for ({', '.join(built)})",
        next_step="use TensorFlow 2.14.1 for a K80 (the tf214 group), or train.device=cpu",
    )
