"""How the launcher works with a machine over SSH."""

from __future__ import annotations

from dataclasses import dataclass, field

from nmt.errors import ConfigError


@dataclass
class RemoteConfig:
    folder: str = "nmt-launch"  # on the machine; relative: to the user's home
    cuda: bool = True  # install TensorFlow's own CUDA libraries; false: for a machine without a GPU
    offline: bool = False  # install from the machine's package cache alone
    connect_timeout_s: int = 10
    alive_interval_s: int = 15  # a connection that has been silent four times as long is lost
    wait_s: float = 300.0  # how long a machine that does not answer is tried again
    command_timeout_s: float = 3_600.0  # for one step, such as an upload or the installation
    power_off: list[str] = field(default_factory=lambda: ["sudo", "-n", "shutdown", "-P", "+{minutes}"])
    save_before_s: float = 180.0  # before the machine powers off, the trainer is asked to save
    linger_s: float = 7_200.0  # after training, the machine powers off; 0: it stays until the limit
    metadata: str | None = "http://169.254.169.254"  # address of the metadata service; null: not watched
    poll_s: float = 5.0  # between two looks at it
    every_s: float = 60.0  # between two rounds of fetch --every
    stop_on_rebalance: bool = False  # save and stop at a recommendation too, not only at a notice

    def __post_init__(self) -> None:
        for key in ("connect_timeout_s", "alive_interval_s", "command_timeout_s", "poll_s", "every_s"):
            if getattr(self, key) <= 0:
                raise ConfigError(
                    f"remote.{key}",
                    found=getattr(self, key),
                    expected="more than 0",
                    next_step="the default is a good start",
                )
        for key in ("wait_s", "save_before_s", "linger_s"):
            if getattr(self, key) < 0:
                raise ConfigError(
                    f"remote.{key}",
                    found=getattr(self, key),
                    expected="at least 0",
                    next_step="the default is a good start",
                )
        if not self.folder or self.folder.startswith(("-", "~")):
            raise ConfigError(
                "remote.folder",
                found=repr(self.folder),
                expected="a folder, absolute or from the user's home",
                next_step="the default is nmt-launch",
            )
        if not self.power_off:
            raise ConfigError(
                "remote.power_off",
                found="nothing",
                expected="the words of a command, with {minutes} or {seconds}",
                next_step="the default is sudo -n shutdown -P +{minutes}",
            )
