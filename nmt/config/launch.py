"""A rented machine: which one, where, for how long, and what it runs."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import Enum

from nmt.config.option import Options, option
from nmt.config.remote import RemoteConfig
from nmt.errors import ConfigError

SMALLEST_DISK_GB = 50
NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
IMAGE = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"

PROFILES = "the profiles in configs/machine are right for their types"
CENTS = "0.526 is 52.6 US cents"


class Lane(Enum):
    """Which TensorFlow is installed: 2.21 with CUDA 12, or 2.14.1 with CUDA 11.8 for a K80."""

    tf221 = "tf221"
    tf214 = "tf214"


class Family(Enum):
    """Whose quota counts. AWS counts vCPUs of G and VT types together, those of P types, and those without a GPU."""

    g = "g"
    p = "p"
    standard = "standard"


class Shutdown(Enum):
    """What becomes of the machine when it powers itself off."""

    terminate = "terminate"
    stop = "stop"


@dataclass
class MachineConfig(Options, place="machine"):
    """A type of machine. The defaults are those of g4dn.xlarge."""

    name: str = option("g4dn_xlarge", "of this profile")
    instance_type: str = option("g4dn.xlarge", "what AWS calls it")
    gpu: str = option("T4", "what NVIDIA calls it")
    num_gpus: int = option(1, "GPUs of a machine", at_least=0, hint=PROFILES)
    gpu_memory_gb: int = option(16, "of each", at_least=1, hint=PROFILES)
    compute_capability: float = option(7.5, "of a GPU")
    architecture: str = option("x86_64", "of its processor; the image must be for the same")
    vcpus: int = option(4, "what AWS counts against a quota", at_least=1, hint=PROFILES)
    family: Family = option(Family.g, "whose quota counts")
    lane: Lane = option(Lane.tf221, "which TensorFlow is installed")
    python: str = option("3.12", "which Python is installed")
    image_parameter: str | None = option(IMAGE, "public parameter of AWS that names an image")
    image: str | None = option(None, "an image of one's own, ami-...; wins over the parameter")
    driver: int | None = option(None, "branch of NVIDIA's driver in the image; null: not known before the machine runs")
    withdrawn: str | None = option(None, "when AWS stopped offering it")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image is not None and not re.fullmatch(r"ami-[0-9a-f]{8,17}", self.image):
            raise ConfigError(
                "machine.image", found=self.image, expected="an image such as ami-0123456789abcdef0",
                next_step="leave it out for the one that machine.image_parameter names",
            )  # fmt: skip


@dataclass
class LaunchConfig(Options, place="launch"):
    name: str = option("nmt", "of the machine: its tags and its folder")
    folder: str = option("runs/launch", "holds a folder for each machine")
    region: str = option("", "of AWS; empty: AWS_REGION, AWS_DEFAULT_REGION, the profile's, else us-east-1")
    zones: list[str] = option([], "tried in this order; empty: all that offer the type")
    owner: str = option("", "whose it is, in its tags; empty: the name of one's user or role")
    profile: str | None = option(None, "of ~/.aws; null: AWS's own order of looking for credentials")
    endpoint_url: str | None = option(None, "of an AWS that is not Amazon's")
    timeout_s: float = option(
        20.0, "that AWS may take for an answer, before it is asked once more", above=0, hint="20 is patient enough"
    )
    address: str | None = option(None, "one's own, from which ssh is let in; null: asked from launch.address_url")
    address_url: str = option("https://checkip.amazonaws.com", "answers with one's own address")
    allow_world: bool = option(False, "let ssh in from everywhere")
    public_key: str | None = option(None, "file of one's own; null: a new pair for each machine")
    key_file: str | None = option(None, "the private key to launch.public_key")
    user: str = option("ubuntu", "of the image, for ssh")
    port: int = option(22, "for ssh", at_least=1, at_most=65_535, hint="22 is what images listen at")
    wait_s: float = option(
        300.0, "for a machine to start, to show its host keys, to end", above=0, hint="300 is five minutes"
    )
    host: str | None = option(None, "where ssh finds the machine; null: the address that AWS names")
    subnet: str | None = option(None, "of a network of one's own; null: the region's default network")
    usd_per_hour: float | None = option(
        None, "price of the machine; null: asked from AWS", above=0, null="to have it asked", hint=CENTS
    )
    disk_gb: int = option(
        60,
        f"at least {SMALLEST_DISK_GB}: image, CUDA wheels and checkpoints need that",
        at_least=SMALLEST_DISK_GB,
        hint=f"image, CUDA wheels and checkpoints need launch.disk_gb={SMALLEST_DISK_GB}",
    )
    spot: bool = option(False, "a spot machine, which is cheaper and may be taken away")
    max_hours: float = option(
        12.0,
        "after that the machine powers itself off, whatever happens",
        above=0,
        hint="say how long it may run at most: 1.25 is 75 minutes",
    )
    max_usd: float | None = option(
        None,
        "the same, for the price of the machine and its disk",
        above=0,
        null="for no limit but max_hours",
        hint=CENTS,
    )
    shutdown: Shutdown = option(Shutdown.terminate, "what becomes of the machine when it powers itself off")
    s3: str | None = option(None, "s3://BUCKET/PREFIX for checkpoints and metrics; null: they come home only")
    data: str | None = option(None, "folder to upload as data.dir")
    tags: dict[str, str] = option({}, "further ones, for one's own accounts")
    command: list[str] = option([], "overrides of train.py; on the command line after `--`")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not NAME.fullmatch(self.name):
            raise ConfigError(
                "launch.name",
                found=self.name or "nothing",
                expected="2 to 40 of a-z, 0-9 and -, a letter first, no - last",
                next_step="nmt is the default",
            )
        self._check_spot()
        self._check_address()
        self._check_keys()
        if self.s3 is not None and not re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/.*)?", self.s3):
            raise ConfigError(
                "launch.s3", found=self.s3, expected="s3://BUCKET/PREFIX", next_step="name a bucket of your own"
            )
        for key in self.tags:
            if key.startswith(("nmt:", "aws:")) or key == "Name":
                raise ConfigError(
                    f"launch.tags.{key}", found="a tag that is kept", expected="another key",
                    next_step="nmt:*, aws:* and Name are set for you",
                )  # fmt: skip

    def _check_spot(self) -> None:
        if self.spot and self.shutdown is Shutdown.stop:
            raise ConfigError(
                "launch.shutdown",
                found="stop for a spot machine",
                expected="terminate: one-time spot machines cannot be stopped",
                next_step="leave out launch.shutdown or launch.spot",
            )

    def _check_address(self) -> None:
        if self.address is None:
            return
        try:
            everywhere = ipaddress.IPv4Network(self.address, strict=False).prefixlen == 0
        except ValueError as error:
            raise ConfigError(
                "launch.address", found=self.address, expected="an IPv4 address or a network such as 192.0.2.0/28",
                next_step="leave it out to have it asked",
            ) from error  # fmt: skip
        if everywhere and not self.allow_world:
            raise ConfigError(
                "launch.address",
                found=f"{self.address}, which is everybody",
                expected="your own address",
                next_step="leave it out to have it asked, or add launch.allow_world=true if you must",
            )

    def _check_keys(self) -> None:
        if (self.public_key is None) != (self.key_file is None):
            raise ConfigError(
                "launch.public_key" if self.key_file is None else "launch.key_file",
                found="one half of a pair",
                expected="launch.public_key and launch.key_file together",
                next_step="name both, or neither for a new pair",
            )


@dataclass
class Launch:
    """What a command of `python -m nmt.launch` is given."""

    machine: MachineConfig = field(default_factory=MachineConfig)
    launch: LaunchConfig = field(default_factory=LaunchConfig)
    remote: RemoteConfig = field(default_factory=RemoteConfig)
