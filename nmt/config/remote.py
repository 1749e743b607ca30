"""How the launcher works with a machine over SSH."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.config.option import Options, option
from nmt.errors import ConfigError


@dataclass
class RemoteConfig(Options, place="remote"):
    folder: str = option("nmt-launch", "on the machine; relative: to the user's home")
    cuda: bool = option(True, "install TensorFlow's own CUDA libraries; false: for a machine without a GPU")
    offline: bool = option(False, "install from the machine's package cache alone")
    connect_timeout_s: int = option(10, "for a connection to stand", above=0, hint="10 is patient enough")
    alive_interval_s: int = option(
        15,
        "a connection that has been silent four times as long is lost",
        above=0,
        hint="15 notices a loss within 60 s",
    )
    wait_s: float = option(
        300.0, "how long a machine that does not answer is tried again", at_least=0, hint="0 tries once"
    )
    command_timeout_s: float = option(
        3_600.0, "for one step, such as an upload or the installation", above=0, hint="3600 is an hour"
    )
    power_off: list[str] = option(
        ["sudo", "-n", "shutdown", "-P", "+{minutes}"], "the words of a command, with {minutes} or {seconds}"
    )
    save_before_s: float = option(
        180.0, "before the machine powers off, the trainer is asked to save", at_least=0, hint="180 suits most models"
    )
    linger_s: float = option(
        7_200.0,
        "after training, the machine powers off; 0: it stays until the limit",
        at_least=0,
        hint="0 lets it stay until launch.max_hours",
    )
    metadata: str | None = option("http://169.254.169.254", "address of the metadata service; null: not watched")
    poll_s: float = option(5.0, "between two looks at it", above=0, hint="5 leaves time to save")
    every_s: float = option(60.0, "between two rounds of fetch --every", above=0, hint="60 is once a minute")
    stop_on_rebalance: bool = option(False, "save and stop at a recommendation too, not only at a notice")

    def __post_init__(self) -> None:
        super().__post_init__()
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
