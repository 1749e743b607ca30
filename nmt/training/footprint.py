"""How much memory a step takes, and how much there is: the largest micro-batch that fits."""

from __future__ import annotations

import subprocess
from pathlib import Path

from nmt.config.model import Decoder, ModelConfig
from nmt.config.precision import Precision
from nmt.errors import DeviceError
from nmt.model.attention import LAYERS

MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
SHARE = 0.9  # of what is free: the rest is for fragments, and for what else the process does
COPIES = 3  # of the weights within a step: gradients, those summed over micro-batches, and those clipped


def bytes_a_token(model: ModelConfig, vocabulary: int, precision: Precision, passes: int = 1) -> float:
    """Of a pair of subwords, one on either side, padding included, at the worst moment of a step.

    What a loop over time keeps grows with the gates (products, inputs and the gradients of both; with layer
    normalisation the normalised products too; of further transitions the products), what the loss keeps with the
    vocabulary (logits and softmax); two `passes` over a batch keep a few more such arrays. The factors are measured:
    TensorFlow's own count of the peak of a step, which rounds up by as much as it finds free in its pool, lies between
    0.4 and 1 times the result (tests/unit/test_training_footprint.py).
    """
    gates = model.cell.gates * (4 if model.layer_norm else 3)
    encoder = 2 * model.encoder_units * (gates + 1) * model.encoder_layers
    first = model.units * (gates + 1) + LAYERS[model.attention].kept(model)
    second = 5 * model.units if model.decoder is Decoder.conditional else 0
    upper = gates * model.units * (model.decoder_layers - 1)
    states = 2 * model.encoder_units * model.encoder_layers + model.units * model.decoder_layers
    further = (model.transition_depth - 1) * states * model.cell.gates
    loops = encoder + first + second + upper + further + 4 * model.embedding + 3 * model.readout
    more = 6 * vocabulary * (passes - 1)
    if precision is Precision.float32:
        return 4.0 * (passes * (loops + 3 * vocabulary) + more)
    return 4.0 * (passes * (0.8 * loops + 2 * vocabulary) + more)


def micro_batch_tokens(
    gigabytes: float, model: ModelConfig, vocabulary: int, precision: Precision, passes: int = 1
) -> int:
    """Most subwords of either side, padding included, whose step takes so much beside weights and gradients.

    Raises DeviceError where that is not one subword.
    """
    each = bytes_a_token(model, vocabulary, precision, passes)
    tokens = int(gigabytes * 1e9 / each)
    if tokens < 1:
        raise DeviceError(
            "train.micro_batch_gb",
            found=f"{gigabytes:.6f} GB for a micro-batch",
            expected=f"at least {each / 1e9:.6f}, what one subword takes with these sizes",
            next_step="give it more, or make the model or its vocabulary smaller",
        )
    return tokens


def free_gigabytes(kind: str, parts: int, weights_bytes: int) -> float:
    """For a micro-batch on a device of `kind` (cpu or gpu) as things are now, after gradients of the weights.

    parts: into how many devices a CPU is split. Raises DeviceError where it cannot be found out.
    """
    free = _free_on_gpu() if kind == "gpu" else _free_here() / parts
    return (SHARE * free - COPIES * weights_bytes) / 1e9


def _free_here() -> float:
    """Bytes that this process may still take: of the machine, and of the group (container) it is in."""
    try:
        words = MEMINFO.read_text().split()
        free = 1024.0 * int(words[words.index("MemAvailable:") + 1])
    except (OSError, ValueError) as error:
        raise _unknown(f"no MemAvailable in {MEMINFO}") from error
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    if limit.exists() and limit.read_text().strip() != "max":
        free = min(free, float(limit.read_text()) - float(used.read_text()))
    return free


def _free_on_gpu() -> float:
    """Bytes, of the GPU that has least."""
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
        return 2.0**20 * min(int(line) for line in told.stdout.split())
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise _unknown("nvidia-smi does not tell a GPU's free memory") from error


def _unknown(found: str) -> DeviceError:
    return DeviceError(
        "train.micro_batch_gb",
        found=found,
        expected="the free memory of the device, since train.micro_batch_gb=0",
        next_step="say how many GB a micro-batch may take, such as train.micro_batch_gb=4",
    )
