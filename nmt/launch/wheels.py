"""Whether driver, TensorFlow's wheel and GPU fit together. What each has code for is a fact of its makers."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.config.launch import Lane, MachineConfig
from nmt.launch.offers import Image

OPEN_DRIVER_SINCE = 7.5  # NVIDIA's open kernel driver begins with Turing
KEPLER_ENDS = 5.0  # below: the last driver is of branch 470
LAST_KEPLER_BRANCH = 470


@dataclass(frozen=True)
class Wheel:
    """What a release of TensorFlow asks of a machine."""

    version: str
    cuda: str
    lowest_capability: float  # that its machine code begins with
    lowest_driver: int  # branch of the driver that its CUDA runs on
    pythons: tuple[str, ...]


WHEELS = {
    Lane.tf221: Wheel("2.21.0", "12", 6.0, 525, ("3.11", "3.12", "3.13")),
    Lane.tf214: Wheel("2.14.1", "11.8", 3.7, 450, ("3.11",)),
}


def misfits(machine: MachineConfig, image: Image | None) -> list[str]:
    """What does not go together, each with its mend; none where all does."""
    wheel = WHEELS[machine.lane]
    found = []
    if machine.compute_capability < wheel.lowest_capability:
        found.append(
            f"TensorFlow {wheel.version} has no code below compute capability {wheel.lowest_capability}, the "
            f"{machine.gpu} has {machine.compute_capability}: set machine.lane=tf214 machine.python=3.11"
        )
    if machine.python not in wheel.pythons:
        found.append(
            f"TensorFlow {wheel.version} is tried on Python {', '.join(wheel.pythons)}: "
            f"set machine.python={wheel.pythons[-1]}"
        )
    driver = machine.driver
    if driver is not None and driver < wheel.lowest_driver:
        found.append(
            f"CUDA {wheel.cuda} needs a driver of branch {wheel.lowest_driver} or later, the image has {driver}: name "
            "another one with machine.image=AMI"
        )
    if driver is not None and driver > LAST_KEPLER_BRANCH and machine.compute_capability < KEPLER_ENDS:
        found.append(
            f"a {machine.gpu} needs a driver of branch {LAST_KEPLER_BRANCH}, the image has {driver}: name another one "
            "with machine.image=AMI"
        )
    open_driver = image is not None and "oss nvidia driver" in image.name.lower()
    if open_driver and machine.compute_capability < OPEN_DRIVER_SINCE:
        found.append(
            f"the image's open driver knows no {machine.gpu} (compute capability {machine.compute_capability}, it "
            f"begins with {OPEN_DRIVER_SINCE}): name another one with machine.image=AMI"
        )
    return found


def fitting(machine: MachineConfig) -> str:
    """What goes together, in a line."""
    wheel = WHEELS[machine.lane]
    driver = f"branch {machine.driver}" if machine.driver is not None else "the image's"
    return (
        f"TensorFlow {wheel.version}, Python {machine.python}, CUDA {wheel.cuda} (driver {wheel.lowest_driver} or "
        f"later; here {driver}), {machine.gpu} of compute capability {machine.compute_capability}"
    )
