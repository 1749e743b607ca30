"""A machine for the launcher: a real OpenSSH server on a loopback address, its user whoever runs the test."""

from __future__ import annotations

import contextlib
import getpass
import os
import pty
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nmt.config.remote import RemoteConfig
from nmt.config.root import Config
from nmt.config.saved import dump
from nmt.launch.machine import Machine
from tests.ports import free_port
from tests.processes import MARK

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
PROGRAMS = ("ssh", "ssh-keygen", "rsync", "tmux")
HANGS_S = 600.0  # a wait that ends later than this does not end


def needs_a_server() -> pytest.MarkDecorator:
    """Skip, with the reason, where Debian's openssh-server, openssh-client, rsync or tmux is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None] + ["sshd"] * (not Path(SSHD).exists())
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def children(pid: int) -> list[int]:
    """The processes below this one, the nearest first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(stat.parent.name))
    return found + [grandchild for child in found for grandchild in children(child)]


def until(happened: Callable[[], object]) -> None:
    end = time.monotonic() + HANGS_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def read_until(stream: int, wanted: str) -> str:
    """What comes until `wanted` is in it."""
    seen, end = "", time.monotonic() + HANGS_S
    while wanted not in seen:
        assert time.monotonic() < end, seen
        if select.select([stream], [], [], 0.1)[0]:
            part = os.read(stream, 4096)
            assert part, seen
            seen += part.decode("utf-8", "replace")
    return seen


def in_terminal(words: list[str], cwd: Path | None = None) -> tuple[subprocess.Popen[bytes], int]:
    """A program in a terminal of its own; -> it, and our end of the terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    client = subprocess.Popen(words, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    return client, ours


def ended(client: subprocess.Popen[bytes], terminal: int) -> int:
    """The exit status of what runs in a terminal, which waits until its last words are read."""
    end = time.monotonic() + HANGS_S
    seen = b""
    while client.poll() is None:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 0.1)[0]:
            with contextlib.suppress(OSError):  # the other end has been closed
                seen += os.read(terminal, 4096)
    os.close(terminal)
    return client.returncode


@dataclass
class Server:
    """sshd with a host key, a configuration and an authorised key of its own."""

    folder: Path
    path: str = field(default_factory=lambda: os.environ["PATH"])  # that commands see
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        for name in ("host_key", "user_key"):
            if not (self.folder / name).exists():
                words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.folder / name)]
                subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        shutil.copy(self.folder / "user_key.pub", self.folder / "authorized_keys")
        host = (self.folder / "host_key.pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host[0]} {host[1]}\n")
        settings = [
            f"ListenAddress 127.0.0.1:{self.port}",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            *("PidFile none", "StrictModes no", "UsePAM no", "PasswordAuthentication no", "LogLevel VERBOSE"),
            *("KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "MaxStartups 50"),
            f"ForceCommand {self.folder / 'login'}",  # not the user's own start-up files, which may change the path
        ]
        known = {"PATH": self.path, MARK: os.environ.get(MARK, ""), **self.environment}
        exports = [f"export {key}={shlex.quote(value)}" for key, value in known.items()]
        (self.folder / "login").write_text(
            "\n".join(["#!/bin/sh", *exports, 'exec sh -c "$SSH_ORIGINAL_COMMAND"']) + "\n"
        )
        (self.folder / "login").chmod(0o755)
        (self.folder / "sshd_config").write_text("\n".join(settings) + "\n")

    def start(self) -> None:
        self.prepare()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # the server insists on it, for root
        with open(self.folder / "sshd.log", "ab") as log:
            words = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self.answers)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "sshd.log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def drop(self) -> None:
        """Cut every connection."""
        for pid in children(self.process.pid) if self.process else []:
            with contextlib.suppress(OSError):
                if "sshd" in Path(f"/proc/{pid}/comm").read_text():
                    os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.drop()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def machine(self, name: str = "box", lane: str = "tf221", usd_per_hour: float | None = 0.526) -> Machine:
        return Machine(
            name=name,
            region="us-east-1",
            instance_id="i-0123456789abcdef0",
            address="127.0.0.1",
            port=self.port,
            user=getpass.getuser(),
            key_file=self.folder / "user_key",
            known_hosts=self.folder / "known_hosts",
            lane=lane,
            usd_per_hour=usd_per_hour,
            spot=True,
        )


# Named here, for some version managers put a Python, and a uv with it, before everything else on the path.
PYTHON = """#!/bin/sh
exec {python} "$@"
"""
FAKE_UV = """#!{python}
import os, pathlib, sys
log = pathlib.Path(__file__).with_name("uv.log")
with log.open("a") as file:
    print(*sys.argv[1:], file=file)
