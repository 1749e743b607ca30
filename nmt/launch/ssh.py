"""Commands on a machine through OpenSSH's client, and files through rsync.

The host key is checked strictly against the machine's own file of known hosts; a user's own SSH configuration is not
read, so nothing in it can soften that. What passes (a refused, slow or lost connection) is tried again for a while.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nmt.config.remote import RemoteConfig
from nmt.launch.machine import Machine
from nmt.launch.ssh_faults import (
    SSH_FAILED,
    Fault,
    Place,
    RemoteCommandError,
    UnreachableError,
    classify,
    last_line,
    remote_line,
)

CHUNK = 1 << 16
RSYNC_LOST = (10, 12, 30, 35)  # errors in socket, stream and time-outs
RSYNC_KILLED = 20  # its own status after SIGINT and SIGTERM
RSYNC_VANISHED = 24  # a file was replaced while it was listed: the next round has it


@dataclass(frozen=True)
class Ssh:
    """How to reach one machine."""

    machine: Machine
    config: RemoteConfig
    commands: str = ""  # options that lead a command to the machine; empty: its name
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    ended: Callable[[], str | None] = field(default=lambda: None, repr=False)  # what AWS says, where it does not run

    def place(self, doing: str) -> Place:
        """For the sentences about it."""
        return Place(self.machine, doing, self.commands)

    def options(self) -> list[str]:
        """The client and its options, without the destination."""
        machine, config = self.machine, self.config
        settings = {
            "BatchMode": "yes",  # never a question that nobody sees
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": _quoted(machine.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "UpdateHostKeys": "no",
            "IdentitiesOnly": "yes",
            "PasswordAuthentication": "no",
            "ConnectTimeout": str(config.connect_timeout_s),
            "ServerAliveInterval": str(config.alive_interval_s),
            "ServerAliveCountMax": "4",
            "LogLevel": "ERROR",
        }
        words = ["ssh", "-F", "none", "-p", str(machine.port), "-i", str(machine.key_file)]
        return words + [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def command(self, words: Sequence[str], terminal: bool = False) -> list[str]:
        """The local command whose remote side is `words`."""
        flags = ["-tt"] if terminal else ["-T"]
        destination = ["-l", self.machine.user, "--", self.machine.address]
        return [*self.options(), *flags, *destination, remote_line(words)]

    def run(self, words: Sequence[str], doing: str, given: str = "", accept: Sequence[int] = (0,)) -> Answer:
        """Run `words` on the machine until they end; they must bear being run twice.

        Raises UnreachableError, and RemoteCommandError for an exit status that `accept` does not name.
        """
        place = self.place(doing)
        answer = self._patiently(place, lambda: self._once(self.command(words), place, given))
        if answer.status not in accept:
            raise RemoteCommandError(place, answer.status, answer.err)
        return answer

    def terminal(self, words: Sequence[str], doing: str) -> int:
        """Run `words` with this terminal as theirs, once; -> the exit status there.

        Raises UnreachableError where the connection could not be made, or broke; the client has said why by then.
        """
        place = self.place(doing)
        try:
            status = subprocess.run(self.command(words, terminal=True), check=False).returncode
        except FileNotFoundError as error:
            raise UnreachableError(place, Fault.missing, "ssh") from error
        if status == SSH_FAILED or status < 0:
            raise UnreachableError(place, Fault.killed if status < 0 else Fault.lost)
        return status

    def stream(self, words: Sequence[str], doing: str, take: Callable[[bytes], None]) -> None:
        """Run `words` once and hand on their output as it comes. Raises UnreachableError, RemoteCommandError."""
        place = self.place(doing)
        with tempfile.TemporaryFile() as errors:
            try:
                client = subprocess.Popen(
                    self.command(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
                )
            except FileNotFoundError as error:
                raise UnreachableError(place, Fault.missing, "ssh") from error
            with client:
                assert client.stdout is not None
                while part := os.read(client.stdout.fileno(), CHUNK):
                    take(part)
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")
        if client.returncode == SSH_FAILED or client.returncode < 0:
            raise UnreachableError(place, classify(client.returncode, said), said)
        if client.returncode:
            raise RemoteCommandError(place, client.returncode, said)

    def rsync(self, words: Sequence[str], doing: str) -> None:
        """Run rsync with `words` (options, then paths, the remote one made by `path`); a broken transfer goes on.

        Raises UnreachableError, RemoteCommandError.
        """
        place = self.place(doing)
        shell = shlex.join([*self.options(), "-l", self.machine.user])
        common = ["rsync", "--archive", "--compress", "--protect-args", "--partial-dir=.rsync-partial"]
        common += [f"--timeout={4 * self.config.alive_interval_s}", f"--rsh={shell}"]
        seen = sys.stdout.isatty()  # somebody looks on, and an upload may take long

        def once() -> Answer:
            answer = self._once([*common, *(["--info=progress2"] if seen else []), *words], place, shown=seen)
            self._check_other_end(place, answer)
            if answer.status in RSYNC_LOST:  # or 255, as it notices the client's end first, or only the stream's
                fault = classify(answer.status, answer.err)
                raise UnreachableError(place, Fault.lost if fault is Fault.unknown else fault, answer.err)
            if answer.status == RSYNC_KILLED:
                raise UnreachableError(place, Fault.killed, answer.err)
            return answer

        answer = self._patiently(place, once)
        if answer.status not in (0, RSYNC_VANISHED):
            raise RemoteCommandError(place, answer.status, answer.err)

    def _check_other_end(self, place: Place, answer: Answer) -> None:
        """Raises RemoteCommandError where rsync there is missing, or a login shell speaks into its stream."""
        if re.search(r"rsync: (command )?not found|command not found: rsync", answer.err):
            raise RemoteCommandError(place, answer.status, answer.err, "install rsync on the machine")
        if "is your shell clean" in answer.err:
            said = last_line(self._once(self.command(["true"]), place).out)
            step = f"keep the start-up files there from printing {said!r} where there is no terminal"
            raise RemoteCommandError(place, answer.status, answer.err, step)

    def path(self, path: str) -> str:
        """A path on the machine, as rsync writes it."""
        address = f"[{self.machine.address}]" if ":" in self.machine.address else self.machine.address
        return f"{address}:{path}"

    def _patiently(self, place: Place, once: Callable[[], Answer]) -> Answer:
        """Try again what passes, with growing pauses, for `wait_s` in all."""
        left, pause = self.config.wait_s, 1.0
        while True:
            begin = time.monotonic()
            try:
                return once()
            except UnreachableError as failure:
                self.check_it_runs(place, failure)
                left -= pause + time.monotonic() - begin
                if not failure.fault.passes or left < 0:
                    raise
            self.sleep(pause)
            pause = min(2 * pause, 15.0)

    def check_it_runs(self, place: Place, failure: UnreachableError) -> None:
        """After a failure: raises UnreachableError with AWS's own word where there is no machine to wait for."""
        why = self.ended()
        if why is not None:
            fault = Fault.stopped if why.startswith("stop") else Fault.ended
            raise UnreachableError(place, fault, why) from failure

    def _once(self, command: list[str], place: Place, given: str = "", shown: bool = False) -> Answer:
        try:
            done = subprocess.run(
                command,
                input=given.encode(),
                stdout=None if shown else subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=self.config.command_timeout_s,
                check=False,
            )
        except FileNotFoundError as error:
            raise UnreachableError(place, Fault.missing, command[0]) from error
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(place, Fault.slow, f"{self.config.command_timeout_s} s") from error
        out, err = ((stream or b"").decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
        if done.returncode == SSH_FAILED or done.returncode < 0:
            raise UnreachableError(place, classify(done.returncode, err), err)
        return Answer(done.returncode, out, err)


@dataclass(frozen=True)
class Answer:
    """What a command left: exit status and both streams."""

    status: int
    out: str
    err: str


def _quoted(path: Path) -> str:
    """A path as a value of the client's configuration, whose grammar splits at spaces."""
    return f'"{path}"'
