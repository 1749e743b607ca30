"""A rented machine: which one, where, for how long, and what it runs."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import Enum

from nmt.config.remote import RemoteConfig
from nmt.errors import ConfigError

SMALLEST_DISK_GB = 50
NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
IMAGE = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"


class Lane(Enum):
    """Which TensorFlow is installed: 2.21 with CUDA 12, or 2.14.1 with CUDA 11.8 for a K80."""

    tf221 = "tf221"
    tf214 = "tf214"


class Family(Enum):
    """Whose quota counts. AWS counts vCPUs of G and VT types together, and those of P types together."""

    g = "g"
    p = "p"


class Shutdown(Enum):
    """What becomes of the machine when it powers itself off."""

    terminate = "terminate"
    stop = "stop"


@dataclass
class MachineConfig:
    """A type of machine. The defaults are those of g4dn.xlarge."""

    name: str = "g4dn_xlarge"  # of this profile
    instance_type: str = "g4dn.xlarge"
    gpu: str = "T4"
    num_gpus: int = 1
    gpu_memory_gb: int = 16  # of each
    compute_capability: float = 7.5
    vcpus: int = 4
    family: Family = Family.g
    lane: Lane = Lane.tf221
    python: str = "3.12"
    image_parameter: str | None = IMAGE  # public parameter of AWS that names an image
    image: str | None = None  # an image of one's own, ami-...; wins over the parameter
    driver: int | None = None  # branch of NVIDIA's driver in the image; null: not known before the machine runs
    withdrawn: str | None = None  # when AWS stopped offering it

    def __post_init__(self) -> None:
        for key in ("num_gpus", "gpu_memory_gb", "vcpus"):
            if getattr(self, key) < 1:
                raise ConfigError(
                    f"machine.{key}",
                    found=getattr(self, key),
                    expected="at least 1",
                    next_step="the profiles in configs/machine are right for their types",
                )
        if self.image is not None and not re.fullmatch(r"ami-[0-9a-f]{8,17}", self.image):
            raise ConfigError(
                "machine.image", found=self.image, expected="an image such as ami-0123456789abcdef0",
                next_step="leave it out for the one that machine.image_parameter names",
            )  # fmt: skip


@dataclass
class LaunchConfig:
    name: str = "nmt"  # of the machine: its tags and its folder
    folder: str = "runs/launch"  # holds a folder for each machine
    region: str = "us-east-1"
    zones: list[str] = field(default_factory=list)  # tried in this order; empty: all that offer the type
    profile: str | None = None  # of ~/.aws; null: AWS's own order of looking for credentials
    endpoint_url: str | None = None  # of an AWS that is not Amazon's
    timeout_s: float = 20.0  # that AWS may take for an answer, before it is asked once more
    address: str | None = None  # one's own, from which ssh is let in; null: asked from address_url
    address_url: str = "https://checkip.amazonaws.com"
    allow_world: bool = False  # let ssh in from everywhere
    public_key: str | None = None  # file of one's own; null: a new pair for each machine
    key_file: str | None = None  # the private key to public_key
    user: str = "ubuntu"
    port: int = 22
    wait_s: float = 300.0  # for a machine to start, to show its host keys, to end
    host: str | None = None  # where ssh finds the machine; null: the address that AWS names
    subnet: str | None = None  # of a network of one's own; null: the region's default network
    usd_per_hour: float | None = None  # price of the machine; null: asked from AWS
    disk_gb: int = 60
    spot: bool = False
    max_hours: float = 12.0  # after that the machine powers itself off, whatever happens
    max_usd: float | None = None  # the same, for the price of the machine and its disk
    shutdown: Shutdown = Shutdown.terminate
    s3: str | None = None  # s3://BUCKET/PREFIX for checkpoints and metrics; null: they come home only
    data: str | None = None  # folder to upload as data.dir
    tags: dict[str, str] = field(default_factory=dict)  # further ones, for one's own accounts
    command: list[str] = field(default_factory=list)  # overrides of train.py; on the command line after `--`

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigError(
                "launch.name",
                found=self.name or "nothing",
                expected="2 to 40 of a-z, 0-9 and -, a letter first, no - last",
                next_step="nmt is the default",
            )
        if self.disk_gb < SMALLEST_DISK_GB:
            raise ConfigError(
                "launch.disk_gb",
                found=self.disk_gb,
                expected=f"at least {SMALLEST_DISK_GB}: image, CUDA wheels and checkpoints need that",
                next_step=f"set launch.disk_gb={SMALLEST_DISK_GB}",
            )
        if not 1 <= self.port <= 65535:
            raise ConfigError("launch.port", found=self.port, expected="1 to 65535", next_step="22 is the default")
        self._check_limits()
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

    def _check_limits(self) -> None:
        if self.max_hours <= 0:
            raise ConfigError(
                "launch.max_hours", found=self.max_hours, expected="more than 0", next_step="12 is the default"
            )
        for key, what in (("max_usd", "for no limit but max_hours"), ("usd_per_hour", "to have it asked")):
            value = getattr(self, key)
            if value is not None and value <= 0:
                raise ConfigError(
                    f"launch.{key}",
                    found=value,
                    expected=f"more than 0, or null {what}",
                    next_step="0.526 is 52.6 US cents",
                )
        for key in ("timeout_s", "wait_s"):
            if getattr(self, key) <= 0:
                raise ConfigError(
                    f"launch.{key}", found=getattr(self, key), expected="more than 0", next_step="leave it out"
                )
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