place = pathlib.Path(".venv/bin")
place.mkdir(parents=True, exist_ok=True)
(place / "python").write_text(pathlib.Path(__file__).with_name("trainer").read_text())
(place / "python").chmod(0o755)
"""
FAKE_TRAINER = """#!{python}
# Steps of 50 ms; saves each tenth one, and at a signal; goes on where it was.
import json, pathlib, signal, sys, time
words = dict(word.split("=", 1) for word in sys.argv[3:])
folder = pathlib.Path(words.get("resume") or words["hydra.run.dir"])
(folder / "checkpoints").mkdir(parents=True, exist_ok=True)
last = folder / "checkpoints" / "last.h5"
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
def save(step):
    beside = last.with_name("last.h5.1-0.tmp")
    beside.write_text(str(step) + chr(10) * 100_000)
    beside.replace(last)
step = int(last.read_text()) if "resume" in words else 0
if step == 0:
    (folder / "config.yaml").write_text({config!r})
print("words", *sys.argv[3:], flush=True)
while step < {steps}:
    step += 1
    time.sleep(0.05)
    with (folder / "metrics.jsonl").open("a") as file:
        print(json.dumps({{"event": "train", "step": step, "loss": 1 / step}}), file=file)
    print("step", step, flush=True)
    if step % 10 == 0 or asked:
        save(step)
    if asked:
        sys.exit(143)
save(step)
(folder / "results.json").write_text(json.dumps({{"steps": step}}))
"""
FAKE_POWER_OFF = """#!{python}
# timer.py SECONDS: takes the place of an earlier one; when it rings, or it is late already, it leaves a mark.
import contextlib, os, pathlib, signal, subprocess, sys, time
here = pathlib.Path(__file__).parent
if len(sys.argv) == 2:
    with (here / "armed").open("a") as file:
        print(sys.argv[1], file=file)
    with contextlib.suppress(OSError):
        os.kill(int((here / "pid").read_text()), signal.SIGKILL)
    closed = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    child = subprocess.Popen([sys.executable, __file__, sys.argv[1], "ring"], start_new_session=True, **closed)
    (here / "pid").write_text(str(child.pid))
else:
    rings = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < rings and not (here / "late").exists():
        time.sleep(0.1)
    (here / "powered-off").write_text(sys.argv[1])
"""


@dataclass
class FakeMachine:
    """A server whose uv and trainer are small programs, for tests of everything around them."""

    server: Server
    folder: Path  # the launcher's folder there
    programs: Path
    config: RemoteConfig

    def lines(self, name: str) -> list[str]:
        path = self.programs / name
        return path.read_text().splitlines() if path.exists() else []


@contextlib.contextmanager
def fake_machine(tmp_path: Path, steps: int) -> Iterator[FakeMachine]:
    programs, there = tmp_path / "programs", tmp_path / "machine" / "home"
    programs.mkdir()
    there.parent.mkdir()
    texts = {"uv": FAKE_UV, "trainer": FAKE_TRAINER, "timer.py": FAKE_POWER_OFF, "python3": PYTHON}
    for name, text in texts.items():
        (programs / name).write_text(text.format(python=sys.executable, steps=steps, config=dump(Config())))
        (programs / name).chmod(0o755)
    server = Server(tmp_path / "sshd", path=f"{programs}{os.pathsep}{os.environ['PATH']}")
    config = RemoteConfig(
        folder=str(there),
        wait_s=5.0,
        power_off=[str(programs / "timer.py"), "{seconds}"],
        metadata=None,
        poll_s=0.2,
        save_before_s=1.0,
        linger_s=0.0,
    )
    server.start()
    machine = FakeMachine(server, there, programs, config)
    try:
        yield machine
    finally:
        end_processes(there, programs)
        server.stop()


def end_processes(*folders: Path) -> None:
    """What a test has started on its machine: known by a folder in its command line, or by where it works."""
    end = time.monotonic() + HANGS_S
    while left := [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _is_of(pid, folders)]:
        assert time.monotonic() < end, left
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _is_of(pid: int, folders: Sequence[Path]) -> bool:
    process = Path("/proc", str(pid))
    try:
        words, place = process.joinpath("cmdline").read_bytes().decode("utf-8", "replace"), process.joinpath("cwd")
        here = place.readlink()
    except OSError:  # it has ended, or is another user's
        return False
    return pid != os.getpid() and any(str(folder) in words or here.is_relative_to(folder) for folder in folders)
